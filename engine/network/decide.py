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
stock or trips do not suffice; what is decided is then followed anew for the demand of the `Decision`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from engine.network.coupled import solve_coupled
from engine.network.expected import SampleCost, cost_changes, cost_without
from engine.network.formulate import Frame, formulate, paid_trips, restrict, sharing_limits, take_lots
from engine.network.params import NetworkParams
from engine.network.presale_moves import presale_moves
from engine.network.presale_paths import NO_PRESALES, PresalePaths, waiting
from engine.network.problem import CoupledProblem, Limits
from engine.network.sharing import fair_share
from engine.network.steady import KEPT_AS_PLANNED, Steady
from engine.network.supplier_orders import after_cuts, supplier_orders
from engine.network.supplier_types import SupplierDecision, SupplierOrders, no_orders
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
from engine.policy.cost import cost_horizon, help_horizon, own_horizon
from engine.policy.implied import implied_shortage_cost
from engine.policy.service import expected_service
from engine.policy.targets import stock_targets
from engine.policy.types import F64, I64, Bools, Cells, Options, Scenarios, StockRule, Targets, Texts

_PAYS = 1e-9  # money that an option must at least be able to save
UNCOUPLED = SolveReport("uncoupled", 0.0, 0.0, 0.0, {"parts": 0, "rounds": 0, "cuts": 0, "nodes": 0})


@dataclass(frozen=True)
class Decision:
    """What is ordered and moved today.

    Parameters
    ----------
    units
        Units of every option, shape (m,).
    rule
        What decided them, one of `BINDING`'s names, shape (m,).
    cost_of_waiting
        Expected cost with an option's units left out less that as decided, until its cell's next primary order arrives
        (`engine.network.expected.cost_without`), shape (m,); 0 for unused options, below 0 where a target asks for
        more than saves money.
    cycle_service, fill_rate
        What each cell reaches over the interval of its primary option, shape (n,); NaN without one.
    demand
        The scenarios with what is sent today as demand at the givers.
    report
        How the coupled problem was solved.
    later
        The same without what is sent today: own demand, and what fed cells order later.
    presales
        What of ``later`` is presales.
    supplier_orders
        What the terms of suppliers did to the orders that they concern.
    fresh
        Units without the older plan: what is decided, but for what was kept as that plan meant it, shape (m,); None
        where there is no such plan.
    """

    units: F64
    rule: Texts
    cost_of_waiting: F64
    cycle_service: F64
    fill_rate: F64
    demand: Scenarios
    report: SolveReport
    later: Scenarios
    presales: PresalePaths = NO_PRESALES
    supplier_orders: SupplierOrders = field(default_factory=no_orders)
    fresh: F64 | None = None


@dataclass(frozen=True)
class Curbed:
    """Purchases that limits shared with other items hold below what was decided.

    ``units`` of every option, shape (m,); ``rule``: the name in `BINDING` of what bound them, "" for options that are
    not curbed.
    """

    units: F64
    rule: Texts


