"""Tests of demand that other cells serve: worked out by hand, and conservation of stock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulation import SimulationRules, StockState, no_lines, no_shipments, simulate
from engine.simulation.bucket import elsewhere


def test_helpers_give_what_their_own_demand_left_in_the_order_of_rank_then_row():
    helpers = np.array([[2, -1], [2, 3], [-1, -1], [-1, -1]])
    helped, given_away = elsewhere(np.array([3.0, 4.0, 0, 0]), np.array([0.0, 0, 5, 1]), helpers)
    # The first cell takes 3 of 5, the second the other 2, and then 1 from its second helper.
    assert helped.tolist() == [3, 3, 0, 0]
    assert given_away.tolist() == [0, 0, 5, 1]


def test_only_what_no_cell_serves_is_lost():
    rules = SimulationRules(unmet="served_elsewhere", helpers=np.array([[1], [-1]]))
    state = StockState(0, np.array([1.0, 6.0]), np.zeros(2), no_shipments())
    trace = simulate(state, np.array([[4.0, 4.0], [2.0, 0.0]]), lambda _: no_lines(), rules).trace
    assert trace.short.tolist() == [[3, 4], [0, 0]]
    assert trace.lost.tolist() == [[0, 3], [0, 0]]
    assert trace.closing.tolist() == [[0, 0], [1, 0]]


@given(st.integers(0, 2**32 - 1))
def test_stock_and_demand_are_conserved(seed: int):
    rng = np.random.default_rng(seed)
    n = 5
    helpers = np.array([[(cell + step) % n for step in (1, 3)] for cell in range(n)])
    state = StockState(0, rng.integers(0, 20, n).astype(float), np.zeros(n), no_shipments())
    rules = SimulationRules(unmet="served_elsewhere", helpers=helpers)
    trace = simulate(state, rng.poisson(2.0, (n, 6)).astype(float), lambda _: no_lines(), rules).trace
    before = np.concatenate([trace.opening[:, None], trace.closing[:, :-1]], axis=1)
    np.testing.assert_array_equal(before + trace.received - trace.served - trace.sent, trace.closing)
    np.testing.assert_array_equal(trace.demand, trace.served + trace.lost)
    assert (trace.closing >= 0).all()
    assert trace.received.sum() == trace.sent.sum()


def test_helpers_go_with_served_elsewhere_only():
    with pytest.raises(ValueError, match="helpers must be given"):
        SimulationRules(unmet="served_elsewhere")
