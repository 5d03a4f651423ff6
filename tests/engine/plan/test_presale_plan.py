"""A new item from its presale to a purchase, by `make_plan`."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from engine import make_plan
from engine.config import PlanConfig
from engine.forecast.params import ForecastParams
from engine.tables import Tables
from models.seasonal_naive import SeasonalNaive
from tests.engine.network.presale_world import AS_OF, SHIPS, SHIPS_BY, frames, table

CONFIG = PlanConfig(forecast=ForecastParams(n_paths=50))


def new_item(min_units):
    """Return tables of an open presale: of the shoes' past ones half of all orders were in on this day."""
    given = frames({}, {"CITY": 40.0}, [("TOWN", "CITY", 2.0, 0.1, 5.0)], lead_days=10.0)
    days = pd.date_range("2025-06-30", periods=119)
    given["sales"] = pd.DataFrame({"date": days}).assign(item_id="SHOE", location_id="CITY", units=1.0)
    given["presale_events"] = table(
        "presale_id closes_on ship_from ship_by min_units",
        ("D11-2023", "2023-11-10", "2023-11-11", "2023-11-18", None),
        ("D11-2024", "2024-11-10", "2024-11-11", "2024-11-18", None),
        ("D11", "2025-11-10", SHIPS, SHIPS_BY, min_units),
    )
    past = [
        (f"D11-{year}", f"L{date}", "SHOE", 500.0, f"{year}-{date}", "shipped", "city")
        for year in (2023, 2024)
        for date in ("10-20", "11-05")
    ]
    given["presales"] = table(
        "presale_id line_id item_id units ordered_on status region",
        *past,
        ("D11", "L1", "NEW", 90.0, "2025-10-25", "paid", "city"),
        ("D11", "L2", "NEW", 30.0, "2025-10-25", "paid", "town"),
    )
    return Tables.of(given)


def test_a_new_item_is_bought_for_all_that_its_presale_is_expected_to_reach():
    plan = make_plan(new_item(200.0), CONFIG, SeasonalNaive())
    assert plan.as_of == AS_OF
    # 120 are paid; as many again come, of which 0.1 x 50 / 2,050 will be cancelled: none of 2,000 was so far. That is
    # 90 and 89.8 in the city, 30 and 29.9 in the town, each rounded up.
    [row] = plan.tables["presale_summary"].to_dict("records")
    assert row["item_id"] == "NEW"
    assert row["units"] == 180 + 60
    assert row["share_local"] == 1.0
    bought = plan.tables["orders"].query("item_id == 'NEW'").set_index("location_id")["units"]
    # Above the mean, since presales differ in what still comes.
    assert bought["CITY"] >= 180
    assert bought["TOWN"] >= 60
    assert set(plan.tables["presale_allocations"]["supply_kind"]) == {"order"}


def test_below_its_minimum_it_is_not_bought_and_what_is_missing_is_told():
    plan = make_plan(new_item(300.0), CONFIG, SeasonalNaive())
    assert plan.tables["presale_allocations"].empty
    assert plan.tables["presale_summary"].empty
    assert plan.tables["orders"].query("item_id == 'NEW'").empty
    told = plan.tables["assumptions"].set_index("assumption_code").loc["presale-below-minimum", "assumption_values"]
    values = json.loads(told)
    assert values["min_units"] == 300.0
    assert values["missing"] == pytest.approx(300 - values["units"])
    assert values["units"] == pytest.approx(120 + 120 * (1 - 0.1 * 50 / 2050), abs=0.05)
