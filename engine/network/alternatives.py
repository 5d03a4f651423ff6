"""What today's decision was chosen from: other quantities of a cell's primary link, and its other sources.

Each alternative is costed as a decided line's worth is (`engine.network.expected.cost_changes`): all else as decided,
both ends of a transfer counted, until the cell's next order arrives, with the price above unit cost, lane and trip.
So the extra cost of ordering nothing is the line's cost of waiting. Quantities are feasible ones of the link: the
decided one and its neighbours, some further off, and nothing. A source stands in for the primary link with the least
lots of its own that bring as much. Limits that options share (stock of a giver, trips, budgets) are not looked at:
they may be why an alternative was not taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.network.decide import Decision
from engine.network.expected import SampleCost, cost_changes
from engine.network.formulate import formulate
from engine.network.problem import CoupledProblem
from engine.network.tiers import with_arrivals
from engine.network.types import Network
from engine.policy.cost import own_horizon
from engine.policy.lots import Lots, count_down, lots
from engine.policy.service import expected_service
from engine.policy.types import F64, I64, Bools, Scenarios, StockRule

_STEPS = (-3, -2, -1, 0, 1, 2, 3)
_STEP_SHARE = 0.1  # of the decided lots, at least one lot


@dataclass(frozen=True)
class Alternatives:
    """Alternatives row by row, sorted by cell, then the primary link before others, then units.

    Parameters
    ----------
    option
        What brings the units instead of the primary link's.
    primary
        The primary link of the cell.
    units
        What it brings.
    extra_cost
        Expected money above that of the decision; 0 for the decision itself.
    cycle_service, fill_rate
        What the cell reaches over the interval of its primary link.
    chosen
        The decision.
    """

    option: I64
    primary: I64
    units: F64
    extra_cost: F64
    cycle_service: F64
    fill_rate: F64
    chosen: Bools


@dataclass(frozen=True)
class _Setting:
    """The network as decided, its cost, and the charges of its options."""

    network: Network
    decision: Decision
    cost: SampleCost
    problem: CoupledProblem
    lots: Lots

    def trip(self, rows: I64, units: F64) -> F64:
        """Return what the trips of options cost (r,) that nobody else is on, if these bring ``units``."""
        trips = self.problem.trips
        riders = np.zeros(len(trips.cost))
        used = (self.decision.units > 0) & (trips.of_option >= 0)
        np.add.at(riders, trips.of_option[used], 1)
        cost = np.zeros(len(rows))
        on_trip = np.flatnonzero((trips.of_option[rows] >= 0) & (units > 0))
        trip = trips.of_option[rows[on_trip]]
        cost[on_trip] = np.where(riders[trip] == used[rows[on_trip]], trips.cost[trip], 0.0)
        return cost

    def service(self, rows: I64, units: F64, beside: F64) -> tuple[F64, F64]:
        """Return the services if primary options bring ``units`` (r,) and the others ``beside`` (m,)."""
        options, demand = self.network.options, self.decision.demand
        cells = with_arrivals(self.network.cells, options, beside)
        part = Scenarios(demand.paths, demand.arrival[rows], demand.next_arrival[rows])
        return expected_service(cells, options.take(rows), part, self.cost.rule, units)


def alternatives(network: Network, decision: Decision, rule: StockRule, cells: I64) -> Alternatives:
    """Return the alternatives of some cells (rows in the network's cells), which must have a primary option."""
    options = network.options
    primary = network.primary_of[np.unique(cells)]
    if (primary < 0).any():
        raise ValueError(f"cells must have a primary option. Got {np.count_nonzero(primary < 0)} without.")
    horizon = own_horizon(network.cells, options, decision.later, rule)
    setting = _Setting(
        network,
        decision,
        SampleCost(network.cells, options, decision.later, horizon, rule, np.arange(options.n_options)),
        formulate(network, decision.later, rule).problem,
        lots(options.min_units, options.multiple, options.max_units, network.cells.step[options.cell]),
    )
    parts = [*_quantities(setting, primary), *_sources(setting, primary)]
    joined = Alternatives(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))
    other = joined.option != joined.primary
    order = np.lexsort((joined.units, joined.option, other, options.cell[joined.primary]))
    joined = Alternatives(*(getattr(joined, name)[order] for name in _FIELDS))
    same = (np.diff(joined.option, prepend=-1) == 0) & (np.diff(joined.units, prepend=np.nan) == 0)
    return Alternatives(*(getattr(joined, name)[~same] for name in _FIELDS))


