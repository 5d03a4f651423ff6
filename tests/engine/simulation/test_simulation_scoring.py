"""Tests of what a simulation reports: cycles, service, costs."""

from __future__ import annotations

import numpy as np
import pytest

from engine.simulation import (
    CostRates,
    Cycles,
    Lines,
    Shipments,
    Trace,
    arrival_cycles,
    costs,
    cycle_units,
    service,
    stock_value,
)


def trace(demand: list[list[float]], short: list[list[float]], closing: list[list[float]] | None = None) -> Trace:
    asked, missing = np.array(demand, float), np.array(short, float)
    zero = np.zeros_like(asked)
    left = np.array(closing, float) if closing else zero
    return Trace(0, left[:, 0], asked, missing, missing, asked - missing, zero, zero, zero, left, zero)


def cycles(*rows: tuple[int, int, int, float, float, float]) -> Cycles:
    cell, start, end, cycle, fill, weight = (np.array(column) for column in zip(*rows, strict=True))
    return Cycles(cell, start, end, cycle.astype(float), fill.astype(float), weight.astype(float))


def shipments(*rows: tuple[int, int, float, float]) -> Shipments:
    """Return shipments of (cell, arrives, units, promise)."""
    cell, arrives, units, promise = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    text = np.array(["x"] * n, object)
    sent = np.zeros(n, np.int64)
    lines = Lines(
        text, cell, np.full(n, -1), text, units.astype(float), np.full(n, 2.0), sent, sent, promise.astype(float)
    )
    return Shipments(lines, arrives)


def test_service_of_three_cycles_worked_out_by_hand():
    world = trace([[4, 0, 2, 2, 0, 0]], [[1, 0, 0, 0, 0, 0]])
    rows = service(
        world,
        cycles((0, 0, 2, 0.9, 0.95, 4.0), (0, 2, 4, 0.7, 0.90, 6.0), (0, 4, 6, 0.5, 0.5, 0.0)),
        np.array(["A", "A", "B"], object),
    ).set_index("abc")
    # The third cycle asks for nothing, so it counts neither way.
    assert rows.loc["all", "n_cycles"] == 2
    assert rows.loc["A", "cycle_service"] == 0.5
    assert rows.loc["A", "expected_cycle_service"] == pytest.approx(0.8)
    assert rows.loc["A", "fill_rate"] == pytest.approx(1 - 1 / 8)
    assert rows.loc["A", "expected_fill_rate"] == pytest.approx((4 * 0.95 + 6 * 0.9) / 10)
    assert np.isnan(rows.loc["B", "cycle_service"])


def test_cycles_beyond_the_trace_are_refused():
    with pytest.raises(ValueError, match=r"cycles must lie in buckets \[0, 2\)"):
        cycle_units(trace([[1, 1]], [[0, 0]]), cycles((0, 1, 3, 1, 1, 1)))


def test_cycles_run_from_arrival_to_arrival():
    found = arrival_cycles(shipments((0, 3, 2, 0.9), (1, 1, 1, 0.8), (0, 6, 5, 0.7), (0, 3, 6, 0.5)), end=9)
    assert found.cell.tolist() == [0, 0, 1]
    assert found.start.tolist() == [3, 6, 1]
    assert found.end.tolist() == [6, 9, 9]
    assert found.expected_cycle_service == pytest.approx([(2 * 0.9 + 6 * 0.5) / 8, 0.7, 0.8])


def test_a_line_that_brought_nothing_opens_no_cycle():
    assert arrival_cycles(shipments((0, 3, 0, 0.9)), end=9).cell.tolist() == []


def test_costs_by_term():
    world = trace([[5, 1]], [[2, 0]], closing=[[0, 3]])
    rates = CostRates(np.array([0.1]), np.array([4.0]), np.array([1.0]))
    told = costs(world, shipments((0, 1, 6, 1.0)), rates, np.array([7, 7]))
    assert told == {
        "holding": pytest.approx(0.1 * 3 * 7),
        "shortage": pytest.approx(8.0),
        "backorder": 0.0,
        "lines": 12.0,
    }


def test_stock_value_by_bucket():
    world = trace([[0, 0], [0, 0]], [[0, 0], [0, 0]], closing=[[1, 2], [3, 0]])
    assert stock_value(world, np.array([10.0, 1.0])).tolist() == [13.0, 20.0]
