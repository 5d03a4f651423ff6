"""What fed cells ask for again where their feeder cannot give it before its own next order lands.

Customers who find nothing walk away; a cell that asks its feeder and gets nothing asks again on its next order day,
less what its own customers did not wait for. So on paths on which a feeder runs short before its next delivery, its
receivers are followed once more, sharing until then what it has (`engine.network.feeding`). The feeder's demand then
holds what they get, and from the delivery on all that they ask for, with what they still lack: that is what its order
answers for. Customers of its own are served after its receivers, and lost.

A feeder without customers of its own owes whatever it cannot give, so its levels and its interval are read as with
backorders (`Scenarios.owed`). One with customers of its own is judged as the rule says: what it lacks within the
interval counts as lost. The least-cost solutions (`engine.network.expected`) take neither: there help may come first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.feeding import Feeding, blocks
from engine.network.follow import LaterOrders, follow, later_orders, with_idle
from engine.network.types import Network
from engine.policy.types import F32, F64, I64, Bools, Options, Scenarios, StockRule, Targets

_SHORT = 1e-6


@dataclass(frozen=True)
class AskedAgain:
    """What targets read instead of later orders that are served in full.

    Parameters
    ----------
    cell
        Feeders that run short before their next delivery, ascending, shape (k,).
    paths
        Their demand, without what is sent today, shape (k, P, H).
    owed
        Feeders without customers of their own, shape (n,); None: nothing is asked again.
    """

    cell: I64
    paths: F32
    owed: Bools | None = None

    def into(self, scenarios: Scenarios, options: Options, units: F64) -> Scenarios:
        """Return scenarios, which hold that today's options bring ``units``, with what is asked again."""
        found = replace(scenarios, owed=self.owed)
        if not len(self.cell):
            return found
        again = self.paths.copy()
        add_sends(again, self.cell, options, units)
        paths = scenarios.paths.copy()
        paths[self.cell] = again
        return replace(found, paths=paths)

    def shifted(self, cells: I64, change: F32) -> AskedAgain:
        """Return the same with demand of some cells, ascending, moved by ``change`` (c, P, H)."""
        rows = np.flatnonzero(np.isin(self.cell, cells))
        if not len(rows):
            return self
        paths = self.paths.copy()
        paths[rows] = np.maximum(paths[rows] + change[np.searchsorted(cells, self.cell[rows])], 0.0)
        return replace(self, paths=paths)

    def without(self, cells: I64) -> AskedAgain:
        """Return the same without some feeders."""
        kept = ~np.isin(self.cell, cells)
        return replace(self, cell=self.cell[kept], paths=self.paths[kept])

    def beside(self, cell: I64, paths: F32) -> AskedAgain:
        """Return the same with further feeders."""
        if not len(self.cell):
            return replace(self, cell=cell, paths=paths)
        joined = np.concatenate([self.cell, cell])
        order = np.argsort(joined, kind="stable")
        return replace(self, cell=joined[order], paths=np.concatenate([self.paths, paths])[order])


NOT_AGAIN = AskedAgain(np.zeros(0, dtype=np.int64), np.zeros((0, 1, 0), dtype=np.float32))


def add_sends(paths: F32, cells: I64, options: Options, units: F64) -> None:
    """Add units sent over lanes to the paths of ``cells`` that give them, in the bucket of the send day."""
    gives = np.isin(options.origin_cell, cells) & (units != 0) & (options.send_bucket < paths.shape[2])
    for row in np.flatnonzero(gives).tolist():
        paths[np.searchsorted(cells, options.origin_cell[row]), :, options.send_bucket[row]] += np.float32(units[row])


