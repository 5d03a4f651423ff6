"""The master of one independent part: a mixed-integer programme of lots, trips and limits under cost cuts.

Every cell has an epigraph variable that stands above all cuts found for it (multi-cut L-shaped method: Birge and
Louveaux, Introduction to Stochastic Programming, 2011, section 5.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import highspy
import numpy as np
import pulp

from engine.errors import RestockError
from engine.network.params import NetworkParams
from engine.network.problem import CoupledProblem, Part
from engine.policy.types import F64, Bools

Phase = Literal["relaxed", "trips", "whole"]
_INTEGRALITY = 1e-6  # HiGHS's own tolerance, in lots
_SOLVED = {
    highspy.HighsModelStatus.kOptimal,
    highspy.HighsModelStatus.kSolutionLimit,  # the node limit; PuLP has no status for it
    highspy.HighsModelStatus.kModelEmpty,
}


@dataclass(frozen=True)
class Proposal:
    """What a master proposes.

    Parameters
    ----------
    units
        Units of the part's options.
    estimate
        What the cuts say its cells cost there, by cell of the part.
    trips
        Trips made (parts of trips while relaxed), by trip of the part.
    slack
        How far the solver's bound lies below the value of what it proposes; >= 0.
    nodes
        Nodes of its search tree.
    """

    units: F64
    estimate: F64
    trips: F64
    slack: float
    nodes: int


@dataclass
class Master:
    """A part's programme; cuts are added to it as they are found.

    Parameters
    ----------
    part
        What it is about.
    programme
        The PuLP problem.
    counts, cost, makes
        Variables: lots by option of the part, epigraph by cell, trip made by trip.
    size, whole
        Units of a lot, and whether lots are whole, by option of the part.
    solver
        HiGHS with its limits.
    n_cuts
        Cuts so far.
    phase
        What the solver's model stands for, None before it is built. Within a phase it is kept, cuts are appended and
        the solver goes on from where it was.
    fresh
        Constraints that the solver's model does not have yet.
    """

    part: Part
    programme: Any
    counts: list[Any]
    cost: list[Any]
    makes: list[Any]
    size: F64
    whole: Bools
    solver: Any
    n_cuts: int = 0
    phase: Phase | None = None
    fresh: list[Any] = field(default_factory=list)


def open_master(problem: CoupledProblem, part: Part, params: NetworkParams) -> Master:
    """Return the programme of a part without cuts."""
    programme = pulp.LpProblem("coupled", pulp.LpMinimize)
    makes = {trip: programme.add_variable(f"trip{trip}", 0, 1, pulp.LpBinary) for trip in part.trips.tolist()}
    counts = _lot_variables(problem, part, programme, makes)
    cost = [programme.add_variable(f"cost{cell}") for cell in part.cells.tolist()]
    charge = (problem.charge * problem.lots.size)[part.options].tolist()
    terms = dict.fromkeys(cost, 1.0) | dict(zip(counts, charge, strict=True))
    terms |= {variable: float(problem.trips.cost[trip]) for trip, variable in makes.items()}
    programme.setObjective(pulp.LpAffineExpression(terms))
    count_of = dict(zip(part.options.tolist(), counts, strict=True))
    limits = problem.limits
    weight = limits.coefficient * problem.lots.size[limits.option]
    for limit in part.limits.tolist():
        entries = np.flatnonzero(limits.row == limit)
        left = {count_of[int(limits.option[k])]: float(weight[k]) for k in entries}
        programme.addConstraint(pulp.LpAffineExpression(left) <= float(limits.bound[limit]))
    solver = pulp.HiGHS(
        msg=False, threads=1, gapRel=params.relative_gap / 4, gapAbs=1e-9, mip_max_nodes=params.max_nodes
    )
    size, whole = problem.lots.size[part.options], problem.whole[part.options]
    return Master(part, programme, counts, cost, list(makes.values()), size, whole, solver)


def _lot_variables(problem: CoupledProblem, part: Part, programme: Any, makes: dict[int, Any]) -> list[Any]:
    """Add the number of lots of every option, its least order and its trip."""
    counts = []
    for row in part.options.tolist():
        least, most, trip = int(problem.lots.least[row]), int(problem.lots.most[row]), problem.trips.of_option[row]
        most = most if most >= least else 0
        count = programme.add_variable(f"lots{row}", 0, most)
        counts.append(count)
        if most == 0:
            continue
        if least > 1 and problem.whole[row]:
            used = programme.add_variable(f"used{row}", 0, 1, pulp.LpBinary)
            programme.addConstraint(count >= least * used)
            programme.addConstraint(count <= most * used)
        if trip >= 0:
            programme.addConstraint(count <= most * makes[int(trip)])
    return counts


def add_cuts(master: Master, problem: CoupledProblem, at: F64, value: F64, slopes: tuple[F64, F64]) -> None:
    """Add one cut a cell: its cost is at least its value at ``at`` plus the slopes times the units beyond it.

    Parameters
    ----------
    master, problem
        The programme, which grows, and the problem it is part of.
    at
        Units of all options of the problem, shape (m,).
    value
        Cost there of every cell of the part; NaN for cells that need no cut.
    slopes
        Slope of the receiving and of the giving cell's cost by option, each (m,).
    """
    into, out = slopes
    terms: list[dict[Any, float]] = [{cost: 1.0} for cost in master.cost]
    constant = value.astype(np.float64).copy()
    number = {cell: k for k, cell in enumerate(master.part.cells.tolist())}
    for count, size, row in zip(master.counts, master.size.tolist(), master.part.options.tolist(), strict=True):
        for cell, slope in ((problem.cell[row], into[row]), (problem.origin[row], out[row])):
            if cell >= 0 and slope != 0:
                terms[number[int(cell)]][count] = -float(slope) * size
                constant[number[int(cell)]] -= slope * at[row]
    for expression, right in zip(terms, constant.tolist(), strict=True):
        if right == right:  # NaN is not
            cut = pulp.LpAffineExpression(expression) >= right
            master.programme.addConstraint(cut)
            master.fresh.append(cut)
            master.n_cuts += 1


def propose(master: Master, phase: Phase) -> Proposal:
    """Return the cheapest units under the cuts so far.

    ``phase``: "relaxed" (lots and trips in parts), "trips" (whole trips, lots in parts) or "whole".

    Raises
    ------
    RestockError
        If the programme has no solution, which its form rules out.
    """
    programme, solver = master.programme, master.solver
    whole = master.whole & (phase == "whole")
    # PuLP's own solve() stumbles over a node limit that is reached, so the steps of it are taken one by one.
    if master.phase == phase:
        _append(master)
    else:
        for count, is_whole in zip(master.counts, whole.tolist(), strict=True):
            count.cat = pulp.LpInteger if is_whole else pulp.LpContinuous
        solver.mip = phase != "relaxed"
        solver.createAndConfigureSolver(programme)
        solver.buildSolverModel(programme)
        master.phase = phase
    master.fresh.clear()
    solver.callSolver(programme)
    model = programme.solverModel
    if model.getModelStatus() == highspy.HighsModelStatus.kSolveError:
        _solve_as_stated(model)
    if model.getModelStatus() not in _SOLVED:
        raise RestockError(
            "A coupled part always has a solution, since nothing need be moved",
            f"solver status {model.modelStatusToString(model.getModelStatus())}",
            "Report it with the data",
        )
    values = np.array(model.getSolution().col_value)
    counts = np.maximum(values[[count.index for count in master.counts]], 0.0)
    # Parts of a lot this small are the solver's rounding, also where lots may come in parts.
    near = np.rint(counts)
    counts = np.where(whole | (np.abs(counts - near) <= _INTEGRALITY), near, counts)
    info = model.getInfo()
    searched = phase != "relaxed" and bool(np.isfinite(info.mip_dual_bound))
    return Proposal(
        units=counts * master.size,
        estimate=values[[cost.index for cost in master.cost]],
        trips=values[[make.index for make in master.makes]],
        slack=max(0.0, info.objective_function_value - info.mip_dual_bound) if searched else 0.0,
        nodes=max(0, int(info.mip_node_count)) if searched else 0,
    )


def _solve_as_stated(model: Any) -> None:
    """Solve again without presolve.

    HiGHS refuses a solution of its own that, once presolve is undone, misses a row by just the tolerance; where
    nothing was presolved nothing is undone.
    """
    model.setOptionValue("presolve", "off")
    model.clearSolver()
    model.run()
    model.setOptionValue("presolve", "choose")


def _append(master: Master) -> None:
    """Append fresh constraints to the solver's model."""
    model = master.programme.solverModel
    for cut in master.fresh:
        entries = [(variable.index, weight) for variable, weight in cut.items() if weight != 0]
        indices, weights = zip(*entries, strict=True)
        model.addRow(cut.getLb(), highspy.kHighsInf, len(indices), indices, weights)
