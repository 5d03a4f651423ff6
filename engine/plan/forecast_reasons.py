"""Why the forecast is what it is: the level of every series, and what changes it until the next delivery."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Bucket
from engine.demand.panel import DemandPanel
from engine.forecast.factors import Factors
from engine.forecast.pooled import offered_ahead
from engine.plan.reasons import json_rows
from engine.plan.tables import plan_table
from engine.policy.types import F64

FORECAST_CODES: Mapping[Bucket, str] = MappingProxyType({"D": "forecast-a-day", "W": "forecast-a-week"})
"""Reason code by bucket; a plan is made in these two."""

LEAST_CHANGE = 0.01
"""A factor that changes the forecast by less is not told by itself."""

TOLD = ("first", "second", "third")
"""The largest factors of a series, which are told by name."""


def forecast_reasons(factors: Factors, panel: DemandPanel, horizon: int) -> pd.DataFrame:
    """Return the table ``forecast_reasons``: one row a series that is on offer in its protection interval.

    The factor of a cause over the interval is the mean forecast there over the forecast without it. The level times the
    factors told times "other" is the mean forecast per bucket on offer.

    Parameters
    ----------
    factors
        Of the series of ``panel``, in its order; a level of NaN is not told.
    horizon
        Buckets that the factors cover: at least the longest protection interval.
    """
    inside = (np.arange(horizon) < panel.interval[:, 1:]) & offered_ahead(panel, horizon)
    rows = np.flatnonzero(inside.any(axis=1) & (factors.level > 0))
    mean = np.where(inside, factors.mean(horizon), 0.0)[rows]
    total = _sum(mean)
    # Without a cause to fill a place, a factor of 1 stands there.
    names = np.array([*sorted(factors.by_name), *[""] * len(TOLD)], dtype=object)
    change = np.ones((len(rows), len(names)))
    for place, name in enumerate(names[: -len(TOLD)]):
        change[:, place] = total / _sum(mean / factors.by_name[name][rows])
    level, per_bucket = factors.level[rows], total / inside[rows].sum(axis=1)
    values: dict[str, npt.NDArray[Any]] = {"level": level, "mean": per_bucket}
    other = per_bucket / level
    # Of equal factors the first by name comes first.
    ranked = np.argsort(-np.abs(np.log(change)), axis=1, kind="stable")
    for rank, word in enumerate(TOLD):
        found = np.take_along_axis(change, ranked[:, rank : rank + 1], axis=1)[:, 0]
        told = np.abs(found - 1) >= LEAST_CHANGE
        other = np.where(told, other / found, other)
        values[word] = names[ranked[:, rank]]
        values[word][~told] = None
        values[f"{word}_change"] = np.where(told, found - 1, np.nan)
    values["other_change"] = np.where(np.abs(other - 1) >= LEAST_CHANGE, other - 1, np.nan)
    last_day = panel.calendar.edges[panel.calendar.n_history + panel.interval[rows, 1]] - 1
    return plan_table(
        "forecast_reasons",
        {
            "item_id": panel.item_id[rows],
            "location_id": panel.location_id[rows],
            "until": last_day,
            "level": level,
            "mean": per_bucket,
            "reason_code": np.full(len(rows), FORECAST_CODES.get(panel.calendar.bucket, ""), dtype=object),
            "reason_values": json_rows({**values, "until": last_day}),
        },
    )


def _sum(values: F64) -> F64:
    """Return the sum over the buckets, in one fixed order, so that a series has the same bits in any batch."""
    return np.asarray(np.cumsum(values, axis=1)[:, -1]) if values.shape[1] else np.zeros(len(values))
