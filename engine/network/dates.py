"""Order days of links: when an order may be placed, when its goods leave and when they can be sold.

For a link, *t1* is the first permitted order day on or after ``as_of`` and *t2* the next one
(docs/design.md, 3). Rules, stated once:

- A day is permitted if it is one of the link's weekdays (all, if none are named) and neither end is closed for
  ordering. A transfer leaves on its order day, so a lane's order day also needs its origin open for shipping.
- Goods leave on the order day or, while the origin does not ship, on the first day that it does. They arrive a
  lead time later (part days rounded up) or, while the destination does not receive, on the first day that it
  does. So orders never overtake each other.
- A link that opens for the last time orders until the end of sale (`last_time_buys`).
- *t2* is the first permitted day at least a review period after *t1* whose goods serve a later bucket than those
  of *t1*: where two order days lead to the same bucket nothing is lost by waiting, so *t1* would answer for
  nothing. Ordering ahead of a closure follows by itself: the next arrival lies behind the closure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Calendar
from engine.errors import DataError
from engine.policy.types import F64, I64, Bools, Days, Texts

Pattern = TypeVar("Pattern")
NEVER = np.datetime64("NaT", "D")
_LOOK_AHEAD_DAYS = 2 * 366  # a link shut for longer than this is closed for good


@dataclass(frozen=True)
class Links:
    """Ways from one place to another; all arrays have ``m`` rows.

    Parameters
    ----------
    origin_id, dest_id
        Supplier or own site that sends, own site that receives.
    lead_time_days
        Mean lead time, >= 0; part days are rounded up.
    review_period_days
        Least whole days between two orders, >= 1.
    order_weekdays
        Text such as "1,4" with Monday = 1; empty for every day.
    is_lane
        Whether the origin is an own site, which sends on the order day.
    """

    origin_id: Texts
    dest_id: Texts
    lead_time_days: F64
    review_period_days: I64
    order_weekdays: Texts
    is_lane: Bools


@dataclass(frozen=True)
class OrderDays:
    """Order days t1 and t2 of links with their arrivals, datetime64[D]; NaT where a link stays closed."""

    order_date: Days
    available_date: Days
    next_order_date: Days
    next_available_date: Days


@dataclass(frozen=True)
class LinkDays:
    """Day tables of links, counted in days from ``as_of``; the last column stands for never.

    Parameters
    ----------
    as_of
        Day 0.
    orders
        First permitted order day on or after a day, shape (patterns, n_days + 1).
    ships, receives
        First day open for shipping or receiving on or after a day, same form.
    order_row, ship_row, receive_row
        Row of each link in those tables, shape (m,).
    lead_days, review_days
        Whole days, shape (m,).
    """

    as_of: np.datetime64
    orders: I64
    ships: I64
    receives: I64
    order_row: I64
    ship_row: I64
    receive_row: I64
    lead_days: I64
    review_days: I64

    @property
    def n_days(self) -> int:
        return int(self.orders.shape[1]) - 1

    def order_day(self, day: I64) -> I64:
        """Return each link's first permitted order day on or after ``day`` (``n_days`` = never)."""
        return self.orders[self.order_row, np.minimum(day, self.n_days)]

    def arrival_day(self, order_day: I64) -> I64:
        """Return the day on which an order of each link can be sold (``n_days`` = never)."""
        sent = self.ships[self.ship_row, np.minimum(order_day, self.n_days)]
        landed = np.where(sent < self.n_days, np.minimum(sent + self.lead_days, self.n_days), self.n_days)
        return self.receives[self.receive_row, landed]

    def next_order_day(self, order_day: I64, calendar: Calendar) -> I64:
        """Return each link's next order day: a review period later or more, and serving a later bucket."""
        served = self._served(self.arrival_day(order_day), calendar)
        day = self.order_day(np.minimum(order_day + self.review_days, self.n_days))
        while True:
            idle = (day < self.n_days) & (self._served(self.arrival_day(day), calendar) <= served)
            if not idle.any():
                return day
            day = np.where(idle, self.order_day(day + 1), day)

    def dates(self, day: I64) -> Days:
        """Return days as dates, NaT for never."""
        dates = self.as_of + day
        return np.where(day < self.n_days, dates, NEVER)

    def _served(self, day: I64, calendar: Calendar) -> I64:
        buckets = calendar.arrival_bucket(self.as_of + day)
        return np.where(day < self.n_days, buckets, np.iinfo(np.int64).max)


def link_days(links: Links, as_of: np.datetime64, closures: pd.DataFrame) -> LinkDays:
    """Return the day tables of links.

    Parameters
    ----------
    links
        The links.
    as_of
        Day 0.
    closures
        Table with place_id, start_date, end_date (inclusive) and blocks (ordering, shipping, receiving, or
        several of them; all three where it is null).

    Raises
    ------
    DataError
        If a lead time is negative or missing, a review period is below a day, or weekdays cannot be read.
    """
    _check(links)
    lead = np.ceil(links.lead_time_days - 1e-9).astype(np.int64)
    longest = int(lead.max(initial=0)) + int(links.review_period_days.max(initial=1))
    n_days = 2 * longest + _LOOK_AHEAD_DAYS
    closed = {kind: _closed(closures, kind, as_of, n_days) for kind in ("ordering", "shipping", "receiving")}
    patterns = list(zip(links.origin_id, links.dest_id, links.order_weekdays, links.is_lane, strict=True))
    order_patterns, order_row = _unique(patterns)
    origins, ship_row = _unique(list(links.origin_id))
    dests, receive_row = _unique(list(links.dest_id))
    everyday = np.ones(n_days, dtype=bool)
    orders = np.empty((len(order_patterns), n_days), dtype=bool)
    for row, (origin, dest, weekdays, is_lane) in enumerate(order_patterns):
        orders[row] = _on_weekdays(weekdays, as_of, n_days)
        for place, kind in (
            (origin, "ordering"),
            (dest, "ordering"),
            *([(origin, "shipping")] if is_lane else []),
        ):
            orders[row] &= ~closed[kind].get(place, ~everyday)
    ships = np.array([~closed["shipping"].get(place, ~everyday) for place in origins], dtype=bool).reshape(-1, n_days)
    receives = np.array([~closed["receiving"].get(place, ~everyday) for place in dests], dtype=bool).reshape(-1, n_days)
    return LinkDays(
        as_of=as_of,
        orders=_next_open(orders),
        ships=_next_open(ships),
        receives=_next_open(receives),
        order_row=order_row,
        ship_row=ship_row,
        receive_row=receive_row,
        lead_days=lead,
        review_days=links.review_period_days,
    )