def sold_and_given(
    network: Network,
    targets: Targets,
    rows: I64,
    demand: tuple[Scenarios, Scenarios, Scenarios],
    given: tuple[F64, F64, F64],
    rule: StockRule,
) -> tuple[I64, F32]:
    """Return the feeders of the targets' ``rows`` that run short before their next delivery, and their demand.

    Parameters
    ----------
    network, targets
        Cells and options, and the levels of all primary options; ``rows`` are all receivers of their feeders.
    demand
        Own demand; later demand, with what receivers order if they are served in full; the same with today's units sent
        and what is asked again of receivers that are feeders themselves.
    given
        Units of today's options (m,), stock arriving by bucket with them (n, H), and mean demand by cell (n, H), which
        receivers' levels are read from.
    rule
        What becomes of unmet demand.
    """
    own, full, now = demand
    units, arriving, mean = given
    options = network.options
    origin = options.origin_cell[targets.option[rows]]
    feeders = np.unique(origin)
    feeders = feeders[network.primary_of[feeders] >= 0]
    asked = full.paths[feeders]
    add_sends(asked, feeders, options, units)
    feeders = feeders[_short(network, now, asked, feeders, arriving)]
    rows = rows[np.isin(origin, feeders)]
    paths = own.paths[feeders].copy()
    if not len(feeders):
        return feeders, paths
    place = np.searchsorted(feeders, options.origin_cell[targets.option[rows]])
    family = np.concatenate([place, np.arange(len(feeders))])
    sent = np.zeros_like(arriving)
    gives = np.flatnonzero((options.origin_cell >= 0) & (options.send_bucket < now.horizon))
    np.add.at(sent, (options.origin_cell[gives], options.send_bucket[gives]), units[gives])
    for block in blocks(family, now.n_paths * (now.horizon + 1)):
        fed, at = np.sort(block[block < len(rows)]), np.sort(block[block >= len(rows)]) - len(rows)
        later = with_idle(later_orders(network, targets, rows[fed], mean), feeders[at])
        feeding = _until_delivery(network, now, later, np.searchsorted(at, place[fed]))
        leaving = np.concatenate([now.paths[later.cell[: len(fed)]], own.paths[feeders[at]]])
        stock = arriving[later.cell]
        stock[len(fed) :] -= sent[feeders[at]]
        given_later = follow(network, later, leaving, stock, rule, feeding=feeding).ordered[: len(fed)]
        add_orders(paths, place[fed], later, given_later)
    return feeders, paths


def add_orders(paths: F32, at: I64, later: LaterOrders, ordered: F64) -> None:
    """Add orders (r, P, J) to the paths of their givers, rows ``at`` (r,), in the buckets of their days."""
    for step in range(later.n_steps):
        inside = np.flatnonzero(later.bucket[: len(at), step] < paths.shape[2])
        for row in inside.tolist():
            paths[at[row], :, later.bucket[row, step]] += ordered[row, :, step].astype(np.float32)


def _short(network: Network, now: Scenarios, asked: F32, feeders: I64, arriving: F64) -> Bools:
    """Return which feeders cannot give, on some path, all that is ``asked`` (k, P, H) before their next delivery."""
    stock = np.repeat(network.cells.net[feeders, None], now.n_paths, axis=1)
    lands = now.arrival[network.primary_of[feeders]]
    short = np.zeros(stock.shape, dtype=bool)
    for t in range(min(int(lands.max(initial=0)), now.horizon)):
        stock += arriving[feeders, t, None] - asked[:, :, t]
        short |= (stock < -_SHORT) & (t < lands)
    return np.asarray(short.any(axis=1))


def _until_delivery(network: Network, now: Scenarios, later: LaterOrders, giver: I64) -> Feeding:
    """Return who feeds whom, where feeders (the last rows) have all that is asked once their next order lands."""
    n_fed, n_rows = len(giver), len(later.cell)
    has_all = np.zeros((n_rows, now.n_paths), dtype=np.int64)
    has_all[n_fed:] = now.arrival[network.primary_of[later.cell[n_fed:]]]
    none = np.zeros(n_rows)
    return Feeding(
        giver=np.concatenate([n_fed + giver, np.full(n_rows - n_fed, -1)]),
        step=network.cells.step[later.cell],
        lane=np.full(n_rows, -1),
        volume=none,
        room=none[:0],
        has_all=has_all,
    )
