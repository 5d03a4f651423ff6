"""Steadiness: a line that an older plan meant to order stays, as long as little speaks against it.

A level is estimated from a sample of paths, so two plans of the same data and different samples differ. A line keeps
the units and the day of the older plan if some level within a band around the fresh level would order just that; else
the fresh answer is taken. What was kept counts in the next position, so differences do not add up. Where a giver or a
trip is short, a share stays by the same band (`kept_shares`).

**The band.** The standard error of an order-up-to level is found by batch means (Law, Simulation Modeling and
Analysis, 9.5.3): the level is worked out anew on each of `BATCHES` disjoint parts of the paths; the spread of these
levels, divided by the square root of their number, is the error of the level of all paths. That holds for every
objective. The older level has an error of its own, so a difference has one larger by the square root of two. Four
levels tell a spread poorly, so each variance is averaged with the usual one of all cells, as a share of safety stock
squared and mean demand. On the demo world 96 % of levels then lie within two errors of those of another seed (80 % by
the spread alone; 78 % by the order statistics of cycle service, which are bounded by the largest of the paths).

The band reaches less far down than up. What is missing is lost with its customers, what is too much is sold later; and
service falls faster below a level than it rises above it, so a band of equal sides, held week after week, costs
service that no plan meant to give away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from engine.network.params import SteadyParams
from engine.network.problem import CoupledProblem
from engine.network.types import Network
from engine.policy.lots import Lots, lots
from engine.policy.targets import stock_targets
from engine.policy.types import F64, I64, Bools, Cells, Options, Scenarios, StockRule, Targets

KEPT_AS_PLANNED = "kept-as-planned"
"""What decided a line that was kept, beside the names of `engine.network.types.BINDING`."""

BATCHES = 4
_SPAN = 2**21  # days, more than any calendar holds
_SAME = 1e-6
_OVER = 1e-6  # of a limit, from rounding


@dataclass(frozen=True)
class Meant:
    """What an older plan meant to order on days that are still to come.

    Parameters
    ----------
    option, day, units
        Its lines, sorted by row of the options and day from ``as_of``; NaN units where the line is placed already.
    known_days
        Days from ``as_of`` that it covers, shape (m,): on those without a line it meant to order nothing. 0 for an
        option that it did not know, or whose aim it did not share.
    """

    option: I64
    day: I64
    units: F64
    known_days: I64

    def on(self, option: I64, day: I64) -> F64:
        """Return the units meant by option and day, arrays of one shape; NaN where nothing is known."""
        key = option * _SPAN + np.clip(day, 0, _SPAN - 1)
        known = (day >= 0) & (day < self.known_days[option])
        if not len(self.option):
            return np.where(known, 0.0, np.nan)
        own = self.option * _SPAN + self.day
        at = np.minimum(np.searchsorted(own, key), len(own) - 1)
        return np.where(known, np.where(own[at] == key, self.units[at], 0.0), np.nan)

    def take(self, rows: I64) -> Meant:
        """Return what concerns the options of the given rows, in order."""
        place = np.full(len(self.known_days), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        option = place[self.option]
        kept = option >= 0
        return Meant(option[kept], self.day[kept], self.units[kept], self.known_days[rows])


@dataclass(frozen=True)
class Band:
    """How far a level may lie below and above the fresh one, units of one shape."""

    below: F64
    above: F64

    def take(self, rows: I64) -> Band:
        return Band(self.below[rows], self.above[rows])

    def column(self, rows: I64) -> Band:
        """Return the band of the given rows, shape (rows, 1)."""
        return Band(self.below[rows, None], self.above[rows, None])


@dataclass(frozen=True)
class Held:
    """What ``r`` options are held to on later order days: units meant (r, J), NaN for none, and the band (r,)."""

    meant: F64
    band: Band


@dataclass(frozen=True)
class Steady:
    """What was meant, and the band around each option's level within which it stays, shape (m,); units."""

    meant: Meant
    band: Band

    def today(self, network: Network, found: Targets) -> F64:
        """Return today's orders of the options in ``found``: as meant where that lies within the band.

        Lots, ``max_stock`` and what is owed hold as they do for the fresh answer.
        """
        cells, options, option = network.cells, network.options, found.option
        cell = options.cell[option]
        room = np.maximum(cells.max_stock[cell] - found.stock_at_landing, 0.0)
        rules = _lots_of(cells, options, option).capped(room)
        # A wish below 0 is what the position has above its level.
        wish = np.where(found.raw_units > 0, found.raw_units, np.minimum(found.order_up_to - found.position, 0.0))
        slack = found.position - found.reorder_point
        low, high = (
            rules.at_least(np.where(slack <= shift, wish + shift, 0.0))
            for shift in (-self.band.below[option], self.band.above[option])
        )
        meant = np.where(found.binding == "owed", np.nan, self._meant_today(network, option))
        return kept(meant, found.order_units, (low, high), rules)

    def together(self, network: Network, problem: CoupledProblem, units: F64, some: Bools) -> F64:
        """Return units that were decided together, with those of ``some`` options as meant where that is in the band.

        No level stands behind such units, so the band lies around them. Wherever a limit would be broken, the fresh
        units stand.
        """
        option = np.flatnonzero(some)
        rules = _lots_of(network.cells, network.options, option)
        low, high = (
            rules.at_least(units[option] + shift) for shift in (-self.band.below[option], self.band.above[option])
        )
        held = units.copy()
        held[option] = kept(self._meant_today(network, option), units[option], (low, high), rules)
        limits = problem.limits
        while True:
            over = problem.used(held) > limits.bound + _OVER
            back = np.unique(limits.option[over[limits.row] & (held != units)[limits.option]])
            if not len(back):
                return held
            held[back] = units[back]

    def shared(self, network: Network, option: I64, asked: tuple[F64, F64], lots: Lots, shares: Shares) -> F64:
        """Return what options get of what they share today, by `kept_shares`."""
        return kept_shares(asked, self._meant_today(network, option), self.band.take(option), lots, shares)[1]

    def later(self, option: I64, day: I64) -> Held:
        """Return what options (r,) are held to on later order days (r, J)."""
        return Held(self.meant.on(np.broadcast_to(option[:, None], day.shape), day), self.band.take(option))

    def _meant_today(self, network: Network, option: I64) -> F64:
        day = (network.options.order_date[option] - network.calendar.as_of).astype(np.int64)
        return self.meant.on(option, day)


