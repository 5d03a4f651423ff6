"""M5 as arrays, and as the demand panel of any cutoff with what was known of the 28 days after it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.demand.build import dormant_buckets
from engine.demand.calendar import Calendar
from engine.demand.panel import DemandPanel, Floats
from engine.demand.params import DemandParams
from engine.demand.regressors import slug

FOLDER = Path(os.environ.get("RESTOCK_DATA", "../shared/data")) / "m5"

FIRST_DAY, LAST_TRAINING_DAY = 1495, 1913
"""Numbers of the first day of the data and of the last one before the scored window."""

HORIZON = 28

NAMED, KIND = "event_", "event_kind_"
"""Beginnings of regressors: an event of the calendar by its name, which comes once or twice in the data, and all of its
kind. Days before and after are not told apart: on a store they made forecasts worse."""


@dataclass(frozen=True)
class Sales:
    """Daily sales of ``n`` series, sorted by item, then store.

    Parameters
    ----------
    items
        ``item_id, store_id, state_id, dept_id, cat_id, id``, one row a series.
    units, price
        Shape (n, n_days), float32, from `FIRST_DAY` on; a price is NaN where the item was not on sale.
    calendar
        Rows of the contest's calendar, ``date`` as text and ``d`` the number of the day.
    """

    items: pd.DataFrame
    units: Floats
    price: Floats
    calendar: pd.DataFrame

    def take(self, rows: npt.NDArray[np.int64]) -> Sales:
        """Return the given series, in the given order."""
        return replace(
            self, items=self.items.iloc[rows].reset_index(drop=True), units=self.units[rows], price=self.price[rows]
        )

    def digest(self) -> str:
        """Return a hash of ids, units and prices."""
        found = blake2b(digest_size=8)
        found.update("\n".join(self.items["id"]).encode())
        for values in (self.units, self.price):
            found.update(np.ascontiguousarray(values).data)
        return found.hexdigest()


def read_sales(folder: Path = FOLDER) -> Sales:
    """Return all series of the Parquet files in ``folder``."""
    ids, units, price = wide(pq.read_table(next(folder.glob("m5_daily_*.parquet"))))
    items = pd.read_parquet(folder / "m5_items.parquet").set_index("id", drop=False).loc[ids]
    items = items[["item_id", "store_id", "state_id", "dept_id", "cat_id", "id"]].astype(object)
    order = np.lexsort((items["store_id"].to_numpy(np.str_), items["item_id"].to_numpy(np.str_)))
    items = items.iloc[order].reset_index(drop=True)
    return Sales(items, units[order], price[order], pd.read_parquet(folder / "m5_calendar.parquet"))


def wide(rows: pa.Table) -> tuple[list[str], Floats, Floats]:
    """Return ids, and units and prices (n, n_days), of rows ``id, date, units, sell_price``.

    Raises
    ------
    ValueError
        If the rows are not the same consecutive days of one series after the other.
    """
    id_ = rows["id"].combine_chunks().dictionary_encode()
    code = id_.indices.to_numpy()
    day = rows["date"].combine_chunks().cast(pa.date32()).cast(pa.int32()).to_numpy()
    n_days = int(day.max()) - int(day.min()) + 1
    counts = np.bincount(code)
    if (counts != n_days).any():
        raise ValueError(
            f"every series must have {n_days} days. Found {(counts != n_days).sum()} with others. Restore the file."
        )
    code, day = code.reshape(-1, n_days), day.reshape(-1, n_days)
    if (code != code[:, :1]).any() or (day != day.min() + np.arange(n_days)).any():
        raise ValueError("rows must be sorted by series, then date. Found others. Sort the file.")
    names = id_.dictionary.to_pylist()
    shape = (len(code), n_days)
    units = rows["units"].to_numpy().astype(np.float32).reshape(shape)
    price = rows["sell_price"].to_numpy().astype(np.float32).reshape(shape)
    return [names[number] for number in code[:, 0]], units, price


def panel_after(sales: Sales, last_day: int = LAST_TRAINING_DAY) -> tuple[DemandPanel, Floats]:
    """Return the panel as of the day after ``last_day``, and apart from it the units of the `HORIZON` days to come.

    Known of those days are the calendar's events, SNAP days and planned prices, which also tell what is on sale.

    Raises
    ------
    ValueError
        If the data do not hold the days to come, or no history.
    """
    h, n = last_day - FIRST_DAY + 1, len(sales.items)
    n_buckets = h + HORIZON
    if not 0 < h <= sales.units.shape[1] - HORIZON:
        last = FIRST_DAY + sales.units.shape[1] - HORIZON - 1
        raise ValueError(f"last_day must lie in [{FIRST_DAY}, {last}]. Got {last_day} instead.")
    by_day = sales.calendar.set_index("d").loc[FIRST_DAY : FIRST_DAY + n_buckets - 1]
    calendar = Calendar("D", np.datetime64(by_day["date"].loc[last_day + 1]), h, HORIZON)
    price = sales.price[:, :n_buckets]
    usual = usual_price(price, h)
    static = pd.DataFrame(
        {
            "category": sales.items["cat_id"],
            "subcategory": sales.items["dept_id"],
            "region": sales.items["state_id"],
            "unit_price": usual.astype(np.float64),
        }
    )
    regressors = {
        **_event_days(by_day, NAMED, ["event_name_1", "event_name_2"]),
        **_event_days(by_day, KIND, ["event_type_1", "event_type_2"]),
        "event_snap": _snap_days(by_day, sales.items["state_id"]),
        "price_relative": price / usual[:, None],
    }
    panel = DemandPanel(
        calendar=calendar,
        item_id=sales.items["item_id"].to_numpy(object),
        location_id=sales.items["store_id"].to_numpy(object),
        units=sales.units[:, :h],
        available=np.ones((n, h), np.float32),
        offered=np.isfinite(price),
        price=price[:, :h],
        interval=np.tile(np.array([0, HORIZON], np.int32), (n, 1)),
        static=static,
        regressors=regressors,
        dormant_buckets=dormant_buckets(DemandParams().dormant_days, "D"),
    )
    return panel, sales.units[:, h:n_buckets]


def usual_price(price: Floats, n_history: int) -> Floats:
    """Return the median price of each series' history, (n,); its first planned price where it was never on sale."""
    known = np.isfinite(price)
    first = price[np.arange(len(price)), np.argmax(known, axis=1)]
    sold = known[:, :n_history].any(axis=1)
    out = first.copy()
    out[sold] = np.nanmedian(price[sold, :n_history], axis=1)
    return out


def _event_days(days: pd.DataFrame, prefix: str, columns: list[str]) -> dict[str, Floats]:
    """Return, for each text found in the columns, 1 on its days, else 0, (n_buckets,)."""
    told = days[columns].to_numpy(object)
    texts = sorted({text for text in told.reshape(-1) if isinstance(text, str)})
    return {prefix + slug(text): (told == text).any(axis=1).astype(np.float32) for text in texts}


def _snap_days(days: pd.DataFrame, state: pd.Series[str]) -> Floats:
    """Return 1 on the days on which food stamps are paid in the state of each series, else 0, (n, n_buckets)."""
    states, code = np.unique(state.to_numpy(np.str_), return_inverse=True)
    return np.stack([days[f"snap_{name}"].to_numpy(np.float32) for name in states])[code]
