"""Spare parts: the weekly parts of MAN and the monthly car parts, as demand panels."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Bucket, Calendar
from engine.demand.panel import DemandPanel

DATA = Path(os.environ.get("RESTOCK_DATA", "../shared/data"))

REVIEW = 1
"""Buckets from one order to the next."""

CAR_LEAD_MONTHS = 2
"""The car parts come without lead times."""

AS_OF = np.datetime64("2020-06-01")
"""A Monday and the first of a month: buckets are numbered, not dated, and no method here reads a calendar."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SpareParts:
    """A set of parts and how to score on it.

    Parameters
    ----------
    panel
        All buckets; intervals are the lead time plus a review.
    value
        Value of a unit, shape (n,).
    backs
        Cutoffs scored, in buckets back from the end, earliest first.
    """

    name: str
    panel: DemandPanel
    value: Doubles
    backs: tuple[int, ...]

    def take(self, rows: npt.NDArray[np.int64]) -> SpareParts:
        """Return some of the parts."""
        return replace(self, panel=self.panel.take(rows), value=self.value[rows])

    def development(self) -> SpareParts:
        """Return the buckets before the first cutoff alone, with cutoffs as far back from their end."""
        return replace(self, panel=self.panel.cut(max(self.backs)))


def man() -> SpareParts:
    """Return 3,451 parts over 150 weeks with lead times of 7 or 16 weeks; the last 26 weeks are scored."""
    rows = pd.read_parquet(DATA / "spare_parts_spdf" / "man_weekly.parquet")
    master = pd.read_parquet(DATA / "spare_parts_spdf" / "man_params.parquet").set_index("sku")
    wide = rows.pivot_table(index="sku", columns="week_no", values="units")
    master = master.loc[wide.index]
    backs = (26, 24, 22, 21, 19, 17)
    cost = master["cost_price_eur"].to_numpy(np.float64)
    lead = master["lead_time_weeks"].to_numpy(np.int32)
    return _parts("man", "W", wide, lead, cost, backs)


def carparts() -> SpareParts:
    """Return the 2,509 complete parts over 51 months, at a lead time of two; the last 6 months are scored."""
    rows = pd.read_parquet(DATA / "expsmooth" / "carparts.parquet")
    wide = rows.pivot_table(index="series", columns="t", values="y").dropna()
    lead = np.full(len(wide), CAR_LEAD_MONTHS, np.int32)
    return _parts("carparts", "M", wide, lead, np.ones(len(wide)), (6, 5, 4, 3))


def _parts(
    name: str, bucket: Bucket, wide: pd.DataFrame, lead: npt.NDArray[np.int32], value: Doubles, backs: tuple[int, ...]
) -> SpareParts:
    units = wide.to_numpy(np.float32)
    n, n_history = units.shape
    calendar = Calendar(bucket, AS_OF, n_history, int(lead.max()) + REVIEW)
    known = units[:, : n_history - 2 * max(backs)]
    # What a part is counted in is master data: read from the weeks before any that is scored.
    static = pd.DataFrame({"divisible": (known != np.rint(known)).any(axis=1)})
    if (value != 1).any():
        static["unit_price"] = value
    panel = DemandPanel(
        calendar=calendar,
        item_id=np.array([f"{name}-{key}" for key in wide.index], object),
        location_id=np.full(n, name, object),
        units=units,
        available=np.ones_like(units),
        offered=np.ones((n, calendar.n_buckets), np.bool_),
        price=np.full_like(units, np.nan),
        interval=np.column_stack([lead, lead + REVIEW]),
        static=static,
        regressors={},
    )
    return SpareParts(name, panel, value, backs)
