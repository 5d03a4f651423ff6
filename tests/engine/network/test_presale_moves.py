"""Moves for presales: a city short before a festival, the optimum known, and brute force over tiny worlds."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from engine.network.params import NetworkParams
from engine.network.presale_allocation import presale_allocations
from engine.network.presale_moves import presale_moves
from engine.network.presale_paths import PresalePaths
from engine.network.presale_summary import presale_summary
from engine.plan.tables import empty_table
from engine.policy.types import Scenarios, StockRule
from engine.tables import Tables
from tests.engine.network.presale_world import DAY, Decided, frames, world

LANES = [
    ("TOWN", "CITY", 2.0, 0.4, 50.0),
    ("VILLAGE", "CITY", 1.0, 0.3, 200.0),
    ("CITY", "TOWN", 2.0, 0.4, 50.0),
]
UNTIL_THEN = {("CITY", day): 10.0 for day in range(DAY)}


def festival(**changed):
    """Return a city with 1,500 orders and 800 pairs, of which 150 sell before, 100 on the way; 2,000 in the town."""
    given = {"orders": {"city": 1500, "town": 100}, "stock": {"CITY": 800.0, "TOWN": 2000.0, "VILLAGE": 900.0}}
    return world(**{**given, "lanes": LANES, "inbound": [("CITY", 100.0, "2025-11-10")], **changed})


def test_a_city_short_before_a_festival_gets_just_what_it_lacks_from_the_cheaper_of_two_neighbours():
    # 1,500 - (800 - 150 + 100) = 750 pairs: from the town 50 + 750 * 0.4 = 350, from the village 200 + 225 = 425,
    # and any part of both costs both trips.
    found = Decided(festival(), UNTIL_THEN)
    assert found.units() == {("TOWN", "CITY"): 750.0}
    assert found.decision.report.status == "optimal"
    assert found.decision.report.objective == pytest.approx(350.0)
    placed = presale_allocations(found.presale, found.network, found.decision, "test")
    assert set(placed["promised_date"].dt.strftime("%m-%d")) == {"11-11"}
    assert list(zip(placed["location_id"], placed["supply_kind"], placed["units"], strict=True)) == [
        ("CITY", "stock", 650.0), ("CITY", "inbound", 100.0), ("CITY", "transfer", 750.0), ("TOWN", "stock", 100.0),
    ]  # fmt: skip
    [row] = presale_summary(found.presale, found.network, found.decision, empty_table("planned")).to_dict("records")
    # Doing nothing, 850 of 1,600 pairs ship on the day; an order of 10 November, two weeks after today's, lands on
    # 20 December, 39 days later. By history the city, with six of ten pairs sold, is thought to need 960 of
    # them, and gets 210 to the 750 that it has, for 50 + 84.
    assert row == {
        "presale_id": "D11", "item_id": "SHOE", "units": 1600.0, "share_local": 1.0,
        "share_local_nothing": pytest.approx(850 / 1600), "share_local_historical": pytest.approx(1060 / 1600),
        "waiting_days": 0.0, "waiting_days_nothing": pytest.approx(39 * 750 / 1600),
        "waiting_days_historical": pytest.approx(39 * 540 / 1600), "move_cost": pytest.approx(350.0),
        "move_cost_historical": pytest.approx(134.0),
    }  # fmt: skip


def test_a_split_by_history_sends_no_more_than_a_trip_carries():
    given = frames(
        {"city": 1500, "town": 100}, {"CITY": 800.0, "TOWN": 2000.0, "VILLAGE": 900.0}, LANES,
        inbound=[("CITY", 100.0, "2025-11-10")],
    )  # fmt: skip
    given["lanes"]["trip_capacity_volume"] = 50.0
    given["items"]["volume"] = 1.0
    found = Decided(Tables.of(given), UNTIL_THEN)
    [row] = presale_summary(found.presale, found.network, found.decision, empty_table("planned")).to_dict("records")
    # Of the 210 pairs that the city would get, the town sends 50 (50 + 20) and then the village 50 (200 + 15).
    assert row["share_local_historical"] == pytest.approx(950 / 1600)
    assert row["move_cost_historical"] == pytest.approx(285.0)


def test_presale_orders_go_before_ordinary_demand_of_a_neighbour_from_that_day_on():
    # The town sells 100 a day from then on and would keep all that it has for that; up to then it sells 10 a day.
    ordinary = {**UNTIL_THEN, **{("TOWN", day): 10.0 if day < DAY else 100.0 for day in range(40)}}
    assert Decided(festival(), ordinary).units()["TOWN", "CITY"] == 750.0
    # Its own presale and what it sells before are its own: 2,000 - 150 - 1,500 are left to give.
    own_first = festival(orders={"city": 1500, "town": 1500}, stock={"CITY": 800.0, "TOWN": 2000.0})
    assert Decided(own_first, ordinary).units()["TOWN", "CITY"] == 350.0


def test_a_trip_that_costs_more_than_its_pairs_earn_is_not_made():
    # A pair earns 8: seven of them less than the trip of 50 and their 2.80.
    few = {"orders": {"city": 757}, "inbound": [("CITY", 100.0, "2025-11-10")]}
    assert ("TOWN", "CITY") not in Decided(festival(**{**few, "orders": {"city": 755}}), UNTIL_THEN).units()
    assert Decided(festival(**few), UNTIL_THEN).units()["TOWN", "CITY"] == 7.0


def test_a_lane_that_lands_too_late_is_not_used():
    late = [("TOWN", "CITY", 16.0, 0.4, 50.0)]
    summary = presale_of(Decided(festival(lanes=late), UNTIL_THEN))
    assert summary["share_local"] == pytest.approx(850 / 1600)


def test_what_is_left_over_is_ordinary_stock_again():
    # Half of the city's orders are cancelled the day after: the plan of that day needs nothing, and the city's pairs
    # serve what it sells.
    found = Decided(festival(orders={"city": 750, "town": 100}), {("CITY", day): 10.0 for day in range(30)})
    assert found.units() == {}
    ships = found.network.horizon
    rows = np.flatnonzero(found.network.cells.location_id == "CITY")
    assert found.decision.demand.paths[rows, 0, DAY:ships].sum() == 750 + 150


def presale_of(found):
    [row] = presale_summary(found.presale, found.network, found.decision, empty_table("planned")).to_dict("records")
    return row


def tiny(seed):
    """Return a random world of three sites, its paths (sites, paths, buckets) of demand and of presales."""
    rng = np.random.default_rng(seed)
    pairs = [("CITY", "TOWN"), ("TOWN", "CITY"), ("TOWN", "VILLAGE"), ("VILLAGE", "CITY")]
    lanes = [(a, b, float(rng.integers(1, 18)), float(rng.choice([0.0, 0.5, 1.0])), float(rng.choice([0.0, 2.0, 9.0])))
             for a, b in pairs]  # fmt: skip
    stock = {site: float(units) for site, units in zip(("CITY", "TOWN", "VILLAGE"), rng.integers(0, 6, 3), strict=True)}
    found = Decided(world({"city": 1, "town": 1, "village": 1}, stock, lanes))
    n_paths = int(rng.integers(2, 5))
    due = np.zeros((3, n_paths, found.network.horizon), dtype=np.float32)
    due[:, :, DAY] = rng.poisson(rng.uniform(0.5, 3.0, (3, 1)), (3, n_paths))
    paths = (due + (rng.random(due.shape) < 0.06)).astype(np.float32)
    m = found.network.options.n_options
    arrival = np.repeat(found.network.options.arrival[:, None], n_paths, 1).astype(np.int32)
    later = np.repeat(found.network.options.next_arrival[:, None], n_paths, 1).astype(np.int32)
    assert m == 7
    return found.network, Scenarios(paths, arrival, later), PresalePaths(np.arange(3), due)


def plain_cost(network, scenarios, presales, units):
    """Return lost units at their price until presales have begun to ship, lanes and trips, in plain Python."""
    options, cells = network.options, network.cells
    total = 0.0
    for row, amount in enumerate(units):
        if amount > 0:
            lane = int(options.lane[row])
            total += float(options.unit_cost[row]) * amount + float(network.lanes["trip_cost"].iloc[lane])
    for path in range(scenarios.n_paths):
        for cell in range(3):
            stock = float(cells.available[cell])
            for bucket in range(DAY + 1):
                for row, amount in enumerate(units):
                    stock += amount * (options.cell[row] == cell and options.arrival[row] == bucket)
                    stock -= amount * (options.origin_cell[row] == cell and options.send_bucket[row] == bucket)
                asked = presales.units if bucket == DAY else scenarios.paths
                stock -= float(asked[cell, path, bucket])
                if stock < 0:
                    total -= stock * float(cells.shortage_cost[cell]) / scenarios.n_paths
                    stock = 0.0
    return total


@pytest.mark.parametrize("seed", range(12))
def test_moves_for_presales_equal_brute_force_over_all_whole_units(seed):
    network, scenarios, presales = tiny(seed)
    options, cells = network.options, network.cells
    lateral = np.flatnonzero((options.origin_cell >= 0) & (options.arrival <= DAY))
    if not presales.units[:, :, DAY].any() or not len(lateral):
        pytest.skip("nothing to decide in this world")
    rule = StockRule("cycle_service", "lost", np.ones(network.horizon, dtype=np.int64))
    start = np.zeros(options.n_options)
    params = NetworkParams(relative_gap=1e-9)
    units, report = presale_moves(network, scenarios, presales, rule, (cells, start), params)
    assert report is not None
    best = np.inf
    for choice in itertools.product(*(range(int(cells.available[options.origin_cell[row]]) + 1) for row in lateral)):
        tried = np.zeros(options.n_options)
        tried[lateral] = choice
        sent = np.bincount(options.origin_cell[lateral], weights=tried[lateral], minlength=3)
        if (sent <= cells.available).all():
            best = min(best, plain_cost(network, scenarios, presales, tried))
    assert plain_cost(network, scenarios, presales, units) == pytest.approx(best, abs=1e-6)
    assert report.objective == pytest.approx(best, abs=1e-6)


def test_a_dearer_shortage_moves_no_less():
    network, scenarios, presales = tiny(4)
    rule = StockRule("cycle_service", "lost", np.ones(network.horizon, dtype=np.int64))
    served = []
    for price in (0.1, 1.0, 10.0):
        cells = replace(network.cells, shortage_cost=np.full(3, price))
        given = (cells, np.zeros(network.options.n_options))
        units, _ = presale_moves(network, scenarios, presales, rule, given, NetworkParams(relative_gap=1e-9))
        cost = plain_cost(replace(network, cells=cells), scenarios, presales, units)
        moved = plain_cost(
            replace(network, cells=replace(cells, shortage_cost=np.zeros(3))), scenarios, presales, units
        )
        served.append(-(cost - moved) / price)
    assert served == sorted(served)
