"""M3 monthly and M4 weekly: the series, their official hold-outs, and the demand panel that they make."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Bucket, Calendar
from engine.demand.panel import DemandPanel

DATA = Path(os.environ.get("RESTOCK_DATA", "../shared/data"))
AS_OF: Mapping[Bucket, str] = {"M": "2020-01-01", "W": "2020-01-06"}
"""The dates are made up: the series' own are unknown or differ, and no method here reads a calendar."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Textbook:
    """Series of a forecasting contest.

    Parameters
    ----------
    season
        Buckets of the season of the peers and of the scale of MASE; 1 for none.
    train
        The known part of each series, of differing lengths.
    test
        What followed, shape (n, horizon).
    """

    name: str
    bucket: Bucket
    season: int
    ids: tuple[str, ...]
    train: tuple[Doubles, ...]
    test: Doubles

    @property
    def horizon(self) -> int:
        return int(self.test.shape[1])

    def development(self) -> Textbook:
        """Return the training part alone, its last ``horizon`` buckets as what is to be forecast."""
        h = self.horizon
        return replace(self, train=tuple(y[:-h] for y in self.train), test=np.stack([y[-h:] for y in self.train]))

    def take(self, rows: npt.NDArray[np.int64]) -> Textbook:
        """Return some of the series."""
        return replace(
            self, ids=tuple(self.ids[r] for r in rows), train=tuple(self.train[r] for r in rows), test=self.test[rows]
        )

    def panel(self) -> DemandPanel:
        """Return the series aligned at their ends, divisible, not on offer before their first observation.

        Prices are such that the automatic choice weighs the series as MASE does.
        """
        n, h, n_history = len(self.ids), self.horizon, max(len(y) for y in self.train)
        units, offered = np.zeros((n, n_history), np.float32), np.zeros((n, n_history + h), np.bool_)
        for row, y in enumerate(self.train):
            units[row, n_history - len(y) :] = y
            offered[row, n_history - len(y) :] = True
        return DemandPanel(
            calendar=Calendar(self.bucket, np.datetime64(AS_OF[self.bucket]), n_history, h),
            item_id=np.array(self.ids, object),
            location_id=np.full(n, self.name, object),
            units=units,
            available=np.ones_like(units),
            offered=offered,
            price=np.full_like(units, np.nan),
            interval=np.tile(np.array([[0, h]], np.int32), (n, 1)),
            static=pd.DataFrame({"divisible": np.ones(n, np.bool_), "unit_price": 1 / self.scale()}),
            regressors={},
        )

    def scale(self) -> Doubles:
        """Return the mean absolute change over one season in the known part, shape (n,)."""
        return np.array([np.abs(y[self.season :] - y[: -self.season]).mean() for y in self.train])

    def mase(self, forecast: Doubles) -> Doubles:
        """Return the mean absolute scaled error of ``forecast`` (n, horizon), shape (n,).

        Hyndman & Koehler (2006, International Journal of Forecasting 22, section 4).
        """
        return np.asarray(np.abs(forecast - self.test).mean(axis=1) / self.scale())


def m3() -> Textbook:
    """Return the 1,428 monthly series of M3, horizon 18."""
    rows = pd.read_parquet(DATA / "mcomp" / "m3.parquet")
    rows = rows[rows["period"] == "MONTHLY"].sort_values("sid")
    train = tuple(np.asarray(y, np.float64) for y in rows["x"])
    return Textbook("m3", "M", 12, tuple(rows["sid"]), train, np.stack([np.asarray(y, float) for y in rows["xx"]]))


def m4() -> Textbook:
    """Return the 359 weekly series of M4, horizon 13, without a season."""
    known, later = (pd.read_parquet(DATA / "m4" / f"m4_weekly_{part}.parquet") for part in ("train", "test"))
    by_series = {
        part: {str(name): rows.sort_values("time")["y"].to_numpy(np.float64) for name, rows in table.groupby("series")}
        for part, table in (("train", known), ("test", later))
    }
    ids = tuple(sorted(by_series["train"]))
    train = tuple(by_series["train"][name] for name in ids)
    return Textbook("m4", "W", 1, ids, train, np.stack([by_series["test"][name] for name in ids]))
