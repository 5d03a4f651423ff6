"""What the demo-service benchmark compares: expected stock and cost of cycles beside what came, worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.demo_service.run import table_rows
from benchmarks.demo_service.stock import Expected, stock_rows, with_expected
from engine.simulation import Cycles, Trace

DAYS = pd.to_datetime(["2025-09-01", "2025-09-02", "2025-09-03"])


def test_a_cycle_expects_the_projected_stock_from_its_delivery_to_the_day_before_the_next():
    targets = pd.DataFrame(
        {
            "item_id": ["A", "B"],
            "location_id": ["L", "L"],
            "available_date": DAYS[1],
            "next_available_date": pd.Timestamp("2025-09-04"),
            "interval_demand": [3.0, 8.0],
        }
    )
    projection = pd.DataFrame({"item_id": "A", "location_id": "L", "date": DAYS, "stock_mean": [9.0, 5.0, 4.0]})
    rates = targets[["item_id", "location_id"]].assign(holding_cost=[0.1, 0.2], shortage_cost=[1.0, 2.0])
    rows = with_expected(SimpleNamespace(tables={"targets": targets, "projection": projection}), rates)
    assert rows.loc[0, ["held", "left", "daily_demand", "holding_cost"]].tolist() == [9.0, 4.0, 1.5, 0.1]
    assert rows.loc[1, ["held", "left"]].isna().all()
    assert rows.loc[1, ["daily_demand", "shortage_cost"]].tolist() == [4.0, 2.0]


def test_cost_and_days_of_cover_that_came_stand_beside_those_expected():
    closing, short = np.array([[5.0, 3.0, 0.0, 6.0], [2.0, 2.0, 2.0, 2.0]]), np.zeros((2, 4))
    short[0, 2] = 2.0
    zero = np.zeros((2, 4))
    trace = Trace(10, np.array([7.0, 2.0]), zero + 2, short, short, 2 - short, zero, zero, zero, closing, zero)
    cycles = Cycles(
        cell=np.array([0, 0, 1]),
        start=np.array([10, 12, 10]),
        end=np.array([12, 14, 14]),
        expected_cycle_service=np.ones(3),
        expected_fill_rate=np.array([1.0, 0.75, 1.0]),
        expected_demand=np.array([4.0, 4.0, 8.0]),
    )
    expected = Expected(
        held=np.array([9.0, 5.0, np.nan]),
        left=np.array([3.5, 5.0, np.nan]),
        daily_demand=np.array([2.0, 2.0, 2.0]),
        holding_cost=np.array([0.5, 0.5, 0.5]),
        shortage_cost=np.array([3.0, 3.0, 3.0]),
    )
    rows = stock_rows(0, trace, cycles, expected, np.array(["A", "A", "B"], object)).set_index("abc")
    # Held 5 + 3 and 0 + 6, two units short; the third cycle has no projection and does not count.
    assert rows.loc["A", "n_cycles"] == rows.loc["all", "n_cycles"] == 2
    assert rows.loc["A", "cost"] == pytest.approx(0.5 * 14 + 3 * 2)
    assert rows.loc["A", "expected_cost"] == pytest.approx(0.5 * 14 + 3 * 1)
    assert rows.loc["A", "days"] == pytest.approx((3 + 6) / 4)
    assert rows.loc["A", "expected_days"] == pytest.approx(8.5 / 4)
    assert rows.loc["B", "n_cycles"] == 0


def test_a_target_stands_only_beside_what_it_is_a_target_of():
    service = {"cycle_service": 0.9, "expected_cycle_service": 0.92, "fill_rate": 0.97, "expected_fill_rate": 0.98}
    stock = {"cost": 110.0, "expected_cost": 100.0, "days": 13.0, "expected_days": 12.5}
    seed = {"abc": "all", "n_cycles": 4, "n_projected": 3, "target": 14.0, **service, **stock}
    per_seed = pd.DataFrame([{**seed, "seed": 0}, {**seed, "seed": 1, "days": 14.0}])
    rows = table_rows(per_seed, "days")
    assert [(row["reached"], row["difference"], row["reached - target"]) for row in rows] == [
        ("90.00", "-2.00 points", ""),
        ("97.00", "-1.00 points", ""),
        ("110.00", "+10.0 %", ""),
        ("13.50", "+8.0 %", "-0.50"),
    ]
