"""The volume of a walk at sites that state their room, and what waited at their doors, worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.simulation import DoorTrace, Room, Trace
from engine.tables import Tables
from experiments.replay.site_room import COLUMNS, SiteRoom, opening_above, room_rows, site_room
from tests.replays import small_frames, small_world

ROOM = SiteRoom(
    np.array(["P"], object),
    Room(np.array([14.0]), np.array([0, 0, -1]), np.array([1.0, 3.0, 100.0]), np.ones(3, bool)),
)


def test_volume_is_counted_when_a_site_is_fullest_with_what_came_in_and_before_what_leaves():
    closing = np.array([[4.0, 1.0, 6.0], [2.0, 2.0, 0.0], [9.0, 9.0, 9.0]])
    taken = np.array([[0.0, 2.0, 5.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    zero = np.zeros((3, 3))
    held_up = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    waiting = np.array([[2.0, 3.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    door = DoorTrace(np.array([2.0, 0.0, 0.0]), taken, held_up, waiting)
    trace = Trace(
        5, np.array([4.0, 2.0, 9.0]), zero, zero, zero, zero, taken + 1.0, zero, zero, closing, zero, None, door
    )
    (row,) = room_rows(ROOM, trace, "ours", "sales", 7).to_dict("records")
    # Openings 4, 4, 1 and 2, 2, 2 with what is taken in: volumes 10, 12 and 21; what others served took no room. Two of
    # the first item stood at the door before, one more and two of the second came: 3 + 6 waited, 2, 3 and 6 each week.
    assert row == {
        "policy": "ours",
        "demand_as": "sales",
        "location_id": "P",
        "capacity_volume": 14.0,
        "mean_volume": 43.0 / 3,
        "most_volume": 21.0,
        "share_over": 1.0 / 3,
        "waited_units": 5.0,
        "waited_volume": 9.0,
        "waited_days": 7 * 11.0 / 9,
        "most_waiting_volume": 6.0,
        "share_waiting": 1.0,
    }


def test_the_room_is_that_of_the_data_and_an_item_without_a_volume_takes_none():
    frames = small_frames()
    sites = pd.DataFrame({"location_id": ["P", "elsewhere"], "capacity_volume": [20.0, np.nan]})
    items = frames["items"].assign(volume=[0.5, *[np.nan] * (len(frames["items"]) - 1)])
    network = small_world().network
    found = site_room(Tables.of({**frames, "locations": sites, "items": items}), network)
    assert found is not None
    assert (found.location_id.tolist(), found.room.capacity.tolist()) == (["P"], [20.0])
    cells = network.cells
    np.testing.assert_array_equal(found.room.site, np.where(cells.location_id == "P", 0, -1))
    np.testing.assert_array_equal(found.room.volume, np.where(cells.item_id == items["item_id"].iloc[0], 0.5, 0.0))
    assert found.room.whole.all()


def test_without_a_stated_room_there_is_no_row():
    world = small_world()
    assert world.room is None
    zero = np.zeros((world.n_cells, 2))
    rows = room_rows(None, Trace(0, zero[:, 0], *[zero] * 9), "ours", "sales", 7)
    assert rows.empty
    assert tuple(rows.columns) == COLUMNS


def test_an_opening_above_the_room_is_told():
    (note,) = opening_above(ROOM, np.array([6.0, 3.0, 0.0]))
    assert (note.code, dict(note.values)) == ("replay-opening-above-room", {"count": 1, "first": "P"})
    assert opening_above(ROOM, np.array([5.0, 3.0, 9.0])) == ()
    assert opening_above(None, np.ones(3)) == ()
