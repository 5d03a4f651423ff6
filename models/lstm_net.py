"""The forward pass of a fitted LSTM, with sums that come out the same in any batch.

Training belongs to a library; what it learns is a handful of arrays, and applying them needs NumPy alone. A BLAS
product changes its last bits with the shape of the batch, since it adds up in another order. Here weights and inputs
lie on a grid so coarse that every product and every sum of them is exact in float64: then no order changes anything,
and a series gets the same forecast alone or in a batch, with any BLAS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

LARGEST = 8.0
"""Bound of weights, inputs and activations."""

INPUT_GRID, WEIGHT_GRID = 2.0**-20, 2.0**-16
MAX_COLUMNS = 256
"""So many products, each below 2 ** 6 and on a grid of 2 ** -36, add up to 50 of float64's 53 bits."""

MOST = 20.0
"""Demand is forecast as at most so many times the series' level."""


@dataclass(frozen=True)
class Net:
    """What a fit learnt; C channels, H hidden units, F features, D units of the decoder.

    Parameters
    ----------
    input_weight, hidden_weight, gate_bias
        Of the LSTM, shapes (C, 4 H), (H, 4 H), (4 H,); gates in the order input, forget, cell, output.
    context_weight, feature_weight, decoder_bias
        Of the decoder's hidden layer, shapes (H, D), (F, D), (D,).
    head_weight, head_bias
        Of the negative binomial's two parameters, shapes (D, 2), (2,).
    centre, spread
        Of the features in training, shape (F,).
    """

    input_weight: Doubles
    hidden_weight: Doubles
    gate_bias: Doubles
    context_weight: Doubles
    feature_weight: Doubles
    decoder_bias: Doubles
    head_weight: Doubles
    head_bias: Doubles
    centre: Doubles
    spread: Doubles

    def __post_init__(self) -> None:
        for name in ("input_weight", "hidden_weight", "context_weight", "feature_weight", "head_weight"):
            object.__setattr__(self, name, _on_grid(getattr(self, name), WEIGHT_GRID))

    def arrays(self) -> dict[str, Doubles]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Net:
        """Return the net of such arrays, which may stand among others."""
        return cls(**{field.name: np.asarray(arrays[field.name], np.float64) for field in fields(cls)})

    def relative_mean(self, context: Singles, features: Singles) -> Doubles:
        """Return mean demand over the series' level and the bucket's known effect.

        Parameters
        ----------
        context
            What the encoder reads of each series, oldest bucket first, shape (n, n_buckets, C).
        features
            What is known of each bucket to forecast, shape (n, n_steps, F), NaN where unknown.

        Returns
        -------
        numpy.ndarray
            Shape (n, n_steps), in [0, `MOST`].
        """
        n, n_buckets, _ = context.shape
        n_hidden = len(self.hidden_weight)
        given = _product(context.astype(np.float64), self.input_weight)
        hidden, cell = np.zeros((n, n_hidden)), np.zeros((n, n_hidden))
        for t in range(n_buckets):
            gates = given[:, t] + _product(hidden, self.hidden_weight) + self.gate_bias
            enter, keep, new, leave = (gates[:, k * n_hidden : (k + 1) * n_hidden] for k in range(4))
            cell = _sigmoid(keep) * cell + _sigmoid(enter) * np.tanh(new)
            hidden = _sigmoid(leave) * np.tanh(cell)
        told = _product(scaled_features(features, self.centre, self.spread), self.feature_weight)
        layer = told + _product(hidden, self.context_weight)[:, None] + self.decoder_bias
        out = _product(np.maximum(layer, 0.0), self.head_weight) + self.head_bias
        # The mean of a negative binomial with a count softplus(a) and log odds b.
        mean: Doubles = np.minimum(np.logaddexp(0.0, out[..., 0]) * np.exp(np.minimum(out[..., 1], LARGEST)), MOST)
        return mean


def scaled_features(features: Singles, centre: Doubles, spread: Doubles) -> Doubles:
    """Return features in deviations from their centre, within `LARGEST` of it; 0 where unknown."""
    scaled = (squeezed(features) - centre) / spread
    return np.clip(np.nan_to_num(scaled), -LARGEST, LARGEST)


def squeezed(features: Singles) -> Doubles:
    """Return the signed logarithm of 1 + the size of each feature: ages and ratios have long tails."""
    values = features.astype(np.float64)
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _product(x: Doubles, weight: Doubles) -> Doubles:
    """Return ``x @ weight``, ``x`` brought onto its grid, in sums short enough to be exact."""
    gridded = _on_grid(x, INPUT_GRID)
    total = np.zeros((*x.shape[:-1], weight.shape[1]))
    for start in range(0, len(weight), MAX_COLUMNS):
        total += gridded[..., start : start + MAX_COLUMNS] @ weight[start : start + MAX_COLUMNS]
    return total


def _sigmoid(x: Doubles) -> Doubles:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def _on_grid(x: Doubles, grid: float) -> Doubles:
    return np.asarray(np.rint(np.clip(x, -LARGEST, LARGEST) / grid) * grid)
