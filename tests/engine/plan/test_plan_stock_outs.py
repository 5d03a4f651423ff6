import json

import numpy as np
import pandas as pd

from engine import make_plan
from engine.config import PlanConfig
from engine.forecast.params import ForecastParams
from engine.tables.check import check_tables
from experiments.exchange.catalogue import read_catalogue, with_wording
from models.moving_average import MovingAverage


def test_the_plans_assumptions_tell_what_stock_outs_hid():
    """Eight a day of one item, of which the last day was not on sale; two a day of another."""
    days = pd.date_range("2025-03-03", periods=35)
    sales = pd.DataFrame(
        {
            "item_id": np.repeat(["lamp", "rope"], 35),
            "location_id": "shop",
            "date": [*days, *days],
            "units": [8.0] * 34 + [0.0] + [2.0] * 35,
            "in_stock": [1.0] * 34 + [0.0] + [1.0] * 35,
        }
    )
    supply = pd.DataFrame({"item_id": ["*"], "source_id": ["maker"], "location_id": ["*"], "lead_time_days": [3]})
    tables = check_tables({"sales": sales, "supply": supply}).tables
    plan = make_plan(tables, PlanConfig(forecast=ForecastParams(n_paths=20)), MovingAverage())
    told = with_wording(plan.tables["assumptions"], read_catalogue("en")).set_index("assumption_code")
    row = told.loc["stock-outs-hid-demand"]
    assert json.loads(row["assumption_values"])["n_buckets"] == 1
    assert "hid about 8 units of demand (+2.34% of sales) in 1 buckets of 1 items and places" in row["assumption"]
    assert "Most: lamp at shop (+8)." in row["assumption"]
