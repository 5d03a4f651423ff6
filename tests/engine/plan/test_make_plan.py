"""The main path from tables to a plan: complete, conserved, and the same bits however it is computed."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine import make_plan
from engine.config import PlanConfig
from engine.demand.params import TimeParams
from engine.errors import Cancelled, ConfigError
from engine.execution import Run, processes
from engine.forecast.params import ForecastParams
from engine.plan.tables import check_plan_tables
from engine.plan.types import Plan
from engine.policy.order_now import order_now
from engine.policy.params import SupplyParams, TargetParams
from engine.tables import Tables
from engine.tables.check import check_tables
from experiments.demo_world import build
from models.seasonal_naive import SeasonalNaive

N_ITEMS = 12
CONFIG = PlanConfig(forecast=ForecastParams(n_paths=50), targets=TargetParams(service=0.9))


@pytest.fixture(scope="module")
def world() -> Mapping[str, pd.DataFrame]:
    """A few items of the demo world, those of its presale among them, with all their tables."""
    tables = build(seed=1).tables
    in_presale = sorted(set(tables["presales"]["item_id"]))[:4]
    plain = [item for item in sorted(set(tables["inventory"]["item_id"])) if item not in in_presale]
    kept = {*in_presale, *plain[: N_ITEMS - len(in_presale)], "*"}
    few = {}
    for name, frame in tables.items():
        if "item_id" in frame:
            frame = frame[frame["item_id"].isna() | frame["item_id"].isin(kept)]
        few[name] = frame
    few["bom"] = tables["bom"].iloc[:0]
    return few


@pytest.fixture(scope="module")
def checked(world: Mapping[str, pd.DataFrame]) -> Tables:
    return check_tables(world).tables


@pytest.fixture(scope="module")
def plan(checked: Tables) -> Plan:
    return make_plan(checked, CONFIG, SeasonalNaive())


def assert_same(one: Plan, other: Plan) -> None:
    assert one.solve == other.solve
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, other.tables[name], check_exact=True)
    np.testing.assert_array_equal(one.curves.demand, other.curves.demand)


def test_a_plan_has_every_table_in_its_form_and_covers_every_item(plan: Plan) -> None:
    check_plan_tables(plan.tables)
    assert len(plan.tables["orders"]) > 0
    assert len(plan.tables["transfers"]) > 0
    assert len(plan.tables["presale_allocations"]) > 0
    assert plan.tables["targets"]["item_id"].nunique() >= N_ITEMS
    assert plan.as_of == "2025-10-27"


def test_units_are_whole_and_no_site_sends_more_than_it_has(plan: Plan, checked: Tables) -> None:
    for name in ("orders", "transfers", "planned"):
        units = plan.tables[name]["units"].to_numpy()
        assert (units > 0).all()
        np.testing.assert_array_equal(units, np.rint(units))
    sent = plan.tables["transfers"].groupby(["item_id", "origin_id"])["units"].sum()
    inventory = checked["inventory"].set_index(["item_id", "location_id"])
    held = (inventory["on_hand"] - inventory["reserved"].fillna(0)).reindex(sent.index).fillna(0)
    orders = checked["open_orders"]
    due = orders[orders["due_date"] <= pd.Timestamp(plan.as_of)].groupby(["item_id", "location_id"])["units"].sum()
    assert (sent <= held + due.reindex(sent.index).fillna(0) + 1e-9).all()


def test_two_processes_give_the_same_plan_bit_for_bit(plan: Plan, checked: Tables) -> None:
    with processes(2) as executor:
        assert_same(plan, make_plan(checked, CONFIG, SeasonalNaive(), Run(executor=executor)))


def test_the_order_of_rows_does_not_matter(plan: Plan, world: Mapping[str, pd.DataFrame]) -> None:
    shuffled = {name: frame.sample(frac=1, random_state=3) for name, frame in world.items()}
    assert_same(plan, make_plan(check_tables(shuffled).tables, CONFIG, SeasonalNaive()))


def test_order_now_at_the_plans_own_position_repeats_the_cells_own_decision(plan: Plan) -> None:
    rows = np.arange(len(plan.curves.item_id))
    answer = order_now(plan.curves, rows)
    assert len(answer.units) == len(plan.tables["targets"])
    assert (answer.units >= 0).all()


def test_lines_keep_their_ids_from_plan_to_plan(plan: Plan, checked: Tables) -> None:
    higher = replace(CONFIG, targets=TargetParams(service=0.97))
    other = make_plan(checked, higher, SeasonalNaive())
    key = ["item_id", "source_id", "location_id", "order_date"]
    both = plan.tables["orders"].merge(other.tables["orders"], on=key, suffixes=("", "_other"))
    assert len(both) > 0
    assert (both["line_id"] == both["line_id_other"]).all()


def test_more_service_orders_no_less(plan: Plan, checked: Tables) -> None:
    other = make_plan(checked, replace(CONFIG, targets=TargetParams(service=0.99)), SeasonalNaive())
    low, high = (p.tables["targets"].set_index(["item_id", "location_id"])["order_up_to"] for p in (plan, other))
    at_shops = low.index.get_level_values("location_id") != "DC"
    assert (high[at_shops] >= low[at_shops] - 1e-9).all()


def test_monthly_sales_cannot_be_planned() -> None:
    sales = pd.DataFrame(
        {
            "item_id": "a",
            "location_id": "x",
            "date": pd.date_range("2023-01-01", periods=24, freq="MS"),
            "units": 5.0,
        }
    )
    tables = check_tables({"sales": sales}, default_link=True).tables
    config = replace(CONFIG, time=TimeParams("M"), supply=SupplyParams(lead_time_days=14))
    with pytest.raises(ConfigError, match="days or weeks"):
        make_plan(tables, config, SeasonalNaive())


def test_a_cancelled_plan_stops(checked: Tables) -> None:
    with pytest.raises(Cancelled):
        make_plan(checked, CONFIG, SeasonalNaive(), Run(cancelled=lambda: True))


def test_proposals_for_open_orders_keep_to_the_fence_and_the_threshold_and_name_lines_on_order(
    checked: Tables, plan: Plan
) -> None:
    found, params = plan.tables["open_order_changes"], CONFIG.open_orders
    orders = checked["open_orders"].set_index(["order_id", "line_no"])
    named = orders.loc[list(zip(found["order_id"], found["line_no"], strict=True))]
    fence = pd.Timestamp(plan.as_of) + pd.Timedelta(days=params.frozen_days)
    assert len(found) > 0
    assert (named["status"] == "firm").all()
    assert (named["kind"] == "purchase").all()
    np.testing.assert_array_equal(named["units"].to_numpy(), found["units"].to_numpy())
    assert (found[["due_date", "proposed_date"]] >= fence).all(axis=None)
    assert (found["gain"] >= params.least_gain).all()
    assert set(found["change"]) <= {"advance", "postpone", "increase", "decrease", "cancel"}
    # They are proposals: what is ordered counts on open orders as they stand.
    never = replace(CONFIG, open_orders=replace(params, least_gain=1e9))
    bare = make_plan(checked, never, SeasonalNaive())
    assert bare.tables["open_order_changes"].empty
    for name in ("orders", "transfers", "targets", "planned"):
        pd.testing.assert_frame_equal(bare.tables[name], plan.tables[name])