_FIELDS = tuple(Alternatives.__dataclass_fields__)


def _quantities(setting: _Setting, primary: I64) -> list[Alternatives]:
    """Return one block of alternatives for each quantity that is tried, a row a cell."""
    decided = setting.decision.units
    now = decided[primary]
    rules = _take(setting.lots, primary)
    count = count_down(now, rules.size)
    step = np.maximum(np.round(_STEP_SHARE * count).astype(np.int64), 1)
    beside = np.where(setting.network.options.primary, 0.0, decided)
    tried = [now, np.zeros(len(primary))]
    for lots_off in [*(k * step for k in _STEPS), -np.ones_like(step), np.ones_like(step)]:
        near = np.clip(count + lots_off, rules.least, np.maximum(rules.most, rules.least))
        tried.append(np.where((rules.least <= rules.most) & (count + lots_off > 0), near * rules.size, now))
    blocks = []
    for units in tried:
        extra = cost_changes(setting.cost, decided, primary, units - now)
        extra += setting.problem.charge[primary] * (units - now)
        extra += setting.trip(primary, units) - setting.trip(primary, now)
        service = setting.service(primary, units, beside)
        blocks.append(Alternatives(primary, primary, units, extra, *service, chosen=units == now))
    return blocks


def _sources(setting: _Setting, primary: I64) -> list[Alternatives]:
    """Return blocks of other options that stand in for a primary one which brings something.

    Of an item one cell at a time gives up its own, and tries one option, so that all else stays as decided.
    """
    options, decided = setting.network.options, setting.decision.units
    wanted = primary[decided[primary] > 0]
    other = np.flatnonzero(~options.primary & np.isin(options.cell, options.cell[wanted]))
    place = setting.network.primary_of[options.cell[other]]
    wish = decided[place] + decided[other]
    units = _take(setting.lots, other).at_least(wish)
    fits = np.flatnonzero(units >= wish)
    other, place, units = other[fits], place[fits], units[fits]
    _, item = np.unique(setting.network.cells.item_id[options.cell[other]].astype(str), return_inverse=True)
    blocks = []
    for turn in _turns(item):
        rows, own, then = other[turn], place[turn], units[turn]
        without = decided.copy()
        without[own] = 0.0
        extra = cost_changes(setting.cost, decided, own, -decided[own])
        extra += cost_changes(setting.cost, without, rows, then - decided[rows])
        extra += setting.problem.charge[rows] * (then - decided[rows]) - setting.problem.charge[own] * decided[own]
        extra += setting.trip(rows, then) - setting.trip(rows, decided[rows]) - setting.trip(own, decided[own])
        beside = np.where(options.primary, 0.0, decided)
        beside[rows] = then
        service = setting.service(own, np.zeros(len(own)), beside)
        blocks.append(Alternatives(rows, own, then, extra, *service, chosen=np.zeros(len(own), dtype=bool)))
    return blocks


def _take(rules: Lots, rows: I64) -> Lots:
    return Lots(rules.size[rows], rules.least[rows], rules.most[rows])


def _turns(item: I64) -> list[I64]:
    """Return the positions of each item's first row, of each item's second, and so on."""
    order = np.argsort(item, kind="stable")
    ranked = item[order]
    nth = np.arange(len(item)) - np.searchsorted(ranked, ranked)
    return [order[nth == k] for k in range(int(nth.max(initial=-1)) + 1)]
