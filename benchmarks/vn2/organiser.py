"""The organiser's policy: a seasonal moving average, and stock for four weeks of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.vn2.game import F64, OPENING_WEEKS, History, Policy, Stock, play

LEVEL_WEEKS, COVER_WEEKS = 13, 4
ISO_WEEKS = 53


def forecast(past: History, n_weeks: int) -> F64:
    """Return mean demand of the next weeks, shape (n, n_weeks).

    Weeks flagged out of stock are missing. The factor of an ISO week is the mean over its years of the mean sales of
    all item-locations, over the mean of those factors; a week of the year that was never seen has 1. The level
    is the mean of the last 13 weeks over their factors; without any of them it is 0.
    """
    sold = np.where(past.in_stock, past.units, np.nan)
    ahead = past.today + 7 * np.arange(n_weeks)
    number = _iso_week(np.concatenate([past.weeks, ahead]))
    then, later = number[: len(past.weeks)], number[len(past.weeks) :]
    by_week = _mean(sold.T)
    by_number = _mean(np.where(then == np.arange(ISO_WEEKS + 1)[:, None], by_week, np.nan))
    factor = np.nan_to_num(by_number / _mean(by_number[None]), nan=1.0)
    level = np.nan_to_num(_mean((sold / factor[then])[:, -LEVEL_WEEKS:]))
    mean: F64 = level[:, None] * factor[later]
    return mean


def organiser(past: History, stock: Stock) -> F64:
    """Return the order: up to four weeks of forecast, to the nearest unit, shape (n,)."""
    return order_up_to(forecast(past, COVER_WEEKS).sum(axis=1), stock)


def order_up_to(level: F64, stock: Stock) -> F64:
    """Return what a level lacks of stock and all that is on its way, to the nearest unit, never negative."""
    units: F64 = np.maximum(np.rint(level - stock.on_hand - stock.due.sum(axis=1)), 0.0)
    return units


def opening(history: History, first: int, policy: Policy = organiser) -> Stock:
    """Return the stock with which a window opens: six weeks under the organiser's policy lie behind it.

    They begin with all that the policy would have, four weeks of forecast, in the shop and nothing on its way.
    """
    begin = first - OPENING_WEEKS
    empty = Stock(np.zeros(len(history.item_id)), np.zeros((len(history.item_id), 2)))
    filled = Stock(policy(history.before(begin), empty), empty.due)
    return play(history, begin, filled, policy, OPENING_WEEKS, OPENING_WEEKS).stock


def _iso_week(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    return pd.DatetimeIndex(days).isocalendar().week.to_numpy(np.int64)


def _mean(rows: F64) -> F64:
    """Return the mean of each row's known values; NaN where none is known."""
    known = np.isfinite(rows)
    count = known.sum(axis=1)
    total = np.where(known, rows, 0.0).sum(axis=1)
    mean: F64 = np.divide(total, count, out=np.full(len(rows), np.nan), where=count > 0)
    return mean
