"""Orders to suppliers after limits that all items share have cut some of their lines."""

from __future__ import annotations

import numpy as np

from engine.network.decide import solve_network
from engine.network.decision import Conditions, Curbed
from engine.network.params import NetworkParams
from engine.network.tiers import tier_demand
from engine.plan.supplier_table import supplier_orders_table
from engine.policy.targets import stock_targets
from engine.policy.types import StockRule
from tests.engine.network.supplier_worlds import scenarios_of, world


def decided(curbed=None):
    network = world(objective="cycle_service", n_items=2, terms={"min_order_value": 100.0})
    rule = StockRule("cycle_service", "lost", network.calendar.days[network.calendar.n_history :])
    demand = tier_demand(network, scenarios_of(network, [4.0, 4.0]), rule)
    targets = stock_targets(network.cells, network.options, demand.for_targets(network.options), rule)
    return solve_network(network, demand, rule, targets, NetworkParams(), Conditions(curbed=curbed))


def test_an_order_that_limits_cut_says_so_with_what_is_left_of_it() -> None:
    free = decided()
    assert free.supplier_orders.status.tolist() == ["as-asked"]
    cut = decided(Curbed(np.array([10.0, 0.0]), np.array(["budget", ""], dtype=object)))
    orders = cut.supplier_orders
    assert cut.units.tolist() == [10.0, free.units[1]]
    assert cut.rule.tolist()[0] == "budget"
    assert orders.status.tolist() == ["limited"]
    assert orders.units.tolist() == [10.0 + free.units[1]]
    assert orders.value.tolist() == [4.0 * (10.0 + free.units[1])]
    assert orders.asked_units.tolist() == free.supplier_orders.asked_units.tolist()
    assert orders.n_lines.tolist() == [2]
    assert np.isnan(orders.cost_of_waiting).all()


def test_what_a_cut_order_lacks_of_the_least_value_is_told() -> None:
    cut = decided(Curbed(np.array([3.0, 2.0]), np.array(["budget", "budget"], dtype=object)))
    told = supplier_orders_table(cut.supplier_orders).iloc[0]
    assert told["reason_code"] == "supplier-order-limited"
    assert '"missing_value": 80.0' in told["reason_values"]
