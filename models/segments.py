"""Segments of series among which forecasters are chosen, and the series too new or too odd for a choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.panel import DemandPanel
from models.features import read_seen
from models.local_choice import yearly_value

Texts = npt.NDArray[np.object_]

A_SHARE, B_SHARE = 0.80, 0.95
"""Cumulated revenue of the latest year that bounds classes A and B."""

INTERMITTENT_ABOVE = 1.32
"""Buckets per sale above which demand is intermittent (Syntetos, Boylan & Croston, 2005, J. Oper. Res. Soc. 56)."""

MIN_SEEN = {"D": 56, "W": 13, "M": 6}
"""Buckets on sale below which a series is short: classes and intermittency would say little of it."""

MIN_OWN = {"D": 14, "W": 4, "M": 2}
"""Buckets on sale below which a series is new: it tells next to nothing of its own level."""

MIN_SALES = 2
ODD_SHARE = 0.5
"""A series with fewer buckets with sales, or with this share of all its units in one bucket, is too odd."""


@dataclass(frozen=True)
class Segments:
    """A segment per series: class and intermittency, or why the series takes no part in the choice.

    ``name`` is "A-smooth", "A-intermittent", "B-smooth", ..., or "short"; "odd" and "new" take no part.
    """

    name: Texts
    value_per_unit: npt.NDArray[np.float64]

    @property
    def chosen_for(self) -> npt.NDArray[np.bool_]:
        """Whether a series takes part in the choice, shape (n,)."""
        return np.array([name not in ("odd", "new") for name in self.name], dtype=np.bool_)


def segment(panel: DemandPanel) -> Segments:
    """Return the segment of every series from the panel's history."""
    n = panel.n_series
    seen = read_seen(panel) > 0
    units = np.where(seen, panel.units, 0).astype(np.float64)
    n_seen, n_sales = seen.sum(axis=1), (units > 0).sum(axis=1)
    total = np.cumsum(units, axis=1)[:, -1] if units.shape[1] else np.zeros(n)
    largest = units.max(axis=1, initial=0.0)
    value = yearly_value(panel)
    order = np.argsort(-value, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(value[order])[:-1]]) if n else np.zeros(0)
    share = np.empty(n)
    share[order] = before / max(value.sum(), 1e-9)
    letter = np.where(share < A_SHARE, "A", np.where(share < B_SHARE, "B", "C"))
    gap = n_seen / np.maximum(n_sales, 1)
    kind = np.where(gap > INTERMITTENT_ABOVE, "intermittent", "smooth")
    name = np.array([f"{a}-{b}" for a, b in zip(letter, kind, strict=True)], dtype=object)
    name[(n_sales < MIN_SALES) | ((n_sales > 0) & (largest >= ODD_SHARE * total))] = "odd"
    name[n_seen < MIN_SEEN[panel.calendar.bucket]] = "short"
    name[n_seen < MIN_OWN[panel.calendar.bucket]] = "new"
    return Segments(name, _value_per_unit(panel))


def _value_per_unit(panel: DemandPanel) -> npt.NDArray[np.float64]:
    """Return the mean price paid, else the listed price, else 1; shape (n,)."""
    known = np.isfinite(panel.price)
    count = known.sum(axis=1)
    total = np.cumsum(np.where(known, panel.price, 0), axis=1, dtype=np.float64)
    paid = total[:, -1] / np.maximum(count, 1) if total.shape[1] else np.zeros(panel.n_series)
    listed = np.ones(panel.n_series)
    if "unit_price" in panel.static:
        stated = panel.static["unit_price"].to_numpy(np.float64, na_value=np.nan)
        listed = np.where(stated > 0, stated, 1.0)
    return np.where(paid > 0, paid, listed)
