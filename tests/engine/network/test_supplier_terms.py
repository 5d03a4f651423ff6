"""What each term of a supplier does to its orders: large orders within their bound, small ones worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from engine.network.parts import network_parts
from engine.plan.supplier_table import supplier_orders_table
from engine.policy.aims import daily_demand
from engine.policy.cost import cost_horizon, cost_of_orders
from tests.engine.network.supplier_worlds import ITEMS, decide, frame, level_scenarios, scenarios_of, world


def large_world(seed, terms, n_items=40):
    """Return a network of many items from one supplier, and its demand."""
    rng = np.random.default_rng(seed)
    cost = rng.uniform(2.0, 9.0, n_items).round(2)
    items = pd.DataFrame({"item_id": ITEMS[:n_items], "unit_cost": cost, "unit_price": 20.0,
                          "volume": rng.uniform(0.2, 2.0, n_items).round(2)})  # fmt: skip
    supply = [(None, lot, None, price) for lot, price in zip(rng.choice([1.0, 6.0], n_items), cost, strict=True)]
    network = world("cost", n_items, supply=supply, items=items, terms=terms)
    return network, scenarios_of(network, rng.uniform(0.1, 2.0, n_items), seed)


@pytest.mark.parametrize("name", ["min_order_value", "min_order_volume"])
def test_large_orders_reach_their_minimum_within_a_proven_gap(name):
    for seed in range(4):
        network, scenarios = large_world(seed, {"order_cost": 0.01})
        free, _, _ = decide(network, scenarios)
        asked = free.supplier_orders
        need = 1.4 * float({"min_order_value": asked.value, "min_order_volume": asked.volume}[name][0])
        terms = network.suppliers.assign(**{name: need, "order_cost": 0.0})
        decision, _, _ = decide(replace(network, suppliers=terms), scenarios)
        orders = decision.supplier_orders
        assert orders.status.tolist() == ["filled"]
        reached = float({"min_order_value": orders.value, "min_order_volume": orders.volume}[name][0])
        assert need <= reached <= 1.01 * need
        # What keeping the added lots costs is known to within two hundredths of itself.
        added = float(asked.cost_of_waiting[0] - orders.cost_of_waiting[0])
        assert 0 <= orders.gap[0] <= 0.02 * added


def test_large_orders_fill_whole_containers():
    network, scenarios = large_world(1, {"container_volume": 60.0})
    decision, _, _ = decide(network, scenarios)
    orders = decision.supplier_orders
    boxes = orders.volume[0] / 60.0
    smallest = (network.volume * network.options.multiple).min()
    assert orders.status.tolist() == ["filled"]
    assert np.ceil(boxes) * 60.0 - orders.volume[0] < smallest


@pytest.mark.parametrize("order_cost", [0.5, 6.0, 30.0, 120.0, 2000.0])
def test_an_order_covers_as_many_periods_as_make_it_cheapest_per_period(order_cost):
    network = world("cycle_service", 2, stock=[10.0, 10.0], terms={"order_cost": order_cost})
    paths = np.full((2, 3, network.horizon), 2.0, dtype=np.float32)
    decision, _, _ = decide(network, level_scenarios(network, paths), "cycle_service", ahead=12)
    # Four units a day of two items at 0.05 a unit and day, ordered every seven days times n + 1.
    rate = [order_cost / (n + 1) + 0.05 * 4 * 7 * 7 * (n + 1) / 2 for n in range(13)]
    periods = int(np.argmin(rate)) + 1
    assert decision.units.tolist() == [14.0 * periods, 14.0 * periods]
    assert decision.supplier_orders.periods_ahead.tolist() == [periods - 1]
    assert set(decision.rule) == {"order-cost" if periods > 1 else "target"}


def test_an_order_ahead_is_no_more_than_sells_before_the_item_ends():
    items = frame("item_id unit_cost unit_price holding_cost", ("A", 4.0, 10.0, 0.05)).assign(
        end_date=pd.Timestamp("2025-11-09")
    )
    items = pd.concat([items, frame("item_id unit_cost unit_price holding_cost", ("B", 4.0, 10.0, 0.05))])
    network = world("cycle_service", 2, stock=[10.0, 10.0], terms={"order_cost": 2000.0}, items=items)
    paths = np.full((2, 3, network.horizon), 2.0, dtype=np.float32)
    paths[0, :, network.cells.end_bucket[0] :] = 0.0
    decision, _, _ = decide(network, level_scenarios(network, paths), "cycle_service", ahead=12)
    # A lands on the first of November and is sold on the nine days to the ninth, two of which lie beyond the interval.
    assert decision.units[0] == 2 * 9
    assert decision.units[1] > 14


def test_a_minimum_that_nothing_reaches_is_left_out_and_told():
    pairs = frame("item_id location_id max_stock", ("A", "W", 12.0), ("B", "W", 12.0))
    network = world("cycle_service", 2, terms={"min_order_value": 5000.0}, item_locations=pairs)
    scenarios = scenarios_of(network, [1.0, 1.0])
    decision, targets, _ = decide(network, scenarios, "cycle_service")
    assert decision.units.tolist() == targets.order_units.tolist()
    assert decision.supplier_orders.status.tolist() == ["below-minimum"]
    told = supplier_orders_table(decision.supplier_orders).iloc[0]
    assert json.loads(told["reason_values"])["missing_value"] == 5000.0 - decision.supplier_orders.value[0]


def test_orders_grow_no_further_than_the_shelf():
    pairs = frame("item_id location_id max_stock", ("A", "W", 9.0))
    network = world("cycle_service", 2, terms={"min_order_value": 300.0}, item_locations=pairs)
    decision, _, _ = decide(network, scenarios_of(network, [0.5, 0.5]), "cycle_service")
    assert decision.units[0] <= 9.0
    assert 4.0 * decision.units.sum() >= 300.0
    assert decision.rule[1] == "supplier-minimum"


def test_an_order_that_waits_says_what_it_would_have_been():
    network = world("cost", 2, stock=[13.0, 13.0], terms={"order_cost": 60.0})
    decision, targets, _ = decide(network, scenarios_of(network, [1.0, 1.0]))
    orders = decision.supplier_orders
    assert targets.order_units.sum() > 0
    assert decision.units.sum() == 0
    assert orders.status.tolist() == ["waits"]
    assert (orders.asked_units[0], orders.units[0]) == (targets.order_units.sum(), 0.0)
    assert 0 < orders.cost_of_waiting[0] < 60.0
    assert orders.paid_for_orders == 0.0


def test_a_supplier_without_terms_and_breaks_is_left_alone():
    network = world("cost", 2)
    decision, targets, _ = decide(network, scenarios_of(network, [1.0, 2.0]), ahead=12)
    assert decision.supplier_orders.n_orders == 0
    assert decision.units.tolist() == targets.order_units.tolist()


def test_costs_of_zero_are_no_trouble():
    items = frame("item_id unit_cost unit_price holding_cost", ("A", 0.0, 10.0, 0.0), ("B", 4.0, 10.0, 0.0))
    terms = {"order_cost": 5.0, "min_order_value": 200.0}
    supply = [(None, 1.0, None, 0.0), (None, 1.0, None, 4.0)]
    network = world("cost", 2, items=items, supply=supply, terms=terms)
    decision, _, _ = decide(network, scenarios_of(network, [1.0, 1.0]), ahead=12)
    assert decision.supplier_orders.value[0] >= 200.0
    assert np.isfinite(decision.units).all()


def test_items_that_share_an_order_with_terms_are_decided_together():
    with_terms = world("cost", 4, terms={"order_cost": 5.0})
    without = world("cost", 4)
    assert [len(part.cell_rows) for part in network_parts(with_terms, 1)] == [4]
    assert [len(part.cell_rows) for part in network_parts(without, 1)] == [1, 1, 1, 1]


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
def test_a_second_supplier_is_chosen_where_all_it_costs_is_less(unmet):
    chosen = set()
    for seed in range(8):
        rng = np.random.default_rng([seed, 77])
        order_cost, price, held = rng.choice([0.0, 5.0, 40.0]), rng.choice([4.0, 4.6]), rng.integers(0, 9)
        supply = frame("item_id source_id location_id lead_time_days review_period_days unit_cost preference",
                       ("A", "S", "W", 5.0, 7.0, 4.0, 1.0), ("A", "NEAR", "W", 1.0, 7.0, price, 2.0))  # fmt: skip
        suppliers = pd.DataFrame({"source_id": ["S", "NEAR"], "order_cost": [3.0, order_cost]})
        network = world("cost", 1, stock=[float(held)], supply_rows=supply, suppliers=suppliers)
        network = replace(network, cells=replace(network.cells, backorder_cost=np.array([1.5])))
        scenarios = scenarios_of(network, [1.5], seed)
        decision, _, rule = decide(network, scenarios, unmet=unmet)
        cells, options = network.cells, network.options
        horizon = cost_horizon(cells, options, scenarios, rule)
        costs = {"NEAR": order_cost, "S": 3.0}

        def total(units, options=options, horizon=horizon, scenarios=scenarios, rule=rule, cells=cells, costs=costs):
            terms, _ = cost_of_orders(cells, options, scenarios, np.array(units, dtype=float), horizon, rule)
            extra = np.maximum(options.unit_cost - 4.0, 0.0) @ np.array(units, dtype=float)
            return terms.total[0] + extra + sum(costs[s] for s, u in zip(options.source_id, units, strict=True) if u)

        least = min(total(units) for units in product(range(30), repeat=2))
        assert total(decision.units.tolist()) == pytest.approx(least, rel=2e-4)
        chosen |= {tuple((decision.units > 0).tolist())}
    assert len(chosen) > 1


def test_breaks_that_say_nothing_are_told():
    breaks = frame("item_id source_id min_units unit_cost kind", ("A", "S", 10.0, 3.0, None),
                   ("A", "S", 20.0, None, None), ("A", "ELSEWHERE", 10.0, 3.0, None))  # fmt: skip
    network = world("cost", 1, price_breaks=breaks)
    told = {note.code: dict(note.values) for note in network.notes}
    assert told["price-breaks-without-cost"] == {"count": 1}
    assert told["price-breaks-without-link"] == {"count": 1, "first": "A @ ELSEWHERE"}
    # The price of all units changes at ten; without a kind that is what a break means.
    assert network.prices.paid(np.array([9.0])).tolist() == [36.0]
    assert network.prices.paid(np.array([10.0])).tolist() == [30.0]


@pytest.mark.parametrize("objective", ["cost", "cycle_service"])
def test_an_order_of_second_sources_alone_keeps_what_was_decided(objective):
    rows = frame(
        "item_id source_id location_id lead_time_days review_period_days order_multiple unit_cost preference",
        ("A", "S", "W", 5.0, 7.0, 1.0, 4.0, 1), ("A", "F", "W", 1.0, 7.0, 1.0, 4.1, 2),
    )  # fmt: skip
    network = world(
        objective, 1, supply_rows=rows, suppliers=pd.DataFrame([{"source_id": "F", "container_volume": 10.0}])
    )
    decision = decide(network, scenarios_of(network, [5.0]), objective)[0]
    helped = decision.units[network.options.source_id == "F"]
    assert helped[0] > 0
    told = decision.supplier_orders
    assert told.source_id.tolist() == ["F"]
    assert told.units.tolist() == helped.tolist()


@pytest.mark.parametrize("terms", [{"min_order_value": 1e9}, {"container_volume": 1e6}])
def test_terms_far_beyond_use_buy_no_more_than_sells_in_a_year(terms):
    network = world("cycle_service", 2, terms=terms)
    decision = decide(network, scenarios_of(network, [4.0, 2.0]), "cycle_service")[0]
    # And what is needed now, for twelve days and a buffer.
    assert (decision.units <= np.array([4.0, 2.0]) * (365 + 48)).all()
    assert (decision.units > 0).all()
    if "min_order_value" in terms:
        assert decision.supplier_orders.status.tolist() == ["below-minimum"]


@pytest.mark.parametrize("kind", ["all_units", "incremental"])
def test_a_price_break_adds_no_more_than_sells_in_a_year_and_the_line_says_so(kind):
    # One unit every five days: at 0.001 a day to hold, three money saved a unit would pay for 600 more, eight years.
    breaks = frame("item_id source_id min_units unit_cost kind", ("A", "S", 10.0, 1.0, kind))
    items = frame("item_id unit_cost unit_price holding_cost", ("A", 4.0, 10.0, 0.001))
    network = world("cost", 1, items=items, price_breaks=breaks)
    paths = np.zeros((1, 4, network.horizon), dtype=np.float32)
    paths[:, :, ::5] = 1.0
    decision, targets, rule = decide(network, level_scenarios(network, paths))
    daily = daily_demand(network.cells, paths, rule)[0]
    assert decision.units.tolist() == [np.ceil(targets.raw_units[0] + 365 * daily)]
    assert decision.rule.tolist() == ["year-of-sales"]
    # A break that saves too little for that is weighed as it was.
    dear = replace(network, cells=replace(network.cells, holding_cost=np.array([0.02])))
    decision, _, _ = decide(dear, level_scenarios(dear, paths))
    assert decision.rule.tolist() == ["price-break"]
    assert 10 <= decision.units[0] < 60
