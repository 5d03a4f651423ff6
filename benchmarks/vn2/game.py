"""The VN2 inventory game on any eight weeks of the given history.

Every Monday before opening one order is placed; it can be sold from the Monday two weeks later. Unmet demand is lost.
A unit left at a week's end costs 0.2, a unit short 1.0. The Mondays of weeks 1 to 6 have an order, weeks 3 to 8 count.

The demand of a week is what the shop sold in it. In a week that the data flag as out of stock that is only a lower
bound: stock meets it where there is any, and neither what is left nor what is short costs anything in that week.

A policy is given the history before its Monday, cut off, so it cannot read the week in which its order arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

N_WEEKS, N_ORDERS, LEAD_WEEKS = 8, 6, 2
OPENING_WEEKS = 6
YEAR_WEEKS = 52
HOLDING, SHORTAGE = 0.2, 1.0


@dataclass(frozen=True)
class History:
    """What the shop recorded, n item-locations by T weeks.

    Parameters
    ----------
    item_id, location_id
        Keys, shape (n,).
    weeks
        Mondays, shape (T,).
    units
        Sales, shape (n, T).
    in_stock
        False where flagged out of stock, shape (n, T).
    """

    item_id: npt.NDArray[np.object_]
    location_id: npt.NDArray[np.object_]
    weeks: npt.NDArray[np.datetime64]
    units: F64
    in_stock: Bools

    @property
    def today(self) -> np.datetime64:
        """The Monday after the last week."""
        day: np.datetime64 = self.weeks[-1] + np.timedelta64(7, "D")
        return day

    def before(self, week: int) -> History:
        """Return the history before a week, given by its number."""
        return replace(self, weeks=self.weeks[:week], units=self.units[:, :week], in_stock=self.in_stock[:, :week])


@dataclass(frozen=True)
class Stock:
    """Units on a Monday before opening: in the shop, shape (n,), and arriving today and in a week, shape (n, 2)."""

    on_hand: F64
    due: F64


Policy = Callable[[History, Stock], F64]
"""From the history before a Monday and the stock on it to the units ordered, shape (n,)."""


@dataclass(frozen=True)
class Played:
    """What happened in consecutive weeks: orders (n, orders), units left and short (n, weeks), and the stock after."""

    orders: F64
    left: F64
    short: F64
    stock: Stock


@dataclass(frozen=True)
class Cost:
    """Money of a window by term."""

    holding: float
    shortage: float

    @property
    def total(self) -> float:
        return self.holding + self.shortage


def history_of(tables: Mapping[str, pd.DataFrame]) -> History:
    """Return the history in the tables of `experiments.importers.vn2`."""
    sales = tables["sales"]
    cells = pd.MultiIndex.from_arrays([sales["item_id"].astype(object), sales["location_id"].astype(object)])
    row, keys = pd.factorize(cells, sort=True)
    column, weeks = pd.factorize(sales["date"].to_numpy("datetime64[D]"), sort=True)
    units, in_stock = np.zeros((2, len(keys), len(weeks)))
    units[row, column] = sales["units"]
    in_stock[row, column] = sales["in_stock"]
    item_id, location_id = (keys.get_level_values(level).to_numpy(object) for level in range(2))
    return History(item_id, location_id, weeks, units, in_stock > 0)


def given_opening(history: History, tables: Mapping[str, pd.DataFrame]) -> Stock:
    """Return the challenge's own opening state, on the Monday after the history."""
    keys = pd.MultiIndex.from_arrays([history.item_id, history.location_id])

    def by_cell(rows: pd.DataFrame, column: str) -> F64:
        total = rows.groupby([rows["item_id"].astype(object), rows["location_id"].astype(object)])[column].sum()
        return total.reindex(keys, fill_value=0.0).to_numpy(np.float64)

    orders = tables["open_orders"]
    days = [pd.Timestamp(history.today) + pd.Timedelta(weeks=week) for week in range(LEAD_WEEKS)]
    due = [by_cell(orders[orders["due_date"] == day], "units") for day in days]
    return Stock(by_cell(tables["inventory"], "on_hand"), np.stack(due, axis=1))


def window_starts(n_history: int, n_windows: int, skip: int = 0) -> list[int]:
    """Return the first weeks of windows that do not overlap, earliest first; the last ``skip`` ones are left out.

    Raises
    ------
    ValueError
        If less than a year, which seasonal factors need, would lie before the first.
    """
    starts = [n_history - N_WEEKS * (skip + back) for back in range(n_windows, 0, -1)]
    if starts and starts[0] < YEAR_WEEKS:
        raise ValueError(f"windows must leave {YEAR_WEEKS} weeks before the first. Got {starts[0]}; ask for fewer.")
    return starts


def step(stock: Stock, order: F64, demand: F64) -> tuple[Stock, F64, F64]:
    """Return the stock a week later, and the units left and short at the week's end; the order arrives in two weeks."""
    there = stock.on_hand + stock.due[:, 0]
    left = np.maximum(there - demand, 0.0)
    return Stock(left, np.stack([stock.due[:, 1], order], axis=1)), left, np.maximum(demand - there, 0.0)


def play(history: History, first: int, stock: Stock, policy: Policy, n_weeks: int, n_orders: int) -> Played:
    """Play ``n_weeks`` from week ``first`` on, with an order on each of the first ``n_orders`` Mondays."""
    orders: list[F64] = []
    left, short = [], []
    for week in range(first, first + n_weeks):
        order = np.zeros(len(stock.on_hand))
        if len(orders) < n_orders:
            order = policy(history.before(week), stock)
            orders.append(order)
        stock, rest, missed = step(stock, order, history.units[:, week])
        left.append(rest)
        short.append(missed)
    return Played(np.stack(orders, axis=1), np.stack(left, axis=1), np.stack(short, axis=1), stock)


def window_cost(history: History, first: int, played: Played) -> Cost:
    """Return the cost of weeks 3 to 8 of a window; weeks flagged out of stock cost nothing."""
    counted = slice(LEAD_WEEKS, N_WEEKS)
    counts = history.in_stock[:, first : first + N_WEEKS][:, counted]
    holding = HOLDING * float(played.left[:, counted][counts].sum())
    return Cost(holding, SHORTAGE * float(played.short[:, counted][counts].sum()))
