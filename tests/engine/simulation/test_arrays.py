"""Tests of the simulator over arrays: it agrees with the line-based one unit for unit."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from engine.simulation import Lines, SimulationRules, StockState, no_lines, no_shipments, simulate
from engine.simulation.arrays import LevelCells, LevelRules, total_levels, trace_levels

N, BUCKETS = 7, 40


def cells(rng: np.random.Generator, **changed: np.ndarray) -> LevelCells:
    up_to = rng.integers(5, 40, N).astype(float)
    given = {
        "on_hand": rng.integers(0, 30, N).astype(float),
        "reorder_point": np.floor(up_to * rng.uniform(0.2, 1.0, N)),
        "order_up_to": up_to,
        "minimum": rng.integers(0, 6, N).astype(float),
        "multiple": rng.choice([0.0, 1.0, 4.0], N),
        "lead_buckets": rng.integers(0, 9, N),
    }
    return LevelCells(**(given | changed))


def line_policy(own: LevelCells, lead: np.ndarray | None):
    """Return the same rule for the line-based simulator, cell by cell in plain Python."""

    def decide(state: StockState) -> Lines:
        rows = []
        for cell in range(own.n_cells):
            coming = state.inbound.lines.units[state.inbound.lines.cell == cell].sum()
            position = state.on_hand[cell] + coming - state.backlog[cell]
            if position > own.reorder_point[cell] or position >= own.order_up_to[cell]:
                continue
            units = max(own.order_up_to[cell] - position, own.minimum[cell])
            pack = own.multiple[cell]
            units = units if pack == 0 else pack * -(-units // pack)
            days = own.lead_buckets[cell] if lead is None else lead[cell, state.bucket]
            rows.append((cell, units, state.bucket, state.bucket + days))
        if not rows:
            return no_lines()
        cell, units, sent, due = (np.array(column) for column in zip(*rows, strict=True))
        n = len(rows)
        names = np.array([f"{c}-{state.bucket}" for c in cell], object)
        return Lines(
            names, cell, np.full(n, -1), np.array(["S"] * n, object), units.astype(float), np.ones(n), sent, due,
            np.full(n, np.nan),
        )  # fmt: skip

    return decide


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
@pytest.mark.parametrize("review", [1, 7])
@pytest.mark.parametrize("random_leads", [False, True])
def test_arrays_and_lines_agree_in_every_cell_and_bucket(unmet: str, review: int, random_leads: bool):
    rng = np.random.default_rng(3)
    own = cells(rng)
    demand = rng.poisson(3.0, (N, BUCKETS)).astype(float)
    lead = rng.integers(0, 9, (N, BUCKETS)) if random_leads else None
    state = StockState(0, own.on_hand, np.zeros(N), no_shipments())
    lines = simulate(state, demand, line_policy(own, lead), SimulationRules(review, unmet)).trace
    arrays = trace_levels(own, demand, LevelRules(review, unmet), lead)
    for name in ("opening", "demand", "short", "lost", "served", "received", "closing", "backlog"):
        np.testing.assert_array_equal(getattr(arrays, name), getattr(lines, name), err_msg=name)
    assert arrays.short.sum() > 0
    assert arrays.received.sum() > 0


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
@pytest.mark.parametrize("random_leads", [False, True])
def test_arrays_and_lines_agree_where_stock_expires(unmet: str, random_leads: bool):
    rng = np.random.default_rng(6)
    own = cells(rng, life_buckets=np.array([0, 1, 2, 3, 5, 8, 60]))
    demand = rng.poisson(2.0, (N, BUCKETS)).astype(float)
    lead = rng.integers(0, 9, (N, BUCKETS)) if random_leads else None
    state = StockState(0, own.on_hand, np.zeros(N), no_shipments())
    rules = SimulationRules(3, unmet, life_buckets=own.life_buckets)
    lines = simulate(state, demand, line_policy(own, lead), rules).trace
    arrays = trace_levels(own, demand, LevelRules(3, unmet), lead)
    for name in ("short", "lost", "served", "received", "expired", "closing", "backlog"):
        np.testing.assert_array_equal(getattr(arrays, name), getattr(lines, name), err_msg=name)
    assert arrays.expired[1:6].sum() > 0
    assert arrays.expired[[0, 6]].sum() == 0


def test_totals_are_the_sums_of_the_trace():
    rng = np.random.default_rng(4)
    own, demand = cells(rng), rng.poisson(2.0, (N, BUCKETS)).astype(float)
    trace, totals = (run(own, demand, LevelRules(7)) for run in (trace_levels, total_levels))
    for name, of_trace in (
        ("demand", "demand"),
        ("short", "short"),
        ("lost", "lost"),
        ("stock", "closing"),
        ("expired", "expired"),
    ):
        np.testing.assert_array_equal(getattr(totals, name), getattr(trace, of_trace).sum(axis=1))
    np.testing.assert_array_equal(totals.n_short, (trace.short > 0).sum(axis=1))


def test_stacked_replications_are_the_same_cells_alone():
    rng = np.random.default_rng(5)
    own, demand = cells(rng), rng.poisson(2.0, (3, N, BUCKETS)).astype(float)
    together = total_levels(own.stacked(3), demand.reshape(3 * N, BUCKETS), LevelRules())
    for replication in range(3):
        alone = total_levels(own, demand[replication], LevelRules())
        for field in fields(alone):
            found = getattr(together, field.name)[replication * N : (replication + 1) * N]
            np.testing.assert_array_equal(found, getattr(alone, field.name))


def test_levels_and_demand_that_do_not_fit_are_refused():
    rng = np.random.default_rng(6)
    own = cells(rng)
    with pytest.raises(ValueError, match="order_up_to must be >= reorder_point"):
        replace(own, reorder_point=own.order_up_to + 1)
    with pytest.raises(ValueError, match="demand must have 7 rows"):
        trace_levels(own, np.zeros((2, 3)), LevelRules())
