"""Items that share limits, against a brute force over all whole decisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.limits.bound import item_bounds
from engine.limits.problem import Curves, Lanes, Purchases, ScarceProblem, Use
from engine.limits.solve import ScarceParams, lower_bound, solve_scarce
from tests.engine.limits.tiny import brute_force, item_choices, tiny

PARAMS = ScarceParams()


def assert_feasible(problem, found):
    bought = problem.purchases
    assert (problem.used(found.lots, found.moved) <= problem.bound + 1e-6).all()
    np.testing.assert_array_equal(found.lots, np.rint(found.lots))
    np.testing.assert_array_equal(found.moved, np.rint(found.moved))
    assert (found.moved >= 0).all()
    assert ((found.lots == 0) | ((found.lots >= bought.least) & (found.lots <= bought.most))).all()
    sent = np.zeros_like(problem.stock)
    np.add.at(sent, problem.lanes.origin, found.moved)
    assert (sent <= problem.stock).all()


@pytest.mark.parametrize("block", range(8))
def test_a_decision_is_feasible_and_the_optimum_lies_between_bound_and_cost(block):
    gaps = []
    for seed in range(25 * block, 25 * block + 25):
        problem = tiny(seed)
        found = solve_scarce(problem, PARAMS)
        assert_feasible(problem, found)
        best = brute_force(problem)
        assert found.bound <= best + 1e-6
        assert best <= found.cost + 1e-6
        gaps.append(found.cost / best - 1)
    # Lots of up to three units against limits of a few: nowhere is rounding harder, so this is no measure of quality.
    assert np.mean(gaps) < 0.1
    assert np.median(gaps) < 0.02


def test_the_cost_reported_is_that_of_the_decision():
    for seed in range(40):
        problem = tiny(seed)
        found = solve_scarce(problem, PARAMS)
        total = 0.0
        for item in range(problem.n_items):
            one = problem.take(np.array([item]))
            counts, moved = found.lots[:, item], found.moved[:, item]
            match = [
                cost
                for cost, use, _ in item_choices(one, 0)
                if np.allclose(use, one.used(counts[:, None], moved[:, None]))
            ]
            assert match
            total += one.cost(counts[:, None], moved[:, None]) - one.lanes.trip_cost[moved > 0].sum()
        assert found.cost == pytest.approx(total + problem.lanes.trip_cost[(found.moved > 0).any(axis=1)].sum())


def test_an_item_alone_is_bounded_at_any_prices():
    rng = np.random.default_rng(0)
    for seed in range(60):
        problem = tiny(seed)
        prices = np.where(np.isfinite(problem.bound), rng.uniform(0, 3, len(problem.bound)), 0.0)
        bounds, _ = item_bounds(problem, prices, sweeps=1, steps=6, climbs=10)
        share = problem.trip_share()
        for item in range(problem.n_items):
            least = np.inf
            for cost, use, _ in item_choices(problem, item):
                lanes = use[problem.lanes.resource] @ share
                least = min(least, cost + prices @ use + lanes)
            assert bounds[item] <= least + 1e-9


def test_without_limits_and_lanes_every_cell_takes_its_cheapest_lots():
    for seed in range(30):
        problem = tiny(seed)
        none = np.zeros(0, dtype=np.int64)
        lanes = Lanes(none, none, np.zeros(0), np.zeros(0), none, problem.lanes.volume)
        free = replace(problem, bound=np.full(len(problem.bound), np.inf), lanes=lanes)
        found = solve_scarce(free, PARAMS)
        assert found.cost == pytest.approx(brute_force(free))
        assert found.bound == pytest.approx(found.cost)


def shelf(money, budget):
    """Return single cells that save 10, then 6, then 1 by the unit; a unit costs the given money."""
    n = len(money)
    none = np.zeros(0, dtype=np.int64)
    ends = np.array([[[1.0], [2.0], [3.0], [np.inf]]]).repeat(n, axis=2)
    value = np.array([[[10.0], [6.0], [1.0], [0.0]]]).repeat(n, axis=2)
    one = np.ones((1, n))
    return ScarceProblem(
        stock=np.zeros((1, n)),
        curves=Curves(ends, value, np.full((1, n), 17.0)),
        purchases=Purchases(one, one, 3 * one, 0 * one, (Use(np.zeros((1, n), dtype=int), np.array([money])),)),
        lanes=Lanes(none, none, np.zeros(0), np.zeros(0), none, np.ones(n)),
        bound=np.array([budget]),
    )


def test_money_goes_where_it_saves_most_for_each_unit_of_it():
    # Saved for each unit of money: 10, 6, 1 at the first, 5, 3, 0.5 at the second.
    found = solve_scarce(shelf([1.0, 2.0], 5.0), PARAMS)
    # Two of the first and one of the second leave 1, which a third of the first can use but no second of the second.
    assert found.lots.tolist() == [[3.0, 1.0]]
    assert found.cost == 34 - 17 - 10
    assert found.bound <= found.cost


def test_no_money_buys_nothing_and_enough_buys_all():
    assert not solve_scarce(shelf([1.0, 2.0], 0.0), PARAMS).lots.any()
    rich = solve_scarce(shelf([1.0, 2.0], 9.0), PARAMS)
    assert rich.lots.tolist() == [[3.0, 3.0]]
    assert rich.gap == 0


def test_the_order_of_items_does_not_matter_for_the_bound():
    problem = tiny(7)
    turned = problem.take(np.arange(problem.n_items)[::-1])
    prices = np.where(np.isfinite(problem.bound), 0.5, 0.0)
    assert lower_bound(problem, prices, PARAMS)[0] == pytest.approx(lower_bound(turned, prices, PARAMS)[0])


def test_curves_refuse_values_that_rise():
    with pytest.raises(ValueError, match="must not rise"):
        Curves(np.array([[[1.0], [np.inf]]]), np.array([[[-2.0], [-1.0]]]), np.zeros((1, 1)))
