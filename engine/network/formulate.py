"""The coupled problem of a network: which lots, limits and trips hold for today's options.

Limits, in this order:

- *trip volume*: what a trip carries on its day is at most its volume;
- *giver's stock*: what a site sends up to a bucket is at most what it surely has by then: the least over the paths
  of its stock, receipts of that bucket included, if nothing were sent and none of today's orders had come;
- *spare stock* (service targets only): what a site sends by links that are not primary leaves it, on the share of
  the paths that is its target, without shortage until its own primary order lands;
- *shelf*: what arrives at a cell, less what it sends, is at most ``max_stock`` less its mean stock at landing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from engine.network.problem import CoupledProblem, Limits, Trips
from engine.network.supplier_asks import order_numbers
from engine.network.types import Network
from engine.policy.curve import landing_and_need
from engine.policy.interval_cost import price_above_cost
from engine.policy.lots import Lots, count_down, count_up, lots
from engine.policy.types import F64, I64, Scenarios, StockRule


@dataclass(frozen=True)
class Frame:
    """The problem over all options of a network, from which parts are taken.

    Parameters
    ----------
    problem
        All options.
    n_shared
        So many limits, the first, are shared by receivers: trips, then givers; the rest bind some of them alone.
    """

    problem: CoupledProblem
    n_shared: int


def formulate(network: Network, scenarios: Scenarios, rule: StockRule) -> Frame:
    """Return the coupled problem over all options; ``scenarios`` without today's orders of cells that are fed."""
    options = network.options
    trip, capacity, trip_cost = trips_of(network)
    carried = np.flatnonzero((trip >= 0) & (network.volume[options.cell] > 0))
    carried = carried[np.isfinite(capacity[trip[carried]])]
    numbers, row = np.unique(trip[carried], return_inverse=True)
    trips = Limits(row.reshape(-1), carried, network.volume[options.cell[carried]], capacity[numbers])
    gives = options.origin_cell >= 0
    givers = _giver_limits(network, np.flatnonzero(gives), partial(_sure_stock, network, scenarios))
    helps = gives & ~options.primary & (rule.objective in ("cycle_service", "fill_rate"))
    spares = _giver_limits(network, np.flatnonzero(helps), partial(_spare_stock, network, scenarios))
    shelves = _shelf_limits(network, scenarios, rule)
    problem = CoupledProblem(
        cell=options.cell,
        origin=options.origin_cell,
        charge=price_above_cost(network.cells, options),
        lots=_useful_lots(network, scenarios, rule, (trips, givers, spares)),
        whole=np.ones(options.n_options, dtype=bool),
        trips=Trips(trip, trip_cost),
        limits=_stack([trips, givers, spares, shelves]),
    )
    return Frame(problem, len(trips.bound) + len(givers.bound))


def restrict(problem: CoupledProblem, rows: I64, fixed: F64) -> CoupledProblem:
    """Return the problem of some options, with the rest fixed at given units (which use up limits)."""
    inside = np.zeros(problem.n_options, dtype=bool)
    inside[rows] = True
    position = np.cumsum(inside) - 1
    limits = problem.limits
    rest = np.where(inside, 0.0, fixed)
    bound = limits.bound.copy()
    np.subtract.at(bound, limits.row, limits.coefficient * rest[limits.option])
    kept = inside[limits.option]
    used, row = np.unique(limits.row[kept], return_inverse=True)
    made = np.unique(problem.trips.of_option[(rest > 0) & (problem.trips.of_option >= 0)])
    cost = problem.trips.cost.copy()
    cost[made] = 0.0
    return CoupledProblem(
        cell=problem.cell[rows],
        origin=problem.origin[rows],
        charge=problem.charge[rows],
        lots=take_lots(problem.lots, rows),
        whole=problem.whole[rows],
        trips=Trips(problem.trips.of_option[rows], cost),
        limits=Limits(row.reshape(-1), position[limits.option[kept]], limits.coefficient[kept], bound[used]),
    )


def sharing_limits(frame: Frame) -> Limits:
    """Return the limits that receivers share: trips, then givers."""
    limits = frame.problem.limits
    kept = limits.row < frame.n_shared
    return Limits(limits.row[kept], limits.option[kept], limits.coefficient[kept], limits.bound[: frame.n_shared])


