"""Which smoothing constants suit a series: those that forecast its own past best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from engine.demand.censoring import expected_demand
from engine.demand.panel import DemandPanel, Floats

Doubles = npt.NDArray[np.float64]

Recursion = Callable[[Doubles], Doubles]
"""Gives, from demand (n, n_history) with NaN where not on offer, the forecasts per bucket that each choice of constants
made before every bucket and after the last, shape (n_choices, n, n_history + 1); NaN before the first sale."""

BLOCK = 512
"""Series smoothed at once, to bound memory."""


def smoothed(panel: DemandPanel, horizon: int, recursion: Recursion) -> Floats:
    """Return each series' forecast by its best constants, the same for every bucket, shape (n, horizon); 0 unsold.

    The best ones have the least squared error of one bucket ahead over the history. Stock-outs enter as
    `expected_demand`; buckets not on offer leave a forecast as it is.
    """
    demand = expected_demand(panel).astype(np.float64)
    level = np.zeros(panel.n_series)
    for first in range(0, panel.n_series, BLOCK):
        rows = slice(first, first + BLOCK)
        forecast = recursion(demand[rows])
        square = np.nan_to_num((demand[rows] - forecast[:, :, :-1]) ** 2)
        error = np.cumsum(square, axis=2)[:, :, -1] if square.shape[2] else np.zeros(square.shape[:2])
        best = error.argmin(axis=0)
        level[rows] = forecast[best, np.arange(len(best)), -1]
    return np.repeat(np.nan_to_num(level)[:, None], horizon, axis=1).astype(np.float32)