def solve_network(
    network: Network,
    demand: TierDemand,
    rule: StockRule,
    targets: Targets,
    params: NetworkParams,
    presales: PresalePaths = NO_PRESALES,
    curbed: Curbed | None = None,
    steady: Steady | None = None,
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
    presales
        What of the demand is presales.
    curbed
        Purchases that were cut since.
    steady
        What holds primary links to an older plan.
    """
    own, fresh = (np.zeros(network.options.n_options) for _ in range(2))
    fresh[targets.option] = targets.order_units
    own[targets.option] = targets.order_units if steady is None else steady.today(network, targets)
    frame = formulate(network, demand.later, rule)
    start = fair_share(own, frame.problem.lots, sharing_limits(frame))
    likely = demand_after(network, demand, targets, np.where(network.options.origin_cell >= 0, start, 0.0), rule)
    if likely.later is not demand.later:
        frame = formulate(network, likely.later, rule)
    given = _Given(frame, own, targets)
    if rule.objective == "cost":
        units, report, coupled = _least_cost(network, likely, rule, given, params)
        waits = _still_waiting(network, demand, rule, units, presales)
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
        placed, placing = _for_presales(network, likely, rule, given, (start, presales), params)
        units, report, coupled = _help(network, likely, rule, given, (placed, params))
        coupled |= placed > 0
        report = joined_report([one for one in (placing, report) if one is not None])
        waits = _still_waiting(network, demand, rule, units, presales)
        demand, presales = waits.demand, waits.presales
        fresh = np.where(network.options.primary, fresh, units)
        asked, units = _own_rules(network, demand, rule, given, (units, waits.cell), (fresh, steady))
    later = demand_after(network, demand, targets, units, rule).later
    now = with_sends(later, network.options, units)
    supplied = supplier_orders(network, now, rule, targets, units, params.max_periods_ahead)
    if curbed is not None:
        supplied = after_cuts(network, supplied, np.where(curbed.rule != "", curbed.units, supplied.units))
        later = demand_after(network, demand, targets, supplied.units, rule).later
    decision = replace(_decision(network, later, rule, given, (supplied, asked, coupled), report), presales=presales)
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


@dataclass(frozen=True)
class _Waits:
    """Demand and presales once presale orders that nothing serves in time wait, and the cells (n,) that this moved."""

    demand: TierDemand
    presales: PresalePaths
    cell: Bools


def _still_waiting(network: Network, demand: TierDemand, rule: StockRule, units: F64, presales: PresalePaths) -> _Waits:
    """Return what still waits if today's options other than primary links bring ``units``."""
    moved = np.zeros(network.cells.n_cells, dtype=bool)
    if not len(presales.cell):
        return _Waits(demand, presales, moved)
    helping = np.where(network.options.primary, 0.0, units)
    now = with_sends(demand.later, network.options, helping)
    found = waiting(network, with_arrivals(network.cells, network.options, helping), now, presales, rule)
    rows = np.flatnonzero((found.units != presales.units).any(axis=(1, 2)))
    moved[presales.cell[rows]] = True
    change = found.units[rows] - presales.units[rows]

    def shifted(scenarios: Scenarios) -> Scenarios:
        paths = scenarios.paths.copy()
        paths[presales.cell[rows]] = np.maximum(paths[presales.cell[rows]] + change, 0.0)
        return replace(scenarios, paths=paths)

    return _Waits(replace(demand, own=shifted(demand.own), later=shifted(demand.later)), found, moved)


def _for_presales(
    network: Network,
    demand: TierDemand,
    rule: StockRule,
    given: _Given,
    known: tuple[F64, PresalePaths],
    params: NetworkParams,
) -> tuple[F64, SolveReport | None]:
    """Return what comes for presales by links that are not primary (step 0), and the report; price as in step 1."""
    start, presales = known
    options = network.options
    if not len(presales.cell) or options.primary.all():
        return np.zeros(options.n_options), None
    asked = np.isin(network.cells.item_id, network.cells.item_id[presales.cell])
    priced = priced_cells(network, demand, rule, np.flatnonzero(asked))
    own_price = network.cells.shortage_cost
    implied = priced.backorder_cost if rule.backordered else priced.shortage_cost
    cells = replace(priced, shortage_cost=np.maximum(own_price, implied))
    return presale_moves(network, demand.later, presales, rule, (cells, start), params)


@dataclass(frozen=True)
class _Given:
    """The coupled problem over all options, what each cell orders if left to itself (m,), and its levels."""

    frame: Frame
    own: F64
    targets: Targets


def _least_cost(
    network: Network, demand: TierDemand, rule: StockRule, given: _Given, params: NetworkParams
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


def _help(
    network: Network, demand: TierDemand, rule: StockRule, given: _Given, known: tuple[F64, NetworkParams]
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


def _own_rules(
    network: Network,
    demand: TierDemand,
    rule: StockRule,
    given: _Given,
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
    units, later = help_units.copy(), demand.later
    limits = sharing_limits(given.frame)
    changed = waits.copy()
    changed[options.cell[help_units > 0]] = True
    for level in range(int(depth.max(initial=0)) + 1):
        here = options.primary & (depth[options.cell] == level)
        later = later_at(network, demand, later, given.targets, (units, level), rule)
        moved = (options.origin_cell >= 0) & (np.where(here, 0.0, units) != demand.first)
        stirred = changed | differs(later, demand.later)
        stirred[options.origin_cell[moved & ~here]] = True
        again = here & stirred[options.cell]
        if again.any():
            now = with_sends(later, options, units)
            found = stock_targets(helped, replace(options, primary=again), now, rule)
            fresh[found.option] = found.order_units
            asked[found.option] = found.order_units if steady is None else steady.today(network, found)
        rows = np.flatnonzero(here)
        units[rows] = _shared(asked[rows], rows, given.frame, limits, units)
    return asked, units


def _shared(asked: F64, rows: I64, frame: Frame, limits: Limits, units: F64) -> F64:
    """Return what some options are granted, after what others already have is off the limits."""
    inside = np.zeros(len(units), dtype=bool)
    inside[rows] = True
    bound = limits.bound.copy()
    np.subtract.at(bound, limits.row, limits.coefficient * np.where(inside, 0.0, units)[limits.option])
    kept = inside[limits.option]
    place = np.cumsum(inside) - 1
    here = Limits(limits.row[kept], place[limits.option[kept]], limits.coefficient[kept], bound)
    return fair_share(asked, take_lots(frame.problem.lots, rows), here)


def _decision(
    network: Network,
    later: Scenarios,
    rule: StockRule,
    given: _Given,
    found: tuple[SupplierDecision, F64, Bools],
    report: SolveReport,
) -> Decision:
    supplied, asked, coupled = found
    units = supplied.units
    cells, options = network.cells, network.options
    sent = with_sends(later, options, units)
    primary = np.flatnonzero(options.primary)
    helped = with_arrivals(cells, options, np.where(options.primary, 0.0, units))
    part = Scenarios(sent.paths, sent.arrival[primary], sent.next_arrival[primary])
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
    return Decision(units, names, waiting, service[0], service[1], sent, report, later, supplier_orders=supplied.orders)
