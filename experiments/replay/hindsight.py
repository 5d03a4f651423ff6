"""Policies that know more than a planner could: what was really ordered, and what demand was to come."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.errors import ConfigError
from engine.network.links import chain_depth
from engine.policy.types import F64, I64, Days, Texts
from engine.simulation.bucket import Unmet
from experiments.replay.links_then import LinkBook, Links, lines_over
from experiments.replay.view import OrderLines, View
from experiments.replay.walk import Pace, received_on
from experiments.replay.ways import usual_days
from experiments.replay.world import World


@dataclass
class ActualPolicy:
    """Orders what `receipts` say was ordered in the time of the replay; each line arrives when it really did."""

    world: World

    def decide(self, view: View) -> OrderLines:
        """Return the lines that were ordered before the next step; one without a date of ordering, when it came."""
        world, rows = self.world, real_lines(self.world)
        sent = world.bucket_of(rows["ordered_on"].to_numpy().astype("datetime64[D]"))
        return lines_of_receipts(world, rows[(sent >= view.today) & (sent < view.until)])

    def levels(self, view: View) -> F64:
        """Refuse: what was really ordered followed no level that the data tell."""
        raise ConfigError(
            "The first policy gives the stock to open with where stock_history is not given",
            'a policy of kind "actual" or "perfect_foresight"',
            "Name another policy first, or give stock_history",
        )


@dataclass
class ForesightPolicy:
    """Orders just what the time until the next delivery will lack: it knows demand, and when each order arrives.

    With single units, one link a cell and no cost of ordering, no orders cost less; what a site feeds is known by the
    days on which the fed site would send for it.
    """

    world: World
    book: LinkBook
    pace: Pace
    name: str

    def decide(self, view: View) -> OrderLines:
        """Return the orders over each cell's usual link, raised to whole lots."""
        world, links = self.world, self.book.at(view)
        # One unit over every link tells which may order now, and when the order and the next one come.
        trial = lines_over(world, view, links, np.ones(len(links.primary)), self.name)
        options = links.network.options.take(links.primary)
        usual = np.full(world.n_cells, -1)
        usual[links.cell] = np.arange(len(links.cell))
        chosen = usual[trial.cell]
        following = replace(
            trial,
            order_date=options.next_order_date[chosen],
            available_date=options.next_available_date[chosen],
        )
        comes = world.arrival_bucket(received_on(world, trial, self.pace.seed))
        follows = np.maximum(world.arrival_bucket(received_on(world, following, self.pace.seed)), comes + 1)
        demand, presales = (units[trial.cell] for units in self._demand(links, view))
        lacking = np.zeros(world.n_cells)
        span = (comes - view.today, follows - view.today)
        lacking[trial.cell] = _lacking(view, trial.cell, (demand, presales), span, self.pace.unmet)
        return lines_over(world, view, links, lacking[links.cell], self.name)

    def levels(self, view: View) -> F64:
        """Refuse: foresight keeps no level."""
        return ActualPolicy(self.world).levels(view)

    def _demand(self, links: Links, view: View) -> tuple[F64, F64]:
        """Return demand from today on, that of fed cells included as they send for it, and what presales ask for."""
        world, network = self.world, links.network
        demand = world.demand[:, view.today - world.first :].copy()
        orders = view.state.presales
        presales = np.zeros_like(demand) if orders is None else orders.ahead(view.today, demand.shape)
        fed = np.flatnonzero(network.options.origin_cell[links.primary] >= 0)
        options = network.options.take(links.primary[fed])
        n_sites = len(set(network.cells.location_id))
        depth = chain_depth(options.cell, options.origin_cell, network.cells.n_cells, n_sites)
        sent = world.bucket_of(options.order_date) - view.today
        lead = world.arrival_bucket(options.available_date) - view.today - sent
        every, buckets = view.until - view.today, np.arange(demand.shape[1])
        for level in range(int(depth.max(initial=0))):
            for row in np.flatnonzero(depth[options.cell] == level):
                turn = np.maximum((buckets - lead[row] - sent[row]) // every, 0) * every + sent[row]
                giver, taker = links.rows[options.origin_cell[row]], links.rows[options.cell[row]]
                kept = turn < demand.shape[1]
                np.add.at(demand[giver], turn[kept], (demand + presales)[taker, kept])
        return demand, presales


def _lacking(view: View, cell: I64, asked: tuple[F64, F64], span: tuple[I64, I64], unmet: Unmet) -> F64:
    """Return what stock and inbound lack of demand from the order until the next, shape of ``cell``.

    Parameters
    ----------
    asked
        Demand, and what presales ask for, from today on; units, shape (n, n_buckets).
    span
        Buckets from today in which the order and the next one come, each of shape (n,).
    unmet
        What is short before the order comes is owed, and lacks too, where demand is backordered; else it is lost.
        Presale orders are owed always.
    """
    demand, presales = asked
    state, shipments = view.state, view.state.inbound
    comes, follows = span
    n_ahead = min(int(follows.max(initial=0)), demand.shape[1])
    inbound = np.zeros((len(state.on_hand), n_ahead + 1))
    # What stands at the door is taken to come in today.
    at = np.clip(shipments.arrives - view.today, 0, n_ahead)
    np.add.at(inbound, (shipments.lines.cell, at), shipments.lines.units)
    stock = (state.on_hand - state.backlog)[cell]
    lacking = np.zeros(len(cell))
    for bucket in range(n_ahead):
        before = stock + inbound[cell, bucket] - presales[:, bucket]
        stock = before - demand[:, bucket]
        answered = (bucket >= comes) & (bucket < follows)
        if unmet != "backordered":
            # What is short before the order comes is lost, and what it will bring is not short.
            stock = np.where(answered, stock, np.maximum(stock, np.minimum(before, 0.0)))
        lacking = np.maximum(lacking, np.where(answered, -stock, 0.0))
    return lacking


def real_lines(world: World) -> pd.DataFrame:
    """Return the receipts at the world's cells, ``ordered_on`` filled with the day of arrival where it is not given.

    ``part`` counts the receipts of one order line, so that their ids need not tell the day of arrival.
    """
    rows = world.receipts
    known = rows["item_id"].notna() & rows["location_id"].notna() & (rows["units"] > 0)
    rows = rows[known.to_numpy(bool)]
    cell = world.rows_of(rows["item_id"], rows["location_id"])
    part = rows.groupby(["order_id", "line_no"], dropna=False).cumcount()
    rows = rows.assign(cell=cell, part=part, ordered_on=rows["ordered_on"].fillna(rows["received_on"]))
    return rows[cell >= 0].reset_index(drop=True)


def lines_of_receipts(world: World, rows: pd.DataFrame) -> OrderLines:
    """Return receipts as lines that arrive when they really did, and were due a usual lead time after their order."""
    source = rows["source_id"].astype(object).fillna("").to_numpy(object)
    origin = world.rows_of(rows["item_id"], source)
    days = {name: rows[name].to_numpy().astype("datetime64[D]") for name in ("ordered_on", "received_on")}
    cell = rows["cell"].to_numpy(np.int64)
    due: Days = days["ordered_on"] + usual_days(world.network, source, cell).astype("timedelta64[D]")
    parts = (rows["order_id"], rows["line_no"], rows["part"])
    return OrderLines(
        line_id=np.array(["/".join(map(str, one)) for one in zip(*parts, strict=True)], object),
        cell=cell,
        origin=origin,
        source_id=source,
        units=rows["units"].to_numpy(np.float64),
        unit_cost=_unit_costs(world, source, cell, origin),
        order_date=days["ordered_on"],
        available_date=due,
        received_on=days["received_on"],
        promise=np.full(len(rows), np.nan),
    )


def _unit_costs(world: World, source: Texts, cell: I64, origin: I64) -> F64:
    """Return what a unit costs over each line's link; without such a link its unit cost if bought, nothing if moved."""
    options, cells = world.network.options, world.network.cells
    index = pd.MultiIndex.from_arrays([options.source_id, options.cell])
    found = index.get_indexer(pd.MultiIndex.from_arrays([source, cell]))
    usual = np.where(origin >= 0, 0.0, np.nan_to_num(cells.unit_cost[cell], nan=0.0))
    if not len(options.cell):
        return usual
    return np.where(found >= 0, options.unit_cost[np.maximum(found, 0)], usual)
