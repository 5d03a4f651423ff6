"""Items alone, prices on limits given: step by step the change that saves most per unit, until none saves any."""

from __future__ import annotations

import numpy as np

from engine.limits.moves import Change, State, edges_of, fewer_lots, fewer_moved, more_lots, more_moved
from engine.limits.problem import Floats, ScarceProblem
from engine.limits.swaps import swap
from engine.policy.types import F64, Bools

_SAVES = 1e-5  # money that a step must save, so that rounding does not turn in circles
_CHUNK = 4096
_MOST_STEPS = 400


def decide_alone(problem: ScarceProblem, prices: F64, state: State, open_lanes: Bools) -> None:
    """Improve ``state`` in place until no single change of an item saves anything.

    ``open_lanes`` (L,): those on which more may be moved; on the others only less.
    """
    for start in range(0, problem.n_items, _CHUNK):
        active = np.arange(start, min(start + _CHUNK, problem.n_items))
        part, here = problem.take(active), state.take(active)
        priced = _prices(part, prices)
        for _ in range(_MOST_STEPS):
            moved = _step(part, priced, here, open_lanes)
            if not moved.any():
                moved = swap(part, priced, here, open_lanes)
            if not moved.any():
                break
            if np.count_nonzero(moved) < 0.5 * len(moved):
                state.put(active, here)
                kept = np.flatnonzero(moved)
                active, part, here = active[kept], part.take(kept), here.take(kept)
                priced = _prices(part, prices)
        state.put(active, here)


def _prices(problem: ScarceProblem, prices: F64) -> tuple[Floats, Floats]:
    return problem.buying_price(prices), problem.moving_price(prices, problem.trip_share())


def _step(problem: ScarceProblem, priced: tuple[Floats, Floats], state: State, open_lanes: Bools) -> Bools:
    """Make every item's best change; return which items had one."""
    buy, move = priced
    edges = edges_of(problem, state)
    n_sites, n_lanes = problem.n_sites, problem.lanes.n_lanes
    best = np.zeros_like(problem.stock[0])
    chosen = np.full(problem.n_items, -1)
    by = np.zeros_like(best)

    def consider(number: int, change: Change, size: Floats | float) -> None:
        units = np.abs(change.by) * size
        rate = np.divide(change.gain, units, out=np.zeros_like(best), where=(units > 0) & (change.gain > _SAVES))
        better = rate > best
        np.copyto(best, rate, where=better)
        np.copyto(by, change.by, where=better)
        np.copyto(chosen, number, where=better)

    for site in range(n_sites):
        size = problem.purchases.size[site]
        consider(2 * site, more_lots(problem, state, site, edges[site], buy[site]), size)
        if state.lots[site].any():
            consider(2 * site + 1, fewer_lots(problem, state, site, edges[site], buy[site]), size)
    for lane in range(n_lanes):
        number = 2 * (n_sites + lane)
        if open_lanes[lane]:
            consider(number, more_moved(problem, state, lane, edges, move[lane]), 1.0)
        if state.moved[lane].any():
            consider(number + 1, fewer_moved(problem, state, lane, edges, move[lane]), 1.0)
    row = chosen >> 1
    for site in range(n_sites):
        state.buy(problem, site, np.where(row == site, by, 0.0).astype(by.dtype))
    for lane in range(n_lanes):
        state.move(problem, lane, np.where(row == n_sites + lane, by, 0.0).astype(by.dtype))
    return np.asarray(chosen >= 0)
