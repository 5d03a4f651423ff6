"""Expected cost of any arrivals against a plain walk; convexity and slopes by finite differences."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.policy.aims import daily_demand
from engine.policy.cost import CostHorizon, cost_horizon, cost_of_orders, expected_cost
from engine.policy.implied import implied_shortage_cost
from engine.policy.interval_cost import left_over
from engine.policy.targets import stock_targets
from engine.policy.types import Options
from tests.engine.policy.plain import loss_on_left, receive
from tests.engine.policy.stock_worlds import (
    daily_rule,
    make_cells,
    make_options,
    make_scenarios,
    random_world,
    weekly_rule,
)

UNMET = ("lost", "backordered")


def plain_cost(world, arriving, sent, horizon, rule):
    """Return holding, unmet and left-over cost by cell, walking through every path; ``arriving`` is (n, P, H)."""
    cells, paths = world
    n, n_paths, n_buckets = paths.shape
    terms = np.zeros((3, n))
    mean = paths.astype(float).sum(axis=2).mean(axis=1)
    unmet_price = cells.backorder_cost if rule.backordered else cells.shortage_cost
    for cell in range(n):
        end, until = int(cells.end_bucket[cell]), int(horizon.until[cell, 0])
        days_on_sale = max(end - until, 0) * rule.bucket_days[0] if end < n_buckets else np.inf
        for k in range(n_paths):
            asks = int(horizon.owed_from[cell, k if horizon.owed_from.shape[1] > 1 else 0])
            available, owed = float(cells.available[cell]), float(cells.backorders[cell])
            stock, owed = max(available - owed, 0.0), max(owed - available, 0.0)
            for t in range(until):
                stock, owed = receive(stock, owed, cells.arrivals[cell, t])
                if rule.backordered:
                    net = stock - owed + arriving[cell, k, t] - sent[cell, t] - paths[cell, k, t]
                    stock, owed = max(net, 0.0), max(-net, 0.0)
                    terms[1, cell] += owed * unmet_price[cell] * rule.bucket_days[t]
                else:
                    stock += arriving[cell, k, t] - sent[cell, t] - paths[cell, k, t]
                    if t == asks:
                        stock, owed = stock - owed, 0.0
                    terms[1, cell] += max(-stock, 0.0) * unmet_price[cell]
                    stock = max(stock, 0.0)
                terms[0, cell] += stock * cells.holding_cost[cell] * rule.bucket_days[t]
            cap = cells.unit_cost[cell] - cells.salvage_value[cell]
            rate = mean[cell] / (min(end, n_buckets) * rule.bucket_days[0])
            terms[2, cell] += loss_on_left(stock, cells.holding_cost[cell], cap, rate, days_on_sale)
    return terms / n_paths


def random_moves(rng, n, n_buckets, most=9):
    return np.where(rng.random((n, n_buckets)) < 0.3, rng.integers(0, most, (n, n_buckets)), 0).astype(float)


@pytest.mark.parametrize("unmet", UNMET)
@pytest.mark.parametrize("make_rule", [daily_rule, weekly_rule])
@pytest.mark.parametrize("seed", range(3))
def test_cost_agrees_with_a_plain_walk(unmet, make_rule, seed):
    cells, options, scenarios = random_world(seed, n=6, n_paths=5)
    rng = np.random.default_rng(seed)
    rule = make_rule("cost", unmet, 10)
    horizon = cost_horizon(cells, options, scenarios, rule)
    sent = random_moves(rng, 6, 10, most=3)
    arriving = random_moves(rng, 6, 10)
    arriving[np.arange(10) < horizon.owed_from] = 0
    found = expected_cost(cells, scenarios.paths, arriving, sent, horizon, rule)
    by_path = np.repeat(arriving[:, None], 5, axis=1)
    expected = plain_cost((cells, scenarios.paths), by_path, sent, horizon, rule)
    np.testing.assert_allclose(found.holding, expected[0])
    np.testing.assert_allclose(found.backorder if unmet == "backordered" else found.shortage, expected[1])
    np.testing.assert_allclose(found.left_over, expected[2], atol=2e-3)
    np.testing.assert_allclose(found.total, expected.sum(axis=0), atol=2e-3)


@given(seed=st.integers(0, 10_000), unmet=st.sampled_from(UNMET))
@settings(deadline=None, max_examples=60)
def test_cost_is_convex_and_slopes_support_it(seed, unmet):
    cells, options, scenarios = random_world(seed, n=5, n_paths=6)
    rng = np.random.default_rng(seed)
    rule = daily_rule("cost", unmet, 10)
    horizon = cost_horizon(cells, options, scenarios, rule)
    here, there = ((random_moves(rng, 5, 10), random_moves(rng, 5, 10, most=4)) for _ in range(2))
    at = expected_cost(cells, scenarios.paths, *here, horizon, rule)
    other = expected_cost(cells, scenarios.paths, *there, horizon, rule)
    middle = expected_cost(
        cells, scenarios.paths, 0.5 * (here[0] + there[0]), 0.5 * (here[1] + there[1]), horizon, rule
    )
    assert (middle.total <= 0.5 * (at.total + other.total) + 1e-9).all()
    change = (at.slope * ((there[0] - here[0]) - (there[1] - here[1]))).sum(axis=1)
    assert (other.total >= at.total + change - 1e-9).all()


@pytest.mark.parametrize("unmet", UNMET)
def test_slopes_are_finite_differences(unmet):
    cells, options, scenarios = random_world(3, n=4, n_paths=7)
    rule = weekly_rule("cost", unmet, 10)
    horizon = cost_horizon(cells, options, scenarios, rule)
    # Off the grid of whole units there are no kinks.
    arriving, none = random_moves(np.random.default_rng(3), 4, 10) + 0.3137, np.zeros((4, 10))
    at = expected_cost(cells, scenarios.paths, arriving, none, horizon, rule)
    for bucket in range(10):
        more = arriving.copy()
        more[:, bucket] += 1e-5
        moved = expected_cost(cells, scenarios.paths, more, none, horizon, rule)
        np.testing.assert_allclose((moved.total - at.total) / 1e-5, at.slope[:, bucket], atol=1e-4)


@pytest.mark.parametrize("unmet", UNMET)
def test_orders_and_transfers_cost_what_their_arrivals_cost(unmet):
    cells, one, scenarios = random_world(4, n=4, n_paths=6, item_id=np.array(["x"] * 4, dtype=object))
    cells = replace(cells, location_id=np.array(["a", "b", "c", "d"], dtype=object))
    # Two purchases for cell 0, one for 1, a transfer from 0 to 2 and one from 1 to 2.
    columns = {name: getattr(one, name)[[0, 0, 1, 2, 2]] for name in Options.__dataclass_fields__}
    columns |= {
        "cell": np.array([0, 0, 1, 2, 2]), "origin_cell": np.array([-1, -1, -1, 0, 1]),
        "primary": np.array([True, False, True, True, False]), "send_bucket": np.array([0, 0, 0, 0, 2]),
        "arrival": np.array([1, 3, 2, 2, 4]), "next_arrival": np.array([5, 6, 4, 5, 7]),
    }  # fmt: skip
    options = Options(**columns)
    rng = np.random.default_rng(8)
    arrival = options.arrival[:, None] + rng.integers(0, 4, (5, 6))
    arrival[0, 0] = 12
    scenarios = replace(scenarios, arrival=arrival, next_arrival=arrival + 2)
    rule = daily_rule("cost", unmet, 10)
    horizon = cost_horizon(cells, options, scenarios, rule)
    assert horizon.until[:, 0].tolist() == [7, 7, 7, 7]
    assert horizon.owed_from[0].tolist() == np.minimum(arrival[:2].min(axis=0), 10).tolist()
    units = np.array([4.0, 3.0, 5.0, 2.0, 1.0])
    arriving, sent = np.zeros((4, 6, 10)), np.zeros((4, 10))
    for j in range(5):
        for k in range(6):
            if arrival[j, k] < 10:
                arriving[options.cell[j], k, arrival[j, k]] += units[j]
        if options.origin_cell[j] >= 0:
            sent[options.origin_cell[j], options.send_bucket[j]] += units[j]
    found, slope = cost_of_orders(cells, options, scenarios, units, horizon, rule)
    expected = plain_cost((cells, scenarios.paths), arriving, sent, horizon, rule)
    np.testing.assert_allclose(found.total, expected.sum(axis=0), atol=2e-3)
    np.testing.assert_allclose(found.total, expected_cost(cells, scenarios.paths, arriving, sent, horizon, rule).total)
    # Off the grid of whole units, whatever adds up, there are no kinks.
    units += np.array([0.417, 0.211, 0.637, 0.129, 0.353])
    at = cost_of_orders(cells, options, scenarios, units, horizon, rule)
    for j in range(5):
        more = units.copy()
        more[j] += 1e-5
        moved = cost_of_orders(cells, options, scenarios, more, horizon, rule)[0]
        assert (moved.total - at[0].total).sum() / 1e-5 == pytest.approx(at[1][j], abs=1e-4)
    assert slope.shape == (5,)


@pytest.mark.parametrize("unmet", UNMET)
@pytest.mark.parametrize("random_lead", [False, True])
def test_one_place_minimises_the_same_cost(unmet, random_lead):
    cells, options, scenarios = random_world(6, n=10, n_paths=8, random_lead=random_lead)
    rule = weekly_rule("cost", unmet, 10)
    until = np.minimum(scenarios.next_arrival, 10).astype(np.int64)
    left = left_over(cells, daily_demand(cells, scenarios.paths, rule), until.max(axis=1), rule)
    # An empty interval still sees the order land, and nothing after it.
    horizon = CostHorizon(until, np.minimum(scenarios.arrival, 10).astype(np.int64), left)
    chosen = stock_targets(cells, options, scenarios, rule).order_units
    busy = (scenarios.next_arrival > scenarios.arrival).all(axis=1) & (scenarios.arrival < 10).all(axis=1)
    assert busy.any()
    best = cost_of_orders(cells, options, scenarios, chosen, horizon, rule)[0].total
    for units in range(60):
        other = cost_of_orders(cells, options, scenarios, np.full(10, float(units)), horizon, rule)[0].total
        assert (best <= other + 1e-9)[busy].all()


def test_a_unit_left_loses_what_it_waits_for():
    # 2 a day: the third unit left waits 1 to 1.5 days at 0.1 a day; worn out at 4 it has lost all it can.
    cells = make_cells(3, 10, holding_cost=0.1, unit_cost=np.array([10.0, 10.0, np.nan]), salvage_value=6.0,
                       end_bucket=np.array([10, 9, 10]))  # fmt: skip
    rule = daily_rule("cost", "lost", 10)
    left = left_over(cells, np.full(3, 2.0), np.full(3, 8), rule)
    assert left.loss(np.array([3.0, 3.0, 3.0])).tolist() == pytest.approx([0.05 * 9 / 2, 0.05 * 4 / 2 + 4.0, 0.0])
    assert left.turn.tolist() == [80.0, 2.0, 0.0]
    assert left.marginal(np.array([79.0, 1.0, 5.0])).tolist() == pytest.approx([3.95, 0.05, 0.0])
    assert left.marginal(np.array([81.0, 3.0, 5.0])).tolist() == [4.0, 4.0, 0.0]


def test_the_first_example_of_slow_and_fast_supply():
    # Stock 6, three a day for 20 days, 50 units to arrive on day 2, on day 14, or half on each.
    demand = np.full((1, 1, 20), 3.0)
    cells = make_cells(1, 20, available=6.0, holding_cost=0.0, shortage_cost=1.0, unit_cost=np.nan)
    scenarios = make_scenarios(make_options(cells, 2, 20), demand)
    rule = daily_rule("cost", "lost", 20)
    horizon = cost_horizon(cells, make_options(cells, 2, 20), scenarios, rule)
    lost = []
    for early in (50.0, 0.0, 25.0):
        arriving = np.zeros((1, 20))
        arriving[0, [2, 14]] = early, 50 - early
        lost.append(float(expected_cost(cells, scenarios.paths, arriving, np.zeros((1, 20)), horizon, rule).total[0]))
    assert lost == [4.0, 36.0, 11.0]


@pytest.mark.parametrize("unmet", UNMET)
@pytest.mark.parametrize("objective", ["cycle_service", "days_of_cover"])
def test_the_implied_price_makes_least_cost_order_the_same(unmet, objective):
    cells, options, scenarios = random_world(2, n=40, n_paths=25, backorders=np.zeros(40))
    cells = replace(cells, target=np.full(40, 0.8 if objective == "cycle_service" else 1.3))
    rule = daily_rule(objective, unmet, 10)
    served = stock_targets(cells, options, scenarios, rule)
    price = implied_shortage_cost(cells, options, scenarios, rule)
    beyond = np.isnan(price)
    assert beyond.any() == (objective == "days_of_cover")
    price = np.where(beyond, 0.0, price)
    priced = replace(cells, shortage_cost=price, backorder_cost=price)
    costed = stock_targets(priced, options, scenarios, daily_rule("cost", unmet, 10))
    # Where the demand of the paths makes the cost flat, several orders are cheapest.
    at_service = cost_of(priced, options, scenarios, served.raw_units, unmet)
    at_cost = cost_of(priced, options, scenarios, costed.raw_units, unmet)
    np.testing.assert_allclose(at_service[~beyond], at_cost[~beyond], rtol=1e-9, atol=1e-9)
    busy = (options.next_arrival > options.arrival) & ~beyond
    assert (served.raw_units == costed.raw_units)[busy].mean() > 0.9


def cost_of(cells, options, scenarios, units, unmet):
    """Return the cost of the options' own intervals."""
    rule = daily_rule("cost", unmet, scenarios.horizon)
    until = scenarios.next_arrival.astype(np.int64)
    left = left_over(cells, daily_demand(cells, scenarios.paths, rule), until.max(axis=1), rule)
    horizon = CostHorizon(until, scenarios.arrival.astype(np.int64), left)
    total = cost_of_orders(cells, options, scenarios, units, horizon, rule)[0].total
    return np.where((until > scenarios.arrival).all(axis=1), total, 0.0)


def test_the_implied_price_says_when_there_is_none():
    cells = make_cells(2, 6, holding_cost=np.array([0.0, 0.1]), unit_cost=np.nan, target=0.9)
    options = make_options(cells, 1, 5)
    paths = np.stack([np.ones((20, 6)), np.zeros((20, 6))])
    price = implied_shortage_cost(cells, options, make_scenarios(options, paths), daily_rule("fill_rate", "lost", 6))
    assert np.isnan(price[0])
    assert price[1] == 0
