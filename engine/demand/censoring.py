"""Demand behind stock-outs: sales are a lower bound where an item was not on sale all the time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.demand.calendar import Bucket
from engine.demand.credibility import demand_behind
from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel, Floats

SCALED_SHARE = 0.5
"""Forecasters learn from single buckets that were on sale for at least this share; a lesser one says too little."""

BLOCK = 2048
"""Series estimated at once, to bound memory."""

PROFILE_UNITS = 20
"""A weekday's factor is drawn towards 1 as if this many more units had been sold on it as on any other day."""


def observed(panel: DemandPanel) -> Floats:
    """Return units where demand was seen in full, NaN where censored or not on offer; shape (n, n_history)."""
    seen = on_offer(panel)[:, : panel.calendar.n_history] & (panel.available >= 1)
    return np.where(seen, panel.units, np.float32(np.nan))


def censored(panel: DemandPanel) -> npt.NDArray[np.bool_]:
    """Return where units are only a lower bound of demand (on offer, not on sale all the time)."""
    return on_offer(panel)[:, : panel.calendar.n_history] & (panel.available < 1)


def expected_demand(panel: DemandPanel) -> Floats:
    """Return an estimate of the demand in every history bucket; NaN where not on offer, shape (n, n_history).

    Buckets on sale all the time keep their sales. Of others, what sold is complete by what would have sold in the rest
    (`engine.demand.credibility.demand_behind`); the estimate is never less than the sales. A series that was never on
    sale keeps its sales, the only bound known. A cut panel gives the same estimates as far as it reaches, its
    first few buckets apart.
    """
    offer = on_offer(panel)[:, : panel.calendar.n_history]
    demand = np.where(offer, panel.units, np.float32(np.nan))
    touched = np.flatnonzero((offer & (panel.available < 1)).any(axis=1))
    for start in range(0, len(touched), BLOCK):
        rows = touched[start : start + BLOCK]
        units = np.where(offer[rows], panel.units[rows], 0).astype(np.float64)
        share = np.where(offer[rows], panel.available[rows], 0).astype(np.float64)
        behind = demand_behind(units, share, panel.calendar.bucket, _weekday(panel))
        demand[rows] = np.where(offer[rows], behind, np.nan).astype(np.float32)
    return demand


def _weekday(panel: DemandPanel) -> npt.NDArray[np.int64]:
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


def _row_sum(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # A running sum adds in one fixed order, so a series gets the same bits alone and in any batch.
    return np.cumsum(values, axis=1)[:, -1] if values.shape[1] else np.zeros(len(values))
