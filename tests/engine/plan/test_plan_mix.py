"""The stock mix of a whole plan: what it promises, what it leaves alone, and the same bits however computed."""

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import engine.plan.make
from engine import make_plan
from engine.config import PlanConfig
from engine.errors import DataError
from engine.execution import Run, processes
from engine.forecast.params import ForecastParams
from engine.network.parts import network_parts
from engine.plan.tables import check_plan_tables
from engine.plan.types import Plan
from engine.policy.params import AggregateParams, TargetParams
from engine.tables import Tables
from engine.tables.check import check_tables
from experiments.demo_world import build
from models.seasonal_naive import SeasonalNaive

KEY = ["item_id", "location_id"]
N_ITEMS = 12


def config(share: float = 0.9, **given: object) -> PlanConfig:
    aggregate = AggregateParams(share, **given)
    return PlanConfig(forecast=ForecastParams(n_paths=40), targets=TargetParams("fill_rate", aggregate=aggregate))


@pytest.fixture(scope="module")
def demo() -> Mapping[str, pd.DataFrame]:
    """A few items of the demo world, with all that names them."""
    tables = build(seed=3).tables
    items = sorted(set(tables["inventory"]["item_id"]))[:N_ITEMS]
    few = {}
    for name, frame in tables.items():
        named = "item_id" in frame
        few[name] = frame[frame["item_id"].isna() | frame["item_id"].isin([*items, "*"])] if named else frame
    return {**few, "bom": tables["bom"].iloc[:0]}


