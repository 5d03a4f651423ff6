"""When inbound comes in where sites hold no more than they state and what has no room waits at their doors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.messages import Message
from engine.network.stock import StockState
from engine.network.types import Keys
from engine.policy.types import F64, Bools
from engine.simulation.door import DoorQueue, Room
from engine.tables import Tables


def expected_with_room(
    tables: Tables, stock: StockState, keys: Keys, volume: F64, divisible: Bools
) -> tuple[StockState, list[Message]]:
    """Return the stock with inbound expected when its site could hold it, and what that changed.

    Only where data tell of goods at doors (``open_orders.arrived_on``); without that inbound above a site's room is a
    contradiction (`engine.network.contradictions`). Today a site has the room that its stock leaves, from tomorrow on
    all of it, since nothing says yet what will sell: so this is the first day on which goods can come in.

    Parameters
    ----------
    stock
        As it is, with inbound when it comes to the doors.
    keys, volume, divisible
        Of every cell: item and location, volume of a unit (0 where not given), and whether units may be parted.
    """
    sites = tables["locations"].dropna(subset=["capacity_volume"])
    if not tables.has("open_orders", "arrived_on") or sites.empty:
        return stock, []
    names = sites["location_id"].to_numpy(object)
    number = dict(zip(names, range(len(names)), strict=True))
    site = np.array([number.get(place, -1) for place in keys[1]], np.int64)
    queue = DoorQueue(Room(sites["capacity_volume"].to_numpy(np.float64), site, volume, ~divisible))
    arrivals, on_hand = np.zeros_like(stock.arrivals), stock.available
    for bucket in range(arrivals.shape[1]):
        arrivals[:, bucket], _ = queue.taken_in(bucket, on_hand, stock.arrivals[:, bucket])
        on_hand = np.zeros_like(on_hand)
    behind = (np.cumsum(stock.arrivals, axis=1) - np.cumsum(arrivals, axis=1)).max(axis=1, initial=0.0)
    waits = np.flatnonzero(behind > 0)
    if not len(waits):
        return stock, []
    first = f"{keys[0][waits[0]]} @ {keys[1][waits[0]]}"
    note = Message("inbound-waits-for-room", {"count": len(waits), "units": float(behind.sum()), "first": first})
    return replace(stock, arrivals=arrivals), [note]
