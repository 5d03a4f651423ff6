"""Prices that depend on the quantity: breaks for all units, or for the units above a break.

Between two breaks what is paid is a line, ``base + price * units``: for all units the base is 0, above a break it is
what the units up to it cost beyond that price. So each break is a segment with a line of its own, whatever its kind.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from engine.policy.types import F64, I64, Bools


@dataclass(frozen=True)
class PriceLines:
    """What ``r`` options are paid for, as lines over segments of units; all arrays (r, s).

    Parameters
    ----------
    start
        Units from which a segment holds, ascending, the first 0; inf where a row has fewer segments.
    base, price
        Paid for units of the segment: ``base + price * units``.
    """

    start: F64
    base: F64
    price: F64

    @property
    def stepped(self) -> Bools:
        """Return which rows have a break, shape (r,)."""
        return np.asarray(np.isfinite(self.start[:, 1:]).any(axis=1), dtype=bool)

    def paid(self, units: F64) -> F64:
        """Return what units cost, shape (r,) or (r, j) as given."""
        wanted = units if units.ndim == 2 else units[:, None]
        segment = np.zeros(wanted.shape, dtype=np.int64)
        for number in range(1, self.start.shape[1]):
            segment += self.start[:, number, None] <= wanted
        base, price = (np.take_along_axis(getattr(self, name), segment, axis=1) for name in ("base", "price"))
        return np.asarray((base + price * wanted).reshape(units.shape), dtype=np.float64)

    def take(self, rows: I64) -> PriceLines:
        """Return the lines of some rows."""
        return PriceLines(*(getattr(self, f.name)[rows] for f in fields(self)))


def price_lines(price: F64, row: I64, min_units: F64, unit_cost: F64, incremental: Bools) -> PriceLines:
    """Return the lines of options with a price each and breaks.

    Parameters
    ----------
    price
        Price below the first break, shape (r,).
    row, min_units, unit_cost, incremental
        The breaks, one row each: the option; from how many units on it holds; its price; whether that is paid for the
        units above ``min_units`` only, or for all.
    """
    order = np.lexsort((min_units, row))
    row, incremental = row[order], incremental[order]
    counts = np.bincount(row, minlength=len(price))
    place = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts) + 1
    shape = (len(price), int(counts.max(initial=0)) + 1)
    start, base = np.full(shape, np.inf), np.zeros(shape)
    cost, above = np.repeat(price[:, None].astype(np.float64), shape[1], axis=1), np.zeros(shape, dtype=bool)
    start[:, 0] = 0.0
    start[row, place], cost[row, place], above[row, place] = min_units[order], unit_cost[order], incremental
    for segment in range(1, shape[1]):
        saved = (cost[:, segment - 1] - cost[:, segment]) * np.where(above[:, segment], start[:, segment], 0.0)
        base[:, segment] = np.where(above[:, segment], base[:, segment - 1] + saved, 0.0)
    return PriceLines(start, base, cost)
