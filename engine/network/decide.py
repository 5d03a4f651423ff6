"""Today's purchases and transfers, together.

**Cost.** Least expected cost of all cells that share anything, by `engine.network.coupled`; a cell with a single
purchase link shares nothing and keeps its own least-cost order.

**Service and cover.** Three steps, since a target is a rule for each cell and not a price:

0. *Presales* go first (`engine.network.presale_moves`): what lateral transfers and second sources bring so that
   presale orders ship from their own site on the first day. The further steps take that as given.
1. *Help.* Lateral transfers and second sources are taken from the least-cost solution in which every cell's
   unmet demand until its next order arrives is priced at what its target implies (`engine.policy.implied`) and
   primary links may adapt, in parts of lots, since the next step decides them. Trips that the primary links make
   anyway are free, and under a service target nobody gives what it needs to reach that until its own order lands
   (`engine.network.formulate`). An option takes part if it could pay at the solution without any help: its receiver
   is expected to run short before its primary order lands and it lands earlier (or that order is curbed), its first
   lot saves money, and the most that it and others could save covers their trip.
2. *Own rule.* Given that help, every primary link orders the least lots that meet its cell's target, from the leaves
   up; a feeder's demand then holds what it sends, and what its receivers order later, having got that. Where
   trips or a feeder's stock do not suffice, receivers share them (`engine.network.sharing`). A presale order that
   nothing serves in time waits for it (`engine.network.presale_paths`).

The terms of suppliers (order cost, minimums, containers, price breaks) then settle what of that is ordered today
(`engine.network.supplier_orders`).

What is solved jointly (cost, help) takes later orders of fed cells as they follow from today's own orders, shared where
stock or trips do not suffice; what is decided is then followed anew for the demand of the `Decision`. Own rules and
expected service count what a feeder cannot give as asked again (`engine.network.asked_again`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.coupled import solve_coupled
from engine.network.decision import NO_CONDITIONS, UNCOUPLED, Conditions, Decision
from engine.network.expected import SampleCost, cost_without
from engine.network.formulate import formulate, restrict, sharing_limits, take_lots
from engine.network.help import Given, help_units
from engine.network.params import NetworkParams
from engine.network.presale_steps import for_presales, still_waiting
from engine.network.problem import Limits
from engine.network.sharing import fair_share
from engine.network.steady import KEPT_AS_PLANNED, Steady
from engine.network.supplier_orders import after_cuts, supplier_orders
from engine.network.supplier_types import SupplierDecision
from engine.network.tiers import (
    TierDemand,
    demand_after,
    depths,
    differs,
    later_at,
    with_arrivals,
    with_sends,
)
from engine.network.types import BINDING, DO_NOTHING, FAIR_SHARE, FROM_COST, FROM_PRIMARY_RULE, Network
from engine.plan.types import SolveReport, joined_report
from engine.policy.cost import cost_horizon, own_horizon
from engine.policy.lots import Lots
from engine.policy.service import expected_service
from engine.policy.targets import stock_targets
from engine.policy.types import F64, I64, Bools, StockRule, Targets

_OVER = 1e-6  # of a limit, from rounding


def solve_network(
    network: Network,
    demand: TierDemand,
    rule: StockRule,
    targets: Targets,
    params: NetworkParams,
    conditions: Conditions = NO_CONDITIONS,
) -> Decision:
    """Return today's decision.

    Parameters
    ----------
    network, demand
        Cells, options and their demand.
    rule
        Objective and unmet demand.
    targets
        Each cell's own decision, on ``demand.all_orders``.
    params
        Limits of the coupled solve.
    conditions
        Presales, purchases that were cut since, and what holds primary links to an older plan.
    """
    presales, curbed, steady = conditions.presales, conditions.curbed, conditions.steady
    own, fresh = (np.zeros(network.options.n_options) for _ in range(2))
    fresh[targets.option] = targets.order_units
    own[targets.option] = targets.order_units if steady is None else steady.today(network, targets)
    frame = formulate(network, demand.later, rule)
    start = fair_share(own, frame.problem.lots, sharing_limits(frame))
    likely = demand_after(network, demand, targets, np.where(network.options.origin_cell >= 0, start, 0.0), rule)
    if likely.later is not demand.later:
        frame = formulate(network, likely.later, rule)
    given = Given(frame, own, targets)
    if rule.objective == "cost":
        units, report, coupled = _least_cost(network, likely, rule, given, params)
        waits = still_waiting(network, demand, rule, units, presales)
        if waits.cell.any():
            demand, presales = waits.demand, waits.presales
            likely = demand_after(network, demand, targets, units, rule)
            given = replace(given, frame=formulate(network, likely.later, rule))
            units, report, coupled = _least_cost(network, likely, rule, given, params)
        asked, fresh = own, np.where(coupled, units, fresh)
        if steady is not None:
            units = steady.together(network, given.frame.problem, units, coupled & network.options.primary)
            asked = np.where(coupled, units, own)
    else:
        placed, placing = for_presales(network, likely, rule, given, (start, presales), params)
        units, report, coupled = help_units(network, likely, rule, given, (placed, params))
        coupled |= placed > 0
        report = joined_report([one for one in (placing, report) if one is not None])
        waits = still_waiting(network, demand, rule, units, presales)
        demand, presales = waits.demand, waits.presales
        fresh = np.where(network.options.primary, fresh, units)
        asked, units = _own_rules(network, demand, rule, given, (units, waits.cell), (fresh, steady))
    after = demand_after(network, demand, targets, units, rule)
    supplied = supplier_orders(
        network, after.for_targets(network.options), rule, targets, units, params.max_periods_ahead
    )
    if curbed is not None:
        supplied = after_cuts(network, supplied, np.where(curbed.rule != "", curbed.units, supplied.units))
        after = demand_after(network, demand, targets, supplied.units, rule)
    decision = replace(_decision(network, after, rule, given, (supplied, asked, coupled), report), presales=presales)
    if steady is not None:
        decision = _told_kept(decision, fresh, asked)
    if curbed is None:
        return decision
    return replace(decision, rule=np.where((curbed.rule != "") & (decision.units > 0), curbed.rule, decision.rule))


def _told_kept(decision: Decision, fresh: F64, held: F64) -> Decision:
    """Return the decision with the lines named that are as an older plan meant them, and not as found afresh."""
    stays = (held != fresh) & (decision.units == held)
    names = np.where(stays & (decision.units > 0), KEPT_AS_PLANNED, decision.rule).astype(object)
    return replace(decision, rule=names, fresh=np.where(stays, fresh, decision.units))


def _least_cost(
    network: Network, demand: TierDemand, rule: StockRule, given: Given, params: NetworkParams
) -> tuple[F64, SolveReport, Bools]:
    """Return units, report and which options were in the coupled problem."""
    frame, own = given.frame, given.own
    problem = frame.problem
    coupled = ~_alone(network)
    if not coupled.any():
        return own, UNCOUPLED, coupled
    rows = np.flatnonzero(coupled)
    sub = restrict(problem, rows, np.where(coupled, 0.0, own))
    start = fair_share(own, problem.lots, sharing_limits(frame))[rows]
    horizon = cost_horizon(network.cells, network.options, demand.later, rule)
    cost = SampleCost(network.cells, network.options, demand.later, horizon, rule, rows)
    solution = solve_coupled(sub, cost, start, params)
    units = own.copy()
    units[rows] = solution.units
    return units, solution.report, coupled


def _alone(network: Network) -> Bools:
    """Return the options that share nothing: the only link of a cell that gives to none, a purchase."""
    options = network.options
    n_links = np.bincount(options.cell, minlength=network.cells.n_cells)
    gives = np.zeros(network.cells.n_cells, dtype=bool)
    gives[options.origin_cell[options.origin_cell >= 0]] = True
    bought = options.primary & (options.origin_cell < 0)
    return np.asarray(bought & (n_links == 1)[options.cell] & ~gives[options.cell])


def _own_rules(
    network: Network,
    demand: TierDemand,
    rule: StockRule,
    given: Given,
    known: tuple[F64, Bools],
    before: tuple[F64, Steady | None],
) -> tuple[F64, F64]:
    """Return what primary links ask for given the help, and the units of all options once shared (step 2).

    ``known`` holds the help and the cells whose demand has moved since they were asked; ``before`` what primary links
    would ask for afresh, which is brought up to date, and what holds them to an older plan.
    """
    fresh, steady = before
    help_units, waits = known
    options, cells = network.options, network.cells
    helped = with_arrivals(cells, options, help_units)
    depth = depths(network)
    asked = np.where(options.primary, given.own, help_units)
    units, so_far = help_units.copy(), demand
    limits = sharing_limits(given.frame)
    changed = waits.copy()
    changed[options.cell[help_units > 0]] = True
    for level in range(int(depth.max(initial=0)) + 1):
        here = options.primary & (depth[options.cell] == level)
        so_far = later_at(network, demand, replace(so_far, first=units), given.targets, level, rule)
        moved = (options.origin_cell >= 0) & (np.where(here, 0.0, units) != demand.first)
        stirred = changed | differs(so_far.later, demand.later)
        stirred[options.origin_cell[moved & ~here]] = True
        again = here & stirred[options.cell]
        if again.any():
            now = so_far.for_targets(options, units)
            found = stock_targets(helped, replace(options, primary=again), now, rule)
            fresh[found.option] = found.order_units
            asked[found.option] = found.order_units if steady is None else steady.today(network, found)
        rows = np.flatnonzero(here)
        shares = _Shares(take_lots(given.frame.problem.lots, rows), _limits_left(rows, limits, units))
        if steady is None:
            units[rows] = shares.granted(asked[rows])
            continue
        afresh = shares.granted(fresh[rows])
        units[rows] = steady.shared(network, rows, (fresh[rows], asked[rows]), shares.lots, shares)
        # A share that stays as meant is kept, and not cut.
        asked[rows] = np.where(units[rows] == afresh, fresh[rows], units[rows])
        fresh[rows] = afresh
    return asked, units


@dataclass(frozen=True)
class _Shares:
    """What receivers of one level share today."""

    lots: Lots
    limits: Limits

    def granted(self, asked: F64) -> F64:
        return fair_share(asked, self.lots, self.limits)

    def over(self, units: F64) -> Bools:
        limits = self.limits
        used = np.bincount(limits.row, limits.coefficient * units[limits.option], len(limits.bound))
        found = np.zeros(len(units), dtype=bool)
        found[limits.option[used[limits.row] > limits.bound[limits.row] + _OVER]] = True
        return found


def _limits_left(rows: I64, limits: Limits, units: F64) -> Limits:
    """Return the limits of some options, with what others already have taken off."""
    inside = np.zeros(len(units), dtype=bool)
    inside[rows] = True
    bound = limits.bound.copy()
    np.subtract.at(bound, limits.row, limits.coefficient * np.where(inside, 0.0, units)[limits.option])
    kept = inside[limits.option]
    place = np.cumsum(inside) - 1
    return Limits(limits.row[kept], place[limits.option[kept]], limits.coefficient[kept], bound)


def _decision(
    network: Network,
    after: TierDemand,
    rule: StockRule,
    given: Given,
    found: tuple[SupplierDecision, F64, Bools],
    report: SolveReport,
) -> Decision:
    supplied, asked, coupled = found
    units, later = supplied.units, after.later
    cells, options = network.cells, network.options
    sent = with_sends(later, options, units)
    primary = np.flatnonzero(options.primary)
    helped = with_arrivals(cells, options, np.where(options.primary, 0.0, units))
    judged = after.for_targets(options, units)
    part = replace(judged, arrival=judged.arrival[primary], next_arrival=judged.next_arrival[primary])
    cycle, fill = expected_service(helped, options.take(primary), part, rule, units[primary])
    service = np.full((2, cells.n_cells), np.nan)
    service[:, options.cell[primary]] = cycle, fill
    everything = np.arange(options.n_options)
    cost = SampleCost(cells, options, later, own_horizon(cells, options, later, rule), rule, everything)
    waiting = cost_without(cost, units, given.frame.problem)
    code = np.where(units > 0, FROM_PRIMARY_RULE, DO_NOTHING)
    code[(units > 0) & coupled] = FROM_COST
    code[(units > 0) & ~coupled & (units < asked)] = FAIR_SHARE
    names = np.array([BINDING[number] for number in code.tolist()], dtype=object)
    names = np.where((supplied.rule != "") & (units > 0), supplied.rule, names)
    orders = supplied.orders
    return Decision(
        units, names, waiting, service[0], service[1], sent, report, later, after.own,
        supplier_orders=orders, again=after.again,
    )  # fmt: skip
