"""Static attributes of series, and the dates between which each is offered."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Calendar, Dates
from engine.demand.keys import SeriesKeys
from engine.demand.panel import Floats
from engine.messages import Message
from engine.tables.tables import Tables

TEXT = pd.StringDtype("pyarrow")
Bools = npt.NDArray[np.bool_]


def static_attributes(tables: Tables, keys: SeriesKeys) -> pd.DataFrame:
    """Return one row per series, in key order.

    Columns: category, subcategory, brand, location_kind, region (text, null = not given), unit_price, unit_cost
    (NaN = not given), divisible (bool), launch_day and end_day (days since 1970-01-01, NaN = none; the
    pair's own before the item's).
    """
    items = _aligned(tables["items"].set_index("item_id"), pd.Index(keys.item_id))
    places = _aligned(tables["locations"].set_index("location_id"), pd.Index(keys.location_id))
    pairs = tables["item_locations"].set_index(["item_id", "location_id"])
    pairs = _aligned(pairs, pd.MultiIndex.from_arrays([keys.item_id, keys.location_id]))
    columns: dict[str, pd.Series[Any]] = {
        name: items[name].astype(TEXT) for name in ("category", "subcategory", "brand")
    }
    columns["location_kind"] = places["kind"].astype(TEXT)
    columns["region"] = places["region"].astype(TEXT)
    columns["unit_price"] = items["unit_price"].astype(np.float64)
    columns["unit_cost"] = items["unit_cost"].astype(np.float64)
    columns["divisible"] = pd.Series(items["divisible"].eq(True).fillna(False).to_numpy(np.bool_))
    columns["launch_day"] = _day(pairs["launch_date"].fillna(items["launch_date"]))
    columns["end_day"] = _day(pairs["end_date"].fillna(items["end_date"]))
    return pd.DataFrame(columns)


def offered_between(
    tables: Tables, calendar: Calendar, keys: SeriesKeys, static: pd.DataFrame, units: Floats
) -> tuple[Bools, Floats, tuple[Message, ...]]:
    """Return whether dates put each series on offer (n, n_buckets), and for which share of its days.

    On offer from the launch date to the end date, both included, and not in the future where
    `item_locations` says inactive. A bucket with sales is on offer whatever the dates say; how many series
    sold outside their dates is listed.
    """
    starts, ends = calendar.edges[:-1], calendar.edges[1:]
    launch = _date(static["launch_day"], "1700-01-01")[:, None]
    last = _date(static["end_day"], "2200-01-01")[:, None]
    days = (np.minimum(ends, last + 1) - np.maximum(starts, launch)).astype(np.float64)
    share = np.clip(days / calendar.days, 0, 1).astype(np.float32)
    offered = share > 0
    h = calendar.n_history
    offered[:, h:] &= _active(tables, keys)[:, None]
    outside = (units > 0) & ~offered[:, :h]
    offered[:, :h] |= outside
    share[:, :h][outside] = 1
    n_outside = int(outside.any(axis=1).sum())
    notes = (Message("sold-outside-its-dates", {"n_series": n_outside}),) if n_outside else ()
    return offered, share, notes


def _active(tables: Tables, keys: SeriesKeys) -> Bools:
    pairs = tables["item_locations"]
    off = pairs[~pairs["active"].to_numpy(np.bool_)]
    rows = keys.rows_of(off["item_id"].to_numpy(object), off["location_id"].to_numpy(object))
    active = np.ones(len(keys.item_id), np.bool_)
    active[rows[rows >= 0]] = False
    return active


def _aligned(rows: pd.DataFrame, index: pd.Index[str]) -> pd.DataFrame:
    return rows.reindex(index).reset_index(drop=True)


def _day(dates: pd.Series[pd.Timestamp]) -> pd.Series[float]:
    days = dates.to_numpy("datetime64[ns]").astype("datetime64[D]")
    return pd.Series(np.where(np.isnat(days), np.nan, days.astype(np.float64)))


def _date(day: pd.Series[float], default: str) -> Dates:
    known = day.notna().to_numpy()
    whole = day.fillna(0).to_numpy(np.int64).astype("datetime64[D]")
    return np.where(known, whole, np.datetime64(default, "D"))
