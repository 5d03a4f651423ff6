"""The curve of a quantity's cost, against the cost of each quantity worked out on all paths."""

from __future__ import annotations

import numpy as np
import pytest

from engine.policy.aims import daily_demand
from engine.policy.curve import option_blocks, path_needs
from engine.policy.interval_cost import Prices, interval_cost, left_over
from engine.policy.lot_curve import lot_curves
from tests.engine.policy.stock_worlds import daily_rule, random_world, weekly_rule


def plain_costs(cells, options, scenarios, rule, units):
    """Return the cost of units (m,) of every option by `interval_cost`."""
    daily, found = daily_demand(cells, scenarios.paths, rule), np.empty(options.n_options)
    for rows in option_blocks(scenarios, np.arange(options.n_options)):
        here = cells.take(options.cell[rows])
        needs = path_needs(cells, options.cell[rows], scenarios, rows, rule, every_bucket=True)
        left = left_over(here, daily[options.cell[rows]], scenarios.next_arrival[rows].max(axis=1), rule)
        unmet = here.backorder_cost if rule.backordered else here.shortage_cost
        prices = Prices(here.holding_cost[:, None], unmet[:, None], 0.0, left.columns())
        found[rows] = interval_cost(needs, needs.base + units[rows, None], prices, rule)
    return found


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
@pytest.mark.parametrize("random_lead", [False, True])
@pytest.mark.parametrize("make_rule", [daily_rule, weekly_rule])
def test_the_curve_is_the_cost_of_every_quantity(unmet, random_lead, make_rule):
    for seed in range(5):
        cells, options, scenarios = random_world(seed, horizon=14, random_lead=random_lead)
        rule = make_rule("cost", unmet, 14)
        daily = daily_demand(cells, scenarios.paths, rule)
        curves = lot_curves(cells, options, scenarios, daily, np.arange(options.n_options), rule)
        grid = np.array([0.0, 1.0, 2.0, 3.5, 7.0, 12.0, 20.0, 55.0, 400.0])
        wanted = np.stack([plain_costs(cells, options, scenarios, rule, np.full(12, x)) for x in grid], axis=1)
        np.testing.assert_allclose(curves(np.tile(grid, (12, 1))), wanted, rtol=1e-9, atol=1e-9)


def test_rows_may_be_asked_for_in_any_number_and_shape():
    cells, options, scenarios = random_world(3)
    rule = daily_rule("cost", "lost", 10)
    daily = daily_demand(cells, scenarios.paths, rule)
    every = lot_curves(cells, options, scenarios, daily, np.arange(12), rule)
    some = lot_curves(cells, options, scenarios, daily, np.array([2, 7]), rule)
    units = np.array([3.0, 9.0])
    np.testing.assert_allclose(some(units), every.take(np.array([2, 7]))(units))
    np.testing.assert_allclose(some(units), [every(np.full(12, 3.0))[2], every(np.full(12, 9.0))[7]])
    assert lot_curves(cells, options, scenarios, daily, np.zeros(0, dtype=np.int64), rule)(np.zeros(0)).shape == (0,)
