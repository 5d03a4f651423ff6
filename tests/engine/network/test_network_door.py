"""Inbound at sites that state their room: told where data tell of goods at doors, a contradiction where they do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.errors import ContradictionError
from engine.network.open_orders import open_lines
from engine.network.types import Network
from engine.plan.join import late_inbound
from engine.tables import Tables
from tests.engine.network.test_network_build import build, codes, table, tables

BOTH = (("A", "W"), ("B", "W"))
NEVER = pd.NaT


def day(number: int) -> pd.Timestamp:
    return pd.Timestamp("2025-10-27") + pd.Timedelta(days=number)


def lines(*rows: tuple[str, float, pd.Timestamp, pd.Timestamp], told: bool = True) -> pd.DataFrame:
    """Return open orders of (item, units, due, at the door since)."""
    item, units, due, arrived = zip(*rows, strict=True)
    frame = pd.DataFrame(
        {
            "order_id": [f"O{k}" for k in range(len(rows))], "item_id": item, "location_id": "W", "source_id": "S",
            "units": units, "due_date": due, "arrived_on": pd.array(arrived, dtype="datetime64[ns]"),
        }
    )  # fmt: skip
    return frame if told else frame.drop(columns="arrived_on")


def world(orders: pd.DataFrame, on_hand: tuple[float, float] = (0.0, 0.0)) -> dict[str, pd.DataFrame]:
    """Return a site that holds a volume of 10; a unit of A takes 2, one of B takes 1."""
    return {
        "locations": table("location_id capacity_volume", ("W", 10.0)),
        "items": table("item_id volume", ("A", 2.0), ("B", 1.0)),
        "inventory": table("item_id location_id on_hand", ("A", "W", on_hand[0]), ("B", "W", on_hand[1])),
        "open_orders": orders,
    }


def network(orders: pd.DataFrame, on_hand: tuple[float, float] = (0.0, 0.0)) -> Network:
    return build(at=BOTH, **world(orders, on_hand))


def arrivals(found: Network) -> dict[str, dict[int, float]]:
    """Return the units of each item by the days on which they come."""
    return {
        item: {int(bucket): float(units) for bucket, units in enumerate(row) if units}
        for item, row in zip(found.cells.item_id, found.cells.arrivals, strict=True)
    }


def test_goods_at_the_door_are_not_late_and_come_in_today_as_far_as_stock_leaves_room():
    found = network(lines(("A", 2.0, day(-9), day(-7)), ("B", 4.0, day(-9), day(-7))), on_hand=(1.0, 3.0))
    # Volume 5 is taken: both of A fit (4) and one of B; the others may come in tomorrow.
    assert arrivals(found) == {"A": {0: 2.0}, "B": {0: 1.0, 1: 3.0}}
    notes = codes(found)
    assert notes["inbound-waits-for-room"] == {"count": 1, "units": 3.0, "first": "B @ W"}
    assert "late-inbound-redated" not in notes


def test_inbound_of_a_day_above_the_room_is_spread_over_the_days_that_hold_it_first_come_first():
    found = network(lines(("A", 8.0, day(2), NEVER), ("B", 3.0, day(3), NEVER), ("B", 1.0, day(9), NEVER)))
    # 5 of A fill day 2; the other 3 (6) leave room for 3 of B on day 3, who came after them.
    assert arrivals(found) == {"A": {2: 5.0, 3: 3.0}, "B": {3: 3.0, 9: 1.0}}


@pytest.mark.parametrize("volume", [10.0, 11.0])
def test_what_the_empty_site_does_not_hold_never_comes_in(volume: float):
    frames = world(lines(("A", 1.0, day(2), NEVER), ("B", 10.0, day(2), NEVER)))
    frames["items"] = table("item_id volume", ("A", volume), ("B", 1.0))
    expected = {"A": {2: 1.0}, "B": {3: 10.0}} if volume == 10 else {"A": {}, "B": {2: 10.0}}
    assert arrivals(build(at=BOTH, **frames)) == expected


def test_where_all_fits_nothing_is_changed_or_told():
    orders = lines(("A", 3.0, day(2), NEVER), ("B", 4.0, day(2), NEVER))
    found = network(orders)
    assert arrivals(found) == arrivals(network(orders.drop(columns="arrived_on")))
    assert "inbound-waits-for-room" not in codes(found)


def test_without_a_word_on_doors_inbound_above_the_room_is_refused_as_ever():
    with pytest.raises(ContradictionError, match="Firm inbound must fit into its site"):
        network(lines(("A", 6.0, day(2), NEVER), told=False))


def test_a_line_at_the_door_is_neither_late_nor_open_to_change_and_has_left_its_origin():
    rows = (("A", 2.0, day(-3), day(-1)), ("B", 2.0, day(4), day(0)), ("B", 1.0, day(5), NEVER))
    orders = lines(*rows)
    found, data = network(orders), Tables.of(dict(tables(**world(orders)).frames) | world(orders))
    assert open_lines(data, found)[0].order_id.tolist() == ["O2"]
    assert late_inbound(data, found).order_id.tolist() == []
    late = late_inbound(Tables.of(dict(data.frames) | {"open_orders": orders.assign(arrived_on=pd.NaT)}), found)
    assert late.order_id.tolist() == ["O0"]
    # The origin has nothing: of what is still to leave nothing comes.
    moved = orders.assign(kind="transfer", source_id="C", status="firm")
    assert np.array_equal(network(moved).cells.arrivals.sum(axis=1)[[1, 3]], [2.0, 2.0])
