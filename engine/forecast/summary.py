"""Forecast tables: means and quantiles of paths, by series and by groups of series that add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Calendar
from engine.errors import ConfigError
from engine.forecast.types import SamplePaths
from engine.tables.tables import Tables

Ids = npt.NDArray[np.object_]
Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

FIXED_SCALE = 65_536
"""Units are summed as whole multiples of 1 / FIXED_SCALE, so sums do not depend on order or blocks, and means of series
add up to those of any group to the last digit."""

BLOCK = 256
TEXT = pd.StringDtype("pyarrow")
TOTAL = "total"


def aggregate_paths(paths: SamplePaths, groups: Ints, n_groups: int) -> Ints:
    """Return the sums of paths over the series of each group, in 1 / `FIXED_SCALE` units.

    ``groups`` (n,) numbers each series' group from 0. The result has shape (n_groups, n_paths, horizon); the
    sums of several blocks of series may simply be added.
    """
    out = np.zeros((n_groups, paths.n_paths, paths.horizon), np.int64)
    for start in range(0, len(groups), BLOCK):
        np.add.at(out, groups[start : start + BLOCK], _fixed(paths.units[start : start + BLOCK]))
    return out


@dataclass(frozen=True)
class GroupSums:
    """Sums of paths over groups with some of their series seen: a complete group need not wait for the last block.

    Parameters
    ----------
    group
        Numbers of the groups held, ascending, shape (n_held,).
    total
        Their sums so far, shape (n_held, n_paths, horizon), in 1 / `FIXED_SCALE` units.
    left
        Series of every group still to come, shape (n_groups,).
    """

    group: Ints
    total: Ints
    left: Ints

    @classmethod
    def start(cls, groups: Ints, n_groups: int, n_paths: int, horizon: int) -> GroupSums:
        """Return the sums before any series; ``groups`` (n,) is the group of each series to come."""
        left = np.bincount(groups, minlength=n_groups).astype(np.int64)
        return cls(np.zeros(0, np.int64), np.zeros((0, n_paths, horizon), np.int64), left)

    def plus(self, paths: SamplePaths, groups: Ints) -> GroupSums:
        """Return the sums with a block of series added, ``groups`` (rows,) being theirs."""
        held = np.union1d(self.group, groups)
        total = aggregate_paths(paths, np.searchsorted(held, groups), len(held))
        total[np.searchsorted(held, self.group)] += self.total
        return GroupSums(held, total, self.left - np.bincount(groups, minlength=len(self.left)))

    def split(self) -> tuple[GroupSums, GroupSums]:
        """Return the sums of complete groups, and those of the others."""
        done = self.left[self.group] == 0
        complete, others = ((self.group[rows], self.total[rows]) for rows in (done, ~done))
        return GroupSums(*complete, self.left), GroupSums(*others, self.left)


def forecast_table(paths: SamplePaths, calendar: Calendar, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return one row per series and future bucket: item_id, location_id, date, mean and a column per quantile."""
    keys = pd.DataFrame(
        {"item_id": pd.array(paths.item_id, dtype=TEXT), "location_id": pd.array(paths.location_id, dtype=TEXT)}
    )
    return _table(keys, paths.units, calendar, quantiles)


def forecast_by(totals: Ints, keys: pd.DataFrame, calendar: Calendar, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return one row per group and future bucket: the key columns, date, mean and a column per quantile.

    ``totals`` comes from `aggregate_paths` or `GroupSums`, ``keys`` from `group_series`, row by row. Quantiles are
    those of the sums, path by path, and means add up to those of the series below.
    """
    return _table(keys, totals, calendar, quantiles)


def group_series(tables: Tables, keys: tuple[Ids, Ids], columns: Sequence[str]) -> tuple[Ints, pd.DataFrame]:
    """Return each series' group number, and the groups' key columns, sorted, nulls last.

    ``columns`` are columns of `items` or `locations`, ids included; ("total",) puts all series in one group
    without key columns. Series without a value are a group of their own.

    Raises
    ------
    ConfigError
        If there is no column, one is named twice, or one is neither of `items` nor of `locations`.
    """
    item, location = keys
    if not columns or len(set(columns)) < len(columns):
        named = ",".join(columns) or "nothing"
        raise ConfigError("--by names one column or several, each once", named, "Write --by region,category")
    if tuple(columns) == (TOTAL,):
        return np.zeros(len(item), np.int64), pd.DataFrame(index=range(1))
    items = tables["items"].set_index("item_id", drop=False)
    places = tables["locations"].set_index("location_id", drop=False)
    found = {}
    for column in columns:
        if column in ("item_id", "location_id"):
            found[column] = pd.Series(item if column == "item_id" else location, dtype=TEXT)
        elif column in items:
            found[column] = items[column].reindex(item).reset_index(drop=True)
        elif column in places:
            found[column] = places[column].reindex(location).reset_index(drop=True)
        else:
            known = ", ".join([*items.columns, *places.columns])
            rule = f"--by names columns of `items` or `locations`, or {TOTAL} alone"
            raise ConfigError(rule, column, f"Use some of {known}")
    frame = pd.DataFrame(found)
    codes = frame.groupby(list(columns), sort=True, dropna=False).ngroup().to_numpy(np.int64)
    first = pd.Series(codes).drop_duplicates().sort_values().index
    return codes.astype(np.int64), frame.loc[first].reset_index(drop=True)


def quantile_column(quantile: float) -> str:
    """Return the column name of a quantile: q and its shortest decimal, such as q0.05."""
    if not 0 < quantile < 1:
        raise ValueError(f"a quantile must lie in (0, 1). Got {quantile!r} instead.")
    return f"q{np.format_float_positional(quantile, trim='-')}"


def _table(
    keys: pd.DataFrame, units: npt.NDArray[np.float32] | Ints, calendar: Calendar, quantiles: Sequence[float]
) -> pd.DataFrame:
    """Return the table of paths: units, or whole multiples of 1 / `FIXED_SCALE`."""
    n, n_paths, horizon = units.shape
    scale = FIXED_SCALE if units.dtype == np.int64 else 1
    if horizon > calendar.n_future:
        raise ValueError(f"the calendar must hold {horizon} future buckets. Got {calendar.n_future} instead.")
    mean = np.empty((n, horizon))
    values = np.empty((n, horizon, len(quantiles)))
    place = np.ceil(np.array(quantiles, np.float64) * n_paths - 1e-9).astype(np.int64) - 1
    place = np.clip(place, 0, max(0, n_paths - 1))
    for start in range(0, n, BLOCK):
        block = units[start : start + BLOCK]
        mean[start : start + BLOCK] = _fixed(block).sum(axis=1) / (FIXED_SCALE * n_paths)
        values[start : start + BLOCK] = np.moveaxis(np.sort(block, axis=1)[:, place], 1, 2)
    dates = calendar.starts[calendar.n_history :][:horizon].astype("datetime64[ns]")
    table = keys.loc[keys.index.repeat(horizon)].reset_index(drop=True)
    table["date"] = np.tile(dates, n)
    table["mean"] = mean.reshape(-1)
    for i, quantile in enumerate(quantiles):
        table[quantile_column(quantile)] = values[:, :, i].reshape(-1) / scale
    return table


def _fixed(units: npt.NDArray[np.float32] | Ints) -> Ints:
    """Return units as whole multiples of 1 / `FIXED_SCALE`; what already is one stays."""
    if units.dtype == np.int64:
        return units.astype(np.int64, copy=False)
    return np.rint(units * np.float64(FIXED_SCALE)).astype(np.int64)