def paid_trips(problem: CoupledProblem, units: F64) -> CoupledProblem:
    """Return the problem with the trips that ``units`` make anyway free of cost."""
    trips = problem.trips
    made = np.unique(trips.of_option[(units > 0) & (trips.of_option >= 0)])
    cost = trips.cost.copy()
    cost[made] = 0.0
    return replace(problem, trips=Trips(trips.of_option, cost))


def take_lots(all_lots: Lots, rows: I64) -> Lots:
    """Return the lot rules of some options."""
    return Lots(all_lots.size[rows], all_lots.least[rows], all_lots.most[rows])


def trips_of(network: Network) -> tuple[I64, F64, F64]:
    """Return the trip of each option (-1: none), and volume and cost of each trip: a lane on a day.

    An order to a supplier with an order cost is a trip too: all its lines share that cost.
    """
    options = network.options
    on_lane = options.lane >= 0
    day = options.order_date.astype("datetime64[D]").astype(np.int64)
    pairs = np.column_stack([options.lane, day])[on_lane]
    found, number = np.unique(pairs, axis=0, return_inverse=True)
    trip = np.full(options.n_options, -1, dtype=np.int64)
    trip[on_lane] = number.reshape(-1)
    capacity = network.lanes["trip_capacity_volume"].to_numpy(dtype=np.float64)[found[:, 0]]
    cost = network.lanes["trip_cost"].to_numpy(dtype=np.float64)[found[:, 0]]
    orders = order_numbers(network)
    costly = np.flatnonzero(orders.order_cost > 0)
    place = np.full(orders.n_orders, -1, dtype=np.int64)
    place[costly] = len(found) + np.arange(len(costly))
    bought = np.flatnonzero(orders.of_option >= 0)
    trip[bought] = place[orders.of_option[bought]]
    capacity = np.concatenate([capacity, np.full(len(costly), np.inf)])
    return trip, capacity, np.concatenate([cost, orders.order_cost[costly]])


def _giver_limits(network: Network, gives: I64, stock: Callable[[I64], F64]) -> Limits:
    """One limit a giver and send bucket, on all that the options ``gives`` send up to then, in whole steps.

    ``stock`` tells how much there is for pairs of cell and bucket, shape (p, 2).
    """
    options, cells = network.options, network.cells
    gives = gives[np.lexsort((options.send_bucket[gives], options.origin_cell[gives]))]
    keys = np.column_stack([options.origin_cell, options.send_bucket])[gives]
    pairs, row = np.unique(keys, axis=0, return_inverse=True)
    first = np.searchsorted(keys[:, 0], pairs[:, 0])
    length = np.bincount(row.reshape(-1), minlength=len(pairs)).cumsum() - first
    limit = np.repeat(np.arange(len(pairs)), length)
    within = np.arange(len(limit)) - np.repeat(length.cumsum() - length, length)
    step = cells.step[pairs[:, 0]]
    bound = np.floor(stock(pairs) / step + 1e-9) * step
    return Limits(limit, gives[first[limit] + within], np.ones(len(limit)), bound)


def _sure_stock(network: Network, scenarios: Scenarios, pairs: I64) -> F64:
    """Return the least stock over the paths at the start of a bucket, its receipts included, for (cell, bucket)."""
    cells = network.cells
    sure = np.zeros(len(pairs))
    for bucket in np.unique(pairs[:, 1]).tolist():
        at = np.flatnonzero(pairs[:, 1] == bucket)
        rows = pairs[at, 0]
        stock = np.repeat(cells.net[rows, None], scenarios.n_paths, axis=1)
        for t in range(min(bucket, scenarios.horizon - 1) + 1):
            stock = stock + cells.arrivals[rows, t, None]
            if t < bucket:
                short = np.minimum(stock, 0.0)
                stock = np.maximum(stock - scenarios.paths[rows, :, t], short)
        sure[at] = np.maximum(stock.min(axis=1), 0.0)
    return sure


