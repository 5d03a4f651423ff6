"""Alternatives against the same network with other decisions, each costed and served as a whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.network.alternatives import alternatives
from engine.network.formulate import formulate
from engine.network.tiers import with_arrivals, with_sends
from engine.policy.cost import cost_of_orders, own_horizon
from engine.policy.interval_cost import price_above_cost
from engine.policy.service import expected_service
from engine.policy.types import Scenarios
from tests.engine.network.test_network_oracle import solve, tiny

SEEDS = range(8)


def whole_cost(network, scenarios, rule, units):
    """Return what both cells cost until each one's next order, with charges and every trip that is made."""
    options = network.options
    horizon = own_horizon(network.cells, options, scenarios, rule)
    cost, _ = cost_of_orders(network.cells, options, scenarios, units, horizon, rule)
    trips = formulate(network, scenarios, rule).problem.trips
    made = np.unique(trips.of_option[(units > 0) & (trips.of_option >= 0)])
    return float(cost.total.sum() + (price_above_cost(network.cells, options) * units).sum() + trips.cost[made].sum())


def service(network, scenarios, rule, units, row):
    """Return the services of the cell of a primary option, if the options bring these units."""
    options = network.options
    beside = with_arrivals(network.cells, options, np.where(options.primary, 0.0, units))
    sent = with_sends(scenarios, options, units)
    one = np.array([row])
    part = Scenarios(sent.paths, sent.arrival[one], sent.next_arrival[one])
    return [float(found[0]) for found in expected_service(beside, options.take(one), part, rule, units[one])]


@pytest.mark.parametrize("objective", ["cost", "cycle_service"])
@pytest.mark.parametrize("seed", SEEDS)
def test_each_purchase_costs_what_the_network_costs_with_it(seed, objective):
    network = tiny(seed, objective, tiered=False)
    _, _, rule, decision = solve(network, objective, seed)
    options = network.options
    found = alternatives(network, decision, rule, np.arange(2))
    base = whole_cost(network, decision.later, rule, decision.units)
    for k in np.flatnonzero(found.option == found.primary):
        units = decision.units.copy()
        units[found.primary[k]] = found.units[k]
        assert found.extra_cost[k] == pytest.approx(whole_cost(network, decision.later, rule, units) - base)
        reached = service(network, decision.later, rule, units, found.primary[k])
        assert [found.cycle_service[k], found.fill_rate[k]] == pytest.approx(reached)
        assert found.chosen[k] == (units[found.primary[k]] == decision.units[found.primary[k]])
    nothing = (found.units == 0) & (found.option == found.primary)
    np.testing.assert_allclose(found.extra_cost[nothing], decision.cost_of_waiting[found.primary[nothing]], atol=1e-9)
    for row in np.flatnonzero(options.primary):
        here = found.units[(found.option == found.primary) & (found.primary == row)]
        assert (np.diff(here) > 0).all()
        assert np.isin([0.0, decision.units[row], decision.units[row] + max(options.multiple[row], 1.0)], here).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_over_a_lane_costs_what_waiting_costs(seed):
    network = tiny(seed, "cycle_service", tiered=True)
    _, _, rule, decision = solve(network, "cycle_service", seed)
    found = alternatives(network, decision, rule, np.arange(2))
    nothing = (found.units == 0) & (found.option == found.primary)
    np.testing.assert_allclose(found.extra_cost[nothing], decision.cost_of_waiting[found.primary[nothing]], atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_second_source_stands_in_with_the_least_lots_that_bring_as_much(seed):
    # The lateral of R is made a second purchase, so that no giver's end is in the way of a plain comparison.
    network = tiny(seed, "cost", tiered=False)
    none, primary = np.full(network.options.n_options, -1), network.options.primary
    options = replace(network.options, origin_cell=none, lane=none, multiple=np.where(primary, 1.0, 3.0))
    network = replace(network, options=options)
    _, _, rule, decision = solve(network, "cycle_service", seed)
    found = alternatives(network, decision, rule, np.arange(2))
    base = whole_cost(network, decision.later, rule, decision.units)
    others = np.flatnonzero(found.option != found.primary)
    wanted = np.flatnonzero(options.primary & (decision.units > 0))
    assert sorted(found.primary[others]) == sorted(wanted)
    for k in others:
        units = decision.units.copy()
        units[found.primary[k]] = 0.0
        wish = decision.units[found.primary[k]] + decision.units[found.option[k]]
        units[found.option[k]] = 3.0 * np.ceil(wish / 3.0)
        assert found.units[k] == units[found.option[k]]
        assert found.extra_cost[k] == pytest.approx(whole_cost(network, decision.later, rule, units) - base)
        reached = service(network, decision.later, rule, units, found.primary[k])
        assert [found.cycle_service[k], found.fill_rate[k]] == pytest.approx(reached)


def test_cells_without_a_primary_option_are_refused():
    network = tiny(0, "cost", tiered=False)
    _, _, rule, decision = solve(network, "cost", 0)
    bare = replace(network, options=replace(network.options, primary=np.zeros(network.options.n_options, dtype=bool)))
    with pytest.raises(ValueError, match="must have a primary option"):
        alternatives(bare, decision, rule, np.arange(2))
