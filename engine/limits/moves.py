"""Small changes of a decision and what they save: a lot more or less, some units moved or not moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.limits.problem import Floats, ScarceProblem


@dataclass
class State:
    """A decision on its way, changed in place: lots bought (S, n), units moved (L, n), units there and given (S, n)."""

    lots: Floats
    moved: Floats
    level: Floats
    given: Floats

    @classmethod
    def nothing(cls, problem: ScarceProblem) -> State:
        return cls.of(
            problem, np.zeros_like(problem.stock), np.zeros_like(problem.lanes.volume, shape=_lane_shape(problem))
        )

    @classmethod
    def of(cls, problem: ScarceProblem, lots: Floats, moved: Floats) -> State:
        given = np.zeros_like(problem.stock)
        for lane, origin in enumerate(problem.lanes.origin.tolist()):
            given[origin] += moved[lane]
        return cls(
            lots.astype(problem.stock.dtype), moved.astype(problem.stock.dtype), problem.level(lots, moved), given
        )

    def take(self, items: np.ndarray) -> State:
        return State(*(getattr(self, name)[:, items] for name in ("lots", "moved", "level", "given")))

    def put(self, items: np.ndarray, part: State) -> None:
        for name in ("lots", "moved", "level", "given"):
            getattr(self, name)[:, items] = getattr(part, name)

    def buy(self, problem: ScarceProblem, site: int, lots: Floats) -> None:
        """Buy some lots more (below 0: fewer) at a site, (n,)."""
        self.lots[site] += lots
        self.level[site] += lots * problem.purchases.size[site]

    def move(self, problem: ScarceProblem, lane: int, units: Floats) -> None:
        """Move some units more (below 0: fewer) over a lane, (n,)."""
        origin, dest = int(problem.lanes.origin[lane]), int(problem.lanes.dest[lane])
        self.moved[lane] += units
        self.given[origin] += units
        self.level[origin] -= units
        self.level[dest] += units


@dataclass(frozen=True)
class Change:
    """How much more or less (lots or units, signed) a row could have and what that saves, (n,); 0 where it cannot."""

    by: Floats
    gain: Floats


@dataclass(frozen=True)
class Edge:
    """What the next and the last unit at a site save, and how many more units save as much, (n,) each."""

    next_value: Floats
    next_room: Floats
    last_value: Floats
    last_room: Floats

    @classmethod
    def at(cls, problem: ScarceProblem, state: State, site: int) -> Edge:
        level = state.level[site]
        return cls(*problem.curves.next_unit(site, level), *problem.curves.last_unit(site, level))


def more_lots(
    problem: ScarceProblem, state: State, site: int, edge: Edge, price: Floats, most: Floats | float = np.inf
) -> Change:
    """Return the next lots at a site: as many as save the same each, at least one; within ``most`` lots more."""
    bought, curves = problem.purchases, problem.curves
    have, level, size = state.lots[site], state.level[site], bought.size[site]
    least = np.where(have == 0, bought.least[site], 1.0)
    room = np.where(np.isfinite(edge.next_room), np.floor(edge.next_room / size), 0.0)
    by = np.minimum(np.maximum(least, room), np.minimum(bought.most[site] - have, most))
    # Where the first unit saves too little, so does all of a lot.
    by = np.where((by >= least) & (edge.next_value > price), by, 0.0).astype(size.dtype)
    units = by * size
    gain = curves.worth(site, level + units) - curves.worth(site, level) - price * units
    return Change(by, gain)


def fewer_lots(problem: ScarceProblem, state: State, site: int, edge: Edge, price: Floats) -> Change:
    """Return lots less at a site: as many as save as little each, at least one, or all where fewer are not allowed.

    What was moved on rests on stock, so a lot less never leaves fewer than no units.
    """
    bought, curves = problem.purchases, problem.curves
    have, level, size = state.lots[site], state.level[site], bought.size[site]
    by = np.minimum(np.maximum(np.floor(edge.last_room / size), 1.0), have - bought.least[site])
    by = np.where(have > bought.least[site], by, have).astype(size.dtype)
    units = by * size
    gain = price * units - (curves.worth(site, level) - curves.worth(site, level - units))
    return Change(-by, gain)


def more_moved(
    problem: ScarceProblem, state: State, lane: int, edges: list[Edge], price: Floats, most: Floats | float = np.inf
) -> Change:
    """Return the next units over a lane: as many as save the same each; within ``most``."""
    origin, dest = int(problem.lanes.origin[lane]), int(problem.lanes.dest[lane])
    by = np.minimum(edges[dest].next_room, edges[origin].last_room)
    by = np.minimum(np.minimum(by, problem.stock[origin] - state.given[origin]), most)
    by = np.maximum(by, 0.0).astype(price.dtype)
    return Change(by, (edges[dest].next_value - edges[origin].last_value - price) * by)


def fewer_moved(problem: ScarceProblem, state: State, lane: int, edges: list[Edge], price: Floats) -> Change:
    """Return units less over a lane: as many as cost the same each."""
    origin, dest = int(problem.lanes.origin[lane]), int(problem.lanes.dest[lane])
    by = np.minimum(np.minimum(edges[origin].next_room, edges[dest].last_room), state.moved[lane])
    return Change(-by, (edges[origin].next_value - edges[dest].last_value + price) * by)


def edges_of(problem: ScarceProblem, state: State) -> list[Edge]:
    """Return the edges of all sites."""
    return [Edge.at(problem, state, site) for site in range(problem.n_sites)]


def _lane_shape(problem: ScarceProblem) -> tuple[int, int]:
    return problem.lanes.n_lanes, problem.n_items
