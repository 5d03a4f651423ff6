"""How sure a difference between two policies is that were walked through the same demand.

Items and weeks are drawn anew together: items one by one, weeks in blocks, since neighbouring weeks are alike.
Both policies get the same draw, so what they share cancels. Drawing rows and columns independently is on the safe side:
the interval is rather too wide (Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007); blocks go round
at the end (Politis and Romano, A circular block-resampling procedure for stationary data, 1992).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engine.simulation.types import F64

Sums = Mapping[str, F64]
Measure = Callable[[Sums], F64]
"""From sums over items and weeks by name, shape (n_draws,), to a figure, same shape."""

_DRAWS_AT_ONCE = 100


@dataclass(frozen=True)
class Redraw:
    """How often items and weeks are drawn anew, in blocks of how many weeks, and the share that intervals hold."""

    n_draws: int = 1000
    block_weeks: int = 4
    share: float = 0.90

    def __post_init__(self) -> None:
        if self.n_draws < 1 or self.block_weeks < 1:
            raise ValueError(f"draws and weeks must be >= 1. Got {self.n_draws} and {self.block_weeks} instead.")
        if not 0 < self.share < 1:
            raise ValueError(f"share must lie in (0, 1). Got {self.share} instead.")


@dataclass(frozen=True)
class Interval:
    """A difference, and the interval that holds it with the share of `Redraw`."""

    difference: float
    low: float
    high: float


def differences(
    base: Sums, other: Sums, measures: Mapping[str, Measure], redraw: Redraw, generator: np.random.Generator
) -> dict[str, Interval]:
    """Return ``other`` less ``base`` in every measure.

    Parameters
    ----------
    base, other
        Quantities by name, each of shape (n_items, n_weeks).
    measures
        Figures made of their sums, by name.

    Raises
    ------
    ValueError
        If the quantities of both do not have one shape.
    """
    shapes = {array.shape for sums in (base, other) for array in sums.values()}
    if len(shapes) != 1 or set(base) != set(other):
        raise ValueError(f"base and other must hold the same quantities of one shape. Got {sorted(shapes)} instead.")
    n_items, n_weeks = shapes.pop()
    drawn: dict[str, list[F64]] = {name: [] for name in measures}
    for start in range(0, redraw.n_draws, _DRAWS_AT_ONCE):
        n = min(_DRAWS_AT_ONCE, redraw.n_draws - start)
        items = generator.multinomial(n_items, np.full(n_items, 1.0 / n_items), size=n).astype(np.float64)
        weeks = _block_counts(n, n_weeks, redraw.block_weeks, generator)
        sums = [{name: ((items @ array) * weeks).sum(axis=1) for name, array in of.items()} for of in (base, other)]
        for name, measure in measures.items():
            drawn[name].append(measure(sums[1]) - measure(sums[0]))
    whole = [{name: np.array([array.sum()]) for name, array in of.items()} for of in (base, other)]
    tail = (1.0 - redraw.share) / 2.0
    found = {}
    for name, measure in measures.items():
        low, high = np.quantile(np.concatenate(drawn[name]), [tail, 1.0 - tail])
        found[name] = Interval(float((measure(whole[1]) - measure(whole[0]))[0]), float(low), float(high))
    return found


def _block_counts(n_draws: int, n_weeks: int, block_weeks: int, generator: np.random.Generator) -> F64:
    """Return how often each week is drawn, shape (n_draws, n_weeks); each row sums to ``n_weeks``."""
    length = min(block_weeks, n_weeks)
    n_blocks = -(-n_weeks // length)
    starts = generator.integers(0, n_weeks, size=(n_draws, n_blocks))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(n_draws, -1)[:, :n_weeks] % n_weeks
    counts = np.zeros((n_draws, n_weeks))
    np.add.at(counts, (np.arange(n_draws)[:, None], drawn), 1.0)
    return counts
