"""Presale orders that find nothing wait: by hand, and bucket by bucket in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from engine.network.presale_paths import PresalePaths, waiting
from engine.policy.types import Scenarios, StockRule
from tests.engine.network.presale_world import DAY, Decided, world


def in_the_city(found, paths):
    return paths[np.flatnonzero(found.network.cells.location_id == "CITY")[0], 0]


def test_what_neither_stock_nor_inbound_serves_asks_again_when_the_order_lands_and_is_bought():
    # 10 pairs on hand, 15 on 14 November, a purchase on 16 November (bucket 20): of 70 orders 45 wait for it.
    tables = world({"city": 70}, {"CITY": 10.0}, [], lead_days=20.0, inbound=[("CITY", 15.0, "2025-11-14")])
    found = Decided(tables)
    asked = in_the_city(found, found.decision.demand.paths)
    assert dict(enumerate(asked)) | {15: 10.0, 18: 15.0, 20: 45.0} == dict(enumerate(asked))
    assert asked.sum() == 70
    assert found.units() == {("MAKER", "CITY"): 45.0}


def test_what_the_neighbour_cannot_give_waits_for_the_purchase():
    # The town gives all of its 30; the other 30 wait.
    tables = world({"city": 70}, {"CITY": 10.0, "TOWN": 30.0}, [("TOWN", "CITY", 2.0, 0.1, 5.0)], lead_days=20.0)
    assert Decided(tables).units() == {("TOWN", "CITY"): 30.0, ("MAKER", "CITY"): 30.0}


def test_ordinary_demand_does_not_wait():
    tables = world({}, {"CITY": 10.0}, [], lead_days=20.0)
    assert Decided(tables, {("CITY", DAY): 70.0}).units() == {}


def test_at_least_cost_too_an_order_is_placed_for_presales_that_wait():
    tables = world({"city": 70}, {"CITY": 10.0, "TOWN": 30.0}, [("TOWN", "CITY", 2.0, 0.1, 5.0)], lead_days=20.0)
    found = Decided(tables, objective="cost").units()
    assert found["TOWN", "CITY"] == 30.0
    assert found["MAKER", "CITY"] == 30.0


def test_where_all_demand_is_owed_a_presale_waits_too_even_if_nothing_else_is_asked_for():
    tables = world({"city": 70}, {"CITY": 10.0}, [], lead_days=20.0)
    assert Decided(tables, unmet="backordered").units() == {("MAKER", "CITY"): 60.0}


def plain(stock, arrivals, ordinary, due, lands, owed):
    """Return the presale units by bucket in which they are served; what waits when the order lands asks then."""
    asked, waits = np.zeros(len(due)), 0.0
    for bucket in range(len(due)):
        if bucket > lands:
            asked[bucket] += due[bucket]
            continue
        stock += arrivals[bucket]
        waits += due[bucket]
        if bucket == lands:
            asked[bucket] += waits
            continue
        now = min(max(stock, 0.0), waits)
        asked[bucket] += now
        waits -= now
        stock -= now
        stock = stock - ordinary[bucket] if owed else max(stock - ordinary[bucket], 0.0)
    return asked


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
@pytest.mark.parametrize("seed", range(6))
def test_waiting_orders_follow_a_plain_walk_and_none_is_lost(seed, unmet):
    rng = np.random.default_rng(seed)
    inbound = [(site, float(rng.integers(1, 9)), f"2025-11-{day}") for site, day in (("CITY", 12), ("TOWN", 14))]
    tables = world({"city": 1, "town": 1}, {"CITY": 9.0, "TOWN": 4.0}, [], lead_days=22.0, inbound=inbound)
    network = Decided(tables).network
    n, horizon = network.cells.n_cells, network.horizon
    due = np.zeros((n, 4, horizon), dtype=np.float32)
    for bucket in rng.integers(0, horizon, 3).tolist():
        due[:, :, bucket] += rng.poisson(6, (n, 4))
    ordinary = rng.poisson(0.4, due.shape).astype(np.float32)
    lands = rng.integers(10, horizon, (network.options.n_options, 4)).astype(np.int32)
    scenarios = Scenarios(ordinary + due, lands, np.maximum(lands, horizon - 1).astype(np.int32))
    rule = StockRule("cycle_service", unmet, np.ones(horizon, dtype=np.int64))
    found = waiting(network, network.cells, scenarios, PresalePaths(np.arange(n), due), rule)
    own = network.primary_of
    for cell in range(n):
        for path in range(4):
            known = network.cells.available[cell], network.cells.arrivals[cell], ordinary[cell, path], due[cell, path]
            expected = plain(*known, lands[own[cell], path], unmet == "backordered")
            assert found.units[cell, path].tolist() == expected.tolist()
    assert found.units.sum() == due.sum()
