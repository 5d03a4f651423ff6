"""Exchanges within an item, prices on limits given: of givers, of receivers, of a lot and what is moved."""

from __future__ import annotations

import numpy as np

from engine.limits.moves import Edge, State
from engine.limits.problem import Floats, ScarceProblem
from engine.policy.types import Bools

_SAVES = 1e-5  # money that an exchange must save
_FAR = 1e12


def swap(problem: ScarceProblem, priced: tuple[Floats, Floats], state: State, open_lanes: Bools) -> Bools:
    """Make, in place, exchanges that save; return which items had one (n,).

    ``priced``: what a unit bought (S, n) and moved (L, n) costs.
    """
    buy, move = priced
    lanes = problem.lanes
    changed = np.zeros(problem.n_items, dtype=bool)
    for site in range(problem.n_sites):
        inward = [lane for lane in np.flatnonzero(lanes.dest == site).tolist() if open_lanes[lane]]
        outward = [lane for lane in np.flatnonzero(lanes.origin == site).tolist() if open_lanes[lane]]
        if len(inward) > 1 and state.moved[inward].any():
            changed |= _other_giver(problem, move, state, inward)
        if len(outward) > 1 and state.moved[outward].any():
            changed |= _other_receiver(problem, move, state, outward)
        for lane in inward:
            if state.lots[site].any():
                changed |= _moves_for_lot(problem, (buy[site], move[lane]), state, lane)
            if state.moved[lane].any():
                changed |= _lot_for_moves(problem, (buy[site], move[lane]), state, lane)
    return changed


def _other_giver(problem: ScarceProblem, move: Floats, state: State, inward: list[int]) -> Bools:
    origin = problem.lanes.origin
    refund, asked = [], []
    refund_room, asked_room = [], []
    for lane in inward:
        edge = Edge.at(problem, state, int(origin[lane]))
        moved = state.moved[lane]
        spare = problem.stock[origin[lane]] - state.given[origin[lane]]
        refund.append(np.where(moved > 0, edge.next_value + move[lane], -_FAR))
        refund_room.append(np.minimum(moved, edge.next_room))
        asked.append(np.where(spare > 0, edge.last_value + move[lane], _FAR))
        asked_room.append(np.minimum(spare, edge.last_room))
    return _exchange(problem, state, inward, (np.array(refund), np.array(asked)), (refund_room, asked_room))


def _other_receiver(problem: ScarceProblem, move: Floats, state: State, outward: list[int]) -> Bools:
    dest = problem.lanes.dest
    loss, gain = [], []
    loss_room, gain_room = [], []
    for lane in outward:
        edge = Edge.at(problem, state, int(dest[lane]))
        moved = state.moved[lane]
        loss.append(np.where(moved > 0, move[lane] - edge.last_value, -_FAR))
        loss_room.append(np.minimum(moved, edge.last_room))
        gain.append(move[lane] - edge.next_value)
        gain_room.append(edge.next_room)
    return _exchange(problem, state, outward, (np.array(loss), np.array(gain)), (loss_room, gain_room))


def _exchange(
    problem: ScarceProblem,
    state: State,
    lanes: list[int],
    values: tuple[Floats, Floats],
    rooms: tuple[list[Floats], list[Floats]],
) -> Bools:
    """Move less over the lane that pays back most and more over the one that costs least."""
    back, cost = values
    less, more = back.argmax(axis=0), cost.argmin(axis=0)
    items = np.arange(problem.n_items)
    by = np.minimum(np.array(rooms[0])[less, items], np.array(rooms[1])[more, items])
    pays = (less != more) & ((back[less, items] - cost[more, items]) * by > _SAVES)
    by = np.where(pays, by, 0.0).astype(problem.stock.dtype)
    for place, lane in enumerate(lanes):
        change = np.where(more == place, by, 0.0) - np.where(less == place, by, 0.0)
        if change.any():
            state.move(problem, lane, change.astype(by.dtype))
    return np.asarray(pays)


def _moves_for_lot(problem: ScarceProblem, price: tuple[Floats, Floats], state: State, lane: int) -> Bools:
    """Buy a lot less where a site is sent as much, or half as much, instead."""
    origin, dest = int(problem.lanes.origin[lane]), int(problem.lanes.dest[lane])
    bought = problem.purchases
    lots = np.where(state.lots[dest] > bought.least[dest], 1.0, state.lots[dest]).astype(price[0].dtype)
    size = lots * bought.size[dest]
    spare = np.minimum(problem.stock[origin] - state.given[origin], size)
    half = np.floor(0.5 * size)
    saved_all = _saved(problem, state, lane, (-size, spare), price)
    saved_half = _saved(problem, state, lane, (-size, np.minimum(spare, half)), price)
    units = np.where(saved_half > saved_all, np.minimum(spare, half), spare)
    pays = (size > 0) & (units > 0) & (np.maximum(saved_all, saved_half) > _SAVES)
    state.buy(problem, dest, np.where(pays, -lots, 0.0).astype(lots.dtype))
    state.move(problem, lane, np.where(pays, units, 0.0).astype(lots.dtype))
    return np.asarray(pays)


def _lot_for_moves(problem: ScarceProblem, price: tuple[Floats, Floats], state: State, lane: int) -> Bools:
    """Buy a lot more where a site is sent as much, or half as much, less."""
    dest = int(problem.lanes.dest[lane])
    bought = problem.purchases
    lots = np.where(state.lots[dest] == 0, bought.least[dest], 1.0).astype(price[0].dtype)
    size = lots * bought.size[dest]
    fewer = np.minimum(state.moved[lane], size)
    half = np.minimum(state.moved[lane], np.floor(0.5 * size))
    saved_all = _saved(problem, state, lane, (size, -fewer), price)
    saved_half = _saved(problem, state, lane, (size, -half), price)
    units = np.where(saved_half > saved_all, half, fewer)
    pays = (state.lots[dest] + lots <= bought.most[dest]) & (units > 0)
    pays &= np.maximum(saved_all, saved_half) > _SAVES
    state.buy(problem, dest, np.where(pays, lots, 0.0).astype(lots.dtype))
    state.move(problem, lane, np.where(pays, -units, 0.0).astype(lots.dtype))
    return np.asarray(pays)


def _saved(
    problem: ScarceProblem, state: State, lane: int, change: tuple[Floats, Floats], price: tuple[Floats, Floats]
) -> Floats:
    """Return what buying and moving so many units more (below 0: fewer) saves."""
    origin, dest = int(problem.lanes.origin[lane]), int(problem.lanes.dest[lane])
    worth, level = problem.curves.worth, state.level
    bought, moved = change
    saved = worth(dest, level[dest] + bought + moved) - worth(dest, level[dest])
    saved += worth(origin, level[origin] - moved) - worth(origin, level[origin])
    result: Floats = saved - price[0] * bought - price[1] * moved
    return result
