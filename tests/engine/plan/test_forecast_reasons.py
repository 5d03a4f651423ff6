"""The table of what forecasts are made of, by hand-computed numbers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine import make_plan
from engine.config import PlanConfig
from engine.demand.panel import DemandPanel
from engine.forecast.factors import Factors
from engine.forecast.params import ForecastParams
from engine.forecast.synthetic import synthetic_panel
from engine.plan.forecast_reasons import forecast_reasons
from engine.plan.tables import check_plan_tables
from engine.tables.check import check_tables
from models.contributions import forecast_factors
from models.seasonal_naive import SeasonalNaive

HORIZON = 4


@pytest.fixture(scope="module")
def panel() -> DemandPanel:
    two = synthetic_panel(n_items=4).take(np.array([0, 1]))
    return replace(two, interval=np.array([[1, 2], [1, 4]], np.int32))


def values_of(factors: Factors, panel: DemandPanel) -> list[dict]:
    return [json.loads(text) for text in forecast_reasons(factors, panel, HORIZON)["reason_values"]]


def test_a_factor_over_an_interval_is_the_forecast_over_that_without_it(panel: DemandPanel) -> None:
    fair = np.array([[1, 2, 9, 9], [1, 1, 1, 3.0]])
    factors = Factors(np.array([10.0, 5.0]), {"event_fair": fair})
    first, second = values_of(factors, panel)
    # 10 + 20 instead of 10 + 10 in two buckets; 5 + 5 + 5 + 15 instead of 20 in four.
    assert (first["first"], first["first_change"]) == ("event_fair", 0.5)
    assert (first["level"], first["mean"], first["other_change"]) == (10, 15, None)
    assert (second["first_change"], second["mean"]) == (0.5, 7.5)
    assert (first["second"], first["second_change"]) == (None, None)


def test_the_largest_three_are_told_and_the_others_make_up_the_rest(panel: DemandPanel) -> None:
    sizes = {"a": 1.1, "b": 0.5, "c": 1.3, "d": 1.02, "e": 1.2}
    factors = Factors(np.array([10.0, 5.0]), {name: np.full((2, HORIZON), size) for name, size in sizes.items()})
    told = values_of(factors, panel)[0]
    assert [told["first"], told["second"], told["third"]] == ["b", "c", "e"]
    product = told["level"]
    for place in ("first", "second", "third", "other"):
        product *= 1 + told[f"{place}_change"]
    assert told["other_change"] == pytest.approx(1.1 * 1.02 - 1)
    assert product == pytest.approx(told["mean"], rel=1e-5)


def test_what_changes_next_to_nothing_is_not_told(panel: DemandPanel) -> None:
    factors = Factors(np.array([10.0, 5.0]), {"a": np.full((2, HORIZON), 1.004)})
    told = values_of(factors, panel)[0]
    assert (told["first"], told["other_change"]) == (None, None)


def test_only_buckets_on_offer_count_and_a_series_without_any_is_left_out(panel: DemandPanel) -> None:
    offered = np.array(panel.offered)
    h = panel.calendar.n_history
    offered[0, h:] = False
    offered[1, h + 2 :] = False
    some = replace(panel, offered=offered)
    factors = Factors(np.array([10.0, 5.0]), {"a": np.array([[2, 2, 2, 2], [2, 2, 9, 9.0]])})
    table = forecast_reasons(factors, some, HORIZON)
    assert table["item_id"].tolist() == [panel.item_id[1]]
    assert table["mean"].tolist() == [10]


def test_rows_name_the_last_day_and_the_bucket(panel: DemandPanel) -> None:
    table = forecast_reasons(Factors(np.array([10.0, 5.0]), {}), panel, HORIZON)
    days = (table["until"].to_numpy().astype("datetime64[D]") - panel.calendar.as_of).astype(int)
    assert days.tolist() == [1, 3]
    assert set(table["reason_code"]) == {"forecast-a-day"}
    weekly = synthetic_panel(n_items=4, bucket="W")
    of_weeks = forecast_reasons(Factors(np.ones(weekly.n_series), {}), weekly, HORIZON)
    assert set(of_weeks["reason_code"]) == {"forecast-a-week"}


def test_a_series_whose_model_tells_no_level_has_no_row(panel: DemandPanel) -> None:
    table = forecast_reasons(Factors(np.array([np.nan, 5.0]), {}), panel, HORIZON)
    assert table["item_id"].tolist() == [panel.item_id[1]]


def test_a_plan_tells_what_its_forecasts_are_made_of_if_asked_to() -> None:
    checked = check_tables(demand_and_supply()).tables
    config = PlanConfig(forecast=ForecastParams(n_paths=20))
    silent = make_plan(checked, config, SeasonalNaive())
    assert len(silent.tables["forecast_reasons"]) == 0
    told = make_plan(checked, config, SeasonalNaive(), explain=forecast_factors)
    reasons, targets = told.tables["forecast_reasons"], told.tables["targets"]
    check_plan_tables(told.tables)
    assert reasons["item_id"].tolist() == targets["item_id"].tolist() == ["a", "b"]
    # The last day of the protection interval is that before the delivery after this one.
    assert (reasons["until"] == targets["next_available_date"] - pd.Timedelta(days=1)).all()
    days = (reasons["until"] - pd.Timestamp(told.as_of)).dt.days + 1
    np.testing.assert_allclose(reasons["mean"] * days, [5 * days[0], 9 * days[1]], rtol=0.01)
    for name, table in silent.tables.items():
        if name != "forecast_reasons":
            pd.testing.assert_frame_equal(table, told.tables[name])


def demand_and_supply() -> dict[str, pd.DataFrame]:
    """Two items that sell 5 and 9 a day at one shop, every day."""
    days = pd.date_range("2025-01-06", periods=140)
    sales = pd.DataFrame(
        {"item_id": ["a", "b"] * 140, "location_id": "shop", "date": days.repeat(2), "units": [5, 9] * 140}
    )
    supply = pd.DataFrame({"item_id": ["*"], "source_id": ["maker"], "location_id": ["*"], "lead_time_days": [3]})
    return {"sales": sales, "supply": supply}
