"""Large supplier orders: a price on a unit of value or of volume tells each line alone what to order.

With a price on the limit every line takes the lots of least cost (the Lagrangian of Everett, Operations Research 11,
1963), so what the lines take rises with the price. Between the last price that falls short and the first that does
not, lots are dealt in the order of their cost per unit of what is lacking.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.network.supplier_lines import MOST_LOTS, SupplierLines
from engine.policy.types import F64, I64

_SLACK = 1e-6
_BISECTIONS = 60
_FIRST_PRICE = 1e-9


@dataclass(frozen=True)
class Reach:
    """A minimum of an order, and what a unit of each line counts towards it.

    Parameters
    ----------
    need
        What the order must come to.
    weight, most
        What a unit counts at the price of the lots asked for, and at the most, shape (r,).
    in_money
        Whether it is what is paid that counts, breaks included, and not the weight.
    """

    need: float
    weight: F64
    most: F64
    in_money: bool

    def total(self, lines: SupplierLines, count: I64) -> float:
        """Return what lots come to."""
        return float((lines.value(count) if self.in_money else lines.units(count) * self.weight).sum())


def reach_value(lines: SupplierLines, need: float) -> Reach:
    """Return the minimum of what an order is worth."""
    return Reach(need, lines.price_at(lines.asked), lines.prices.price.max(axis=1), True)


def reach_volume(lines: SupplierLines, need: float) -> Reach:
    """Return the minimum of what an order takes up."""
    return Reach(need, lines.volume, lines.volume, False)


def reach(lines: SupplierLines, limit: Reach, start: I64, high: I64) -> tuple[I64, float]:
    """Return lots of at least ``start`` that reach a minimum at little cost, and a bound for any that reach it.

    Parameters
    ----------
    start, high
        Least and most lots; all lines at ``high`` reach the minimum.
    """
    price = lines.price_at(start)
    bound = _bound(lines, limit, high, 0.0)
    if limit.total(lines, start) >= limit.need - _SLACK:
        return start, bound

    def at(money: float) -> I64:
        return np.maximum(start, lines.best(start, np.maximum(high, start), price, money * limit.weight))

    low_price, high_price = 0.0, _FIRST_PRICE
    while limit.total(lines, at(high_price)) < limit.need - _SLACK and high_price < 1e12:
        low_price, high_price = high_price, 4.0 * high_price
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low_price + high_price)
        enough = limit.total(lines, at(middle)) >= limit.need - _SLACK
        low_price, high_price = (low_price, middle) if enough else (middle, high_price)
    count, top = at(low_price), at(high_price)
    if limit.total(lines, top) < limit.need - _SLACK:
        # Breaks can make a larger order worth less than its price promised.
        top = np.maximum(high, start)
    bound = max(bound, *(_bound(lines, limit, high, money) for money in (low_price, high_price)))
    return _dealt(lines, limit, count, top), bound


def _bound(lines: SupplierLines, limit: Reach, high: I64, money: float) -> float:
    """Return the Lagrangian at a price on the limit: units at their lowest price, counted at their highest."""
    lowest = lines.prices.price.min(axis=1)
    high = np.maximum(high, lines.floor)
    count = lines.best(lines.floor, high, lowest, money * limit.most)
    units = lines.units(count)
    cost = lines.curves(units) + (lowest - lines.credit - money * limit.most) * units
    return float(cost.sum()) + money * limit.need


def _dealt(lines: SupplierLines, limit: Reach, count: I64, top: I64) -> I64:
    """Return lots between ``count`` and ``top`` that just reach the minimum, cheapest first."""
    weight = limit.weight * lines.lots.size
    stretch = lines.cost(top) - lines.cost(count)
    gained = (top - count) * weight
    order = np.argsort(np.where(gained > 0, stretch / np.where(gained > 0, gained, 1.0), np.inf), kind="stable")
    for row in order.tolist():
        lack = limit.need - limit.total(lines, count)
        if lack <= _SLACK:
            break
        if gained[row] >= lack:
            count = _last(lines, limit, count, np.maximum(top, count), lack)
            if limit.total(lines, count) >= limit.need - _SLACK:
                break
        count = count.copy()
        count[row] = top[row]
    return _trimmed(lines, limit, count)


def _last(lines: SupplierLines, limit: Reach, count: I64, top: I64, lack: float) -> I64:
    """Return the lots with those of one line added that alone bring what lacks, at the least cost."""
    weight = limit.weight * lines.lots.size
    can = weight > 0
    more = np.where(can, np.ceil(lack / np.where(can, weight, 1.0) - 1e-9), 0.0).astype(np.int64)
    then = np.maximum(count + more, lines.lots.least)
    can &= (then <= np.minimum(lines.lots.most, MOST_LOTS)) & (more > 0)
    then = np.where(can, then, count)
    cost = np.where(can, lines.cost(then) - lines.cost(count), np.inf)
    chosen = count.copy()
    row = int(np.argmin(cost))
    if np.isfinite(cost[row]):
        chosen[row] = then[row]
    return chosen


def _trimmed(lines: SupplierLines, limit: Reach, count: I64) -> I64:
    """Return the lots without those that cost money and that the minimum does not need, dearest first."""
    for _ in range(lines.n_lines):
        spare = limit.total(lines, count) - limit.need
        fewer = np.where(count > np.maximum(lines.lots.least, 1), count - 1, 0)
        allowed = (count > 0) & (fewer >= lines.floor)
        loses = lines.value(count) - lines.value(fewer) if limit.in_money else lines.units(count - fewer) * limit.weight
        saves = np.where(allowed & (loses <= spare + _SLACK), lines.cost(count) - lines.cost(fewer), 0.0)
        row = int(np.argmax(saves))
        if saves[row] <= 1e-9:
            break
        count = count.copy()
        count[row] = fewer[row]
    return count


def pack(lines: SupplierLines, start: I64, room: float) -> I64:
    """Return lots that fit into a room and leave none for another lot, at little cost.

    Lines are cut from ``start`` (not below their floor) where that takes up more, else they grow.
    """
    price, volume = lines.price_at(start), lines.volume * lines.lots.size
    most = np.minimum(lines.lots.most, MOST_LOTS)
    fits = np.where(volume > 0, np.floor(room / np.where(volume > 0, volume, 1.0) + _SLACK), 0.0).astype(np.int64)
    high = np.maximum(np.where(volume > 0, np.minimum(most, np.maximum(fits, start)), start), lines.floor)

    def taken(count: I64) -> float:
        return float(count @ volume)

    def at(money: float) -> I64:
        return lines.best(lines.floor, high, price, money * lines.volume)

    if taken(start) <= room + _SLACK:
        count = start
    else:
        low_price, high_price = -_FIRST_PRICE, 0.0
        while taken(at(low_price)) > room + _SLACK and low_price > -1e12:
            low_price, high_price = 4.0 * low_price, low_price
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low_price + high_price)
            inside = taken(at(middle)) <= room + _SLACK
            low_price, high_price = (middle, high_price) if inside else (low_price, middle)
        count = at(low_price)
    while True:
        step = np.where(count == 0, np.maximum(lines.lots.least, 1), 1)
        left = room - taken(count)
        grows = (volume > 0) & (count + step <= most) & (step * volume <= left + _SLACK)
        if not grows.any():
            return count
        # A part of what is left at a time, so that cheap small lots do not take hours, nor all the room at once.
        step = np.where(grows, np.maximum(step, left / (8.0 * np.where(volume > 0, volume, 1.0))), 0).astype(np.int64)
        step = np.minimum(step, most - count)
        cost = lines.cost(count + step) - lines.cost(count)
        row = int(np.argmin(np.where(grows, cost / np.where(grows, step * volume, 1.0), np.inf)))
        count = count.copy()
        count[row] += step[row]
