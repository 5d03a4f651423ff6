"""Which series and aggregates a per-series model is fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.panel import DemandPanel
from models.features import read_seen

Ints = npt.NDArray[np.int64]

AGGREGATE_SHARE = 0.2
"""Share of the fits that goes to aggregates."""

MIN_POSITIVE = 12
MIN_POSITIVE_SHARE = 0.3
"""A series is fitted alone if it sold in this many buckets and in this share of those on sale."""

YEAR_BUCKETS = {"D": 364, "W": 52, "M": 12}
TOTAL = ""


@dataclass(frozen=True)
class LocalChoice:
    """Rows of the series to fit alone, and rows of each aggregate by name (the total's name is empty)."""

    series: Ints
    groups: Mapping[str, Ints]


def choose_local(panel: DemandPanel, max_fits: int, min_seen: int) -> LocalChoice:
    """Return what to fit, at most ``max_fits`` in all: the total, the largest groups, the most valuable series.

    Value is the revenue of the latest year, at the price paid, else the listed price, else 1. A series with fewer
    than ``min_seen`` buckets on sale, or that sells too seldom, is left to its group. A group holds at least two.
    """
    value = yearly_value(panel)
    by_name: dict[str, list[int]] = {}
    for row, name in enumerate(group_keys(panel)):
        by_name.setdefault(name, []).append(row)
    worth = {name: float(value[rows].sum()) for name, rows in by_name.items() if name != TOTAL and len(rows) > 1}
    n_groups = max(0, int(AGGREGATE_SHARE * max_fits) - 1)
    named = sorted(worth, key=lambda name: (-worth[name], name))[:n_groups]
    groups = {TOTAL: np.arange(panel.n_series)} if max_fits > 0 else {}
    groups |= {name: np.array(by_name[name], np.int64) for name in sorted(named) if worth[name] > 0}
    seen = read_seen(panel) > 0
    n_seen = seen.sum(axis=1)
    positive = ((panel.units > 0) & seen).sum(axis=1)
    fit_for = (n_seen >= min_seen) & (positive >= MIN_POSITIVE) & (positive >= MIN_POSITIVE_SHARE * n_seen)
    # Equal values fall in key order: the panel is sorted by key, and the sort is stable.
    ranked = np.argsort(-value, kind="stable")
    series = np.sort(ranked[fit_for[ranked]][: max(0, max_fits - len(groups))])
    return LocalChoice(series, groups)


def yearly_value(panel: DemandPanel) -> npt.NDArray[np.float64]:
    """Return units of the latest year times price, shape (n,)."""
    n_year = YEAR_BUCKETS[panel.calendar.bucket]
    listed = np.ones(panel.n_series)
    if "unit_price" in panel.static:
        stated = panel.static["unit_price"].to_numpy(np.float64, na_value=np.nan)
        listed = np.where(np.isfinite(stated), stated, listed)
    price = np.where(np.isfinite(panel.price), panel.price, listed[:, None])[:, -n_year:]
    revenue = panel.units[:, -n_year:].astype(np.float64) * price
    return np.cumsum(revenue, axis=1)[:, -1] if revenue.shape[1] else np.zeros(panel.n_series)


def group_keys(panel: DemandPanel) -> list[str]:
    """Return the name of each series' group: its category and location; `TOTAL` where it has no category."""
    if "category" not in panel.static:
        return [TOTAL] * panel.n_series
    categories = panel.static["category"].astype("string").fillna("").tolist()
    return [f"{c} at {loc}" if c else TOTAL for c, loc in zip(categories, panel.location_id, strict=True)]
