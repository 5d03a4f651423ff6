"""The room of sites that state how much they hold, and what became of goods that found none.

Every policy is held to it: what does not fit beside the stock of a day or week waits at the door
(`engine.simulation.door`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.messages import Message
from engine.network.types import Network
from engine.policy.types import F64, Bools, Texts
from engine.simulation import Room, Trace
from engine.tables import Tables

_FIGURES = (
    *("capacity_volume", "mean_volume", "most_volume", "share_over"),
    *("waited_units", "waited_volume", "waited_days", "most_waiting_volume", "share_waiting"),
)
COLUMNS = ("policy", "demand_as", "location_id", *_FIGURES)


@dataclass(frozen=True)
class SiteRoom:
    """Sites that state their room: their names, shape (k,), and the room itself by their order."""

    location_id: Texts
    room: Room


def site_room(tables: Tables, network: Network) -> SiteRoom | None:
    """Return the room that the data state, for the cells of a network; None where no site states any."""
    stated = tables["locations"].dropna(subset=["capacity_volume"])
    if stated.empty:
        return None
    cells = network.cells
    volume = tables["items"].set_index("item_id")["volume"].reindex(cells.item_id).to_numpy(np.float64, na_value=0.0)
    site = pd.Index(stated["location_id"].astype(object)).get_indexer(pd.Index(cells.location_id)).astype(np.int64)
    capacity = stated["capacity_volume"].to_numpy(np.float64)
    return SiteRoom(stated["location_id"].to_numpy(object), Room(capacity, site, volume, ~cells.divisible))


def opening_above(room: SiteRoom | None, on_hand: F64) -> tuple[Message, ...]:
    """Return at how many sites the stock to open with, units of every cell, takes more than the site holds."""
    if room is None:
        return ()
    over = np.flatnonzero(_above(room, room.room.used(on_hand)))
    if not len(over):
        return ()
    return (Message("replay-opening-above-room", {"count": len(over), "first": str(room.location_id[over[0]])}),)


def room_rows(room: SiteRoom | None, trace: Trace, policy: str, assumption: str, bucket_days: int) -> pd.DataFrame:
    """Return a row a site: what it held, and what waited at its door.

    The volume of a bucket is that of its opening stock and all that is taken in, before anything leaves: as full as it
    gets. Mean and most of it, and the share of buckets in which it was more than the site holds, which only what it
    opened with can make it. Then the units and volume that waited for a bucket or more, for how many days their volume
    did on average (NaN where none waited), the most volume at the door at the end of a bucket, and the share of buckets
    at whose end something stood there.
    """
    names = np.zeros(0, object) if room is None else room.location_id
    figures = dict.fromkeys(_FIGURES, np.zeros(0)) if room is None else _figures(room, trace, bucket_days)
    sites = {"location_id": pd.array(names, dtype="string[pyarrow]"), **figures}
    return pd.DataFrame({"policy": policy, "demand_as": assumption, **sites}, columns=list(COLUMNS))


def _figures(room: SiteRoom, trace: Trace, bucket_days: int) -> dict[str, F64]:
    if trace.door is None:
        raise ValueError("a trace must tell of doors where sites state their room. Got none instead.")
    door, used = trace.door, room.room.used
    opening = np.column_stack([trace.opening, trace.closing[:, :-1]])
    volume, waiting = used(opening + door.taken_in), used(door.waiting)
    waited = door.opening + door.held_up.sum(axis=1)
    inside = np.flatnonzero(room.room.site >= 0)
    units = np.bincount(room.room.site[inside], weights=waited[inside], minlength=len(room.location_id))
    waited_volume, days = used(waited), waiting.sum(axis=1) * bucket_days
    return {
        "capacity_volume": room.room.capacity,
        "mean_volume": volume.mean(axis=1),
        "most_volume": volume.max(axis=1),
        "share_over": _above(room, volume.T).mean(axis=0),
        "waited_units": units.astype(np.float64),
        "waited_volume": waited_volume,
        "waited_days": np.divide(days, waited_volume, out=np.full(len(days), np.nan), where=waited_volume > 0),
        "most_waiting_volume": waiting.max(axis=1),
        "share_waiting": (waiting > 0).mean(axis=1),
    }


def _above(room: SiteRoom, volume: F64) -> Bools:
    """Return where volumes, sites last, are more than the sites hold."""
    return np.asarray(volume > room.room.capacity * (1 + 1e-9) + 1e-9)
