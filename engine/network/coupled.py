"""Solve the coupled problem: cuts under the expected cost of every cell, until bound and value meet.

Minimised over whole lots, subject to limits and shared trips, is

    sum over cells of C_cell(units in, units out) + sum over options of charge * units + cost of the trips made

where C is the sample-average cost of `CellCost`, convex in the units. A master proposes units, all cells are
evaluated there together, and one cut a cell is added (Kelley, The cutting-plane method for solving convex programs,
1960), in three phases:

1. *Relaxed*: lots and trips in parts, all options in one linear programme. Cheap, it finds most of the cuts, and
   where its answer is in whole lots already nothing is left to do.
2. *Trips*: whole trips, lots in parts, if trips cost anything and tie together more options than
   ``max_joint_options``. Those trips are then fixed, so that items fall apart; the bound stays that of this phase.
3. *Whole*: whole lots, one programme for every independent part, until its value and bound lie within
   ``relative_gap``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from engine.network.master import Master, Phase, Proposal, add_cuts, open_master, propose
from engine.network.params import NetworkParams
from engine.network.problem import CoupledProblem, Part, linked_cells, parts_of, whole_part
from engine.plan.types import SolveReport
from engine.policy.types import F64, I64, Bools

_TELLS = 0.1  # a cut that tells less than this part of the gap to prove is left out


@dataclass(frozen=True)
class CellValue:
    """Cost of some cells (c,), and its slopes by the units of every option (m,): where received, where given."""

    cost: F64
    into: F64
    out: F64


class CellCost(Protocol):
    """Expected cost of cells as a function of the units of all options; convex."""

    def __call__(self, cells: I64, units: F64) -> CellValue: ...


@dataclass(frozen=True)
class CoupledSolution:
    """Units of every option (m,) and how they were found."""

    units: F64
    report: SolveReport


@dataclass(frozen=True)
class _Point:
    """Cost and slopes at some units: ``cost`` by cell (c,), the rest by option (m,).

    ``tells``: the cells (c,) of which the cuts so far said too little there.
    """

    units: F64
    cells: I64
    cost: F64
    into: F64
    out: F64
    tells: Bools

    def cost_of(self, cells: I64) -> F64:
        """Return the cost of some of the point's cells, which are sorted."""
        found: F64 = self.cost[np.searchsorted(self.cells, cells)]
        return found


@dataclass
class _Search:
    """A part on its way to whole lots: the best so far, and what is proven."""

    master: Master
    best: F64
    value: float = np.inf
    bound: float = -np.inf
    nodes: int = 0

    def gap(self) -> float:
        """Return value above bound, as a share of the value."""
        return max(0.0, self.value - self.bound) / max(1.0, abs(self.value))


@dataclass
class _Work:
    """Points found so far, and what was spent."""

    points: list[_Point] = field(default_factory=list)
    rounds: int = 0
    nodes: int = 0


@dataclass
class _Known:
    """What cells cost where they were last evaluated: ``cost`` by cell, the rest by option; NaN before."""

    units: F64
    cost: F64
    into: F64
    out: F64

    @classmethod
    def nothing(cls, problem: CoupledProblem) -> _Known:
        n_cells = int(max(problem.cell.max(initial=-1), problem.origin.max(initial=-1))) + 1
        return cls(np.full(problem.n_options, np.nan), np.full(n_cells, np.nan), *np.zeros((2, problem.n_options)))


