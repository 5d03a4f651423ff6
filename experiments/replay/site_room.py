"""Whether stock fits: volume at sites that state how much they hold, at its fullest of every bucket.

No policy of a replay is shown the room of a site and none is held to it, so all are compared on equal terms; what each
would have needed is told here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.policy.types import F64, I64, Texts
from engine.simulation import Trace
from engine.tables import Tables
from experiments.replay.world import World

COLUMNS = ("policy", "demand_as", "location_id", "capacity_volume", "mean_volume", "most_volume", "share_over")


@dataclass(frozen=True)
class SiteRoom:
    """Sites that state their room.

    Parameters
    ----------
    location_id, capacity
        Names and volumes, shape (k,).
    site
        Number of each cell's site among them, -1 for none, shape (n_cells,).
    volume
        Of a unit of each cell, 0 where the item states none, shape (n_cells,).
    """

    location_id: Texts
    capacity: F64
    site: I64
    volume: F64


def site_room(tables: Tables, world: World) -> SiteRoom:
    """Return the room that the data state, for the cells of a world."""
    stated = tables["locations"].dropna(subset=["capacity_volume"])
    cells = world.network.cells
    volume = tables["items"].set_index("item_id")["volume"].reindex(cells.item_id).to_numpy(np.float64, na_value=0.0)
    site = pd.Index(stated["location_id"].astype(object)).get_indexer(pd.Index(cells.location_id))
    capacity = stated["capacity_volume"].to_numpy(np.float64)
    return SiteRoom(stated["location_id"].to_numpy(object), capacity, site.astype(np.int64), volume)


def room_rows(room: SiteRoom, trace: Trace, policy: str, assumption: str) -> pd.DataFrame:
    """Return a row a site: its room, the mean and most volume at it, and the share of buckets in which that was more.

    A bucket's volume is that of its opening stock and all that comes in, before anything leaves: as full as it gets.
    """
    opening = np.column_stack([trace.opening, trace.closing[:, :-1]])
    volume = np.zeros((len(room.capacity), trace.closing.shape[1]))
    inside = np.flatnonzero(room.site >= 0)
    np.add.at(volume, room.site[inside], room.volume[inside, None] * (opening + trace.received)[inside])
    over = volume > room.capacity[:, None] * (1 + 1e-9)
    return pd.DataFrame(
        {
            "policy": policy,
            "demand_as": assumption,
            "location_id": pd.array(room.location_id, dtype="string[pyarrow]"),
            "capacity_volume": room.capacity,
            "mean_volume": volume.mean(axis=1),
            "most_volume": volume.max(axis=1),
            "share_over": over.mean(axis=1),
        },
        columns=list(COLUMNS),
    )
