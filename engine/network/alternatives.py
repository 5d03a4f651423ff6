"""What today's decision was chosen from: other quantities of a cell's primary link, and its other sources.

Each alternative is costed as a decided line's worth is (`engine.network.expected.cost_changes`): all else as decided,
both ends of a transfer counted, until the cell's next order arrives, with the price above unit cost, lane and trip.
So the extra cost of ordering nothing is the line's cost of waiting. Quantities are feasible ones of the link: the
decided one and its neighbours, some further off, and nothing. A source stands in for the primary link with the least
lots of its own that bring as much. Limits that options share (stock of a giver, trips, budgets) are not looked at:
they may be why an alternative was not taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.decision import Decision
from engine.network.expected import SampleCost, cost_changes
from engine.network.formulate import take_lots, trips_of
from engine.network.parts import part_of
from engine.network.tiers import with_arrivals
from engine.network.types import Network
from engine.policy.cost import own_horizon
from engine.policy.interval_cost import price_above_cost
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
    """The items in question as decided: their network, units, demand, cost and charges, by option (m,).

    ``trip`` is what an option's trip costs, ``alone`` whether no other option of the whole network is on it.
    """

    network: Network
    units: F64
    demand: Scenarios
    cost: SampleCost
    charge: F64
    trip: F64
    alone: Bools
    lots: Lots

    def trips(self, rows: I64, units: F64) -> F64:
        """Return what the trips of options cost (r,) that nobody else is on, if these bring ``units``."""
        return np.where(self.alone[rows] & (units > 0), self.trip[rows], 0.0)

    def service(self, rows: I64, units: F64, beside: F64) -> tuple[F64, F64]:
        """Return the services if primary options bring ``units`` (r,) and the others ``beside`` (m,)."""
        options, demand = self.network.options, self.demand
        cells = with_arrivals(self.network.cells, options, beside)
        part = replace(demand, arrival=demand.arrival[rows], next_arrival=demand.next_arrival[rows])
        return expected_service(cells, options.take(rows), part, self.cost.rule, units)


def alternatives(network: Network, decision: Decision, rule: StockRule, cells: I64) -> Alternatives:
    """Return the alternatives of some cells (rows in the network's cells), which must have a primary option."""
    if (network.primary_of[cells] < 0).any():
        raise ValueError(f"cells must have a primary option. Got {np.sum(network.primary_of[cells] < 0)} without.")
    item = network.cells.item_id.astype(str)
    part = part_of(network, np.flatnonzero(np.isin(item, np.unique(item[cells]))))
    setting = _setting(network, decision, rule, (part.network, part.cell_rows, part.option_rows))
    primary = part.network.primary_of[np.searchsorted(part.cell_rows, np.unique(cells))]
    parts = [*_quantities(setting, primary), *_sources(setting, primary)]
    joined = Alternatives(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))
    other = joined.option != joined.primary
    order = np.lexsort((joined.units, joined.option, other, joined.primary))
    joined = Alternatives(*(getattr(joined, name)[order] for name in _FIELDS))
    same = (np.diff(joined.option, prepend=-1) == 0) & (np.diff(joined.units, prepend=np.nan) == 0)
    found = Alternatives(*(getattr(joined, name)[~same] for name in _FIELDS))
    return replace(found, option=part.option_rows[found.option], primary=part.option_rows[found.primary])


def _setting(network: Network, decision: Decision, rule: StockRule, part: tuple[Network, I64, I64]) -> _Setting:
    here, cells, rows = part
    options = here.options

    def of_part(demand: Scenarios) -> Scenarios:
        return Scenarios(demand.paths[cells], demand.arrival[rows], demand.next_arrival[rows])

    trip, _, trip_cost = trips_of(network)
    used = (decision.units > 0) & (trip >= 0)
    riders = np.bincount(trip[used], minlength=len(trip_cost))
    on_trip = trip[rows] >= 0
    price, alone = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
    price[on_trip] = trip_cost[trip[rows[on_trip]]]
    alone[on_trip] = riders[trip[rows[on_trip]]] == used[rows[on_trip]]
    later = of_part(decision.later)
    judged = decision.for_targets(network.options)
    judged = replace(of_part(judged), owed=None if judged.owed is None else judged.owed[cells])
    horizon = own_horizon(here.cells, options, later, rule)
    return _Setting(
        network=here,
        units=decision.units[rows],
        demand=judged,
        cost=SampleCost(here.cells, options, later, horizon, rule, np.arange(options.n_options)),
        charge=price_above_cost(here.cells, options),
        trip=price,
        alone=alone,
        lots=lots(options.min_units, options.multiple, options.max_units, here.cells.step[options.cell]),
    )


_FIELDS = tuple(Alternatives.__dataclass_fields__)


def _quantities(setting: _Setting, primary: I64) -> list[Alternatives]:
    """Return one block of alternatives for each quantity that is tried, a row a cell."""
    decided = setting.units
    now = decided[primary]
    rules = take_lots(setting.lots, primary)
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
        extra += setting.charge[primary] * (units - now)
        extra += setting.trips(primary, units) - setting.trips(primary, now)
        service = setting.service(primary, units, beside)
        blocks.append(Alternatives(primary, primary, units, extra, *service, chosen=units == now))
    return blocks


def _sources(setting: _Setting, primary: I64) -> list[Alternatives]:
    """Return blocks of other options that stand in for a primary one which brings something.

    Of an item one cell at a time gives up its own, and tries one option, so that all else stays as decided.
    """
    options, decided = setting.network.options, setting.units
    wanted = primary[decided[primary] > 0]
    other = np.flatnonzero(~options.primary & np.isin(options.cell, options.cell[wanted]))
    place = setting.network.primary_of[options.cell[other]]
    wish = decided[place] + decided[other]
    units = take_lots(setting.lots, other).at_least(wish)
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
        extra += setting.charge[rows] * (then - decided[rows]) - setting.charge[own] * decided[own]
        extra += setting.trips(rows, then) - setting.trips(rows, decided[rows]) - setting.trips(own, decided[own])
        beside = np.where(options.primary, 0.0, decided)
        beside[rows] = then
        service = setting.service(own, np.zeros(len(own)), beside)
        blocks.append(Alternatives(rows, own, then, extra, *service, chosen=np.zeros(len(own), dtype=bool)))
    return blocks


def _turns(item: I64) -> list[I64]:
    """Return the positions of each item's first row, of each item's second, and so on."""
    order = np.argsort(item, kind="stable")
    ranked = item[order]
    nth = np.arange(len(item)) - np.searchsorted(ranked, ranked)
    return [order[nth == k] for k in range(int(nth.max(initial=-1)) + 1)]
