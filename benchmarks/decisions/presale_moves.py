"""Moves to set beside a plan's: with the final orders known, and by historical share; each at its least cost."""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, lil_array

from benchmarks.decisions.presale_worlds import F64, Lanes, World

_GAP = 1e-3


def move_cost(lanes: Lanes, moves: F64) -> float:
    """Return what moves (items, from, to) cost: units, and a trip for every lane in use."""
    used = moves.sum(axis=0) > 0
    return float((moves * lanes.unit_cost).sum() + (used * lanes.trip_cost).sum())


def foresight(world: World) -> F64:
    """Return the cheapest moves with the largest share shipped locally, final orders and ordinary demand known."""
    there = world.stock - world.ordinary
    return _least_cost_moves(world, np.maximum(world.final - there, 0.0), np.maximum(there - world.final, 0.0))


def split_of_the_presale(world: World, total: F64, ordinary: F64) -> F64:
    """Return the cheapest moves after which sites hold their historical share of what the presale needs.

    ``total`` (items) is the presale's units, ``ordinary`` (items, sites) demand until it ships; where stock does not
    suffice for all, as much as there is moved.
    """
    need = total[:, None] * historical_share(world)
    there = np.maximum(world.stock - ordinary, 0.0)
    return _least_cost_moves(world, np.floor(np.maximum(need - there, 0.0)), np.floor(np.maximum(there - need, 0.0)))


def split_of_stock(world: World, total: F64, ordinary: F64) -> F64:
    """Return the cheapest moves after which sites hold their historical share of all stock that the day finds."""
    there = np.maximum(world.stock - ordinary, 0.0)
    wanted = there.sum(axis=1, keepdims=True) * historical_share(world)
    return _least_cost_moves(
        world, np.floor(np.maximum(wanted - there, 0.0)), np.floor(np.maximum(there - wanted, 0.0))
    )


def historical_share(world: World) -> F64:
    """Return each site's share of an item's past sales, (items, sites)."""
    sold = world.tables["sales"].pivot_table(index="item_id", columns="location_id", values="units", aggfunc="sum")
    units = sold.to_numpy(np.float64)
    return np.asarray(units / units.sum(axis=1, keepdims=True))


def _least_cost_moves(world: World, missing: F64, spare: F64) -> F64:
    """Return the cheapest moves (items, from, to) that fill as much of what is missing as is to spare."""
    n_items, n_sites = missing.shape
    n_lanes = n_sites * n_sites
    n_moves = n_items * n_lanes
    filled = np.minimum(missing.sum(axis=1), spare.sum(axis=1))
    rows, bounds = lil_array((2 * n_items * n_sites + n_items + n_lanes, n_moves + n_lanes)), []
    number = 0
    for item in range(n_items):
        x = item * n_lanes + np.arange(n_lanes).reshape(n_sites, n_sites)
        for site in range(n_sites):
            rows[number, x[site]] = 1.0
            rows[number + 1, x[:, site]] = 1.0
            bounds += [(0.0, spare[item, site]), (0.0, missing[item, site])]
            number += 2
        rows[number, x.reshape(-1)] = 1.0
        bounds.append((filled[item], filled[item]))
        number += 1
    largest = float(np.minimum(missing.max(axis=1), spare.max(axis=1)).sum()) + 1.0
    for lane in range(n_lanes):
        rows[number, lane:n_moves:n_lanes] = 1.0
        rows[number, n_moves + lane] = -largest
        bounds.append((-np.inf, 0.0))
        number += 1
    low, high = np.array(bounds).T
    possible = (world.lanes.days <= world.ship_bucket) & ~np.eye(n_sites, dtype=bool)
    most = np.where(possible.reshape(-1), np.inf, 0.0)
    found = milp(
        np.concatenate([np.tile(world.lanes.unit_cost.reshape(-1), n_items), world.lanes.trip_cost.reshape(-1)]),
        integrality=np.concatenate([np.zeros(n_moves), np.ones(n_lanes)]),
        bounds=Bounds(0.0, np.concatenate([np.tile(most, n_items), np.ones(n_lanes)])),
        constraints=LinearConstraint(csr_array(rows), low, high),
        options={"mip_rel_gap": _GAP},
    )
    if found.x is None:
        raise RuntimeError(f"the moves of a world must have a solution. Got: {found.message}")
    moves: F64 = np.rint(found.x[:n_moves]).reshape(n_items, n_sites, n_sites)
    return moves
