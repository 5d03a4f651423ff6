"""Orders before a closure, and orders for the last time: steady demand of two units a day, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.policy.types import Scenarios
from tests.engine.network.supplier_worlds import decide, frame, level_scenarios, world

ENDING = frame("item_id unit_cost unit_price end_date", ("A", 4.0, 10.0, pd.Timestamp("2025-12-31")))


def decided(on_hand=10.0, min_stock=0.0, objective="cycle_service", **frames):
    """Return the network and the decision; an order of the 27th of October can be sold from the first of November."""
    if min_stock:
        frames["item_locations"] = frame("item_id location_id min_stock", ("A", "W", min_stock))
    network = world(objective, 1, stock=[on_hand], **frames)
    paths = np.full((1, 3, network.horizon), 2.0, dtype=np.float32)
    paths[:, :, network.cells.end_bucket[0] :] = 0.0
    decision, _, _ = decide(network, level_scenarios(network, paths), objective)
    return network, decision


def closed(start, end, blocks=None):
    return frame("place_id start_date end_date blocks", ("S", pd.Timestamp(start), pd.Timestamp(end), blocks))


def codes(network):
    return {note.code for note in network.notes}


@pytest.mark.parametrize("objective", ["cycle_service", "fill_rate"])
@pytest.mark.parametrize(
    ("start", "end", "blocks", "days"),
    [
        # The supplier takes no orders until the first of December: the next one is there on the seventh.
        ("2025-10-29", "2025-12-01", "ordering", 36),
        # It takes them, and ships none: what is ordered on the third of November comes five days after the first
        # of December.
        ("2025-10-29", "2025-11-30", "shipping", 35),
        # Closed on a day on which nothing is ordered or sent.
        ("2025-10-29", "2025-10-30", None, 7),
    ],
)
def test_the_order_before_a_closure_lasts_until_the_first_arrival_after_it(objective, start, end, blocks, days):
    _, decision = decided(objective=objective, closures=closed(start, end, blocks))
    wanted = 2 * days if objective == "cycle_service" else np.ceil(0.9 * 2 * days)
    assert decision.units.tolist() == [wanted]


def test_a_place_that_does_not_receive_is_stocked_ahead():
    away = closed("2025-11-05", "2025-11-20", "receiving").assign(place_id="W")
    _, decision = decided(closures=away)
    # What is ordered on the third of November would come on the eighth, and comes on the twenty-first.
    assert decision.units.tolist() == [2 * 20]


def test_the_last_order_of_a_supplier_lasts_until_the_item_ends():
    network, decision = decided(items=ENDING, closures=closed("2025-10-28", "2035-12-31"))
    assert "last-time-buy" in codes(network)
    assert decision.units.tolist() == [2 * 61]  # November and December


def test_a_supplier_that_closes_for_good_without_an_end_of_sale_is_left_out_and_told():
    network = world("cycle_service", 1, closures=closed("2025-10-28", "2035-12-31"))
    assert "closed-link" in codes(network)
    assert network.options.n_options == 0


@pytest.mark.parametrize(("end", "units"), [("2025-11-03", 6), ("2025-10-31", 0), ("2025-10-29", 0)])
def test_nothing_arrives_after_the_end_of_sale(end, units):
    ending = ENDING.assign(end_date=pd.Timestamp(end))
    _, decision = decided(items=ending, min_stock=0.0)
    assert decision.units.tolist() == [units]
    if not units:
        _, kept = decided(items=ending, min_stock=5.0)
        assert kept.units.tolist() == [0]


def test_small_orders_are_placed_as_often_as_they_are_needed():
    network = world("cycle_service", 1, stock=[2.0])
    daily = replace(network.options, arrival=np.array([1]), next_arrival=np.array([2]))
    paths = np.full((1, 3, network.horizon), 2.0, dtype=np.float32)
    first, second = (np.full((1, 3), bucket, dtype=np.int32) for bucket in (1, 2))
    scenarios = Scenarios(paths, first, second)
    decision, _, _ = decide(replace(network, options=daily), scenarios, "cycle_service", ahead=12)
    # Stock lasts until the order lands tomorrow, which is to last until the one of tomorrow does.
    assert decision.units.tolist() == [2.0]


def test_an_empty_place_with_a_closed_supplier_waits_for_it_to_open():
    network, decision = decided(on_hand=0.0, closures=closed("2025-10-27", "2025-11-02"))
    assert network.options.order_date.tolist() == [np.datetime64("2025-11-03").astype(object)]
    assert decision.units.tolist() == [14.0]
