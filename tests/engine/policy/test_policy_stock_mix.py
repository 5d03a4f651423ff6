"""The stock mix against every combination of whole orders, and what its targets lead to."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from engine.policy.curve import option_blocks, path_needs
from engine.policy.hull import hull_steps
from engine.policy.mix_curves import MixCurves, Seats, join_mix_curves, mix_curves
from engine.policy.rungs import Kinks
from engine.policy.stock_mix import Goal, Ladder, mix_targets
from engine.policy.targets import stock_targets
from tests.engine.policy.plain import walk
from tests.engine.policy.stock_worlds import daily_rule, make_cells, make_options, make_scenarios, random_world

HORIZON = 6


def seats_of(cells, options, weight=1.0, held=False):
    n = options.n_options
    return Seats(np.arange(n), np.full(n, weight), cells.unit_cost[options.cell], np.full(n, held))


def tiny_world(seed, n=3, n_paths=7, scale=1, **given):
    """A few cells whose orders can all be listed: costs, classes, stock and lots differ."""
    rng = np.random.default_rng(seed)
    paths = rng.poisson(rng.gamma(1.0, 0.7 * scale, (n, 1, 1)), (n, n_paths, HORIZON))
    cells = make_cells(
        n, HORIZON, unit_cost=rng.choice([1.0, 4.0, 15.0], n), available=rng.integers(0, 4, n).astype(float),
        abc=rng.choice(np.array(["A", "B"], dtype=object), n), **given,
    )  # fmt: skip
    first = rng.integers(0, 3, n)
    options = make_options(
        cells, first, first + rng.integers(1, 4, n), multiple=rng.choice([0.0, 2.0], n),
        min_units=rng.choice([0.0, 3.0], n),
    )  # fmt: skip
    return cells, options, make_scenarios(options, paths)


def by_hand(cells, options, scenarios, unmet, cell, units):
    """Mean stock value, units short and demanded a day of one order, path by path in plain Python."""
    length = int(options.next_arrival[cell] - options.arrival[cell])
    told = [
        walk(
            (cells.available[cell], cells.backorders[cell]), cells.arrivals[cell], path,
            (units, int(options.arrival[cell]), int(options.next_arrival[cell])), unmet, np.ones(HORIZON),
        )
        for path in scenarios.paths[cell].astype(float)
    ]  # fmt: skip
    n = len(told) * length
    return (
        cells.unit_cost[cell] * sum(one.held_unit_days for one in told) / n,
        sum(one.short for one in told) / n,
        sum(one.demand for one in told) / n,
    )


def every_choice(cells, options, scenarios, unmet):
    """All feasible orders of each cell up to the largest need, with what they hold and lack."""
    choices = []
    for cell in range(cells.n_cells):
        lot = max(1.0, options.multiple[cell])
        most = scenarios.paths[cell].sum(axis=1).max() + lot + options.min_units[cell]
        units = [0.0, *(lot * k for k in range(1, int(most / lot) + 1) if lot * k >= options.min_units[cell])]
        choices.append([by_hand(cells, options, scenarios, unmet, cell, q) for q in units])
    return choices


def least_value(choices, abc, goal):
    """The least stock value over all combinations of orders that reach the goal, None where none does."""
    best = None
    for chosen in itertools.product(*choices):
        value, short, demand = np.array(chosen).T
        wanted = [(np.ones(len(abc), dtype=bool), goal.share)]
        wanted += [(abc == letter, floor) for letter, floor in goal.floor_by_class.items()]
        if all(short[rows].sum() <= (1 - share) * demand[rows].sum() + 1e-9 for rows, share in wanted):
            best = value.sum() if best is None else min(best, value.sum())
    return best


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
@pytest.mark.parametrize("seed", range(12))
def test_the_mix_lies_between_its_bound_and_its_last_steps_around_the_best_of_all_orders(seed, unmet):
    cells, options, scenarios = tiny_world(seed)
    rule = daily_rule("fill_rate", unmet, HORIZON)
    goal = Goal(0.85, {"A": 0.9} if seed % 2 else {})
    curves = mix_curves(cells, options, scenarios, rule, seats_of(cells, options))
    mix = Ladder.of(curves).reach(goal)
    best = least_value(every_choice(cells, options, scenarios, unmet), cells.abc, goal)
    assert mix.share >= goal.share - 1e-9
    assert mix.bound <= best + 1e-9
    assert mix.value >= best - 1e-9
    # One closing step for the aggregate and one a floor are all that can lie between.
    largest = np.sort(curves.up.value)[::-1][: 1 + len(goal.floor_by_class)].sum()
    assert mix.value <= mix.bound + largest + 1e-9
    for letter, floor in goal.floor_by_class.items():
        reached = mix.share_by_class["ABC".index(letter)]
        assert np.isnan(reached) or reached >= floor - 1e-9


@pytest.mark.parametrize("seed", range(12))
def test_every_price_gives_the_cheapest_of_all_orders_at_that_price(seed):
    cells, options, scenarios = tiny_world(seed)
    rule = daily_rule("fill_rate", "lost", HORIZON)
    curves = mix_curves(cells, options, scenarios, rule, seats_of(cells, options))
    choices = every_choice(cells, options, scenarios, "lost")
    for price in (0.3, 3.0, 30.0, 300.0):
        bought = curves.up.price <= price
        rows = curves.up.row[bought]
        value = curves.value + np.bincount(rows, weights=curves.up.value[bought], minlength=curves.n_cells)
        short = curves.short - np.bincount(rows, weights=curves.up.saved[bought], minlength=curves.n_cells)
        cheapest = [min(one[0] + price * one[1] for one in listed) for listed in choices]
        np.testing.assert_allclose(value + price * short, cheapest, atol=1e-9)


@pytest.mark.parametrize("scale", [1, 200], ids=["every order is a point", "more orders than points"])
@pytest.mark.parametrize("seed", range(4))
def test_targets_of_the_mix_make_each_cell_order_what_the_mix_chose(seed, scale):
    cells, options, scenarios = tiny_world(seed, n=12, n_paths=40, scale=scale)
    rule = daily_rule("fill_rate", "lost", HORIZON)
    curves = mix_curves(cells, options, scenarios, rule, seats_of(cells, options))
    mix = Ladder.of(curves).reach(Goal(0.9, {}))
    target = mix_targets(curves, mix)
    found = stock_targets(replace(cells, target=np.nan_to_num(target, nan=0.9)), options, scenarios, rule)
    stock = [by_hand(cells, options, scenarios, "lost", k, found.order_units[k]) for k in range(12)]
    value, short, demand = np.array(stock).T
    assert mix.share >= 0.9
    assert value.sum() == pytest.approx(mix.value)
    assert 1 - short.sum() / demand.sum() == pytest.approx(mix.share)
    np.testing.assert_array_equal(found.order_units[mix.taken == 0], 0)
    np.testing.assert_array_equal(found.order_units, np.rint(found.order_units))


def test_a_cell_with_too_much_gets_the_target_of_one_that_has_enough():
    paths = np.random.default_rng(0).poisson(2.0, (1, 60, HORIZON)).repeat(2, axis=0)
    cells = make_cells(2, HORIZON, available=np.array([0.0, 90.0]))
    options = make_options(cells, 0, 4)
    scenarios = make_scenarios(options, paths)
    rule = daily_rule("fill_rate", "lost", HORIZON)
    curves = mix_curves(cells, options, scenarios, rule, seats_of(cells, options))
    mix = Ladder.of(curves).reach(Goal(0.96, {}))
    empty, full = mix_targets(curves, mix)
    assert mix.taken[1] == 0
    assert 0.8 < empty < 1.0
    assert full == pytest.approx(empty, abs=0.05)
    levels = stock_targets(replace(cells, target=np.array([empty, full])), options, scenarios, rule).order_up_to
    assert abs(levels[0] - levels[1]) <= 2


def test_an_own_target_is_kept_and_counts():
    cells, options, scenarios = tiny_world(3, n=8, n_paths=40, target=0.99)
    rule = daily_rule("fill_rate", "lost", HORIZON)
    held = np.arange(8) == 2
    seats = replace(seats_of(cells, options), held=held)
    curves = mix_curves(cells, options, scenarios, rule, seats)
    mix = Ladder.of(curves).reach(Goal(0.8, {}))
    alone = stock_targets(cells, options, scenarios, rule)
    value, short, demand = by_hand(cells, options, scenarios, "lost", 2, alone.order_units[2])
    assert mix.taken[2] == 0
    assert curves.value[2] == pytest.approx(value)
    assert curves.short[2] == pytest.approx(short)
    assert curves.demand[2] == pytest.approx(demand)
    assert mix.share >= 0.8


def test_what_no_order_can_reach_is_reached_as_far_as_it_goes():
    cells, options, scenarios = tiny_world(5, n=6, n_paths=30, max_stock=2.0)
    options = replace(options, min_units=np.zeros(6), multiple=np.zeros(6))
    rule = daily_rule("fill_rate", "lost", HORIZON)
    curves = mix_curves(cells, options, scenarios, rule, seats_of(cells, options))
    mix = Ladder.of(curves).reach(Goal(0.999, {"A": 0.995}))
    np.testing.assert_array_equal(mix.taken, np.bincount(curves.up.row, minlength=6))
    everything = stock_targets(replace(cells, target=np.ones(6)), options, scenarios, rule)
    short, demand = np.array(
        [by_hand(cells, options, scenarios, "lost", k, everything.order_units[k])[1:] for k in range(6)]
    ).T
    assert mix.share == pytest.approx(1 - short.sum() / demand.sum())
    assert mix.share < 0.999


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
@pytest.mark.parametrize("seed", range(6))
def test_stock_and_shortage_at_many_orders_are_those_of_a_walk_bucket_by_bucket(seed, unmet):
    cells, options, scenarios = random_world(seed, random_lead=seed % 2 == 1)
    horizon = scenarios.horizon
    rule = daily_rule("fill_rate", unmet, horizon)
    n_paths = scenarios.n_paths
    for rows in option_blocks(scenarios, np.arange(options.n_options)):
        needs = path_needs(cells, options.cell[rows], scenarios, rows, rule, every_bucket=True)
        rungs = Kinks(needs, rule).rungs(np.full(len(rows), 16.0), np.full(len(rows), 4.0), 5)
        for place, row in enumerate(rows.tolist()):
            first = np.minimum(scenarios.arrival[row], horizon)
            second = np.minimum(scenarios.next_arrival[row], horizon)
            for k, units in enumerate(rungs.units[place].tolist()):
                told = [
                    walk(
                        (cells.available[row], cells.backorders[row]), cells.arrivals[row],
                        scenarios.paths[row, path], (units, first[path], second[path]), unmet, rule.bucket_days,
                    )
                    for path in range(n_paths)
                ]  # fmt: skip
                days = (second - first).sum()
                held = sum(one.held_unit_days for one in told) / days if days else 0.0
                assert rungs.held[place, k] == pytest.approx(held, abs=1e-9)
                assert rungs.short[place, k] == pytest.approx(sum(one.short for one in told) / n_paths, abs=1e-9)
                assert rungs.calm[place, k] == sum(one.clean and one.demand > 0 for one in told)


def test_a_hull_is_that_of_the_tangents_at_all_prices():
    rng = np.random.default_rng(4)
    short = -np.sort(-rng.random((20, 9)), axis=1)
    value = np.sort(rng.random((20, 9)), axis=1)
    usable = rng.random((20, 9)) < 0.8
    usable[:, 0] = True
    steps = hull_steps(value, short, 1 - short, usable)
    for price in np.geomspace(0.01, 100, 41):
        for row in range(20):
            mine = (steps.row == row) & (steps.price <= price)
            found = value[row, 0] + steps.value[mine].sum() + price * (short[row, 0] - steps.saved[mine].sum())
            assert found == pytest.approx((value + price * short)[row, usable[row]].min())


def test_parts_of_the_cells_joined_are_the_whole():
    cells, options, scenarios = tiny_world(7, n=9, n_paths=20)
    rule = daily_rule("fill_rate", "lost", HORIZON)
    whole = mix_curves(cells, options, scenarios, rule, seats_of(cells, options))
    parts, rows = [], []
    for cut in (np.arange(0, 4), np.arange(4, 9)):
        some = replace(options.take(cut), cell=np.arange(len(cut)))
        here = cells.take(cut)
        parts.append(mix_curves(here, some, make_scenarios(some, scenarios.paths[cut]), rule, seats_of(here, some)))
        rows.append(cut)
    joined = join_mix_curves(parts, rows)
    for name in MixCurves.__dataclass_fields__:
        one, other = getattr(whole, name), getattr(joined, name)
        if name in ("up", "down"):
            for column in ("row", "value", "saved", "price", "fill"):
                np.testing.assert_array_equal(getattr(one, column), getattr(other, column))
        elif name == "uniform":
            np.testing.assert_allclose(one.value, other.value, rtol=1e-12)
        else:
            np.testing.assert_array_equal(one, other)


def test_the_mix_holds_less_value_than_one_service_for_all():
    cells, options, scenarios = tiny_world(1, n=60, n_paths=60)
    options = replace(options, min_units=np.zeros(60), multiple=np.zeros(60))
    rule = daily_rule("fill_rate", "lost", HORIZON)
    curves = mix_curves(cells, options, scenarios, rule, seats_of(cells, options))
    demand = curves.demand.sum()
    for measure in range(2):
        for value, short in zip(curves.uniform.value[measure], curves.uniform.short[measure].sum(axis=1), strict=True):
            mix = Ladder.of(curves).reach(Goal(1 - short / demand, {}))
            assert mix.bound <= value + 1e-9
