"""Peers for spare parts: statsforecast's CrostonSBA and TSB, and the usual bootstraps of demand over intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
from statsforecast.models import TSB, CrostonSBA

from benchmarks.forecast.spare_parts_scores import Doubles, Forecast

ALPHA = 0.1
"""Both constants of TSB; that of CrostonSBA is fixed at the same."""

MODELS: Mapping[str, Callable[[], CrostonSBA | TSB]] = {"SBA": CrostonSBA, "TSB": lambda: TSB(ALPHA, ALPHA)}


def peers(past: Doubles, length: npt.NDArray[np.int64], horizon: int, n_draws: int) -> Iterator[tuple[str, Forecast]]:
    """Yield the name and the forecast of every peer, each refitted to ``past`` (n, n_history).

    The first bootstrap draws buckets of the past, with their mean; the second draws errors of one bucket ahead around
    a model's forecast, each bucket cut off at zero.
    """
    generator = np.random.Generator(np.random.Philox(key=0))
    n = len(past)
    yield "no demand", Forecast(np.zeros((n, horizon)), np.zeros((n, n_draws)))
    mean = past.mean(axis=1)
    yield (
        "bootstrap of past buckets",
        Forecast(*_bootstrap(mean, past - mean[:, None], length, horizon, n_draws, generator)),
    )
    for name, make in MODELS.items():
        mean, fitted = _points(make(), past)
        errors = np.nan_to_num(past - fitted)[:, 1:]
        yield (
            f"statsforecast {name}, bootstrap of errors",
            Forecast(*_bootstrap(mean, errors, length, horizon, n_draws, generator)),
        )


def _points(model: CrostonSBA | TSB, past: Doubles) -> tuple[Doubles, Doubles]:
    """Return the forecast (n,) and what was forecast one bucket ahead before (n, n_history); 0 for who never sold."""
    mean, fitted = np.zeros(len(past)), np.zeros(past.shape)
    for row in np.flatnonzero((past > 0).any(axis=1)):
        found = model.forecast(past[row], 1, fitted=True)
        mean[row], fitted[row] = found["mean"][0], found["fitted"]
    return mean, fitted


def _bootstrap(
    mean: Doubles, errors: Doubles, length: npt.NDArray[np.int64], horizon: int, n_draws: int,
    generator: np.random.Generator,
) -> tuple[Doubles, Doubles]:  # fmt: skip
    """Return the mean by bucket (n, horizon) and draws of the sum over the interval (n, n_draws)."""
    n = len(mean)
    sums = np.zeros((n, n_draws))
    for t in range(horizon):
        drawn = np.take_along_axis(errors, generator.integers(0, errors.shape[1], (n, n_draws)), axis=1)
        sums += np.where(t < length[:, None], np.maximum(mean[:, None] + drawn, 0), 0)
    return np.repeat(mean[:, None], horizon, axis=1), sums
