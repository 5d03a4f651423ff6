"""Out-of-sample forecasts of the past beside what came true: what `ResidualPool` learns from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.demand.censoring import censored
from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel, Floats, Ids

MeanAt = Callable[[DemandPanel, int], Floats]
"""Gives the mean forecast (n, horizon) of the buckets after a panel's cutoff, from that panel alone."""

SEASON = {"D": 7, "W": 52, "M": 12}
"""Buckets of the season that a baseline repeats: the week of days, the year of weeks and of months."""


@dataclass(frozen=True)
class Backcast:
    """Forecasts made at several origins and the demand that followed.

    Parameters
    ----------
    item_id, location_id
        Keys, shape (rows,).
    mean
        Mean forecasts, shape (rows, n_origins, length), >= 0. Origin ``o`` is the same date for every row.
    actual
        Demand that followed, same shape; NaN where unknown or not on offer.
    censored
        Same shape; True where ``actual`` is only a lower bound.
    group
        What kind of product each is, see `product_group`, shape (rows,); empty text where not given.
    origins
        Buckets from each origin to the cutoff, shape (n_origins,); empty if not given: origins do not overlap then.
    """

    item_id: Ids
    location_id: Ids
    mean: Floats
    actual: Floats
    censored: npt.NDArray[np.bool_]
    group: Ids = field(default_factory=lambda: np.zeros(0, np.object_))
    origins: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        shape = self.mean.shape
        if len(self.group) == 0:
            object.__setattr__(self, "group", np.full(len(self.item_id), "", np.object_))
        if len(shape) != 3 or shape[0] != len(self.item_id) or shape[0] != len(self.location_id):
            raise ValueError(f"mean must have shape ({len(self.item_id)}, n_origins, length). Got {shape} instead.")
        if self.actual.shape != shape or self.censored.shape != shape:
            found = f"{self.actual.shape} and {self.censored.shape}"
            raise ValueError(f"actual and censored must have shape {shape}. Got {found} instead.")

    def by_key(self) -> Backcast:
        """Return the same with rows in the order of their keys, so that sums over rows have the same bits."""
        order = np.lexsort((self.location_id.astype(np.str_), self.item_id.astype(np.str_)))
        return Backcast(
            self.item_id[order], self.location_id[order], self.mean[order], self.actual[order], self.censored[order],
            self.group[order], self.origins,
        )  # fmt: skip


def backcast(panel: DemandPanel, mean_at: MeanAt, origins: npt.NDArray[np.int64], length: int) -> Backcast:
    """Forecast from each origin with ``mean_at`` and set it beside the demand that followed.

    ``origins`` counts buckets back from the panel's cutoff, each >= ``length`` (see `residual_origins`);
    ``mean_at`` gets the panel cut to the origin, so it cannot read what it is compared with.
    """
    means = [np.maximum(mean_at(panel.cut(int(back)), length)[:, :length], 0) for back in origins]
    return beside_actuals(panel, np.stack(means, axis=1) if means else _nothing(panel, length), origins)


def beside_actuals(panel: DemandPanel, mean: Floats, origins: npt.NDArray[np.int64]) -> Backcast:
    """Return the backcast of forecasts that were already made, ``mean`` of shape (n, n_origins, length)."""
    n_history, length = panel.calendar.n_history, mean.shape[2]
    if len(origins) and (origins.min() < length or origins.max() > n_history):
        raise ValueError(
            f"origins must lie in [{length}, {n_history}]. Got {origins.min()} to {origins.max()} instead."
        )
    offer = on_offer(panel)[:, :n_history]
    seen = np.where(offer, panel.units, np.float32(np.nan))
    bound = censored(panel)
    columns = (n_history - origins)[:, None] + np.arange(length)
    return Backcast(
        panel.item_id, panel.location_id, mean.astype(np.float32), seen[:, columns], bound[:, columns],
        product_group(panel), origins,
    )  # fmt: skip


def product_group(panel: DemandPanel) -> Ids:
    """Return the subcategory of each series, its category where it has none, else empty text, shape (n,)."""
    group = np.full(panel.n_series, "", np.object_)
    for name in ("category", "subcategory"):
        if name in panel.static:
            text = panel.static[name].astype("string").fillna("").to_numpy(np.object_)
            group = np.where(text == "", group, text)
    return group


def residual_origins(panel: DemandPanel, length: int, n_origins: int, min_history: int = 1) -> npt.NDArray[np.int64]:
    """Return up to ``n_origins`` origins, in buckets back from the cutoff, latest first.

    Days step by whole weeks, so that a lead falls on the weekday of the forecast it will be used for; other
    buckets step by one or by enough to spread over the history. Each leaves ``min_history`` buckets before it.
    """
    unit = 7 if panel.calendar.bucket == "D" else 1
    first = -(-length // unit) * unit
    room = panel.calendar.n_history - min_history - first
    if room < 0 or n_origins < 1:
        return np.zeros(0, np.int64)
    possible = room // unit + 1
    step = max(1, possible // n_origins) if unit == 1 else max(1, min(4, possible // n_origins))
    count = min(n_origins, (possible - 1) // step + 1)
    return first + np.arange(count, dtype=np.int64) * step * unit


def _nothing(panel: DemandPanel, length: int) -> Floats:
    return np.zeros((panel.n_series, 0, length), np.float32)
