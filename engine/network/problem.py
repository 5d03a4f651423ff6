"""The coupled problem: today's units over linked options, as arrays, and its split into independent parts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.policy.lots import Lots
from engine.policy.types import F64, I64, Bools

_SLACK = 1e-6
_ROUNDING = 1e-12  # of a multiplication and a division; what a solver leaves of a lot is more


@dataclass(frozen=True)
class Limits:
    """Linear limits ``sum of coefficient * units <= bound`` in triplets; ``bound`` has a row a limit."""

    row: I64
    option: I64
    coefficient: F64
    bound: F64


@dataclass(frozen=True)
class Trips:
    """Trips that options share: a lane on a send day.

    Parameters
    ----------
    of_option
        Trip of each option, -1 for none, shape (m,).
    cost
        Cost of making the trip, shape (t,); 0 where it is made anyway.
    """

    of_option: I64
    cost: F64


@dataclass(frozen=True)
class CoupledProblem:
    """Units of ``m`` options that share cells, stock or trips.

    Parameters
    ----------
    cell, origin
        Cell that receives and the one that gives (-1: none), shape (m,).
    charge
        Cost per unit besides stock and shortage, shape (m,).
    lots
        Feasible quantities, shape (m,); ``most`` is what can be of use, so never unlimited.
    whole
        Options that come in whole lots, shape (m,); others in any amount up to ``most`` lots.
    trips, limits
        Shared trips; limits across options.
    """

    cell: I64
    origin: I64
    charge: F64
    lots: Lots
    whole: Bools
    trips: Trips
    limits: Limits

    @property
    def n_options(self) -> int:
        return len(self.cell)

    def charges(self, units: F64) -> F64:
        """Return what units cost besides stock and shortage, by option; a trip's cost on its first option."""
        cost = self.charge * units
        used = np.flatnonzero((units > _SLACK) & (self.trips.of_option >= 0))
        trips, first = np.unique(self.trips.of_option[used], return_index=True)
        cost[used[first]] += self.trips.cost[trips]
        return cost

    def in_lots(self, units: F64) -> Bools:
        """Return which options bring nothing or a feasible lot, exactly, shape (m,)."""
        lots = units / self.lots.size
        count = np.rint(lots)
        exact = np.abs(lots - count) <= _ROUNDING * count
        feasible = (count == 0) | (count >= self.lots.least)
        found: Bools = (~self.whole | (exact & feasible)) & (lots <= self.lots.most + _SLACK)
        return found

    def is_feasible(self, units: F64) -> bool:
        """Return whether units satisfy lot rules and limits."""
        return bool(self.in_lots(units).all() and (self.used(units) <= self.limits.bound + _SLACK).all())

    def used(self, units: F64) -> F64:
        """Return the left-hand side of every limit."""
        used = np.zeros(len(self.limits.bound))
        np.add.at(used, self.limits.row, self.limits.coefficient * units[self.limits.option])
        return used

    def with_trips(self, made: Bools, closed: Bools) -> CoupledProblem:
        """Return the problem with some trips free of cost, since they are made, and some closed; both (t,)."""
        on_trip = self.trips.of_option >= 0
        shut = on_trip.copy()
        shut[on_trip] = closed[self.trips.of_option[on_trip]]
        lots = replace(self.lots, most=np.where(shut, 0, self.lots.most))
        return replace(self, lots=lots, trips=replace(self.trips, cost=np.where(made | closed, 0.0, self.trips.cost)))


@dataclass(frozen=True)
class Part:
    """An independent part of a problem: its options, cells, trips and limits by row number."""

    options: I64
    cells: I64
    trips: I64
    limits: I64


def parts_of(problem: CoupledProblem) -> list[Part]:
    """Return the independent parts, in the order of their first option.

    Options belong together if they share a cell as receiver or giver, a limit, or a trip that costs.
    """
    n_cells = int(max(problem.cell.max(initial=-1), problem.origin.max(initial=-1))) + 1
    n_trips = len(problem.trips.cost)
    root = np.arange(n_cells + n_trips + len(problem.limits.bound))
    gives = problem.origin >= 0
    costly = problem.trips.of_option >= 0
    costly[costly] = problem.trips.cost[problem.trips.of_option[costly]] > 0
    links = [
        (problem.cell[gives], problem.origin[gives]),
        (problem.cell[costly], n_cells + problem.trips.of_option[costly]),
        (problem.cell[problem.limits.option], n_cells + n_trips + problem.limits.row),
    ]
    for ends in links:
        for a, b in zip(*(side.tolist() for side in ends), strict=True):
            _join(root, a, b)
    roots = np.array([_find(root, int(cell)) for cell in problem.cell], dtype=np.int64)
    parts = []
    order = np.argsort(roots, kind="stable")
    for options in np.split(order, np.flatnonzero(np.diff(roots[order])) + 1):
        if len(options):
            parts.append(_part(problem, np.sort(options)))
    return sorted(parts, key=lambda part: int(part.options[0]))


def linked_cells(problem: CoupledProblem) -> I64:
    """Return a number for every cell up to the last, the same for those that options link, directly or not."""
    n_cells = int(max(problem.cell.max(initial=-1), problem.origin.max(initial=-1))) + 1
    root = np.arange(n_cells)
    gives = problem.origin >= 0
    for a, b in zip(problem.cell[gives].tolist(), problem.origin[gives].tolist(), strict=True):
        _join(root, a, b)
    return np.array([_find(root, cell) for cell in range(n_cells)], dtype=np.int64)


def whole_part(problem: CoupledProblem) -> Part:
    """Return all of a problem as one part."""
    return _part(problem, np.arange(problem.n_options))


def _part(problem: CoupledProblem, options: I64) -> Part:
    ends = np.concatenate([problem.cell[options], problem.origin[options]])
    trips = problem.trips.of_option[options]
    return Part(
        options=options,
        cells=np.unique(ends[ends >= 0]),
        trips=np.unique(trips[trips >= 0]),
        limits=np.unique(problem.limits.row[np.isin(problem.limits.option, options)]),
    )


def _find(root: I64, node: int) -> int:
    while root[node] != node:
        root[node] = root[root[node]]
        node = int(root[node])
    return node


def _join(root: I64, a: int, b: int) -> None:
    a, b = _find(root, a), _find(root, b)
    root[max(a, b)] = min(a, b)
