"""What stock-outs hid: units sold and demand estimated, before and after, for the plan's assumptions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.censoring import censored, expected_demand
from engine.demand.panel import DemandPanel
from engine.messages import Message

N_TOLD = 3
"""Series named, those with the most units added first."""


@dataclass(frozen=True)
class RecoveredUnits:
    """Units sold and units added to them, by series; arrays of shape (n,).

    Parameters
    ----------
    sold
        Units sold in the whole history on offer.
    sold_short
        Of these, in buckets with a stock-out.
    added
        Units by which the estimated demand of those buckets exceeds what they sold.
    n_buckets
        Buckets with a stock-out.
    """

    sold: npt.NDArray[np.float64]
    sold_short: npt.NDArray[np.float64]
    added: npt.NDArray[np.float64]
    n_buckets: npt.NDArray[np.int64]


def recovered_units(panel: DemandPanel) -> RecoveredUnits:
    """Return what was sold and what `expected_demand` adds for stock-outs, by series.

    A bucket in which an item was launched or ended is not among them: it was on sale for a part of its days, but
    that hid no demand.
    """
    demand = expected_demand(panel)
    sold = np.where(np.isfinite(demand), panel.units, np.float32(0))
    short = censored(panel) & ~_cut_by_dates(panel)
    return RecoveredUnits(
        sold=sold.sum(axis=1, dtype=np.float64),
        sold_short=np.where(short, sold, 0).sum(axis=1, dtype=np.float64),
        added=np.where(short, demand - sold, 0).sum(axis=1, dtype=np.float64),
        n_buckets=short.sum(axis=1),
    )


def recovered_notes(panel: DemandPanel) -> tuple[Message, ...]:
    """Return what a person is told of `recovered_units`, nothing where no stock-out is on record."""
    found = recovered_units(panel)
    touched = found.n_buckets > 0
    if not touched.any():
        return ()
    sold, added = found.sold.sum(), found.added.sum()
    most = np.argsort(-found.added, kind="stable")[:N_TOLD]
    named = [f"{panel.item_id[r]} at {panel.location_id[r]} (+{found.added[r]:,.0f})" for r in most if touched[r]]
    values = {
        "added": round(float(added), 1),
        "share": round(float(added / sold), 4) if sold > 0 else None,
        "n_buckets": int(found.n_buckets.sum()),
        "n_series": int(touched.sum()),
        "sold_short": round(float(found.sold_short.sum()), 1),
        "expected": round(float(found.sold_short.sum() + added), 1),
        "most": ", ".join(named),
    }
    return (Message("stock-outs-hid-demand", values),)


def _cut_by_dates(panel: DemandPanel) -> npt.NDArray[np.bool_]:
    """Return the buckets that launch or end dates cut, shape (n, n_history)."""
    h = panel.calendar.n_history
    days = panel.calendar.edges[: h + 1].astype(np.int64)
    cut = np.zeros(panel.units.shape, np.bool_)
    # The first day on sale, and the first after the last one; NaN, where there is none, lies in no bucket.
    for name, after in (("launch_day", 0), ("end_day", 1)):
        if name in panel.static:
            day = panel.static[name].to_numpy(np.float64)[:, None] + after
            cut |= (day > days[:-1]) & (day < days[1:])
    return cut
