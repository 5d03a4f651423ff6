"""What would be moved today if a presale were placed by the historical share of its sites, for comparison."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.network.formulate import trips_of
from engine.network.presale import Presale
from engine.network.types import Network
from engine.policy.types import F64, I64

_NOISE = 1e-6


def historical_moves(presale: Presale, network: Network, needs: pd.DataFrame, ordinary: F64, bought: F64) -> F64:
    """Return units of today's lanes, shape (m,), that place presales by the historical share of each site.

    Of every item all that its presales need, the later ones too, is divided by share for the first day of shipping.
    Sites that hold less than their part get what is missing from those that hold more, over the lanes that land by
    then, the one with the lowest cost of a unit, its trip included, first; a trip carries no more than its volume.

    Parameters
    ----------
    presale, network
        Presales with the shares of sites, cells and options.
    needs
        Units by presale, item, region and site (`engine.network.presale_allocation.presale_needs`).
    ordinary
        Mean demand of all cells other than presales, without what is sent today, shape (n, horizon).
    bought
        Units of today's purchases, shape (m,).
    """
    cells, options = network.cells, network.options
    share = np.zeros(cells.n_cells)
    share[presale.shares["cell"].to_numpy(np.int64)] = presale.shares["share"].to_numpy(np.float64)
    trip, room, trip_cost = trips_of(network)
    volume = network.volume[options.cell]
    size = np.where(options.multiple > 0, options.multiple, cells.step[options.cell])
    units = np.zeros(options.n_options)
    for item, rows in needs.groupby("item_id", sort=True):
        here = np.flatnonzero(cells.item_id == item)
        day = int(rows["bucket"].min())
        stock = _stock_then(network, here, ordinary, bought, day)
        need = float(rows["units"].sum()) * share[here]
        missing, spare = (np.zeros(cells.n_cells) for _ in range(2))
        missing[here], spare[here] = np.maximum(need - stock, 0.0), np.maximum(stock - need, 0.0)
        ways = np.flatnonzero((options.origin_cell >= 0) & (options.arrival <= day) & np.isin(options.cell, here))
        giver, cell = options.origin_cell[ways], options.cell[ways]
        held = cells.available[giver] + np.array(
            [cells.arrivals[at, : until + 1].sum() for at, until in zip(giver, options.send_bucket[ways], strict=True)]
        )
        while len(ways):
            sent = np.array([units[options.origin_cell == at].sum() for at in giver])
            fits = np.divide(room[trip[ways]], volume[ways], out=np.full(len(ways), np.inf), where=volume[ways] > 0)
            most = np.minimum.reduce([missing[cell], spare[giver], held - sent, options.max_units[ways], fits])
            moved = np.floor(most / size[ways] + _NOISE) * size[ways]
            can = (moved > 0) & (moved >= options.min_units[ways]) & (units[ways] == 0)
            if not can.any():
                break
            price = np.where(can, options.unit_cost[ways] + trip_cost[trip[ways]] / np.where(can, moved, 1.0), np.inf)
            best = int(np.argmin(price))
            units[ways[best]] = moved[best]
            missing[cell[best]] -= moved[best]
            spare[giver[best]] -= moved[best]
            room[trip[ways[best]]] -= moved[best] * volume[ways[best]]
    return units


def _stock_then(network: Network, rows: I64, ordinary: F64, bought: F64, day: int) -> F64:
    """Return mean stock of some cells on a day, receipts of that day included, ordinary demand before it served."""
    cells, options = network.cells, network.options
    arriving = cells.arrivals[rows].copy()
    place = np.full(cells.n_cells, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    lands = np.flatnonzero((bought > 0) & (options.origin_cell < 0) & (options.arrival < network.horizon))
    lands = lands[place[options.cell[lands]] >= 0]
    np.add.at(arriving, (place[options.cell[lands]], options.arrival[lands]), bought[lands])
    stock = cells.net[rows].copy()
    for bucket in range(day + 1):
        stock = stock + arriving[:, bucket]
        if bucket < day:
            stock = np.where(stock < 0, stock, np.maximum(stock - ordinary[rows, bucket], 0.0))
    return np.asarray(np.maximum(stock, 0.0))
