"""The volume that a walk would have needed at sites that state their room, worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.simulation import Trace
from engine.tables import Tables
from experiments.replay.site_room import SiteRoom, room_rows, site_room
from tests.replays import small_frames, small_world


def test_volume_is_counted_when_a_site_is_fullest_with_what_came_in_and_before_what_leaves():
    closing = np.array([[4.0, 1.0, 6.0], [2.0, 2.0, 0.0], [9.0, 9.0, 9.0]])
    received = np.array([[0.0, 2.0, 5.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    zero = np.zeros((3, 3))
    trace = Trace(5, np.array([4.0, 2.0, 9.0]), zero, zero, zero, zero, received, zero, zero, closing, zero)
    room = SiteRoom(np.array(["P"], object), np.array([14.0]), np.array([0, 0, -1]), np.array([1.0, 3.0, 100.0]))
    (row,) = room_rows(room, trace, "ours", "sales").to_dict("records")
    # Openings 4, 4, 1 and 2, 2, 2 with what comes in: volumes 10, 12 and 21; the third cell lies at another site.
    assert row == {
        "policy": "ours",
        "demand_as": "sales",
        "location_id": "P",
        "capacity_volume": 14.0,
        "mean_volume": 43.0 / 3,
        "most_volume": 21.0,
        "share_over": 1.0 / 3,
    }


def test_the_room_is_that_of_the_data_and_an_item_without_a_volume_takes_none():
    frames = small_frames()
    sites = pd.DataFrame({"location_id": ["P", "elsewhere"], "capacity_volume": [20.0, np.nan]})
    items = frames["items"].assign(volume=[0.5, *[np.nan] * (len(frames["items"]) - 1)])
    world = small_world()
    room = site_room(Tables.of({**frames, "locations": sites, "items": items}), world)
    assert (room.location_id.tolist(), room.capacity.tolist()) == (["P"], [20.0])
    cells = world.network.cells
    np.testing.assert_array_equal(room.site, np.where(cells.location_id == "P", 0, -1))
    np.testing.assert_array_equal(room.volume, np.where(cells.item_id == items["item_id"].iloc[0], 0.5, 0.0))


def test_without_a_stated_room_there_is_no_row():
    world = small_world()
    room = site_room(Tables.of(small_frames()), world)
    zero = np.zeros((world.n_cells, 2))
    trace = Trace(0, zero[:, 0], *[zero] * 9)
    assert room_rows(room, trace, "ours", "sales").empty
