"""Demand behind stock-outs: sales are a lower bound where an item was not on sale all the time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.demand.calendar import Bucket
from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel, Floats

SCALED_SHARE = 0.5
"""On sale for at least this share of a bucket, sales over the share estimate its demand; below they say too little."""

BLOCK = 2048
"""Series estimated at once, to bound memory."""

PROFILE_UNITS = 20
"""A weekday's factor is drawn towards 1 as if this many more units had been sold on it as on any other day."""

LEVEL_BUCKETS = {"D": 56, "W": 13, "M": 6}
"""Length of the exponentially weighted window (its mean age) that gives the level around a stock-out."""


def observed(panel: DemandPanel) -> Floats:
    """Return units where demand was seen in full, NaN where censored or not on offer; shape (n, n_history)."""
    seen = on_offer(panel)[:, : panel.calendar.n_history] & (panel.available >= 1)
    return np.where(seen, panel.units, np.float32(np.nan))


def censored(panel: DemandPanel) -> npt.NDArray[np.bool_]:
    """Return where units are only a lower bound of demand (on offer, not on sale all the time)."""
    return on_offer(panel)[:, : panel.calendar.n_history] & (panel.available < 1)


def expected_demand(panel: DemandPanel) -> Floats:
    """Return an estimate of the demand in every history bucket; NaN where not on offer, shape (n, n_history).

    Full buckets keep their sales. A bucket on sale for a share of at least `SCALED_SHARE` gets sales / share.
    Below that it gets the level of the full buckets around it times the weekday factor (days only), and
    never less than the sales. A series without a single full bucket keeps its sales, the only bound known.
    Levels look backward, then forward at the start of the history, so a cut panel never sees ahead.
    """
    offer = on_offer(panel)[:, : panel.calendar.n_history]
    demand = np.where(offer, panel.units, np.float32(np.nan))
    touched = np.flatnonzero((offer & (panel.available < 1)).any(axis=1))
    for start in range(0, len(touched), BLOCK):
        rows = touched[start : start + BLOCK]
        demand[rows] = np.where(offer[rows], _estimate(panel, rows, offer[rows]), np.float32(np.nan))
    return demand


def _estimate(panel: DemandPanel, rows: npt.NDArray[np.int64], offer: npt.NDArray[np.bool_]) -> Floats:
    """Estimated demand of some series, shape (rows, n_history)."""
    units = panel.units[rows].astype(np.float64)
    share = panel.available[rows].astype(np.float64)
    seen = np.where(offer & (share >= 1), units, np.nan)
    factor = season_factor(seen, panel.calendar.bucket, _phase(panel))
    level = _level(seen / factor, LEVEL_BUCKETS[panel.calendar.bucket])
    scaled = units / np.maximum(share, SCALED_SHARE)
    rough = np.maximum(np.where(np.isfinite(level), level * factor, units), units)
    demand = np.where(share >= 1, units, np.where(share >= SCALED_SHARE, scaled, rough))
    return demand.astype(np.float32)


def _phase(panel: DemandPanel) -> npt.NDArray[np.int64]:
    """Weekday of every history bucket (Monday = 0), shape (n_history,)."""
    days = panel.calendar.starts[: panel.calendar.n_history].astype(np.int64)
    return (days + 3) % 7


def season_factor(
    seen: npt.NDArray[np.float64], bucket: Bucket, phase: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return each bucket's weekday factor per series, drawn towards 1 where few units were sold (days only).

    ``seen`` has shape (n, n_history) with NaN where unknown; the result has the same shape and is > 0.
    """
    factor = np.ones_like(seen)
    if bucket != "D" or seen.shape[1] == 0:
        return factor
    known = np.isfinite(seen)
    mean = _row_sum(np.where(known, seen, 0.0)) / np.maximum(_row_sum(known.astype(np.float64)), 1.0)
    for day in range(7):
        columns = phase == day
        count = _row_sum(known[:, columns].astype(np.float64))
        total = _row_sum(np.where(known[:, columns], seen[:, columns], 0.0))
        ratio = (total + PROFILE_UNITS) / (mean * count + PROFILE_UNITS)
        factor[:, columns] = np.maximum(ratio, 0.05)[:, None]
    return factor


def _level(seen: npt.NDArray[np.float64], age: int) -> npt.NDArray[np.float64]:
    """Exponentially weighted mean of the known values before and at each bucket; NaN where none is known at all.

    Buckets before the first known one take the first level, which is the only look forward.
    """
    n, n_history = seen.shape
    keep = 1.0 - 1.0 / age
    total, weight = np.zeros(n), np.zeros(n)
    level = np.full((n, n_history), np.nan)
    for t in range(n_history):
        known = np.isfinite(seen[:, t])
        total = keep * total + np.where(known, seen[:, t], 0.0)
        weight = keep * weight + known
        level[:, t] = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)
    for t in range(n_history - 2, -1, -1):
        level[:, t] = np.where(np.isfinite(level[:, t]), level[:, t], level[:, t + 1])
    return level


def _row_sum(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # A running sum adds in one fixed order, so a series gets the same bits alone and in any batch.
    return np.cumsum(values, axis=1)[:, -1] if values.shape[1] else np.zeros(len(values))
