"""Help: lateral transfers and second sources from the least-cost solution (step 1 of `engine.network.decide`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.coupled import solve_coupled
from engine.network.decision import UNCOUPLED
from engine.network.expected import SampleCost, cost_changes
from engine.network.formulate import Frame, paid_trips, restrict, sharing_limits
from engine.network.params import NetworkParams
from engine.network.problem import CoupledProblem
from engine.network.sharing import fair_share
from engine.network.tiers import (
    TierDemand,
    with_arrivals,
    with_sends,
)
from engine.network.types import Network
from engine.plan.types import SolveReport
from engine.policy.cost import help_horizon
from engine.policy.implied import implied_shortage_cost
from engine.policy.types import F64, I64, Bools, Cells, Options, StockRule, Targets

_PAYS = 1e-9  # money that an option must at least be able to save


@dataclass(frozen=True)
class Given:
    """The coupled problem over all options, what each cell orders if left to itself (m,), and its levels."""

    frame: Frame
    own: F64
    targets: Targets


def help_units(
    network: Network, demand: TierDemand, rule: StockRule, given: Given, known: tuple[F64, NetworkParams]
) -> tuple[F64, SolveReport, Bools]:
    """Return the units of options that are not primary (step 1), the report, and which options paid.

    ``known`` holds what comes for presales already, which is part of the units, and the limits of the solve.
    """
    placed, params = known
    options = network.options
    none = placed.copy()
    taking_part = np.zeros(options.n_options, dtype=bool)
    secondary = ~options.primary
    if not secondary.any():
        return none, UNCOUPLED, taking_part
    frame, own = _less(given.frame, placed), given.own
    network = replace(network, cells=with_arrivals(network.cells, options, placed))
    demand = replace(demand, later=with_sends(demand.later, options, placed))
    start = fair_share(own, frame.problem.lots, sharing_limits(frame))
    problem = paid_trips(frame.problem, start + placed)
    _, item = np.unique(network.cells.item_id.astype(str), return_inverse=True)
    item_of = item[options.cell]
    related = np.flatnonzero(np.isin(item_of, item_of[secondary]))
    cells = priced_cells(network, demand, rule, np.unique(options.cell[related]))
    # Beyond its next order a cell is not short for good: that order answers for it.
    cost = SampleCost(cells, options, demand.later, help_horizon(cells, options, demand.later, rule), rule, related)
    curbed = start < own
    lost = _lost_before_landing(cost, options, start, curbed)
    taking_part = _pays(problem, cost, start, lost, secondary & _earlier(network, curbed))
    if not taking_part.any():
        return none, UNCOUPLED, taking_part
    in_item = np.isin(item_of, item_of[taking_part])
    rows = np.flatnonzero(in_item & (options.primary | taking_part))
    sub = replace(restrict(problem, rows, np.where(in_item, 0.0, start)), whole=secondary[rows])
    solution = solve_coupled(sub, replace(cost, rows=rows), start[rows], params)
    none[rows] += solution.units
    return np.where(secondary, none, 0.0), solution.report, taking_part


def _less(frame: Frame, units: F64) -> Frame:
    """Return the frame with what some units use up off its limits, as far as those go."""
    problem = frame.problem
    bound = np.maximum(problem.limits.bound - problem.used(units), 0.0)
    return replace(frame, problem=replace(problem, limits=replace(problem.limits, bound=bound)))


def priced_cells(network: Network, demand: TierDemand, rule: StockRule, some: I64) -> Cells:
    """Return the cells with unmet demand priced at what targets imply (as given where no target is held)."""
    cells, options = network.cells, network.options
    chosen = options.primary & np.isin(options.cell, some)
    implied = implied_shortage_cost(cells, replace(options, primary=chosen), demand.all_orders(options), rule)
    rows = options.cell[np.flatnonzero(chosen)]
    name = "backorder_cost" if rule.backordered else "shortage_cost"
    price = getattr(cells, name).copy()
    price[rows] = np.where(np.isnan(implied), price[rows], implied)
    return replace(cells, **{name: price})


def _pays(problem: CoupledProblem, cost: SampleCost, units: F64, lost: F64, asked: Bools) -> Bools:
    """Return which of the options in question could save money beside the given units.

    The first lot must save. Cost being convex, more lots save at most as much each, and of all that only what the
    receiver loses (``lost``, money by cell) counts. A trip must be covered by all options that could share it.
    """
    pays = asked & (problem.lots.most >= problem.lots.least) & (lost[problem.cell] > _PAYS)
    rows = np.flatnonzero(pays)
    first = (problem.lots.least * problem.lots.size)[rows]
    gain = -cost_changes(cost, units, rows, first) - problem.charge[rows] * first
    saving = np.zeros(problem.n_options)
    saving[rows] = np.minimum(gain * problem.lots.most[rows] / problem.lots.least[rows], lost[problem.cell[rows]])
    pays &= saving > _PAYS
    trip = problem.trips.of_option
    on_trip = trip >= 0
    weights = np.where(pays, saving, 0.0)[on_trip]
    by_trip = np.bincount(trip[on_trip], weights=weights, minlength=len(problem.trips.cost))
    pays[on_trip] &= by_trip[trip[on_trip]] > problem.trips.cost[trip[on_trip]]
    return pays


def _earlier(network: Network, curbed: Bools) -> Bools:
    """Return the options that land before their cell's primary order, or whose cell has none or a curbed one."""
    primary = network.primary_of[network.options.cell]
    replaceable = (primary >= 0) & ~curbed[primary]
    return ~replaceable | (network.options.arrival < network.options.arrival[primary])


def _lost_before_landing(cost: SampleCost, options: Options, units: F64, curbed: Bools) -> F64:
    """Return what cells lose by unmet demand before their primary order lands, money (n,).

    For cells whose primary order is curbed, or that have none, to the end of the horizon.
    """
    until = np.broadcast_to(cost.horizon.until, (cost.cells.n_cells, cost.scenarios.n_paths)).copy()
    rows = np.flatnonzero(options.primary & ~curbed)
    until[options.cell[rows]] = np.minimum(until[options.cell[rows]], cost.scenarios.arrival[rows])
    related = np.unique(options.cell[cost.rows])
    early = replace(cost, horizon=replace(cost.horizon, until=until))
    ends = np.concatenate([related, options.origin_cell[cost.rows]])
    cells = np.unique(ends[ends >= 0])
    terms, _, _ = early.terms(cells, units[cost.rows])
    lost = np.zeros(cost.cells.n_cells)
    lost[cells] = terms.shortage + terms.backorder
    return lost
