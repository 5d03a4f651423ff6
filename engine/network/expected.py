"""Expected cost of cells as the coupled solve asks for it, and what each decided line is worth."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from engine.network.coupled import CellValue
from engine.network.problem import CoupledProblem
from engine.policy.aims import daily_demand
from engine.policy.cost import CostHorizon, ExpectedCost, cost_of_orders, expected_cost
from engine.policy.interval_cost import LeftOver, left_over
from engine.policy.types import F64, I64, Cells, Options, Scenarios, StockRule


@dataclass(frozen=True)
class SampleCost:
    """`engine.network.coupled.CellCost` by `engine.policy.cost.cost_of_orders`.

    Parameters
    ----------
    cells, options
        The network; ``rows`` are the options of the coupled problem, the others bring nothing.
    scenarios
        Demand without today's orders of the cells that are fed.
    horizon, rule
        How far and how cost is counted.
    rows
        Options of the problem.
    """

    cells: Cells
    options: Options
    scenarios: Scenarios
    horizon: CostHorizon
    rule: StockRule
    rows: I64

    def __call__(self, cells: I64, units: F64) -> CellValue:
        """Return cost and slopes of some cells; options of the problem stay within them or do not touch them."""
        cost, into, out = self.terms(cells, units)
        return CellValue(cost.total[np.searchsorted(np.unique(cells), cells)], into, out)

    def terms(self, cells: I64, units: F64) -> tuple[ExpectedCost, F64, F64]:
        """Return the cost terms of the cells in sorted order, and slopes by option."""
        order = np.unique(cells)
        place = np.full(self.cells.n_cells, -1, dtype=np.int64)
        place[order] = np.arange(len(order))
        inside = np.flatnonzero(place[self.options.cell[self.rows]] >= 0)
        rows = self.rows[inside]
        part = self.options.take(rows)
        giver = np.where(part.origin_cell >= 0, place[part.origin_cell], -1)
        part = replace(part, cell=place[part.cell], origin_cell=giver)
        some = Scenarios(self.scenarios.paths[order], self.scenarios.arrival[rows], self.scenarios.next_arrival[rows])
        cost, slope = cost_of_orders(
            self.cells.take(order), part, some, units[inside], take_horizon(self.horizon, order), self.rule
        )
        gives = np.flatnonzero((giver >= 0) & (part.send_bucket < some.horizon))
        out_of = np.zeros(len(rows))
        out_of[gives] = -cost.slope[giver[gives], part.send_bucket[gives]]
        into, out = np.zeros(len(units)), np.zeros(len(units))
        into[inside], out[inside] = slope - out_of, out_of
        return cost, into, out


def take_horizon(horizon: CostHorizon, rows: I64) -> CostHorizon:
    """Return the cost horizon of some cells."""
    left = LeftOver(*(getattr(horizon.left, f.name)[rows] for f in fields(LeftOver)))
    return CostHorizon(horizon.until[rows], horizon.owed_from[rows], left)


def cost_changes(cost: SampleCost, units: F64, rows: I64, change: F64) -> F64:
    """Return how expected cost changes if one option alone brings more or less, all else as it is.

    Both ends are counted as long as the receiver is: what is not sent stays with the giver until then. There it is
    kept, and on a lateral lane serves demand. What a feeder's receivers order later is no loss if it is not there:
    they order again.

    Parameters
    ----------
    cost
        The cost of the network; all its options count.
    units
        Units of every option, shape (m,).
    rows, change
        The options in question and the units by which each is changed, shape (r,).

    Returns
    -------
    F64
        Change at the receiver plus change at the giver, without charges and trips, shape (r,).
    """
    cells, options, scenarios = cost.cells, cost.options, cost.scenarios
    gives = np.flatnonzero(options.origin_cell[rows] >= 0)
    receiver, giver = options.cell[rows], options.origin_cell[rows[gives]]
    arriving, sent = flows(cells, options, scenarios, units)

    def terms(at: I64, arriving_there: F64, sent_there: F64, some: CostHorizon) -> ExpectedCost:
        return expected_cost(cells.take(at), scenarios.paths[at], arriving_there, sent_there, some, cost.rule)

    now = np.zeros(cells.n_cells)
    touched = np.unique(receiver)
    now[touched] = terms(touched, arriving[touched], sent[touched], take_horizon(cost.horizon, touched)).total
    brought = arriving[receiver] + _brought(scenarios, rows, change)
    changes = terms(receiver, brought, sent[receiver], take_horizon(cost.horizon, receiver)).total - now[receiver]
    if not len(gives):
        return changes
    day = options.send_bucket[rows[gives]]
    sent_then = sent[giver]
    seen = np.flatnonzero(day < scenarios.horizon)
    sent_then[seen, day[seen]] += change[gives[seen]]
    together = _until(cost, giver, receiver[gives])
    # Many receivers of a giver are counted equally long.
    ends = np.column_stack([giver, together.until[:, 0]])
    _, first, pair = np.unique(ends, axis=0, return_index=True, return_inverse=True)
    before = terms(giver[first], arriving[giver[first]], sent[giver[first]], take_horizon(together, first))
    after = terms(giver, arriving[giver], sent_then, together)
    same = pair.reshape(-1)
    kept = after.holding - before.holding[same] + after.left_over - before.left_over[same]
    unmet = after.shortage - before.shortage[same] + after.backorder - before.backorder[same]
    changes[gives] += kept + np.where(options.primary[rows[gives]], 0.0, unmet)
    return changes


def _until(cost: SampleCost, rows: I64, ends: I64) -> CostHorizon:
    """Return the horizon of some cells, each counted as long as another is."""
    cells, rule = cost.cells.take(rows), cost.rule
    until = cost.horizon.until[ends]
    daily = daily_demand(cells, cost.scenarios.paths[rows], rule)
    return CostHorizon(until, cost.horizon.owed_from[rows], left_over(cells, daily, until[:, 0], rule))


def cost_without(cost: SampleCost, units: F64, problem: CoupledProblem) -> F64:
    """Return, per option, what expected cost would be higher if its units were left out, all else as decided.

    Its receiver, its giver, its charges and its trip (where it is alone on it) count, as far as ``cost.horizon`` says
    for the receiver; 0 for unused options. Below 0 where the units cost more to bring and to keep than they save.
    """
    used = np.flatnonzero(units > 0)
    worth = np.zeros(len(units))
    worth[used] = cost_changes(cost, units, used, -units[used])
    return worth - problem.charge * units - _trip_alone(problem, units)


def flows(cells: Cells, options: Options, scenarios: Scenarios, units: F64) -> tuple[F64, F64]:
    """Return units arriving, (n, H) or by path (n, n_paths, H), and units sent (n, H)."""
    horizon = scenarios.horizon
    used = np.flatnonzero(units > 0)
    by_option = _brought(scenarios, used, units[used])
    arriving = np.zeros((cells.n_cells, *by_option.shape[1:]))
    np.add.at(arriving, options.cell[used], by_option)
    sent = np.zeros((cells.n_cells, horizon))
    gives = used[(options.origin_cell[used] >= 0) & (options.send_bucket[used] < horizon)]
    np.add.at(sent, (options.origin_cell[gives], options.send_bucket[gives]), units[gives])
    return arriving, sent


def _brought(scenarios: Scenarios, rows: I64, units: F64) -> F64:
    """Return what some options bring by bucket, (r, H), or (r, n_paths, H) where lead times are random."""
    horizon = scenarios.horizon
    first = np.minimum(scenarios.arrival[rows], horizon)
    if (scenarios.arrival == scenarios.arrival[:, :1]).all():
        fixed = np.zeros((len(rows), horizon + 1))
        fixed[np.arange(len(rows)), first[:, 0]] = units
        return fixed[:, :horizon]
    by_path = np.zeros((len(rows), scenarios.n_paths, horizon + 1))
    row, path = np.indices(first.shape)
    by_path[row, path, first] = units[:, None]
    return by_path[:, :, :horizon]


def _trip_alone(problem: CoupledProblem, units: F64) -> F64:
    """Return the cost of the trip that each used option makes alone, 0 where it shares one."""
    trip = problem.trips.of_option
    on_trip = np.flatnonzero((units > 0) & (trip >= 0))
    riders = np.bincount(trip[on_trip], minlength=len(problem.trips.cost))
    cost = np.zeros(len(units))
    alone = on_trip[riders[trip[on_trip]] == 1]
    cost[alone] = problem.trips.cost[trip[alone]]
    return cost
