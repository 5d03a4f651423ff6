"""ARIMA(1, 1, 1) with a drift, of all series at once and without a fit of their own.

Demand is taken out of its season (`models.seasonal_factors`). The drift is half the slope of the long-run line, as in
the Theta method (Hyndman & Billah, 2003, International Journal of Forecasting 19); the coefficients are the pair of a
small grid with the least squared one-step errors. Without an autoregressive term this is simple exponential smoothing
with a drift, whose smoothing constant is 1 + the moving-average term.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.demand.calendar import Bucket
from engine.demand.censoring import expected_demand
from engine.demand.panel import DemandPanel, Floats
from models.local import LARGEST, MIN_HISTORY
from models.seasonal_factors import HALF_LIFE, SEASON, Doubles, ordered_total, ratio, season_factors, slope

Grid = tuple[tuple[float, float], ...]
"""Pairs of an autoregressive and a moving-average coefficient of the changes from bucket to bucket."""

MAX_BUCKETS: Mapping[Bucket, int] = {"D": 364, "W": 260, "M": 144}
"""Latest buckets that are read."""

BLOCK = 1024
"""Series computed at once: what is worked on then stays in the cache of a processor."""


def drifting_mean(panel: DemandPanel, horizon: int, grid: Grid) -> Floats:
    """Return mean demand of the buckets to come, shape (n, horizon), from each series' own past alone.

    Stock-outs enter as `expected_demand`; buckets not on offer are skipped. No forecast out of season lies above
    `models.local.LARGEST` times the largest bucket, or that much below the level; without any history it is 0.
    """
    bucket = panel.calendar.bucket
    demand = expected_demand(panel)[:, -MAX_BUCKETS[bucket] :]
    out = np.zeros((panel.n_series, horizon), np.float32)
    for start in range(0, panel.n_series, BLOCK):
        rows = slice(start, start + BLOCK)
        seen = demand[rows].T.astype(np.float64)
        factor = season_factors(seen, SEASON[bucket], HALF_LIFE[bucket])
        # Places of the season are counted from the cutoff on, so that the first bucket to come has place 0.
        flat = seen / factor[np.arange(-len(seen), 0) % len(factor)]
        n_seen = np.isfinite(flat).sum(axis=0)
        drift = np.where(n_seen >= MIN_HISTORY[bucket], slope(flat, HALF_LIFE[bucket]) / 2, 0.0)
        level, change, autoregression = last_states(flat, drift, grid)
        # One bucket more at the mean of the history keeps a series that ever sold above 0.
        level = (n_seen * level + ratio(ordered_total(np.nan_to_num(flat)), n_seen)) / (n_seen + 1)
        top, moved = LARGEST * largest(flat), np.zeros_like(level)
        for lead in range(horizon):
            moved = moved + drift
            out[rows, lead] = np.clip(level + moved, level / LARGEST, top) * factor[lead % len(factor)]
            change = change * autoregression
            moved = moved + change
    return out


def last_states(demand: Doubles, drift: Doubles, grid: Grid) -> tuple[Doubles, Doubles, Doubles]:
    """Return level, change and autoregression at the end of ``demand`` (n_buckets, n), each of shape (n,).

    The next bucket's forecast is level + ``drift``. The level, >= 0, holds the change that the last bucket made
    probable; times the autoregression to the power 1, 2, ... that change goes on thereafter.

    The first level is that of the least squared errors too. Errors are linear in it, so it has a closed form:
    ``off`` is the error after a first level of 0, and ``trace`` what a unit of first level adds to the forecast. An
    unseen bucket changes nothing.
    """
    ar, ma = (np.array(column)[:, None] for column in zip(*grid, strict=True))
    n, shape = demand.shape[1], (len(grid), demand.shape[1])
    last, begun = np.zeros(n), np.zeros(n, np.bool_)
    change, trace = np.zeros(shape), np.ones(shape)
    squares, cross, traces = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for values in demand:
        known = np.isfinite(values)
        seen = np.where(known, values, 0.0)
        off = np.where(known, seen - last - drift - change, 0.0)
        at = np.where(known, trace, 0.0)
        squares += off**2
        cross += off * at
        traces += at**2
        moved = np.where(begun, seen - last - drift, 0.0)
        change = np.where(known, ar * moved + ma * off, change)
        trace = np.where(known, -ma * trace, trace)
        last, begun = np.where(known, seen, last), begun | known
    first = np.clip(ratio(cross, traces), 0.0, largest(demand))
    best = (squares - 2 * first * cross + first**2 * traces).argmin(axis=0)
    series = np.arange(n)
    chosen = (change + trace * first)[best, series]
    return np.maximum(last + chosen, 0.0), chosen, ar[best, 0]


def largest(demand: Doubles) -> Doubles:
    """Return the largest bucket that was seen, shape (n,); 0 if none was."""
    return np.asarray(np.where(np.isfinite(demand), demand, 0.0).max(axis=0, initial=0.0), np.float64)
