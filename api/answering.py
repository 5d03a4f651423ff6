"""Answering "what should I order now" from stored curves, for the stock that the caller has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from api.store.curves import StoredCurves
from engine.demand.calendar import Calendar
from engine.messages import Message
from engine.policy.order_now import Position, order_now
from engine.policy.types import F64, I64

# Series answered at a time: paths are read and evaluated by block, so that memory stays flat.
_BLOCK = 256


@dataclass(frozen=True)
class Inbound:
    """Units to come, and the day they can be sold from."""

    units: float
    available_date: np.datetime64


@dataclass(frozen=True)
class Stock:
    """What an item has at a location now, in units."""

    item_id: str
    location_id: str
    on_hand: float
    reserved: float
    backorders: float
    inbound: tuple[Inbound, ...]

    @property
    def available(self) -> float:
        return max(self.on_hand - self.reserved, 0.0)

    @property
    def owed(self) -> float:
        """Backorders, and what is reserved beyond the stock on hand: that is owed as well."""
        return self.backorders + max(self.reserved - self.on_hand, 0.0)


@dataclass(frozen=True)
class Advice:
    """What to order now of one item at one location, over its primary link.

    ``late_units``: inbound due before the plan's day; it counts as arriving on that day.
    """

    units: float
    expected_service: float
    source_id: str
    order_date: str
    available_date: str
    next_available_date: str
    late_units: float
    reason: Message


def advise(curves: StoredCurves, as_of: np.datetime64, stocks: Sequence[Stock]) -> list[Advice | None]:
    """Return the advice for each stock, None where the plan of ``as_of`` has no curve for it."""
    calendar = Calendar("W" if curves.days_per_bucket == 7 else "D", as_of, 0, 0)
    advice: list[Advice | None] = [None] * len(stocks)
    rows = curves.find([(stock.item_id, stock.location_id) for stock in stocks])
    known = np.flatnonzero(rows >= 0)
    for start in range(0, len(known), _BLOCK):
        places = known[start : start + _BLOCK]
        block = _advise_block(curves, calendar, rows[places], [stocks[place] for place in places])
        for place, given in zip(places, block, strict=True):
            advice[place] = given
    return advice


def _advise_block(curves: StoredCurves, calendar: Calendar, rows: I64, stocks: Sequence[Stock]) -> Iterator[Advice]:
    chosen = curves.take(rows)
    inbound, late = _inbound(calendar, stocks, chosen.demand.shape[-1])
    position = Position(
        np.array([stock.available for stock in stocks]), np.array([stock.owed for stock in stocks]), inbound
    )
    answer = order_now(chosen, np.arange(len(rows)), position)
    for row in range(len(rows)):
        yield Advice(
            units=float(answer.units[row]),
            expected_service=float(answer.expected_service[row]),
            source_id=str(chosen.source_id[row]),
            order_date=_day(chosen.order_date[row]),
            available_date=_day(chosen.available_date[row]),
            next_available_date=_day(chosen.next_available_date[row]),
            late_units=float(late[row]),
            reason=answer.reasons[row],
        )


def _inbound(calendar: Calendar, stocks: Sequence[Stock], n_buckets: int) -> tuple[F64, F64]:
    """Return inbound units by bucket, shape (n, n_buckets), and those that are late, shape (n,)."""
    given = [(row, item.units, item.available_date) for row, stock in enumerate(stocks) for item in stock.inbound]
    by_bucket, late = np.zeros((len(stocks), n_buckets)), np.zeros(len(stocks))
    if not given:
        return by_bucket, late
    row = np.array([entry[0] for entry in given])
    units = np.array([entry[1] for entry in given])
    dates = np.array([entry[2] for entry in given], dtype="datetime64[D]")
    overdue = dates < calendar.as_of
    np.add.at(late, row[overdue], units[overdue])
    bucket = np.maximum(calendar.arrival_bucket(dates), 0)
    # What comes after the curve's last bucket comes after the next arrival, and does not count in the plan either.
    counts = bucket < n_buckets
    np.add.at(by_bucket, (row[counts], bucket[counts]), units[counts])
    return by_bucket, late


def _day(date: np.datetime64) -> str:
    return str(np.datetime_as_string(date, unit="D"))
