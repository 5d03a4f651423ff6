"""An item and its successor in one plan: what is left of the old one is sold, and only the new one is bought."""

import json

import numpy as np
import pandas as pd
import pytest

from engine import make_plan
from engine.config import PlanConfig
from engine.forecast.params import ForecastParams
from engine.plan.types import Plan
from engine.policy.params import SupplyParams
from engine.tables.check import check_tables
from models.moving_average import MovingAverage

CONFIG = PlanConfig(forecast=ForecastParams(n_paths=100), supply=SupplyParams(lead_time_days=5))


def plan_of(held: float) -> Plan:
    """The plan of an old item of 8 a day at one shop, and of a new one that has not sold yet."""
    dates = pd.date_range("2025-01-06", periods=120)
    units = np.random.default_rng(1).poisson(8, 120)
    sales = pd.DataFrame({"item_id": "old", "location_id": "shop", "date": dates, "units": units})
    nothing = pd.DataFrame({"item_id": "new", "location_id": "shop", "date": dates[-1:], "units": 0})
    items = pd.DataFrame({"item_id": ["old", "new"], "successor_of": [None, "old"]})
    stock = pd.DataFrame({"item_id": ["old", "new"], "location_id": "shop", "on_hand": [held, 0.0]})
    raw = {"sales": pd.concat([sales, nothing]), "items": items, "inventory": stock}
    return make_plan(check_tables(raw, default_link=True).tables, CONFIG, MovingAverage())


def ordered(plan: Plan) -> dict[str, float]:
    return plan.tables["orders"].set_index("item_id")["units"].to_dict()


def forecast(plan: Plan, item: str) -> np.ndarray:
    rows = plan.tables["forecast"]
    return rows.loc[rows["item_id"] == item, "mean"].to_numpy()


def test_without_stock_of_the_old_item_only_the_new_one_is_bought() -> None:
    plan = plan_of(0.0)
    assert forecast(plan, "old").sum() == 0
    assert forecast(plan, "new").mean() == pytest.approx(8, rel=0.15)
    assert ordered(plan).get("old", 0) == 0
    assert ordered(plan)["new"] > 0


def test_no_unit_of_demand_is_planned_twice() -> None:
    plan, without = plan_of(40.0), plan_of(0.0)
    assert forecast(plan, "old").sum() == pytest.approx(40, abs=0.5)
    both = forecast(plan, "old").sum() + forecast(plan, "new").sum()
    assert both == pytest.approx(forecast(without, "new").sum(), rel=0.1)
    assert ordered(plan).get("old", 0) == 0
    (told,) = plan.tables["assumption_details"].query("assumption_code == 'run-down'")["assumption_values"]
    assert json.loads(told) == {"n_items": 1, "predecessor": "old", "successor": "new", "units": 40.0}


def test_while_stock_of_the_old_item_lasts_the_new_one_is_not_bought() -> None:
    assert ordered(plan_of(1000.0)).get("new", 0) == 0
