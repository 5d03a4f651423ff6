"""What planned lines and projections walk along: a network beyond its horizon, in blocks of cells that feed each other.

The demand of a decision already holds what fed cells order later and what is sent today. Levels are read off it, so a
feeder is supplied for all paths of its receivers, also where their mean demand alone would not make them order. Its
stock, though, falls by its own demand, by what is sent today, and by what it sends on the walk.

Lead times are at their mean. An order placed within the horizon often lands behind it, so what is known is followed
for a further horizon, in which demand goes on at its mean rate where the item is still sold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.decision import Decision
from engine.network.feeding import Feeding, blocks
from engine.network.follow import LaterOrders, later_orders, with_idle
from engine.network.tiers import with_arrivals
from engine.network.types import Network
from engine.policy.types import F32, F64, I64, Bools, Cells, Targets


@dataclass(frozen=True)
class Ahead:
    """A network over its horizon and a further one, ``2 H`` buckets, with the mean demand of some cells.

    Parameters
    ----------
    network
        The network, with cells over all buckets.
    mean
        Mean demand, rounded to float32, shape (n, 2 H); 0 at cells that were not asked for.
    gives
        Those of the cells that feed others, in order.
    given
        Their own mean demand and what is sent today, shape (gives, 2 H).
    """

    network: Network
    mean: F64
    gives: I64
    given: F64

    def leaving(self, cells: I64) -> F64:
        """Return mean demand of cells without what fed cells order later, shape (cells, 2 H)."""
        found = self.mean[cells]
        rows = np.flatnonzero(np.isin(cells, self.gives))
        found[rows] = self.given[np.searchsorted(self.gives, cells[rows])]
        return found


def look_ahead(network: Network, decision: Decision, some: I64) -> Ahead:
    """Return the network ahead, with the demand of some cells, which are sorted."""
    cells, horizon = network.cells, network.horizon
    goes_on = cells.end_bucket >= horizon
    mean = np.zeros((cells.n_cells, 2 * horizon))
    mean[some] = _ahead(mean_demand(decision.demand.paths, some), goes_on[some])
    gives = some[feeders(network)[some]]
    given = _ahead(mean_demand(decision.own.paths, gives), goes_on[gives])
    if len(gives):
        given[:, :horizon] += sent_today(network, decision)[gives]
    longer = replace(
        cells,
        arrivals=np.concatenate([cells.arrivals, np.zeros_like(cells.arrivals)], axis=1),
        end_bucket=np.where(goes_on, 2 * horizon, cells.end_bucket),
    )
    return Ahead(replace(network, cells=longer, horizon=2 * horizon), mean, gives, given)


def mean_demand(paths: F32, some: I64) -> F64:
    """Return mean demand of some cells, rounded to float32: sums of it are exact, so rounding never adds a lot."""
    mean = np.zeros((len(some), paths.shape[2]))
    one_by_one = np.arange(len(some))
    for rows in blocks(one_by_one, paths.shape[1] * paths.shape[2]):
        mean[rows] = paths[some[rows]].mean(axis=1, dtype=np.float64).astype(np.float32)
    return mean


def arriving_today(cells: Cells, network: Network, decision: Decision) -> F64:
    """Return what today's lines bring, shape (n, buckets of the cells)."""
    nothing = replace(cells, arrivals=np.zeros_like(cells.arrivals))
    return with_arrivals(nothing, network.options, decision.units).arrivals


def sent_today(network: Network, decision: Decision) -> F64:
    """Return what today's lines take from cells, by bucket, shape (n, H)."""
    options = network.options
    sent = np.zeros((network.cells.n_cells, network.horizon))
    rows = np.flatnonzero((options.origin_cell >= 0) & (options.send_bucket < network.horizon))
    np.add.at(sent, (options.origin_cell[rows], options.send_bucket[rows]), decision.units[rows])
    return sent


def feeders(network: Network) -> Bools:
    """Return which cells others have their primary link from, shape (n,)."""
    gives, giver = np.zeros(network.cells.n_cells, dtype=bool), _givers(network)
    gives[giver[giver >= 0]] = True
    return gives


def families(network: Network) -> I64:
    """Return a number for every cell, the same for those that feed each other, directly or not, shape (n,)."""
    giver = _givers(network)
    top = np.arange(network.cells.n_cells)
    while (giver[top] >= 0).any():
        top = np.where(giver[top] >= 0, giver[top], top)
    return top


def joined_by_trips(network: Network, family: I64) -> I64:
    """Return the families with those that share trips of limited volume as one."""
    limited = np.zeros(network.cells.n_cells, dtype=bool)
    limited[family[_limited_lanes(network) >= 0]] = True
    return np.where(limited[family], -1, family)


def walk_of(network: Network, targets: Targets, cells: I64, mean: F64) -> tuple[LaterOrders, Feeding | None]:
    """Return the later orders of some cells, which hold whole families, and who feeds whom among them.

    Rows of the orders are the cells with a primary option, in their order, then those without.
    """
    option = network.primary_of[cells]
    orders = option >= 0
    later = later_orders(network, targets, np.searchsorted(targets.option, option[orders]), mean)
    later = with_idle(later, cells[~orders])
    place = np.full(network.cells.n_cells, -1, dtype=np.int64)
    place[later.cell] = np.arange(len(later.cell))
    giver = _givers(network)[later.cell]
    if not (giver >= 0).any():
        return later, None
    return later, Feeding(
        giver=np.where(giver >= 0, place[giver], -1),
        step=network.cells.step[later.cell],
        lane=_limited_lanes(network)[later.cell],
        volume=network.volume[later.cell],
        room=network.lanes["trip_capacity_volume"].to_numpy(dtype=np.float64),
    )


def _ahead(known: F64, goes_on: Bools) -> F64:
    rate = known.mean(axis=1, keepdims=True).astype(np.float32) * goes_on[:, None]
    return np.concatenate([known, np.repeat(rate, known.shape[1], axis=1)], axis=1)


def _givers(network: Network) -> I64:
    """Return the cell that each cell's primary link comes from, -1 for a purchase or none, shape (n,)."""
    return _of_primary(network, network.options.origin_cell)


def _limited_lanes(network: Network) -> I64:
    """Return the lane of each cell's primary link if its trips limit the cell, else -1, shape (n,)."""
    lane = _of_primary(network, network.options.lane)
    room = network.lanes["trip_capacity_volume"].to_numpy(dtype=np.float64)
    limited = (lane >= 0) & (network.volume > 0)
    limited[limited] = np.isfinite(room[lane[limited]])
    return np.where(limited, lane, -1)


def _of_primary(network: Network, values: I64) -> I64:
    """Return a value of each cell's primary option, -1 without one."""
    option = network.primary_of
    found = np.full(len(option), -1, dtype=np.int64)
    found[option >= 0] = values[option[option >= 0]]
    return found
