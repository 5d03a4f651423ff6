"""Forecast tables: means and quantiles of paths, by series and by groups of series that add up."""

from __future__ import annotations

from collections.abc import Sequence

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

FIXED_SCALE = 1024
"""Units are summed over series as whole multiples of 1 / FIXED_SCALE, so sums do not depend on order or blocks."""

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
        block = np.rint(paths.units[start : start + BLOCK] * np.float64(FIXED_SCALE)).astype(np.int64)
        np.add.at(out, groups[start : start + BLOCK], block)
    return out


def forecast_table(paths: SamplePaths, calendar: Calendar, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return one row per series and future bucket: item_id, location_id, date, mean and a column per quantile."""
    keys = pd.DataFrame(
        {"item_id": pd.array(paths.item_id, dtype=TEXT), "location_id": pd.array(paths.location_id, dtype=TEXT)}
    )
    return _table(keys, paths.units, calendar, quantiles)


def forecast_by(totals: Ints, keys: pd.DataFrame, calendar: Calendar, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return one row per group and future bucket: the key columns, date, mean and a column per quantile.

    ``totals`` comes from `aggregate_paths`, ``keys`` from `group_series`. Quantiles are those of the sums, path
    by path, and means add up to those of the series below.
    """
    return _table(keys, totals / FIXED_SCALE, calendar, quantiles)


def group_series(tables: Tables, keys: tuple[Ids, Ids], columns: Sequence[str]) -> tuple[Ints, pd.DataFrame]:
    """Return each series' group number, and the groups' key columns, sorted, nulls last.

    ``columns`` are columns of `items` or `locations`, ids included; ("total",) puts all series in one group
    without key columns.

    Raises
    ------
    ConfigError
        If a column is neither of `items` nor of `locations`.
    """
    item, location = keys
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
            known = ", ".join([*items.columns, *places.columns, TOTAL])
            raise ConfigError("--by names columns of `items` or `locations`", column, f"Use some of {known}")
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
    keys: pd.DataFrame, units: npt.NDArray[np.floating], calendar: Calendar, quantiles: Sequence[float]
) -> pd.DataFrame:
    n, n_paths, horizon = units.shape
    if horizon > calendar.n_future:
        raise ValueError(f"the calendar must hold {horizon} future buckets. Got {calendar.n_future} instead.")
    mean = np.empty((n, horizon))
    values = np.empty((n, horizon, len(quantiles)))
    place = np.ceil(np.array(quantiles, np.float64) * n_paths - 1e-9).astype(np.int64) - 1
    place = np.clip(place, 0, max(0, n_paths - 1))
    for start in range(0, n, BLOCK):
        ordered = np.sort(units[start : start + BLOCK], axis=1)
        mean[start : start + BLOCK] = units[start : start + BLOCK].mean(axis=1, dtype=np.float64)
        values[start : start + BLOCK] = np.moveaxis(ordered[:, place], 1, 2)
    dates = calendar.starts[calendar.n_history :][:horizon].astype("datetime64[ns]")
    table = keys.loc[keys.index.repeat(horizon)].reset_index(drop=True)
    table["date"] = np.tile(dates, n)
    table["mean"] = mean.reshape(-1)
    for i, quantile in enumerate(quantiles):
        table[quantile_column(quantile)] = values[:, :, i].reshape(-1)
    return table