@dataclass(frozen=True)
class _Task:
    """What is solved, within which limits; ``linked`` numbers the cells, as from `linked_cells`."""

    problem: CoupledProblem
    cost: CellCost
    params: NetworkParams
    linked: I64
    known: _Known

    def point(self, cells: I64, units: F64, estimate: F64) -> _Point:
        """Return the cost of cells at some units; those whose options stand as they last did are not asked again."""
        known, group = self.known, self.linked[self.problem.cell]
        inside = np.isin(group, self.linked[cells])
        moved = inside & (units != known.units)
        stale = cells[np.isin(self.linked[cells], group[moved])]
        if len(stale):
            found = self.cost(stale, units)
            ours = np.isin(group, self.linked[stale])
            known.cost[stale] = found.cost
            known.units[ours], known.into[ours], known.out[ours] = units[ours], found.into[ours], found.out[ours]
        cost = known.cost[cells]
        slack = _TELLS * self.params.relative_gap * np.maximum(1.0, np.abs(cost))
        return _Point(units, cells, cost, known.into.copy(), known.out.copy(), cost > estimate + slack)

    def cut(self, master: Master, point: _Point) -> None:
        own = np.searchsorted(point.cells, master.part.cells)
        cost = np.where(point.tells, point.cost, np.nan)[own]
        add_cuts(master, self.problem, point.units, cost, (point.into, point.out))


def solve_coupled(problem: CoupledProblem, cost: CellCost, start: F64, params: NetworkParams) -> CoupledSolution:
    """Return the cheapest whole lots.

    Parameters
    ----------
    problem
        Options, lots, limits and trips.
    cost
        Expected cost of the cells.
    start
        Units to begin from, shape (m,); ignored where they are not feasible.
    params
        Rounds, nodes and gap at which to stop.
    """
    task, work = _Task(problem, cost, params, linked_cells(problem), _Known.nothing(problem)), _Work()
    everything = whole_part(problem)
    master = open_master(problem, everything, params)
    none = np.zeros(problem.n_options)
    for units in (none, start) if problem.is_feasible(start) and start.any() else (none,):
        work.points.append(task.point(everything.cells, units, np.full(len(everything.cells), -np.inf)))
        task.cut(master, work.points[-1])
    relaxed = _sharpen(task, master, "relaxed", work)
    tied = _tied(problem, params)
    settled, tied_bound = task, 0.0
    if tied.any():
        proposal = _sharpen(task, master, "trips", work)
        tied_bound = _value_within(problem, everything, proposal, tied) - proposal.slack
        trips = np.unique(problem.trips.of_option[tied & (problem.trips.of_option >= 0)])
        settled = replace(task, problem=_settle(problem, everything, proposal, trips))
    searches = _whole_lots(settled, work, (relaxed, tied))
    units = none.copy()
    for search in searches:
        units[search.master.part.options] = search.best
    fixed_cost = problem.charges(units).sum() - settled.problem.charges(units).sum()
    bounds = [search.bound for search in searches if not tied[search.master.part.options[0]]]
    report = _report(searches, float(fixed_cost), tied_bound + sum(bounds), (params, work))
    return CoupledSolution(units, report)


def _sharpen(task: _Task, master: Master, phase: Phase, work: _Work) -> Proposal:
    """Add cuts until they are close to the cost at what they propose, or the trips stay; return the last proposal."""
    part, params = master.part, task.params
    before = None
    while True:
        proposal = propose(master, phase)
        point = task.point(part.cells, proposal.units, proposal.estimate)
        work.rounds += 1
        work.nodes += proposal.nodes
        work.points.append(point)
        task.cut(master, point)
        total = float(point.cost.sum())
        close = 0.5 * params.relative_gap * max(1.0, abs(total))
        stays = phase == "trips" and before is not None and np.array_equal(np.rint(proposal.trips), before)
        if total - proposal.estimate.sum() <= close or stays or work.rounds >= params.max_rounds:
            return proposal
        before = np.rint(proposal.trips)


def _tied(problem: CoupledProblem, params: NetworkParams) -> Bools:
    """Return the options in parts too large to decide trips and lots at once, shape (m,)."""
    tied = np.zeros(problem.n_options, dtype=bool)
    for part in parts_of(problem):
        if len(part.options) > params.max_joint_options and (problem.trips.cost[part.trips] > 0).any():
            tied[part.options] = True
    return tied


def _value_within(problem: CoupledProblem, part: Part, proposal: Proposal, tied: Bools) -> float:
    """Return the part of a proposal's value that belongs to tied options, their cells and their trips."""
    ends = np.concatenate([problem.cell[tied], problem.origin[tied]])
    trips = problem.trips.of_option[tied]
    value = proposal.estimate[np.isin(part.cells, ends)].sum()
    value += (proposal.trips * problem.trips.cost[part.trips])[np.isin(part.trips, trips)].sum()
    return float(value + (problem.charge * proposal.units)[tied].sum())