@pytest.fixture(scope="module")
def world(demo: Mapping[str, pd.DataFrame]) -> Mapping[str, pd.DataFrame]:
    """The same at the warehouses that sell, each bought for: no demand is another place's."""
    sales = demo["sales"][demo["sales"]["channel"] != "presale"]
    inventory = demo["inventory"][demo["inventory"]["location_id"].isin(set(sales["location_id"]))]
    supply = pd.DataFrame({"item_id": ["*"], "source_id": ["S"], "location_id": ["*"], "lead_time_days": [5.0]})
    return {
        "sales": sales,
        "items": demo["items"],
        "locations": demo["locations"],
        "inventory": inventory.assign(on_hand=inventory["on_hand"] // 4, reserved=0),
        "supply": supply.assign(review_period_days=[7.0]),
    }


@pytest.fixture(scope="module")
def checked(world: Mapping[str, pd.DataFrame]) -> Tables:
    return check_tables(world).tables


@pytest.fixture(scope="module")
def plan(checked: Tables) -> Plan:
    return make_plan(checked, config(), SeasonalNaive())


def promised(plan: Plan, weight: pd.Series | float = 1.0) -> float:
    """The fill rate over all that the lines of ``targets`` promise, by units a day."""
    table = plan.tables["targets"]
    days = (table["next_available_date"] - table["available_date"]).dt.days
    demand = table["interval_demand"] / days * weight
    return float((demand * table["expected_fill_rate"]).sum() / demand.sum())


def chosen(plan: Plan) -> pd.Series:
    table = plan.tables["stock_to_service"]
    return table[table["chosen"] == 1].iloc[0]


def told(plan: Plan, code: str) -> list[dict[str, object]]:
    details = plan.tables["assumption_details"]
    return [json.loads(text) for text in details.loc[details["assumption_code"] == code, "assumption_values"]]


def test_the_plan_promises_the_aggregate_and_says_so(plan: Plan) -> None:
    check_plan_tables(plan.tables)
    assert promised(plan) == pytest.approx(chosen(plan)["service"], abs=1e-9)
    assert chosen(plan)["service"] >= 0.9 - 1e-9
    assert chosen(plan)["setting"] == 0.9
    [mix] = told(plan, "stock-mix")
    assert mix["reached"] == chosen(plan)["service"]
    assert mix["value"] == chosen(plan)["stock_value"]


def test_cells_get_fill_rates_of_their_own(plan: Plan) -> None:
    target = plan.tables["targets"]["target"]
    assert target.nunique() > 5
    assert target.between(0, 1).all()
    units = plan.tables["orders"]["units"].to_numpy()
    np.testing.assert_array_equal(units, np.rint(units))


def test_the_curve_rises_and_lies_below_one_service_for_all(plan: Plan) -> None:
    table = plan.tables["stock_to_service"]
    mix = table[table["policy"] == "mix"]
    assert (np.diff(mix["service"]) > 0).all()
    assert (np.diff(mix["stock_value"]) > 0).all()
    for policy in ("uniform-fill-rate", "uniform-cycle-service"):
        other = table[table["policy"] == policy]
        inside = other[other["service"].between(mix["service"].min(), mix["service"].max())]
        mine = np.interp(inside["service"], mix["service"], mix["stock_value"])
        assert len(inside) > 3
        # Between two of its points the mix lies below the line that joins them.
        assert (inside["stock_value"] >= mine * 0.97).all()


def test_floors_hold_for_each_class(checked: Tables) -> None:
    plan = make_plan(checked, config(0.85, floor_by_class={"A": 0.93, "B": 0.9, "C": 0.88}), SeasonalNaive())
    row = chosen(plan)
    for letter, floor in (("a", 0.93), ("b", 0.9), ("c", 0.88)):
        assert np.isnan(row[f"service_{letter}"]) or row[f"service_{letter}"] >= floor - 1e-9


def test_an_own_target_overrides_the_mix_and_is_listed(world: Mapping[str, pd.DataFrame], plan: Plan) -> None:
    item = plan.tables["targets"].sort_values("interval_demand")["item_id"].iloc[N_ITEMS]
    items = world["items"].assign(service_target=np.where(world["items"]["item_id"] == item, 0.6, np.nan))
    found = make_plan(check_tables({**world, "items": items}).tables, config(), SeasonalNaive())
    rows = found.tables["targets"]
    mine = rows[rows["item_id"] == item]
    assert (mine["target"] == 0.6).all()
    assert (rows[rows["item_id"] != item]["target"] != 0.6).all()
    [own] = told(found, "stock-mix-own-targets")
    assert own["count"] == len(mine)
    # What it does not reach, others make good.
    assert promised(found) == pytest.approx(chosen(found)["service"], abs=1e-9)
    assert chosen(found)["service"] >= 0.9 - 1e-9


def test_an_aggregate_that_no_order_reaches_is_relaxed_and_listed(world: Mapping[str, pd.DataFrame]) -> None:
    places = world["inventory"][KEY].assign(max_stock=1.0)
    tables = {**world, "item_locations": places, "inventory": world["inventory"].assign(on_hand=0)}
    found = make_plan(check_tables(tables).tables, config(0.95, floor_by_class={"A": 0.9}), SeasonalNaive())
    [mix], [relaxed], [floor] = (
        told(found, code) for code in ("stock-mix", "stock-mix-relaxed", "stock-mix-floor-relaxed")
    )
    assert mix["reached"] == relaxed["reached"] < 0.95
    assert floor["reached"] < floor["asked"] == 0.9


def test_revenue_needs_prices_and_weighs_by_them(world: Mapping[str, pd.DataFrame], checked: Tables) -> None:
    found = make_plan(checked, config(weight="revenue"), SeasonalNaive())
    price = checked["items"].set_index("item_id")["unit_price"].astype(float)
    weight = found.tables["targets"]["item_id"].map(price).astype(float)
    assert promised(found, weight) == pytest.approx(chosen(found)["service"], abs=1e-9)
    bare = {**world, "items": world["items"].assign(unit_price=np.nan), "sales": world["sales"].assign(price=np.nan)}
    with pytest.raises(DataError, match="needs a price of every item"):
        make_plan(check_tables(bare).tables, config(weight="revenue"), SeasonalNaive())


def test_a_site_that_feeds_others_keeps_its_own_target(demo: Mapping[str, pd.DataFrame]) -> None:
    found = make_plan(check_tables(demo).tables, config(), SeasonalNaive())
    feeders = set(found.tables["targets"]["source_id"]) & set(found.tables["targets"]["location_id"])
    rows = found.tables["targets"]
    at_feeders = rows["location_id"].isin(feeders)
    assert at_feeders.any()
    assert (rows.loc[at_feeders, "target"] == 0.99).all()
    [left_out] = told(found, "stock-mix-feeders")
    assert left_out["count"] == at_feeders.sum()
    # Trips and the stock of the feeders do not suffice for all.
    [after] = told(found, "stock-mix-after-limits")
    assert after["mix"] == chosen(found)["service"]
    assert after["reached"] == pytest.approx(promised(found, (~at_feeders).astype(float)), abs=1e-9)
    assert after["reached"] < after["mix"]


def test_parts_and_processes_do_not_show(checked: Tables, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.plan.make, "network_parts", lambda network: network_parts(network, n_cells=9))
    alone = make_plan(checked, config(), SeasonalNaive())
    with processes(2) as executor:
        shared = make_plan(checked, config(), SeasonalNaive(), Run(executor=executor))
    for name, table in alone.tables.items():
        pd.testing.assert_frame_equal(table, shared.tables[name], check_exact=True)
    for name in ("orders", "targets"):
        pd.testing.assert_frame_equal(alone.tables[name], plan.tables[name], check_exact=True)
    pd.testing.assert_frame_equal(alone.tables["stock_to_service"], plan.tables["stock_to_service"], rtol=1e-9)


def test_without_an_aggregate_the_table_is_empty(checked: Tables) -> None:
    plain = replace(config(), targets=TargetParams("fill_rate"))
    found = make_plan(checked, plain, SeasonalNaive())
    assert found.tables["stock_to_service"].empty
    assert (found.tables["targets"]["target"] == 0.95).all()
