"""Lines of supplier orders: what any number of lots of each costs, is worth and takes up."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from engine.policy.aims import least_steps
from engine.policy.lot_curve import LotCurves
from engine.policy.lots import Lots
from engine.policy.price_lines import PriceLines
from engine.policy.types import F64, I64

MOST_LOTS = 1 << 40
"""More lots than any line brings; bounds the search where neither link nor shelf does."""


@dataclass(frozen=True)
class SupplierLines:
    """Primary purchases that a supplier's terms or price breaks concern; ``r`` rows.

    Parameters
    ----------
    option, order
        Row in options, and number of the supplier order that the line belongs to.
    asked, floor
        Lots that the cell asks for, and the least that the line may be cut to.
    lots
        Feasible quantities, shelf and shelf life included.
    curves
        Expected cost of the cell by units.
    prices
        What units are paid for.
    credit
        What a unit returns of its price: the price at which it would be bought anyway, shape (r,).
    volume
        Volume of a unit, shape (r,).
    """

    option: I64
    order: I64
    asked: I64
    floor: I64
    lots: Lots
    curves: LotCurves
    prices: PriceLines
    credit: F64
    volume: F64

    @property
    def n_lines(self) -> int:
        return len(self.option)

    def units(self, count: I64) -> F64:
        """Return the units of so many lots, shape (r,) or (r, j)."""
        size = self.lots.size if count.ndim == 1 else self.lots.size[:, None]
        return np.asarray(count * size, dtype=np.float64)

    def cost(self, count: I64) -> F64:
        """Return expected cost of the cell plus the price paid above the credit, shape of ``count``."""
        units = self.units(count)
        credit = self.credit if count.ndim == 1 else self.credit[:, None]
        found: F64 = self.curves(units) + self.prices.paid(units) - credit * units
        return found

    def value(self, count: I64) -> F64:
        """Return what lots are paid for, shape of ``count``."""
        return self.prices.paid(self.units(count))

    def take(self, rows: I64) -> SupplierLines:
        """Return some of the lines."""
        taken = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name not in _NESTED}
        lots = Lots(*(getattr(self.lots, f.name)[rows] for f in fields(Lots)))
        return replace(self, lots=lots, curves=self.curves.take(rows), prices=self.prices.take(rows), **taken)

    def price_at(self, count: I64) -> F64:
        """Return the price of a unit more, beside so many lots, shape (r,)."""
        below = self.prices.start <= self.units(count)[:, None]
        segment = below.sum(axis=1) - 1
        return np.asarray(self.prices.price[np.arange(self.n_lines), segment], dtype=np.float64)

    def cheapest(self, low: I64, high: I64, price: F64, pull: F64) -> I64:
        """Return the least number of lots in [low, high] with the least cost at one price a unit.

        Parameters
        ----------
        low, high
            Bounds, ``low <= high``.
        price
            Money paid for a unit, shape (r,).
        pull
            Money that each unit earns, shape (r,).
        """

        def at(count: I64) -> F64:
            units = self.units(count)
            return self.curves(units) + (price - self.credit - pull) * units

        return low + least_steps(lambda k: at(low + k + 1) >= at(low + k), high - low)

    def best(self, low: I64, high: I64, price: F64, pull: F64) -> I64:
        """Do the same among the feasible lots in [low, high], 0 where ``low`` is 0."""
        least = np.minimum(np.maximum(low, self.lots.least), high)
        found = self.cheapest(least, high, price, pull)
        units = self.units(found)
        gain = self.curves(np.zeros(self.n_lines)) - self.curves(units) - (price - self.credit - pull) * units
        return np.where((low == 0) & ((gain <= 0) | (high < self.lots.least)), 0, found)


_NESTED = frozenset({"lots", "curves", "prices"})


def best_at_breaks(lines: SupplierLines, low: I64) -> I64:
    """Return the lots of least cost, at least ``low``, with the prices of all segments: exact.

    Between breaks what is paid is a line, so cost is convex there and its best lot is found by bisection; the best of
    the segments is taken, the smallest of equals.
    """
    best = np.maximum(lines.asked, low)
    # A wish that cost does not lead to (a target, say) stands unless another quantity costs less.
    cost = lines.cost(best)
    most = np.minimum(lines.lots.most, MOST_LOTS)
    for segment in range(lines.prices.start.shape[1]):
        start = lines.prices.start[:, segment]
        used = np.isfinite(start)
        last = np.full(lines.n_lines, np.inf)
        if segment + 1 < lines.prices.start.shape[1]:
            last = lines.prices.start[:, segment + 1]
        first_lot = np.ceil(np.where(used, start, 0.0) / lines.lots.size - 1e-9).astype(np.int64)
        last_lot = np.where(
            np.isfinite(last), np.ceil(np.where(np.isfinite(last), last, 0.0) / lines.lots.size - 1e-9) - 1, MOST_LOTS
        ).astype(np.int64)
        bottom = np.maximum(np.maximum(first_lot, low), lines.lots.least)
        top = np.minimum(last_lot, most)
        fits = used & (bottom <= top)
        price = lines.prices.price[:, segment]
        found = lines.cheapest(np.where(fits, bottom, 0), np.where(fits, top, 0), price, np.zeros(lines.n_lines))
        found_cost = lines.cost(found)
        better = fits & (found_cost < cost - 1e-9 * (1.0 + np.abs(cost)))
        best, cost = np.where(better, found, best), np.where(better, found_cost, cost)
    nothing = np.zeros_like(best)
    without = lines.cost(nothing)
    drops = (low == 0) & (without < cost - 1e-9 * (1.0 + np.abs(cost)))
    return np.where(drops, nothing, best)
