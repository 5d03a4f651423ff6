"""The coupled solve against a brute force over all whole lots of the same sample-average problem."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import SimpleNamespace

import highspy
import numpy as np
import pulp
import pytest

from engine.network.coupled import CellValue, solve_coupled
from engine.network.params import NetworkParams
from engine.network.problem import CoupledProblem, Limits, Trips, parts_of
from engine.policy.lots import Lots


@dataclass(frozen=True)
class Tiny:
    """Lost sales, path by path and bucket by bucket: the plainest form of the cost that is solved for."""

    problem: CoupledProblem
    demand: np.ndarray  # (n, paths, buckets)
    opening: np.ndarray  # (n,)
    arrival: np.ndarray  # (m,)
    holding: float = 1.0
    shortage: float = 9.0

    def __call__(self, cells, units):
        into, out = np.zeros(len(units)), np.zeros(len(units))
        cost = np.zeros(len(cells))
        for row, cell in enumerate(cells):
            for path in self.demand[cell]:
                value, slope = self.path_cost(cell, path, units)
                cost[row] += value / len(self.demand[cell])
                for option in range(len(units)):
                    if self.problem.cell[option] == cell:
                        into[option] += slope[self.arrival[option]] / len(self.demand[cell])
                    if self.problem.origin[option] == cell:
                        out[option] -= slope[0] / len(self.demand[cell])
        return CellValue(cost, into, out)

    def path_cost(self, cell, path, units):
        """Return the cost of a path and its slope by the bucket in which one more unit arrives."""
        stock, cost, states = self.opening[cell], 0.0, []
        for bucket, demand in enumerate(path):
            for option, amount in enumerate(units):
                if self.problem.cell[option] == cell and self.arrival[option] == bucket:
                    stock += amount
                if self.problem.origin[option] == cell and bucket == 0:
                    stock -= amount
            stock -= demand
            states.append(stock >= 0)
            cost += self.holding * max(stock, 0.0) + self.shortage * max(-stock, 0.0)
            stock = max(stock, 0.0)
        slope, later = np.zeros(len(path)), 0.0
        for bucket in reversed(range(len(path))):
            later = self.holding + later if states[bucket] else -self.shortage
            slope[bucket] = later
        return cost, slope


def brute_force(problem, cost):
    """Return the least value over every combination of whole lots."""
    cells = np.unique(np.concatenate([problem.cell, problem.origin[problem.origin >= 0]]))
    choices = [
        [0.0, *(size * np.arange(least, most + 1))]
        for size, least, most in zip(problem.lots.size, problem.lots.least, problem.lots.most, strict=True)
    ]
    cache = {}
    best = np.inf
    touching = [np.flatnonzero((problem.cell == cell) | (problem.origin == cell)) for cell in cells]
    for units in itertools.product(*choices):
        units = np.array(units)
        if (problem.used(units) > problem.limits.bound + 1e-9).any():
            continue
        value = problem.charges(units).sum()
        for cell, near in zip(cells, touching, strict=True):
            key = cell, *units[near]
            if key not in cache:
                cache[key] = cost(np.array([cell]), units).cost[0]
            value += cache[key]
        best = min(best, value)
    return best


def tiny_network(seed):
    """Return a random problem: 2 or 3 sites, 1 or 2 items, two arrival dates, lots, trips and a volume limit."""
    rng = np.random.default_rng(seed)
    n_sites, n_items, n_paths = int(rng.integers(2, 4)), int(rng.integers(1, 3)), int(rng.integers(3, 7))
    n_buckets = 4
    rows = []  # cell, origin, arrival, charge, trip
    for item in range(n_items):
        first = item * n_sites
        for site in range(1, n_sites):
            rows.append((first + site, first, 1, 0.1, site - 1))
        rows.append((first, -1, 2, 0.0, -1))
        if n_items == 1:
            rows.append((first + 1, -1, 2, rng.uniform(0, 1), -1))
    cell, origin, arrival, charge, trip = (np.array(column) for column in zip(*rows, strict=True))
    size = rng.choice([1.0, 2.0, 3.0], len(cell))
    least = rng.choice([1, 1, 2], len(cell))
    cap = 6 if n_items == 1 else 4
    lots = Lots(size, least, np.full(len(cell), cap) // size.astype(np.int64))
    demand = rng.poisson(rng.uniform(0.2, 2.0, (n_items * n_sites, 1, 1)), (n_items * n_sites, n_paths, n_buckets))
    opening = rng.integers(0, 7, n_items * n_sites).astype(float)
    # Givers cannot send more than they have; all trips of a lane share a volume.
    limits = [(np.flatnonzero(origin == giver), opening[giver]) for giver in np.unique(origin[origin >= 0])]
    limits += [(np.flatnonzero(trip == number), 7.0) for number in range(n_sites - 1)]
    entries = [(row, option) for row, (options, _) in enumerate(limits) for option in options]
    problem = CoupledProblem(
        cell=cell,
        origin=origin,
        charge=charge,
        lots=lots,
        whole=np.ones(len(cell), dtype=bool),
        trips=Trips(trip, rng.uniform(0, 6, n_sites - 1)),
        limits=Limits(
            np.array([row for row, _ in entries]),
            np.array([option for _, option in entries]),
            np.ones(len(entries)),
            np.array([bound for _, bound in limits]),
        ),
    )
    return problem, Tiny(problem, demand.astype(float), opening, arrival)


@pytest.mark.parametrize("seed", range(40))
def test_the_plan_equals_brute_force(seed):
    problem, cost = tiny_network(seed)
    found = solve_coupled(problem, cost, np.zeros(problem.n_options), NetworkParams(relative_gap=1e-7))
    best = brute_force(problem, cost)
    assert problem.is_feasible(found.units)
    assert found.report.status == "optimal"
    assert found.report.objective == pytest.approx(best, rel=1e-6)
    assert (found.units == np.rint(found.units / problem.lots.size) * problem.lots.size).all()
    assert found.report.bound <= best + 1e-6
    value = cost(np.unique(problem.cell), found.units)
    givers = np.setdiff1d(problem.origin[problem.origin >= 0], problem.cell)
    rest = cost(givers, found.units).cost.sum()
    assert value.cost.sum() + rest + problem.charges(found.units).sum() == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("seed", range(15))
def test_trips_decided_before_lots_leave_an_honest_bound(seed):
    problem, cost = tiny_network(seed)
    params = NetworkParams(max_joint_options=0, relative_gap=1e-7)
    found = solve_coupled(problem, cost, np.zeros(problem.n_options), params)
    best = brute_force(problem, cost)
    assert problem.is_feasible(found.units)
    assert found.report.bound <= best + 1e-6
    assert found.report.objective >= best - 1e-6
    cells = np.unique(np.concatenate([problem.cell, problem.origin[problem.origin >= 0]]))
    value = cost(cells, found.units).cost.sum() + problem.charges(found.units).sum()
    assert found.report.objective == pytest.approx(value)
    if found.report.status == "optimal":
        assert found.report.objective == pytest.approx(best, rel=1e-6)


def test_too_few_rounds_are_told_and_what_is_found_is_feasible():
    problem, cost = tiny_network(3)
    found = solve_coupled(problem, cost, np.zeros(problem.n_options), NetworkParams(max_rounds=1, relative_gap=1e-7))
    assert found.report.status == "limit"
    assert found.report.bound <= brute_force(problem, cost) + 1e-6 <= found.report.objective + 2e-6
    assert problem.is_feasible(found.units)


@pytest.mark.parametrize("off", [1.7e-11, -3e-8])
def test_what_the_solver_leaves_of_a_lot_is_no_order(monkeypatch, off):
    problem, cost = tiny_network(0)
    exact = solve_coupled(problem, cost, np.zeros(problem.n_options), NetworkParams(relative_gap=1e-7))
    assert not problem.in_lots(exact.units + 1.7e-11).any()

    class Rounded:
        """HiGHS, off by a rounding error in every variable."""

        def __init__(self, model):
            self.model = model

        def __getattr__(self, name):
            return getattr(self.model, name)

        def getSolution(self):
            return SimpleNamespace(col_value=[value + off for value in self.model.getSolution().col_value])

    solve = pulp.HiGHS.callSolver

    def call(self, programme):
        found = solve(self, programme)
        programme.solverModel = Rounded(programme.solverModel)
        return found

    monkeypatch.setattr(pulp.HiGHS, "callSolver", call)
    for joint in (40, 0):
        params = NetworkParams(relative_gap=1e-6, max_joint_options=joint)
        found = solve_coupled(problem, cost, np.zeros(problem.n_options), params)
        assert (found.units == np.rint(found.units / problem.lots.size) * problem.lots.size).all()
        assert found.report.objective == pytest.approx(exact.report.objective, rel=1e-5)


def test_a_solution_that_the_solver_refuses_once_presolve_is_undone_is_found_without_presolve(monkeypatch):
    problem, cost = tiny_network(0)
    exact = solve_coupled(problem, cost, np.zeros(problem.n_options), NetworkParams(relative_gap=1e-7))
    run, refused = highspy.Highs.run, []

    def refuse(model):
        run(model)
        refused.append(model.getOptionValue("presolve")[1] != "off")
        return highspy.HighsStatus.kError

    monkeypatch.setattr(highspy.Highs, "run", refuse)
    monkeypatch.setattr(
        highspy.Highs,
        "getModelStatus",
        lambda model: highspy.HighsModelStatus.kSolveError if refused[-1] else highspy.HighsModelStatus.kOptimal,
    )
    found = solve_coupled(problem, cost, np.zeros(problem.n_options), NetworkParams(relative_gap=1e-7))
    assert sum(refused) == len(refused) / 2 > 0
    np.testing.assert_array_equal(found.units, exact.units)


def test_parts_hang_together_by_cells_limits_and_costly_trips():
    lots = Lots(np.ones(4), np.ones(4, int), np.full(4, 5))
    nothing = Limits(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0))

    def parts(trip_cost, limits=nothing):
        trips = Trips(np.array([0, 0, -1, -1]), np.array([trip_cost]))
        problem = CoupledProblem(
            np.array([1, 3, 4, 5]), np.array([0, 2, -1, 2]), np.zeros(4), lots, np.ones(4, dtype=bool), trips, limits
        )
        return [part.options.tolist() for part in parts_of(problem)]

    assert parts(0.0) == [[0], [1, 3], [2]]
    assert parts(8.0) == [[0, 1, 3], [2]]
    shared = Limits(np.array([0, 0]), np.array([0, 2]), np.ones(2), np.array([9.0]))
    assert parts(0.0, shared) == [[0, 2], [1, 3]]
