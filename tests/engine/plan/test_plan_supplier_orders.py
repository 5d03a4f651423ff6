"""Terms of suppliers in a whole plan: lines, their prices and reasons, the order itself, and what it adds to cost."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from engine import make_plan
from engine.config import PlanConfig
from engine.forecast.params import ForecastParams
from engine.plan.tables import check_plan_tables
from engine.plan.types import Plan
from engine.policy.params import TargetParams
from engine.tables.check import check_tables
from models.seasonal_naive import SeasonalNaive

DAYS = pd.date_range("2025-08-04", periods=84, freq="D")  # to Sunday the 26th of October


@pytest.fixture(scope="module")
def plan() -> Plan:
    rng = np.random.default_rng(0)
    sales = pd.DataFrame(
        [
            {"item_id": item, "location_id": "W", "date": day, "units": float(rng.poisson(2.0))}
            for item in ("A", "B", "MILK") for day in DAYS
        ]
    )  # fmt: skip
    tables = {
        "sales": sales,
        "items": pd.DataFrame({"item_id": ["A", "B", "MILK"], "unit_cost": 5.0, "unit_price": 9.0,
                               "shelf_life_days": [None, None, 3.0]}),
        "supply": pd.DataFrame({"item_id": ["A", "B", "MILK"], "source_id": ["S", "S", "FARM"], "location_id": "W",
                                "lead_time_days": 3, "review_period_days": 7, "unit_cost": 5.0}),
        "suppliers": pd.DataFrame({"source_id": ["S", "FARM"], "order_cost": [0.05, 0.0],
                                   "min_order_value": [2000.0, 0.0]}),
        "price_breaks": pd.DataFrame({"item_id": ["A"], "source_id": ["S"], "min_units": [10.0], "unit_cost": [4.5],
                                      "kind": ["all_units"]}),
        "inventory": pd.DataFrame({"item_id": ["A", "B", "MILK"], "location_id": "W", "on_hand": 0.0}),
    }  # fmt: skip
    config = PlanConfig(forecast=ForecastParams(n_paths=40), targets=TargetParams(service=0.9))
    return make_plan(check_tables(tables).tables, config, SeasonalNaive())


def test_an_order_reaches_the_minimum_and_its_lines_cost_what_is_paid(plan: Plan) -> None:
    check_plan_tables(plan.tables)
    lines, order = plan.tables["orders"], plan.tables["supplier_orders"]
    bought = lines[lines["source_id"] == "S"].set_index("item_id")
    assert bought["unit_cost"].tolist() == [4.5, 5.0]
    assert order["source_id"].tolist() == ["S"]
    assert order["value"].tolist() == [bought["value"].sum()]
    assert order["value"][0] >= 2000.0
    assert order["n_lines"][0] == 2
    assert order["reason_code"].tolist() == ["supplier-order-filled"]
    assert json.loads(order["reason_values"][0])["min_value"] == 2000.0
    assert "order-supplier-minimum" in set(bought["reason_code"])


def test_costs_tell_the_order_and_what_breaks_save(plan: Plan) -> None:
    costs = plan.tables["costs"].set_index("term")["value"]
    units = plan.tables["orders"].set_index("item_id")["units"]
    assert costs["order"] == 0.05
    assert costs["price-break"] == pytest.approx(-0.5 * units["A"])


def test_a_perishable_is_bought_no_further_than_it_sells(plan: Plan) -> None:
    line = plan.tables["orders"].set_index("item_id").loc["MILK"]
    wanted = json.loads(line["reason_values"])
    assert line["reason_code"] == "order-shelf-life"
    # Three days of seven.
    assert line["units"] < min(wanted["need"], 0.6 * wanted["interval_demand"])
    assert "shelf-life-from-arrival" in set(plan.tables["assumptions"]["assumption_code"])