def kept(meant: F64, fresh: F64, ends: tuple[F64, F64], rules: Lots) -> F64:
    """Return ``meant`` where it lies between both ends and is a feasible quantity, else ``fresh``; one shape."""
    count = np.rint(np.nan_to_num(meant) / rules.size)
    whole = np.abs(count * rules.size - meant) <= _SAME
    feasible = (meant == 0) | (whole & (count >= rules.least) & (count <= rules.most))
    low, high = np.minimum(ends[0], fresh), np.maximum(ends[1], fresh)
    return np.where(feasible & (meant >= low - _SAME) & (meant <= high + _SAME), meant, fresh)


class Shares(Protocol):
    """What rows share: how it is dealt, and which rows are under a limit that units exceed."""

    def granted(self, asked: F64) -> F64: ...

    def over(self, units: F64) -> Bools: ...


def kept_shares(asked: tuple[F64, F64], meant: F64, band: Band, rules: Lots, shares: Shares) -> tuple[F64, F64]:
    """Return what rows ask for and what they get of what they share, as meant within the band; arrays of one shape.

    What an older plan meant to send may be a share already, which tells nothing of what is asked for. So where limits
    bind the fresh wishes are shared, and a share stays as meant where that lies within the band around it and breaks no
    limit.

    Parameters
    ----------
    asked
        What is asked for afresh, and held to the older plan.
    """
    fresh, wanted = asked
    while True:
        back = shares.over(wanted) & (wanted != fresh)
        if not back.any():
            break
        wanted = np.where(back, fresh, wanted)
    granted = shares.granted(wanted)
    near = kept(meant, granted, (rules.at_least(granted - band.below), rules.at_least(granted + band.above)), rules)
    units = np.where((granted < wanted) & (near <= wanted), near, granted)
    while True:
        back = shares.over(units) & (units != granted)
        if not back.any():
            return wanted, units
        units = np.where(back, granted, units)


def steadiness(
    network: Network, scenarios: Scenarios, rule: StockRule, meant: Meant, params: SteadyParams, targets: Targets
) -> Steady | None:
    """Return what holds the options of a network to an older plan; None where nothing does."""
    if not params.holds or not meant.known_days.any():
        return None
    error = np.zeros(network.options.n_options)
    error[targets.option] = np.sqrt(2.0) * level_errors(network, scenarios, rule, targets)
    return Steady(meant, Band(params.z_below * error, params.z_above * error))


def level_errors(network: Network, scenarios: Scenarios, rule: StockRule, targets: Targets) -> F64:
    """Return the standard error of each order-up-to level, as it is estimated from the paths, in units (p,).

    0 where there are fewer than two paths a batch.
    """
    if scenarios.n_paths < 2 * BATCHES:
        return np.zeros(len(targets.option))
    levels = np.stack(
        [
            stock_targets(network.cells, network.options, _batch(scenarios, first), rule).order_up_to
            for first in range(BATCHES)
        ]
    )
    variance = levels.var(axis=0, ddof=1) / BATCHES
    # Safety stock grows with the spread of demand; where there is little of it, counts still vary as the mean does.
    scale = np.maximum(targets.safety_stock, 0.0) ** 2 + np.maximum(targets.protection_demand, 0.0)
    usual = float((variance[scale > 0] / scale[scale > 0]).mean()) if (scale > 0).any() else 0.0
    return np.asarray(np.sqrt((variance + usual * scale) / 2))


def _batch(scenarios: Scenarios, first: int) -> Scenarios:
    some = slice(first, None, BATCHES)
    return replace(
        scenarios,
        paths=scenarios.paths[:, some],
        arrival=scenarios.arrival[:, some],
        next_arrival=scenarios.next_arrival[:, some],
    )


def _lots_of(cells: Cells, options: Options, rows: I64) -> Lots:
    return lots(
        options.min_units[rows], options.multiple[rows], options.max_units[rows], cells.step[options.cell[rows]]
    )
