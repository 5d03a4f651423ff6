"""Perishables: no purchase brings more than sells before it expires, with numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.network.shelf_life import within_shelf_life
from engine.policy.targets import stock_targets
from engine.policy.types import StockRule
from tests.engine.network.supplier_worlds import frame, level_scenarios, world


def perishable(shelf_life_days, on_hand=0.0, multiple=1.0, **item):
    """Return item A, two of which sell a day on every path; orders land on day 5 and again on day 12."""
    items = frame("item_id unit_cost unit_price shelf_life_days", ("A", 4.0, 10.0, shelf_life_days)).assign(**item)
    network = world("cycle_service", 1, stock=[on_hand], supply=[(None, multiple, None, 4.0)], items=items)
    paths = np.full((1, 3, network.horizon), 2.0, dtype=np.float32)
    paths[:, :, network.cells.end_bucket[0] :] = 0.0
    rule = StockRule("cycle_service", "lost", np.ones(network.horizon, dtype=np.int64))
    return network, level_scenarios(network, paths), rule


@pytest.mark.parametrize(
    ("shelf_life_days", "on_hand", "units"),
    [
        (4.0, 0.0, 8.0),  # four days of two units, where the interval asks for fourteen
        (4.0, 13.0, 5.0),  # three are still there on day 5, and sell first
        (30.0, 0.0, 14.0),  # beyond the horizon demand goes on, and nothing binds
        (4.0, 24.0, 0.0),
    ],
)
def test_an_order_is_what_sells_before_it_expires_beyond_the_stock_that_sells_first(shelf_life_days, on_hand, units):
    network, scenarios, rule = perishable(shelf_life_days, on_hand)
    today, limited, notes = within_shelf_life(network, scenarios, rule)
    targets = stock_targets(today.cells, today.options, scenarios, rule)
    assert targets.order_units.tolist() == [units]
    assert limited.tolist() == [True]
    assert notes == []


def test_days_that_must_remain_are_no_days_of_sale():
    network, scenarios, rule = perishable(6.0, min_remaining_days=2.0)
    today, _, _ = within_shelf_life(network, scenarios, rule)
    assert today.options.max_units.tolist() == [8.0]


def test_demand_ends_with_the_item():
    network, scenarios, rule = perishable(60.0, end_date=np.datetime64("2025-11-03"))
    today, _, _ = within_shelf_life(network, scenarios, rule)
    # It is on sale to the end of day 7, so on three days from landing on.
    assert network.cells.end_bucket.tolist() == [8]
    assert today.options.max_units.tolist() == [6.0]


def test_a_pack_that_does_not_sell_in_time_is_not_ordered_and_that_is_told():
    network, scenarios, rule = perishable(4.0, multiple=12.0)
    today, _, notes = within_shelf_life(network, scenarios, rule)
    assert stock_targets(today.cells, today.options, scenarios, rule).order_units.tolist() == [0.0]
    assert [(note.code, note.values["first"]) for note in notes] == [("shelf-life-below-lot", "A @ W")]


def test_what_does_not_expire_is_left_alone():
    network, scenarios, rule = perishable(np.nan)
    today, limited, notes = within_shelf_life(network, scenarios, rule)
    assert today is network
    assert not limited.any()
    assert notes == []
