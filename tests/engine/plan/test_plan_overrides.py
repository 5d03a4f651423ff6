"""Forecast overrides reach the plan: its forecast, its orders and its assumptions."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine import make_plan
from engine.config import PlanConfig
from engine.execution import Run, processes
from engine.forecast.params import ForecastParams
from engine.network.parts import network_parts
from engine.plan.types import Plan
from engine.policy.params import SupplyParams
from engine.tables import Tables
from engine.tables.check import check_tables
from models.moving_average import MovingAverage

CONFIG = PlanConfig(forecast=ForecastParams(n_paths=60), supply=SupplyParams(lead_time_days=5))
DOUBLED = {
    "override_id": "radio", "item_id": "a", "operation": "multiply", "value": "2", "author": "Ann",
    "reason": "radio campaign",
}  # fmt: skip


def tables_of(*overrides: dict[str, str]) -> Tables:
    """Three items at one shop, 120 days, nothing in stock; the default link."""
    rng = np.random.default_rng(1)
    dates = pd.date_range("2025-01-06", periods=120)
    sales = pd.concat(
        pd.DataFrame({"item_id": item, "location_id": "shop", "date": dates, "units": rng.poisson(level, 120)})
        for item, level in (("a", 6), ("b", 9), ("c", 3))
    )
    raw = {"sales": sales, "items": pd.DataFrame({"item_id": ["a", "b", "c"], "category": ["tea", "tea", "pots"]})}
    if overrides:
        raw["overrides"] = pd.DataFrame(overrides)
    return check_tables(raw, default_link=True).tables


def plan_of(*overrides: dict[str, str], run: Run | None = None, config: PlanConfig = CONFIG) -> Plan:
    return make_plan(tables_of(*overrides), config, MovingAverage(), run)


@pytest.fixture(scope="module")
def plain() -> Plan:
    return plan_of()


def ordered(plan: Plan) -> dict[str, float]:
    return plan.tables["orders"].set_index("item_id")["units"].to_dict()


def cases(plan: Plan, code: str) -> list[dict[str, object]]:
    details = plan.tables["assumption_details"]
    return [json.loads(text) for text in details.loc[details["assumption_code"] == code, "assumption_values"]]


def test_doubling_a_forecast_doubles_what_is_ordered_of_it_and_of_nothing_else(plain: Plan) -> None:
    doubled = plan_of(DOUBLED)
    assert ordered(doubled) == ordered(plain) | {"a": 2 * ordered(plain)["a"]}
    forecast = [plan.tables["forecast"].set_index(["item_id", "date"])["mean"] for plan in (plain, doubled)]
    np.testing.assert_array_equal(forecast[1]["a"], 2 * forecast[0]["a"])
    pd.testing.assert_series_equal(forecast[1][["b", "c"]], forecast[0][["b", "c"]], check_exact=True)


def test_the_plan_keeps_author_reason_and_units_before_and_after(plain: Plan) -> None:
    (told,) = cases(plan_of(DOUBLED), "override-applied")
    assert (told["author"], told["reason"], told["item_id"]) == ("Ann", "radio campaign", "a")
    before = plain.tables["forecast"].query("item_id == 'a'")["mean"].sum()
    assert told["before"] == pytest.approx(before, abs=1e-3)
    assert told["after"] == pytest.approx(2 * before, abs=2e-3)


def test_a_set_is_met_by_the_forecast_of_the_plan() -> None:
    as_of = pd.Timestamp(plan_of().as_of)
    span = {"start_date": str(as_of.date()), "end_date": str((as_of + pd.Timedelta(days=4)).date())}
    plan = plan_of({"override_id": "tea", "category": "tea", "operation": "set", "value": "100", **span})
    forecast = plan.tables["forecast"]
    inside = forecast["item_id"].isin(["a", "b"]) & (forecast["date"] <= span["end_date"])
    # Ten days of items, each rounded with a variance of at most 1/4 on 60 paths.
    assert forecast.loc[inside, "mean"].sum() == pytest.approx(100, abs=4 * np.sqrt(10 / 4 / 60))


def test_overrides_that_do_not_apply_change_the_assumptions_alone(plain: Plan) -> None:
    expired = plan_of({**DOUBLED, "expires_on": "2025-02-01"})
    assert cases(expired, "override-expired") == [{"count": 1, "first": "radio"}]
    for name, table in plain.tables.items():
        if not name.startswith("assumption"):
            pd.testing.assert_frame_equal(table, expired.tables[name], check_exact=True)


def test_overrides_of_orders_and_targets_are_listed_as_not_applied(plain: Plan) -> None:
    rows = [{**DOUBLED, "override_id": kind, "kind": kind} for kind in ("order", "target", "forecast")]
    plan = plan_of(*rows)
    assert cases(plan, "overrides-not-applied") == [{"count": 2}]
    assert [told["override_id"] for told in cases(plan, "override-applied")] == ["forecast"]
    assert cases(plain, "overrides-not-applied") == []
    assert cases(plan_of(DOUBLED), "overrides-not-applied") == []


def test_two_processes_give_the_same_overridden_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, seed=4)
    one = plan_of(DOUBLED, config=config)
    monkeypatch.setattr("engine.plan.make.network_parts", lambda network: network_parts(network, 1))
    with processes(2) as executor:
        two = plan_of(DOUBLED, run=Run(executor=executor), config=config)
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, two.tables[name], check_exact=True)