def order_days(days: LinkDays, calendar: Calendar) -> OrderDays:
    """Return t1, t2 and their arrivals for every link."""
    first = days.order_day(np.zeros(len(days.lead_days), dtype=np.int64))
    second = days.next_order_day(first, calendar)
    return OrderDays(
        order_date=days.dates(first),
        available_date=days.dates(days.arrival_day(first)),
        next_order_date=days.dates(second),
        next_available_date=days.dates(days.arrival_day(second)),
    )


def last_time_buys(dates: OrderDays, end_date: Days) -> tuple[OrderDays, Bools]:
    """Return the dates with those of last orders completed, and which links order for the last time.

    A link that is open once more and then never again, whose item has an end date after that arrival, orders what is to
    last until then: the day after the end date takes the place of the next arrival.
    """
    last = ~np.isnat(dates.available_date) & np.isnat(dates.next_available_date) & (end_date >= dates.available_date)
    day = np.where(last, end_date + 1, dates.next_available_date)
    ordered = np.where(last, end_date + 1, dates.next_order_date)
    return OrderDays(dates.order_date, dates.available_date, ordered, day), last


def weekday_numbers(text: str) -> tuple[int, ...]:
    """Return the weekdays named by text such as "1,4" (Monday = 1); all seven for empty text.

    Raises
    ------
    DataError
        If the text names anything but 1 to 7.
    """
    if not text.strip():
        return (1, 2, 3, 4, 5, 6, 7)
    parts = [part.strip() for part in text.split(",")]
    if any(part not in {"1", "2", "3", "4", "5", "6", "7"} for part in parts):
        raise DataError(
            "order_weekdays must name days 1 (Monday) to 7, separated by commas",
            repr(text),
            "Write it like 1,4.",
        )
    return tuple(sorted({int(part) for part in parts}))


def _check(links: Links) -> None:
    bad = ~(links.lead_time_days >= 0) | ~np.isfinite(links.lead_time_days)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            "Every link must have a lead time of 0 days or more",
            f"{int(bad.sum())} without, first {links.origin_id[row]} to {links.dest_id[row]}: "
            f"{links.lead_time_days[row]}",
            "Give lead_time_days in supply and lanes, or supply.lead_time_days in the configuration.",
        )
    short = links.review_period_days < 1
    if short.any():
        row = int(np.flatnonzero(short)[0])
        raise DataError(
            "A review period must be 1 day or more",
            f"{int(short.sum())} below, first {links.origin_id[row]} to {links.dest_id[row]}: "
            f"{links.review_period_days[row]}",
            "Give the days between two orders.",
        )


def _unique(values: list[Pattern]) -> tuple[list[Pattern], I64]:
    """Return the distinct values in order of appearance and the row of each value among them."""
    rows: dict[Pattern, int] = {}
    index = np.array([rows.setdefault(value, len(rows)) for value in values], dtype=np.int64)
    return list(rows), index


def _on_weekdays(weekdays: str, as_of: np.datetime64, n_days: int) -> Bools:
    monday = np.datetime64("1970-01-05", "D")
    first = int((as_of - monday).astype(np.int64)) % 7
    number = (first + np.arange(n_days)) % 7 + 1
    return np.isin(number, weekday_numbers(weekdays))


def _closed(closures: pd.DataFrame, kind: str, as_of: np.datetime64, n_days: int) -> dict[object, Bools]:
    """Return the closed days of every place with a closure of a kind."""
    closed: dict[object, Bools] = {}
    rows = closures[closures["blocks"].fillna("ordering, shipping, receiving").str.contains(kind, regex=False)]
    starts = _offsets(rows["start_date"], as_of)
    ends = _offsets(rows["end_date"], as_of)
    for place, start, end in zip(rows["place_id"], starts, ends, strict=True):
        days = closed.setdefault(str(place), np.zeros(n_days, dtype=bool))
        days[max(start, 0) : max(end + 1, 0)] = True
    return closed


def _offsets(dates: pd.Series, as_of: np.datetime64) -> npt.NDArray[np.int64]:
    return (dates.to_numpy().astype("datetime64[D]") - as_of).astype(np.int64)


def _next_open(is_open: Bools) -> I64:
    """Return the first open day on or after each day, ``n_days`` for none; one column more than given."""
    n_rows, n_days = is_open.shape
    here = np.full((n_rows, n_days + 1), n_days, dtype=np.int64)
    here[:, :n_days][is_open] = np.broadcast_to(np.arange(n_days), is_open.shape)[is_open]
    return np.minimum.accumulate(here[:, ::-1], axis=1)[:, ::-1]
