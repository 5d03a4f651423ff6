"""Stock targets against brute force over quantities, each judged by a plain walk through every path."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.policy.lots import lots
from engine.policy.targets import stock_targets
from engine.policy.types import Targets, block_of
from tests.engine.policy.plain import loss_on_left, walk
from tests.engine.policy.stock_worlds import (
    daily_rule,
    make_cells,
    make_options,
    make_scenarios,
    random_world,
    rebased,
    weekly_rule,
)

UNMET = ("lost", "backordered")
OBJECTIVES = ("cost", "cycle_service", "fill_rate", "days_of_cover")
MOST = 70


class Plain:
    """What every quantity of one row leads to, by plain walks."""

    def __init__(self, world, rule, row):
        self.cells, self.options, self.scenarios = world
        self.rule, self.row, self.cell = rule, row, int(self.options.cell[row])
        self.horizon = self.scenarios.horizon

    def told(self, units):
        start = (float(self.cells.available[self.cell]), float(self.cells.backorders[self.cell]))
        for k in range(self.scenarios.n_paths):
            interval = (
                min(int(array[self.row, k]), self.horizon)
                for array in (self.scenarios.arrival, self.scenarios.next_arrival)
            )
            yield walk(
                start, self.cells.arrivals[self.cell], self.scenarios.paths[self.cell, k].astype(float),
                (units, *interval), self.rule.unmet, self.rule.bucket_days,
            )  # fmt: skip

    def cover_units(self):
        days = int(self.rule.bucket_days[0])
        mean = self.scenarios.paths[self.cell].astype(float).mean(axis=0)
        end = int(self.cells.end_bucket[self.cell])
        later = 0.0 if end < self.horizon else mean.sum() / self.horizon
        left, bucket, units = float(self.cells.target[self.cell]) / days, int(self.options.next_arrival[self.row]), 0.0
        while left > 0:
            share = min(left, 1.0)
            units += share * (mean[bucket] if bucket < self.horizon else later)
            left, bucket = left - share, bucket + 1
        return units

    def loss_on_left(self, units):
        mean = float(self.scenarios.paths[self.cell].astype(float).sum(axis=1).mean())
        end = int(self.cells.end_bucket[self.cell])
        until = min(int(self.scenarios.next_arrival[self.row].max()), self.horizon)
        days = int(self.rule.bucket_days[0])
        days_on_sale = max(end - until, 0) * days if end < self.horizon else math.inf
        cap = float(self.cells.unit_cost[self.cell] - self.cells.salvage_value[self.cell])
        holding = float(self.cells.holding_cost[self.cell])
        return loss_on_left(units, holding, cap, mean / (min(end, self.horizon) * days), days_on_sale, n_slices=60)

    def cost(self, units):
        price = self.cells.backorder_cost if self.rule.unmet == "backordered" else self.cells.shortage_cost
        told = list(self.told(units))
        held = sum(path.held_unit_days for path in told) * self.cells.holding_cost[self.cell]
        unmet = sum(path.unmet for path in told) * price[self.cell]
        left = sum(self.loss_on_left(path.stock_before_next) for path in told)
        above = max(float(self.options.unit_cost[self.row] - self.cells.unit_cost[self.cell]), 0.0)
        return (held + unmet + left) / len(told) + above * units

    def meets(self, units):
        told = list(self.told(units))
        target = float(self.cells.target[self.cell])
        if self.rule.objective == "days_of_cover":
            return np.mean([path.stock_before_next for path in told]) >= self.cover_units() - 1e-9
        if self.owed_after(units):
            return False
        if self.rule.objective == "cycle_service":
            asked = [path.clean for path in told if path.demand > 0]
            return sum(asked) >= min(target * (len(asked) + 1), len(asked)) - 1e-9
        return sum(path.short for path in told) <= (1 - target) * sum(path.demand for path in told) + 1e-9

    def owed_after(self, units):
        """Return whether units owed at the start are still owed on some path when the order has landed."""
        owed = max(float(self.cells.backorders[self.cell] - self.cells.available[self.cell]), 0.0)
        first = np.minimum(self.scenarios.arrival[self.row], self.horizon)
        received = [self.cells.arrivals[self.cell, : a + 1].sum() for a in first]
        return bool(max(owed - min(received), 0.0) > units + 1e-9)

    def best(self):
        """Return the least quantity that meets the objective."""
        if self.rule.objective == "cost":
            costs = [self.cost(units) for units in range(MOST)]
            return int(np.argmax(np.array(costs) <= min(costs) + 1e-7)), costs
        return next(units for units in range(400) if self.meets(units) and not self.owed_after(units)), None


@pytest.mark.parametrize("unmet", UNMET)
@pytest.mark.parametrize("objective", ["cycle_service", "fill_rate", "days_of_cover"])
@pytest.mark.parametrize("random_lead", [False, True])
def test_the_order_is_the_least_that_meets_the_target(unmet, objective, random_lead):
    for seed, make_rule, days in ((0, daily_rule, 1), (1, weekly_rule, 7), (2, daily_rule, 1)):
        world = random_world(seed, n_paths=9, random_lead=random_lead)
        if objective == "days_of_cover":
            world = (replace(world[0], target=days * np.tile([0.5, 2.0, 7.5], 4)), *world[1:])
        rule = make_rule(objective, unmet, world[2].horizon)
        targets = stock_targets(*world, rule)
        expected = [Plain(world, rule, row).best()[0] for row in range(world[1].n_options)]
        np.testing.assert_array_equal(targets.raw_units, expected)
        np.testing.assert_array_equal(targets.order_units, expected)


@pytest.mark.parametrize("unmet", UNMET)
@pytest.mark.parametrize("random_lead", [False, True])
def test_the_order_is_the_cheapest(unmet, random_lead):
    world = random_world(5, n=6, n_paths=4, random_lead=random_lead)
    world = (world[0], replace(world[1], unit_cost=np.tile([9.0, 10.5], 3)), world[2])
    rule = weekly_rule("cost", unmet, world[2].horizon)
    targets = stock_targets(*world, rule)
    for row in range(6):
        best, costs = Plain(world, rule, row).best()
        # Left-over stock is integrated numerically there, so equal costs may rank either way.
        assert costs[int(targets.order_units[row])] == pytest.approx(costs[best], abs=1e-5)


@pytest.mark.parametrize("unmet", UNMET)
def test_the_cheapest_lot_is_taken(unmet):
    world = random_world(8, n=9, n_paths=5, shortage_cost=np.full(9, 1.5), backorder_cost=np.full(9, 0.4))
    world = (world[0], replace(world[1], min_units=np.tile([0.0, 12.0, 5.0], 3), multiple=np.tile([4.0, 0.0, 6.0], 3),
                               max_units=np.tile([16.0, np.inf, 24.0], 3)), world[2])  # fmt: skip
    rule = daily_rule("cost", unmet, world[2].horizon)
    targets = stock_targets(*world, rule)
    feasible = ([0, 4, 8, 12, 16], [0, *range(12, MOST)], [0, 6, 12, 18, 24])
    for row in range(9):
        plain = Plain(world, rule, row)
        costs = {units: plain.cost(units) for units in feasible[row % 3]}
        assert targets.order_units[row] in costs
        assert costs[int(targets.order_units[row])] == pytest.approx(min(costs.values()), abs=1e-5)


@pytest.mark.parametrize("unmet", UNMET)
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("lot", "shelf", "least"), [(0.0, np.inf, 0.0), (6.0, np.inf, 0.0), (4.0, 14.0, 9.0)])
def test_levels_are_the_positions_where_decisions_turn(unmet, objective, lot, shelf, least):
    n, most = 12, 90
    world = random_world(3, n=n, n_paths=9, max_stock=np.full(n, shelf), min_stock=np.full(n, least))
    cells, options, scenarios = (replace(world[0], backorders=np.zeros(n)), *world[1:])
    if objective == "days_of_cover":
        cells = replace(cells, target=np.full(n, 3.0))
    options = replace(options, multiple=np.full(n, lot))
    rule = daily_rule(objective, unmet, scenarios.horizon)
    levels = stock_targets(cells, options, scenarios, rule)
    inbound = levels.position - cells.available

    # Every cell again, with 0, 1, 2, ... units on hand.
    rows = np.repeat(np.arange(n), most)
    spread = replace(cells.take(rows), available=np.tile(np.arange(float(most)), n))
    links = rebased(options, rows)
    found = stock_targets(spread, links, make_scenarios(links, scenarios.paths[rows]), rule)
    np.testing.assert_array_equal(found.order_up_to, levels.order_up_to[rows])
    np.testing.assert_array_equal(found.reorder_point, levels.reorder_point[rows])
    orders = (found.order_units > 0).reshape(n, most)
    # No position is below the inbound, so levels there see no order.
    np.testing.assert_array_equal(orders.sum(axis=1) - 1, np.maximum(levels.reorder_point - inbound, -1))
    assert (np.diff(orders.astype(int), axis=1) <= 0).all()
    if shelf == np.inf:
        wanting = (found.raw_units > 0).reshape(n, most).sum(axis=1)
        np.testing.assert_array_equal(wanting, np.maximum(levels.order_up_to - inbound, 0))
    assert (levels.reorder_point < levels.order_up_to).all()


@pytest.mark.parametrize("unmet", UNMET)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_level_does_not_grow_with_inbound_beyond_the_need(unmet, objective):
    # 10 a day until the next arrival on day 12 ask for 120 units, and 3 days of cover for 30 more, whatever is due.
    arrivals = np.zeros((4, 14))
    arrivals[:, 5] = [0.0, 150.0, 151.0, 240.0]
    target = 3.0 if objective == "days_of_cover" else 1.0
    cells = make_cells(4, 14, available=60.0, arrivals=arrivals, target=target, shortage_cost=99.0, backorder_cost=99.0)
    options = make_options(cells, 5, 12)
    scenarios = make_scenarios(options, np.full((4, 3, 14), 10.0))
    found = stock_targets(cells, options, scenarios, daily_rule(objective, unmet, 14))
    np.testing.assert_array_equal(found.position, [60, 210, 211, 300])
    safety = 30 if objective == "days_of_cover" else 0
    np.testing.assert_array_equal(found.order_up_to, np.full(4, 120 + safety))
    np.testing.assert_array_equal(found.reorder_point, np.full(4, 119 + safety))
    np.testing.assert_array_equal(found.safety_stock, np.full(4, safety))
    np.testing.assert_array_equal(found.order_units[1:], 0)


@pytest.mark.parametrize("unmet", UNMET)
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("random_lead", [False, True])
def test_where_no_start_needs_an_order_the_level_is_that_of_inbound_on_hand(unmet, objective, random_lead):
    cells, options, scenarios = random_world(13, n_paths=9, random_lead=random_lead, backorders=np.zeros(12))
    cells = replace(cells, arrivals=cells.arrivals * np.tile([1.0, 4.0, 16.0], 4)[:, None])
    if objective == "days_of_cover":
        cells = replace(cells, target=np.full(12, 2.0))
    rule = daily_rule(objective, unmet, scenarios.horizon)
    found = stock_targets(cells, options, scenarios, rule)
    inbound = found.position - cells.available
    no_inbound = np.zeros_like(cells.arrivals)
    as_if_on_hand = stock_targets(replace(cells, arrivals=no_inbound), options, scenarios, rule).order_up_to
    empty = stock_targets(replace(cells, available=np.zeros(12)), options, scenarios, rule)
    enough = empty.raw_units == 0
    assert enough.any()
    assert not enough.all()
    np.testing.assert_array_equal(found.order_up_to[enough], np.minimum(inbound, as_if_on_hand)[enough])
    assert (found.order_up_to[~enough] > inbound[~enough]).all()
    assert (found.reorder_point[enough] < inbound[enough]).all()


def test_with_backorders_the_order_lifts_the_position_to_the_level():
    world = random_world(4, n_paths=30)
    for objective in ("cycle_service", "fill_rate"):
        targets = stock_targets(*world, daily_rule(objective, "backordered", 10))
        due = (targets.position <= targets.reorder_point) & (targets.binding != "owed")
        assert due.any()
        np.testing.assert_array_equal((targets.position + targets.order_units)[due], targets.order_up_to[due])


def test_hand_worked_targets():
    # Two equally likely paths: 4 or 8 units over the interval, 2 a day before it; 5 on hand, 1 day of lead time.
    # The lesser of two needs covers the next one with probability 1/3.
    paths = np.array([[[2, 2, 2], [2, 4, 4]]]).transpose(0, 1, 2)
    cells = make_cells(1, 3, available=5.0, target=1 / 3)
    options = make_options(cells, 1, 3)
    scenarios = make_scenarios(options, paths)
    found = stock_targets(cells, options, scenarios, daily_rule("cycle_service", "lost", 3))
    assert found.stock_at_landing[0] == 3
    assert found.order_units[0] == 1
    assert found.order_up_to[0] == 6
    assert found.reorder_point[0] == 5
    assert found.interval_demand[0] == 6
    assert found.protection_demand[0] == 8
    assert found.safety_stock[0] == -2
    assert found.expected_cycle_service[0] == 0.5
    assert found.expected_fill_rate[0] == pytest.approx(1 - 2 / 6)


def test_owed_customers_are_served_whatever_the_target():
    cells = make_cells(2, 4, backorders=7.0, available=2.0, target=np.array([0.01, 0.01]))
    options = make_options(cells, 1, 3)
    scenarios = make_scenarios(options, np.zeros((2, 5, 4)))
    for unmet in UNMET:
        found = stock_targets(cells, options, scenarios, daily_rule("fill_rate", unmet, 4))
        np.testing.assert_array_equal(found.order_units, [5, 5])
        assert found.binding.tolist() == ["owed", "owed"]


def test_divisible_items_are_planned_to_a_thousandth():
    rng = np.random.default_rng(0)
    cells = make_cells(1, 4, divisible=True, target=0.9)
    options = make_options(cells, 1, 4)
    scenarios = make_scenarios(options, rng.gamma(2.0, 1.7, (1, 200, 4)))
    found = stock_targets(cells, options, scenarios, daily_rule("fill_rate", "lost", 4))
    demand = scenarios.paths[0, :, 1:].astype(float).sum(axis=1)

    def short(units):
        return np.maximum(demand - units, 0).sum() / demand.sum()

    units = found.order_units[0]
    assert short(units) <= 0.1 + 1e-9 < short(units - 0.001)
    assert units * 1000 == pytest.approx(round(units * 1000))


def test_min_and_max_stock():
    world = random_world(6, n_paths=20, min_stock=np.full(12, 25.0), target=np.full(12, 0.5))
    rule = daily_rule("cycle_service", "lost", 10)
    found = stock_targets(*world, rule)
    for row in range(12):
        plain = Plain(world, rule, row)
        mean = [np.mean([p.stock_before_next for p in plain.told(units)]) for units in (found.order_units[row],)]
        assert mean[0] >= 25 - 1e-9
        less = max(found.order_units[row] - 1, 0)
        if found.binding[row] == "min-stock":
            assert np.mean([p.stock_before_next for p in plain.told(less)]) < 25
    assert (found.binding == "min-stock").any()

    capped = stock_targets(replace(world[0], max_stock=np.full(12, 20.0)), *world[1:], rule)
    assert (capped.stock_at_landing + capped.order_units <= np.maximum(20.0, capped.stock_at_landing) + 1e-9).all()
    assert (capped.binding == "max-stock").any()


@given(
    minimum=st.integers(0, 40),
    multiple=st.integers(0, 15),
    maximum=st.one_of(st.integers(0, 60), st.just(math.inf)),
    wish=st.integers(0, 80),
)
@settings(deadline=None)
def test_lots_are_the_next_feasible_quantity(minimum, multiple, maximum, wish):
    columns = (np.array([float(value)]) for value in (minimum, multiple, maximum, 1))
    found = lots(*columns)
    size = multiple or 1
    feasible = [k * size for k in range(1, 200) if max(minimum, 1) <= k * size <= maximum]
    reached = [units for units in feasible if units >= wish]
    expected = 0 if wish == 0 or not feasible else min(reached) if reached else max(feasible)
    assert found.at_least(np.array([float(wish)]))[0] == expected
    assert found.below(np.array([float(wish)]))[0] == max([0, *(u for u in feasible if u < wish)])
    assert found.smallest()[0] == (min(feasible) if feasible else math.inf)


@given(seed=st.integers(0, 10_000), objective=st.sampled_from(OBJECTIVES[1:]), unmet=st.sampled_from(UNMET))
@settings(deadline=None, max_examples=25)
def test_a_line_in_lots_reaches_its_target(seed, objective, unmet):
    rng = np.random.default_rng(seed)
    cells, options, scenarios = random_world(seed)
    if objective == "days_of_cover":
        cells = replace(cells, target=rng.uniform(0.5, 9, 12))
    options = replace(options, multiple=rng.integers(0, 9, 12).astype(float), min_units=rng.choice([0.0, 10.0], 12))
    found = stock_targets(cells, options, scenarios, daily_rule(objective, unmet, 10))
    assert (found.order_units >= found.raw_units).all()
    due = found.order_units > 0
    lot = np.where(options.multiple > 0, options.multiple, 1)
    assert (found.order_units % lot == 0).all()
    assert (found.order_units[due] >= options.min_units[due]).all()
    if objective == "cycle_service":
        assert (found.expected_cycle_service >= cells.target - 1e-9).all()
    if objective == "fill_rate":
        assert (found.expected_fill_rate >= cells.target - 1e-9).all()


@given(
    seed=st.integers(0, 10_000),
    objective=st.sampled_from(OBJECTIVES),
    unmet=st.sampled_from(UNMET),
    flood=st.sampled_from([1, 5]),
)
@settings(deadline=None, max_examples=40)
def test_more_is_asked_for_by_a_higher_target_and_less_by_more_inbound(seed, objective, unmet, flood):
    rng = np.random.default_rng(seed)
    cells, options, scenarios = random_world(seed, backorders=np.zeros(12))
    cells = replace(cells, arrivals=flood * cells.arrivals)
    rule = daily_rule(objective, unmet, 10)
    if objective == "days_of_cover":
        cells = replace(cells, target=rng.uniform(0.5, 5, 12))
    plain = stock_targets(cells, options, scenarios, rule)
    # Whatever comes before the order lands, or with it, can only spare units of it.
    more = cells.arrivals.copy()
    more[np.arange(12), rng.integers(0, options.arrival + 1)] += rng.integers(1, 6, 12)
    assert (stock_targets(replace(cells, arrivals=more), options, scenarios, rule).raw_units <= plain.raw_units).all()
    if objective == "cost":
        dearer = replace(cells, shortage_cost=cells.shortage_cost * 2, backorder_cost=cells.backorder_cost * 2)
    else:
        dearer = replace(cells, target=np.minimum(cells.target * 1.2, 1.0 if objective != "days_of_cover" else 99))
    higher = stock_targets(dearer, options, scenarios, rule)
    assert (higher.raw_units >= plain.raw_units).all()
    assert (higher.order_up_to >= plain.order_up_to).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("divisible", [False, True])
def test_results_do_not_depend_on_order_or_blocks(objective, divisible):
    cells, options, scenarios = random_world(9, n=300, n_paths=64, random_lead=False)
    rng = np.random.default_rng(2)
    if divisible:
        scenarios = replace(scenarios, paths=(scenarios.paths * rng.random((300, 1, 1))).astype(np.float32))
        cells = replace(cells, divisible=np.ones(300, dtype=bool))
    if objective == "days_of_cover":
        cells = replace(cells, target=np.full(300, 4.0))
    rule = daily_rule(objective, "lost", 10)
    whole = stock_targets(cells, options, scenarios, rule)
    mixed = rng.permutation(300)
    shuffled = replace(
        scenarios, paths=scenarios.paths[mixed], arrival=scenarios.arrival[mixed],
        next_arrival=scenarios.next_arrival[mixed],
    )  # fmt: skip
    moved = rebased(options, mixed)
    again = stock_targets(cells.take(mixed), moved, shuffled, rule)
    for name in [f.name for f in fields(Targets) if f.name != "option"]:
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name)[mixed], err_msg=name)
    for start, stop in ((0, 7), (7, 131), (131, 300)):
        some, links, rows = block_of(cells, options, start, stop)
        part = replace(
            scenarios, paths=scenarios.paths[start:stop], arrival=scenarios.arrival[rows],
            next_arrival=scenarios.next_arrival[rows],
        )  # fmt: skip
        found = stock_targets(some, links, part, rule)
        for name in [f.name for f in fields(Targets) if f.name != "option"]:
            np.testing.assert_array_equal(getattr(found, name), getattr(whole, name)[start:stop], err_msg=name)


def test_inputs_are_refused_that_do_not_fit():
    cells, options, scenarios = random_world(1)
    rule = daily_rule("cost", "lost", 10)
    with pytest.raises(ValueError, match="paths must have 11 rows"):
        stock_targets(cells.take(np.arange(11)), options, scenarios, rule)
    with pytest.raises(ValueError, match="shortage_cost must be given"):
        stock_targets(replace(cells, shortage_cost=np.full(12, np.nan)), options, scenarios, rule)
    with pytest.raises(ValueError, match="paths must reach the next arrival, bucket 11"):
        stock_targets(cells, replace(options, next_arrival=np.full(12, 11)), scenarios, rule)
    with pytest.raises(ValueError, match="bucket_days must cover 10 buckets"):
        stock_targets(cells, options, scenarios, daily_rule("cost", "lost", 9))