def _spare_stock(network: Network, scenarios: Scenarios, pairs: I64) -> F64:
    """Return what can be sent from a cell in a bucket, without shortage there until its primary order lands.

    With the probability of its target, which is stricter than a fill rate of that size; without a primary order, until
    the end of the horizon.
    """
    cells, (rows, bucket) = network.cells, pairs.T
    primary = network.primary_of[rows, None]
    until = np.where(primary >= 0, scenarios.arrival[np.maximum(primary[:, 0], 0)], scenarios.horizon)
    stock = np.repeat(cells.net[rows, None], scenarios.n_paths, axis=1)
    spare = np.full(stock.shape, np.inf)
    for t in range(scenarios.horizon):
        stock = stock + cells.arrivals[rows, t, None]
        spare[t == bucket] = stock[t == bucket]
        after = stock - scenarios.paths[rows, :, t]
        spare = np.where((t >= bucket[:, None]) & (t < until), np.minimum(spare, after), spare)
        stock = np.maximum(after, np.minimum(stock, 0.0))
    # So many paths may run short, as `engine.policy.aims` counts them.
    n_paths = scenarios.n_paths
    allowed = np.floor(n_paths - np.minimum(cells.target[rows] * (n_paths + 1), n_paths) + 1e-9).astype(np.int64)
    kept = np.take_along_axis(np.sort(spare, axis=1), np.minimum(allowed, n_paths - 1)[:, None], axis=1)
    return np.asarray(np.maximum(kept[:, 0], 0.0))


def _shelf_limits(network: Network, scenarios: Scenarios, rule: StockRule) -> Limits:
    options, cells = network.options, network.cells
    capped = np.isfinite(cells.max_stock)
    receives = np.flatnonzero(capped[options.cell])
    gives = np.flatnonzero((options.origin_cell >= 0) & capped[options.origin_cell])
    gives = gives[np.isin(options.origin_cell[gives], options.cell[receives])]
    shelves, row = np.unique(np.concatenate([options.cell[receives], options.origin_cell[gives]]), return_inverse=True)
    on_hand = np.zeros(cells.n_cells)
    landing, _ = landing_and_need(cells, options.take(receives), _take_options(scenarios, receives), rule)
    np.maximum.at(on_hand, options.cell[receives], np.maximum(landing, 0.0).mean(axis=1))
    return Limits(
        row=row.reshape(-1),
        option=np.concatenate([receives, gives]),
        coefficient=np.concatenate([np.ones(len(receives)), -np.ones(len(gives))]),
        bound=np.maximum(cells.max_stock - on_hand, 0.0)[shelves],
    )


def _take_options(scenarios: Scenarios, rows: I64) -> Scenarios:
    return Scenarios(scenarios.paths, scenarios.arrival[rows], scenarios.next_arrival[rows])


def _useful_lots(network: Network, scenarios: Scenarios, rule: StockRule, shared: tuple[Limits, ...]) -> Lots:
    """Return the lot rules, with the most that can be of use.

    No option can bring more than its trip carries and its giver has or can spare (``shared``, the givers second). A
    purchase never needs to bring more than all demand of its cell on the highest path, what it owes and what it can
    send. Nor does a transfer to meet a target; at least cost it may also bring what the giver has too much of to where
    that sells sooner.
    """
    options, cells = network.options, network.cells
    rules = lots(options.min_units, options.multiple, options.max_units, cells.step[options.cell])
    room = np.full(options.n_options, np.inf)
    for limits in shared:
        np.minimum.at(room, limits.option, limits.bound[limits.row] / limits.coefficient)
    givers = shared[1]
    sends = np.zeros(cells.n_cells)
    np.maximum.at(sends, options.origin_cell[givers.option], givers.bound[givers.row])
    highest = scenarios.paths.sum(axis=2, dtype=np.float64).max(axis=1, initial=0.0) + cells.backorders + sends
    needed = np.maximum(count_up(highest[options.cell], rules.size), rules.least)
    most = np.minimum(rules.most, count_down(room, rules.size))
    bounded = options.origin_cell < 0 if rule.objective == "cost" else np.ones(options.n_options, dtype=bool)
    return Lots(rules.size, rules.least, np.where(bounded, np.minimum(most, needed), most))


def _stack(parts: list[Limits]) -> Limits:
    sizes = np.array([len(part.bound) for part in parts])
    before = sizes.cumsum() - sizes
    return Limits(
        row=np.concatenate([part.row + first for part, first in zip(parts, before, strict=True)]),
        option=np.concatenate([part.option for part in parts]),
        coefficient=np.concatenate([part.coefficient for part in parts]),
        bound=np.concatenate([part.bound for part in parts]),
    )
