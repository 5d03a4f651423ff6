"""Units, prices and availability of every series and history bucket, from sales rows and stock history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Bucket, Calendar, Dates, bucket_start
from engine.demand.keys import SeriesKeys
from engine.demand.panel import Floats
from engine.demand.sales import SalesRows
from engine.demand.span import spacing_of, unique_dates
from engine.messages import Message, Value
from engine.tables.tables import Tables

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

STOCK_OUT_RULE = "D1"
"""Rule D1: where `in_stock` is not given, a bucket of `stock_history` that closes at nothing was on sale for half
of it if it sold something or opened with stock, and not at all otherwise; any other was on sale all the time."""

HALF = 0.5


@dataclass(frozen=True)
class History:
    """Arrays (n, n_history) of `engine.demand.panel.DemandPanel`."""

    units: Floats
    available: Floats
    price: Floats
    notes: tuple[Message, ...]


@dataclass(frozen=True)
class Cells:
    """Rows that fall on a series and a history bucket: row number, series and bucket of each."""

    row: Ints
    series: Ints
    bucket: Ints
    shape: tuple[int, int]

    def sums(self, values: Doubles) -> Doubles:
        """Return the sum of one value per cell row, shape (n, n_history)."""
        flat = self.series * self.shape[1] + self.bucket
        total = np.bincount(flat, values, self.shape[0] * self.shape[1]).astype(np.float64, copy=False)
        return total.reshape(self.shape)


def build_history(tables: Tables, sales: SalesRows, calendar: Calendar, keys: SeriesKeys) -> History:
    """Return units (added up), price (weighted by units) and availability (mean over the days).

    Inside the covered dates a missing row means none sold, on sale. A price of a row without units
    counts only where no units were sold in the bucket.
    """
    shape = (len(keys.item_id), calendar.n_history)
    cells = _cells(keys.rows_of_sales(sales), sales.date, calendar, shape)
    units = sales.units[cells.row]
    total = cells.sums(units)
    price = _price(cells, units, sales.price[cells.row])
    spacing = spacing_of(unique_dates(tables["sales"]))
    missed = _missed(cells, sales.in_stock[cells.row], sales.date[cells.row], _share(calendar, spacing))
    inferred, notes = _inferred(tables, cells, sales, calendar, keys)
    available = np.clip(1 - missed - inferred, 0, 1)
    return History(total.astype(np.float32), available.astype(np.float32), price, notes)


def _cells(series: Ints, date: Dates, calendar: Calendar, shape: tuple[int, int]) -> Cells:
    bucket = calendar.bucket_of(date) + calendar.n_history
    row = np.flatnonzero((series >= 0) & (bucket >= 0) & (bucket < calendar.n_history))
    return Cells(row, series[row], bucket[row], shape)


def _price(cells: Cells, units: Doubles, price: Doubles) -> Floats:
    known = np.isfinite(price)
    paid = np.where(known, price, 0)
    weight = cells.sums(np.where(known, units, 0.0))
    value = cells.sums(paid * np.where(known, units, 0.0))
    count = cells.sums(known.astype(np.float64))
    shown = cells.sums(paid) / np.maximum(count, 1)
    mean = np.where(weight > 0, value / np.where(weight > 0, weight, 1), shown)
    return np.where(count > 0, mean, np.nan).astype(np.float32)


def _share(calendar: Calendar, spacing: Bucket) -> Doubles:
    """Share of each history bucket that one dated row stands for, shape (n_history,)."""
    if spacing == calendar.bucket:
        return np.ones(calendar.n_history)
    return (7.0 if spacing == "W" else 1.0) / calendar.days[: calendar.n_history].astype(np.float64)


def _missed(cells: Cells, in_stock: Doubles, date: Dates, share: Doubles) -> Doubles:
    """Share of each bucket not on sale, by the one `in_stock` of each series and date; (n, n_history)."""
    out = np.flatnonzero(in_stock < 1)
    seen = pd.DataFrame({"series": cells.series[out], "date": date[out].astype(np.int64), "in_stock": in_stock[out]})
    first = out[~seen.duplicated(["series", "date"]).to_numpy()]
    part = Cells(first, cells.series[first], cells.bucket[first], cells.shape)
    return part.sums((1 - in_stock[first]) * share[cells.bucket[first]])


def _inferred(
    tables: Tables, cells: Cells, sales: SalesRows, calendar: Calendar, keys: SeriesKeys
) -> tuple[Doubles, tuple[Message, ...]]:
    """Share of each bucket not on sale by rule D1, zero where `in_stock` was given; and the note."""
    none = np.zeros(cells.shape), ()
    if not tables.given("stock_history"):
        return none
    stock = tables["stock_history"].dropna(subset=["closing_on_hand"])
    if stock.empty:
        return none
    series = keys.rows_of(stock["item_id"].to_numpy(object), stock["location_id"].to_numpy(object))
    date = stock["date"].to_numpy("datetime64[ns]").astype("datetime64[D]")
    spacing = spacing_of(unique_dates(stock))
    closing = stock["closing_on_hand"].to_numpy(np.float64)
    order = np.lexsort((date, series))
    series, date, closing = series[order], date[order], closing[order]
    follows = np.zeros(len(series), np.bool_)
    length = {"D": 1, "W": 7, "M": 31}[spacing]
    follows[1:] = (series[1:] == series[:-1]) & ((date[1:] - date[:-1]).astype(np.int64) <= length)
    opened = np.append(0.0, closing[:-1]) * follows
    stock_cells = _cells(series, date, calendar, cells.shape)
    sales_on = _sold_on(cells, sales, stock_cells, date, spacing)
    row = stock_cells.row
    share = np.where((opened[row] > 0) | sales_on, HALF, 1.0)
    told = _told(cells, sales, stock_cells, date)
    out = (closing[row] <= 0) & ~told
    missed = stock_cells.sums(np.where(out, share, 0) * _share(calendar, spacing)[stock_cells.bucket])
    values: dict[str, Value] = {
        "rule": STOCK_OUT_RULE,
        "n_buckets": int((missed > 0).sum()),
        "n_series": int((missed > 0).any(1).sum()),
    }
    return missed, (Message("in-stock-inferred", values),)


def _sold_on(cells: Cells, sales: SalesRows, stock: Cells, date: Dates, spacing: Bucket) -> npt.NDArray[np.bool_]:
    """Whether anything was sold on each stock row's date (in its bucket, for weeks and months)."""
    units = sales.units[cells.row] > 0
    sold = _code(cells.series[units], bucket_start(sales.date[cells.row[units]], spacing))
    return np.isin(_code(stock.series, bucket_start(date[stock.row], spacing)), sold)


def _told(cells: Cells, sales: SalesRows, stock: Cells, date: Dates) -> npt.NDArray[np.bool_]:
    """Whether `in_stock` was given for each stock row's series and date."""
    given = np.isfinite(sales.in_stock[cells.row])
    return np.isin(
        _code(stock.series, date[stock.row]), _code(cells.series[given], sales.date[cells.row[given]])
    )  # fmt: skip


def _code(series: Ints, date: Dates) -> Ints:
    return series * 200_000 + date.astype(np.int64)