def _settle(problem: CoupledProblem, part: Part, proposal: Proposal, trips: I64) -> CoupledProblem:
    """Return the problem with some trips fixed as proposed."""
    fixed = np.zeros(len(problem.trips.cost), dtype=bool)
    fixed[trips] = True
    made = np.zeros_like(fixed)
    made[part.trips] = proposal.trips > 0.5
    return problem.with_trips(fixed & made, fixed & ~made)


def _whole_lots(task: _Task, work: _Work, known: tuple[Proposal, Bools]) -> list[_Search]:
    """Return every independent part solved in whole lots, or as far as the limits allow."""
    problem, params = task.problem, task.params
    relaxed, tied = known
    everything = whole_part(problem)
    searches = []
    for part in parts_of(problem):
        search = _Search(open_master(problem, part, params), np.zeros(len(part.options)))
        for point in work.points:
            task.cut(search.master, point)
            _keep(problem, search, point)
        if not tied[part.options].any():
            inside = np.isin(everything.options, part.options)
            search.bound = _value_within(problem, everything, relaxed, inside)
        searches.append(search)
    active = [search for search in searches if _is_open(problem, search, params)]
    for _ in range(params.max_rounds):
        if not active:
            break
        units, estimate = np.zeros(problem.n_options), np.zeros(len(everything.cells))
        for search in active:
            part = search.master.part
            proposal = propose(search.master, "whole")
            units[part.options] = proposal.units
            estimate[np.searchsorted(everything.cells, part.cells)] = proposal.estimate
            search.bound = max(search.bound, _value(problem, part, proposal) - proposal.slack)
            search.nodes += proposal.nodes
        cells = np.unique(np.concatenate([search.master.part.cells for search in active]))
        point = task.point(cells, units, estimate[np.searchsorted(everything.cells, cells)])
        work.rounds += 1
        for search in active:
            task.cut(search.master, point)
            _keep(problem, search, point)
        active = [search for search in active if _is_open(problem, search, params)]
    return searches


def _is_open(problem: CoupledProblem, search: _Search, params: NetworkParams) -> bool:
    """Return whether a part has whole lots to decide and is not proven yet."""
    rows = search.master.part.options
    free = problem.whole[rows] & (problem.lots.most >= problem.lots.least)[rows]
    return bool(free.any()) and search.gap() > params.relative_gap


def _value(problem: CoupledProblem, part: Part, proposal: Proposal) -> float:
    """Return what a master's proposal costs by its cuts."""
    trips = float(proposal.trips @ problem.trips.cost[part.trips])
    return float(proposal.estimate.sum() + problem.charge[part.options] @ proposal.units) + trips


def _keep(problem: CoupledProblem, search: _Search, point: _Point) -> None:
    """Keep a point's units where they are feasible lots and the part's cheapest yet."""
    part = search.master.part
    inside = np.zeros(problem.n_options)
    inside[part.options] = point.units[part.options]
    if problem.is_feasible(inside):
        value = float(point.cost_of(part.cells).sum() + problem.charges(inside).sum())
        if value < search.value:
            search.value, search.best = value, inside[part.options]


def _report(
    searches: list[_Search], fixed_cost: float, bound: float, spent: tuple[NetworkParams, _Work]
) -> SolveReport:
    params, work = spent
    value = float(sum(search.value for search in searches)) + fixed_cost
    # Within the gap a bound may lie a rounding error above the value.
    bound = min(bound, value)
    gap = (value - bound) / max(1.0, abs(value))
    return SolveReport(
        status="optimal" if gap <= params.relative_gap else "limit",
        objective=value,
        bound=bound,
        gap=gap,
        work={
            "parts": len(searches),
            "rounds": work.rounds,
            "cuts": sum(search.master.n_cuts for search in searches),
            "nodes": work.nodes + sum(search.nodes for search in searches),
        },
    )
