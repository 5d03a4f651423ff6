"""Filling one supplier order: the cheapest lots that reach its minimums and fill its containers.

The cost of a supplier order is the sum of its lines' (`SupplierLines.cost`). Feasible is an order

- that is worth ``min_value`` and takes up ``min_volume`` or more;
- that, where containers have a volume, fits in a number of them, and leaves no room in which a lot of any line that may
  still grow would fit. Their number is what was asked for (``min_volume`` at the least), rounded down or up; more only
  where the minimum value asks for more.

Small orders are solved by trying all combinations of lots, so exactly. In large ones a unit of value or volume
gets a price, lines answer alone (the Lagrangian of the limit), the last lots are dealt one line at a time, and the
value of the Lagrangian is a bound: no order that keeps to the terms costs less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from engine.network.supplier_lines import MOST_LOTS, SupplierLines
from engine.network.supplier_prices import pack, reach, reach_value, reach_volume
from engine.policy.types import F64, I64, Bools

MOST_COMBINATIONS = 20_000
_SLACK = 1e-6


@dataclass(frozen=True)
class FillTerms:
    """What an order must reach: money, volume, and the volume of a container (inf: none)."""

    min_value: float
    min_volume: float
    container: float

    @property
    def binding(self) -> bool:
        return self.min_value > 0 or self.min_volume > 0 or np.isfinite(self.container)


@dataclass(frozen=True)
class Filled:
    """The lots of an order's lines, and a bound: no order that keeps to the terms costs less.

    ``unreached`` names the minimums that were left out since no order can reach them.
    """

    count: I64
    bound: float
    unreached: tuple[str, ...]


def fill_order(lines: SupplierLines, terms: FillTerms, given: tuple[float, float]) -> Filled:
    """Return the cheapest order found that keeps to the terms.

    Parameters
    ----------
    lines
        The lines of one order; ``asked`` is what they would be without the terms.
    terms
        The supplier's.
    given
        Value and volume that are in the order besides.
    """
    value, volume = max(terms.min_value - given[0], 0.0), max(terms.min_volume - given[1], 0.0)
    capped = FillTerms(value, volume, terms.container)
    high = _highest(lines, capped, given[1])
    unreached = []
    if float(lines.value(high).sum()) < value - _SLACK:
        unreached.append("value")
    if float((lines.units(high) * lines.volume).sum()) < volume - _SLACK:
        unreached.append("volume")
    if not high.any():
        # All of the order is decided elsewhere: second sources, or lines that may take nothing.
        return Filled(lines.asked, float(lines.cost(lines.asked).sum()), tuple(unreached))
    reachable = FillTerms(
        0.0 if "value" in unreached else value, 0.0 if "volume" in unreached else volume, terms.container
    )
    if not np.isfinite(reachable.container) and _meets(lines, reachable):
        return Filled(lines.asked, float(lines.cost(lines.asked).sum()), tuple(unreached))
    n_values = np.where(
        lines.floor > 0, high - lines.floor + 1.0, np.maximum(high - np.maximum(lines.lots.least, 1) + 1.0, 0.0) + 1.0
    )
    if float(np.log(n_values).sum()) <= np.log(MOST_COMBINATIONS):
        count, bound = _by_enumeration(lines, reachable, given[1], high)
    else:
        count, bound = _by_price(lines, reachable, given[1], high)
    return Filled(count, bound, tuple(unreached))


def _meets(lines: SupplierLines, terms: FillTerms) -> bool:
    """Return whether the lots asked for reach the minimums, so that they stay as they are."""
    value = float(lines.value(lines.asked).sum())
    volume = float((lines.units(lines.asked) * lines.volume).sum())
    return value >= terms.min_value - _SLACK and volume >= terms.min_volume - _SLACK


def _highest(lines: SupplierLines, terms: FillTerms, given_volume: float) -> I64:
    """Return the most lots of each line that can be of use: enough to reach the terms alone, or a break."""
    lowest = lines.prices.price.min(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_value = np.where(lowest > 0, terms.min_value / (lowest * lines.lots.size), 0.0)
        room = max(terms.min_volume, 0.0)
        if np.isfinite(terms.container):
            asked = float((lines.units(lines.asked) * lines.volume).sum())
            room = max(room, asked) + terms.container + given_volume
        by_volume = np.where(lines.volume > 0, room / (lines.volume * lines.lots.size), 0.0)
    starts = np.where(np.isfinite(lines.prices.start), lines.prices.start, 0.0).max(axis=1) / lines.lots.size
    alone = np.ceil(np.maximum(np.maximum(by_value, by_volume), starts) - 1e-9).astype(np.int64)
    most = np.minimum(lines.lots.most, MOST_LOTS)
    free = lines.cheapest(np.zeros_like(most), np.maximum(most, 0), lowest, np.zeros(lines.n_lines))
    wanted = np.maximum(np.maximum(alone, lines.lots.least), np.maximum(free, lines.asked))
    return np.where(lines.lots.least <= most, np.minimum(wanted, most), 0)


def _by_enumeration(lines: SupplierLines, terms: FillTerms, given_volume: float, high: I64) -> tuple[I64, float]:
    """Return the cheapest of all combinations of lots, and its cost."""
    choices = [
        np.arange(low, top + 1) if low > 0 else np.concatenate([[0], np.arange(max(least, 1), top + 1)])
        for low, least, top in zip(lines.floor.tolist(), lines.lots.least.tolist(), high.tolist(), strict=True)
    ]
    width = max(len(one) for one in choices)
    grid = np.stack([np.pad(one, (0, width - len(one)), mode="edge") for one in choices])
    volume = lines.units(grid) * lines.volume[:, None]
    tables = (lines.cost(grid), lines.value(grid), volume, _next_lot_volume(lines, grid))

    def combined(table: F64, how: Callable[[F64, F64], F64]) -> F64:
        rows = (row[: len(one)] for row, one in zip(table, choices, strict=True))
        return reduce(lambda a, b: how(a, b).reshape(-1), rows)

    cost, value, taken = (combined(table, np.add.outer) for table in tables[:3])
    following = combined(tables[3], np.minimum.outer)
    count = combined(grid.astype(np.float64), np.add.outer)
    feasible = (value >= terms.min_value - _SLACK) & (taken >= terms.min_volume - _SLACK) & (count > 0)
    if np.isfinite(terms.container):
        feasible = _filled(containers(lines, terms, given_volume), terms, (taken + given_volume, following), feasible)
    best = int(np.argmin(np.where(feasible, cost, np.inf)))
    places = np.unravel_index(best, [len(one) for one in choices])
    chosen = np.array([one[int(place)] for one, place in zip(choices, places, strict=True)], dtype=np.int64)
    return chosen, float(cost[best])


def _next_lot_volume(lines: SupplierLines, count: I64) -> F64:
    """Return the volume of the next lot of each line, inf where it may not grow or takes up nothing."""
    shape = (slice(None), None) if count.ndim == 2 else (slice(None),)
    step = np.where(count == 0, np.maximum(lines.lots.least, 1)[shape], 1)
    grows = (count + step <= lines.lots.most[shape]) & (lines.volume > 0)[shape]
    return np.where(grows, step * (lines.lots.size * lines.volume)[shape], np.inf)


def containers(lines: SupplierLines, terms: FillTerms, given_volume: float) -> tuple[int, int]:
    """Return what the order asks for in containers, rounded down and up."""
    asked = float((lines.units(lines.asked) * lines.volume).sum())
    wanted = (max(asked, terms.min_volume) + given_volume) / terms.container
    return int(np.floor(wanted + _SLACK)), int(np.ceil(wanted - _SLACK))


def _filled(numbers: tuple[int, int], terms: FillTerms, found: tuple[F64, F64], feasible: Bools) -> Bools:
    """Return the combinations that fill so many containers; one more at a time where none does.

    Where none does however many, the minimums alone count: room that other lots would need is then left.
    """
    volume, following = found
    down, number = numbers
    highest = float(volume[feasible].max())
    fits = feasible & _full(volume, following, down * terms.container)
    while True:
        fits |= feasible & _full(volume, following, number * terms.container)
        if fits.any() or number * terms.container >= highest:
            return fits if fits.any() else feasible
        number += 1


def _by_price(lines: SupplierLines, terms: FillTerms, given_volume: float, high: I64) -> tuple[I64, float]:
    """Return lots found by prices on the limits, and a bound on the cost of any that keep to the minimums."""
    count, bound = lines.asked, -np.inf
    for limit in (reach_value(lines, terms.min_value), reach_volume(lines, terms.min_volume)):
        count, found = reach(lines, limit, np.maximum(count, lines.asked), high)
        bound = max(bound, found)
    if not np.isfinite(terms.container):
        return count, bound
    best = None
    down, number = containers(replace(lines, asked=count), terms, given_volume)
    least = float((lines.units(lines.floor) * lines.volume).sum()) + given_volume
    for n in (down, number, number + 1):
        if n * terms.container < least - _SLACK or n == 0:
            continue
        packed = pack(lines, count, n * terms.container - given_volume)
        cost = float(lines.cost(packed).sum())
        worth, taken = float(lines.value(packed).sum()), float((lines.units(packed) * lines.volume).sum())
        keeps = worth >= terms.min_value - _SLACK and taken >= terms.min_volume - _SLACK
        if keeps and (best is None or cost < best[0]):
            best = (cost, packed)
        if best is not None and n >= number:
            break
    return (count if best is None else best[1]), bound


def _full(volume: F64, following: F64, room: float) -> Bools:
    found: Bools = (volume <= room + _SLACK) & (volume + following > room + _SLACK)
    return found
