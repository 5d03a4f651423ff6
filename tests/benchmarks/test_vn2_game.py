"""The VN2 game: timing, lost sales, what costs, and that no policy reads what it cannot know."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from benchmarks.vn2.game import (
    N_ORDERS,
    N_WEEKS,
    History,
    Policy,
    Stock,
    play,
    step,
    window_cost,
    window_starts,
)
from benchmarks.vn2.organiser import opening, organiser
from benchmarks.vn2.ours import restock_policy
from benchmarks.vn2.peers import foresight, normal_buffer
from engine.config import PlanConfig
from engine.demand.params import TimeParams
from engine.execution import Run
from engine.forecast.params import ForecastParams
from engine.policy.params import TargetParams
from models.moving_average import MovingAverage

FIRST = 70


def history(units: np.ndarray, in_stock: np.ndarray | None = None) -> History:
    n, n_weeks = units.shape
    return History(
        item_id=np.array([f"I{row:02d}" for row in range(n)], object),
        location_id=np.array(["S"] * n, object),
        weeks=np.datetime64("2021-04-12") + 7 * np.arange(n_weeks),
        units=units.astype(np.float64),
        in_stock=np.ones(units.shape, bool) if in_stock is None else in_stock,
    )


def drawn(n: int = 12, n_weeks: int = FIRST + N_WEEKS) -> History:
    generator = np.random.default_rng(5)
    level = generator.lognormal(1.0, 1.0, (n, 1))
    return history(generator.poisson(level, (n, n_weeks)), generator.random((n, n_weeks)) > 0.05)


def ordering(units: list[list[float]]) -> Policy:
    """Return the policy that orders the given columns, one each Monday."""
    left = iter(np.array(units, dtype=np.float64).T)
    return lambda past, stock: next(left)


def restock() -> Policy:
    past = drawn()
    masters = {
        "items": pd.DataFrame({"item_id": past.item_id, "holding_cost": 0.2 / 7, "shortage_cost": 1.0}),
        "locations": pd.DataFrame({"location_id": ["S"], "kind": ["store"]}),
        "supply": pd.DataFrame(
            {
                "item_id": ["*"],
                "source_id": ["supplier"],
                "location_id": ["*"],
                "lead_time_days": [14.0],
                "review_period_days": [7.0],
            }
        ),
    }
    config = PlanConfig(
        time=TimeParams(bucket="W"),
        targets=TargetParams(objective="cost"),
        forecast=ForecastParams(n_paths=40),
    )
    return restock_policy(masters, config, MovingAverage, Run())


POLICIES: dict[str, Callable[[], Policy]] = {
    "organiser": lambda: organiser,
    "textbook": lambda: normal_buffer,
    "restock": restock,
}


def test_the_order_placed_before_week_1_is_sold_from_week_3():
    stock = Stock(np.array([5.0]), np.array([[1.0, 2.0]]))
    played = play(history(np.full((1, 4), 3.0)), 0, stock, ordering([[10.0]]), 4, 1)
    # 5 + 1 - 3 = 3; 3 + 2 - 3 = 2; 2 + 10 - 3 = 9; 9 - 3 = 6
    assert played.left.tolist() == [[3.0, 2.0, 9.0, 6.0]]
    assert played.short.tolist() == [[0.0, 0.0, 0.0, 0.0]]


def test_unmet_demand_is_lost():
    stock, left, short = step(Stock(np.array([2.0]), np.zeros((1, 2))), np.array([4.0]), np.array([7.0]))
    assert (left.tolist(), short.tolist()) == ([0.0], [5.0])
    stock, left, short = step(stock, np.zeros(1), np.array([0.0]))
    assert left.tolist() == [0.0]
    assert stock.due.tolist() == [[4.0, 0.0]]
    _, left, short = step(stock, np.zeros(1), np.array([1.0]))
    assert (left.tolist(), short.tolist()) == ([3.0], [0.0])


def test_weeks_3_to_8_cost_a_fifth_per_unit_left_and_1_per_unit_short():
    units = np.zeros((1, N_WEEKS))
    units[0, [0, 1, 3, 7]] = [50.0, 60.0, 12.0, 5.0]
    stock = Stock(np.array([10.0]), np.zeros((1, 2)))
    played = play(history(units), 0, stock, ordering([[10.0, 0, 0, 0, 0, 3.0]]), N_WEEKS, N_ORDERS)
    # Week 3: 10 left. Week 4: 2 short. Week 8: 3 arrive, 2 short. What weeks 1 and 2 lack costs nothing.
    cost = window_cost(history(units), 0, played)
    assert cost.holding == pytest.approx(0.2 * 10)
    assert cost.shortage == pytest.approx(4.0)
    assert cost.total == pytest.approx(6.0)


def test_a_week_flagged_out_of_stock_costs_nothing():
    units = np.zeros((2, N_WEEKS))
    units[:, 4] = [0.0, 9.0]
    in_stock = np.ones(units.shape, bool)
    in_stock[:, 4] = False
    shop = history(units, in_stock)
    stock = Stock(np.array([4.0, 0.0]), np.zeros((2, 2)))
    played = play(shop, 0, stock, ordering(np.zeros((2, 6)).tolist()), N_WEEKS, N_ORDERS)
    # The first holds 4 units in weeks 3, 4, 6, 7 and 8; the second is short of 9 in week 5 only.
    assert window_cost(shop, 0, played).holding == pytest.approx(0.2 * 4 * 5)
    assert window_cost(shop, 0, played).shortage == 0.0


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("week", [0, 1, 3, N_ORDERS - 1])
def test_an_order_does_not_change_with_the_demand_of_its_own_week_or_any_later(name: str, week: int):
    true = drawn()
    stock = opening(true, FIRST)
    units, in_stock = true.units.copy(), true.in_stock.copy()
    units[:, FIRST + week :] += 500.0
    in_stock[:, FIRST + week :] = ~in_stock[:, FIRST + week :]
    planted = history(units, in_stock)
    usual = play(true, FIRST, stock, POLICIES[name](), week + 1, week + 1).orders
    again = play(planted, FIRST, stock, POLICIES[name](), week + 1, week + 1).orders
    np.testing.assert_array_equal(again, usual)
    assert usual.sum() > 0


@pytest.mark.parametrize("name", POLICIES)
def test_an_order_grows_with_the_demand_of_its_own_item_before_it(name: str):
    true = drawn()
    stock = opening(true, FIRST)
    units = true.units.copy()
    units[3, FIRST - 13 : FIRST] += 50.0
    usual = play(true, FIRST, stock, POLICIES[name](), 1, 1).orders
    again = play(history(units, true.in_stock), FIRST, stock, POLICIES[name](), 1, 1).orders
    assert again[3, 0] > usual[3, 0] + 50


def test_no_orders_cost_less_than_those_of_perfect_foresight():
    shop = drawn(n=3)
    stock = opening(shop, FIRST)
    best = window_cost(shop, FIRST, play(shop, FIRST, stock, foresight(shop), N_WEEKS, N_ORDERS)).total
    generator = np.random.default_rng(1)
    for _ in range(300):
        orders = generator.integers(0, 12, (3, N_ORDERS)).astype(np.float64)
        played = play(shop, FIRST, stock, ordering(orders.tolist()), N_WEEKS, N_ORDERS)
        assert window_cost(shop, FIRST, played).total >= best


def test_perfect_foresight_is_never_short():
    shop = drawn()
    played = play(shop, FIRST, opening(shop, FIRST), foresight(shop), N_WEEKS, N_ORDERS)
    assert window_cost(shop, FIRST, played).shortage == 0.0


def test_the_opening_is_that_of_six_weeks_under_the_organiser():
    shop = drawn()
    begin = FIRST - 6
    nothing = Stock(np.zeros(12), np.zeros((12, 2)))
    stock = Stock(organiser(shop.before(begin), nothing), np.zeros((12, 2)))
    for week in range(begin, FIRST):
        order = organiser(shop.before(week), stock)
        there = stock.on_hand + stock.due[:, 0]
        stock = Stock(np.maximum(there - shop.units[:, week], 0), np.stack([stock.due[:, 1], order], axis=1))
    found = opening(shop, FIRST)
    np.testing.assert_array_equal(found.on_hand, stock.on_hand)
    np.testing.assert_array_equal(found.due, stock.due)


def test_windows_do_not_overlap_and_end_with_the_history():
    assert window_starts(157, 8) == [93, 101, 109, 117, 125, 133, 141, 149]
    assert window_starts(157, 5, skip=8) == [53, 61, 69, 77, 85]
    with pytest.raises(ValueError, match="ask for fewer"):
        window_starts(157, 8, skip=8)


def test_an_item_that_was_never_in_stock_is_not_ordered():
    true = drawn()
    in_stock = true.in_stock.copy()
    in_stock[3] = False
    units = true.units.copy()
    units[3] = 0
    shop = history(units, in_stock)
    orders = play(shop, FIRST, opening(shop, FIRST), restock(), 1, 1).orders
    assert orders[3, 0] == 0
    assert orders[:3].sum() > 0
