"""A budget, a supplier's week and the room of a site hold for the orders of a plan, and lines that were cut say so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine import make_plan
from engine.config import PlanConfig
from engine.demand.params import TimeParams
from engine.execution import Run, processes
from engine.forecast.params import ForecastParams
from engine.network.params import LimitParams
from engine.plan.tables import check_plan_tables
from engine.plan.types import Plan
from engine.policy.params import SupplyParams, TargetParams
from engine.tables import Tables
from models.seasonal_naive import SeasonalNaive

CONFIG = PlanConfig(
    time=TimeParams(bucket="D"),
    forecast=ForecastParams(n_paths=40),
    targets=TargetParams(service=0.9),
    supply=SupplyParams(lead_time_days=3),
)
N_ITEMS, N_DAYS = 6, 56


def frames() -> dict[str, pd.DataFrame]:
    """Six items at two sites, from two suppliers, with nothing in stock; all order on the same day."""
    rng = np.random.default_rng(3)
    days = pd.date_range("2025-01-06", periods=N_DAYS)
    rows = [
        (f"I{item}", site, day, float(rng.poisson(2 + item)))
        for item in range(N_ITEMS)
        for site in ("E", "W")
        for day in days
    ]
    items = [f"I{item}" for item in range(N_ITEMS)]
    return {
        "sales": pd.DataFrame(rows, columns=["item_id", "location_id", "date", "units"]),
        "items": pd.DataFrame(
            {
                "item_id": items,
                "unit_cost": 2.0 + np.arange(N_ITEMS),
                "unit_price": 5.0 + 3.0 * np.arange(N_ITEMS),
                "volume": 0.5,
            }
        ),
        "supply": pd.DataFrame(
            {
                "item_id": items,
                "source_id": np.where(np.arange(N_ITEMS) < 3, "S", "T"),
                "location_id": "*",
                "lead_time_days": 3.0,
                "review_period_days": 7,
                "order_multiple": 2.0,
            }
        ),
    }


def plan_of(budget: float | None = None, run: Run | None = None, **tables: pd.DataFrame) -> Plan:
    config = replace(CONFIG, limits=LimitParams(budget))
    return make_plan(Tables.of({**frames(), **tables}), config, SeasonalNaive(), run)


@pytest.fixture(scope="module")
def free() -> Plan:
    return plan_of()


def spent(plan: Plan) -> float:
    return float(plan.tables["orders"]["value"].sum())


@pytest.fixture(scope="module")
def tight(free: Plan) -> Plan:
    return plan_of(budget=0.6 * spent(free))


def codes(plan: Plan) -> Mapping[str, int]:
    return plan.tables["orders"]["reason_code"].value_counts().to_dict()


def test_without_limits_nothing_is_shared(free: Plan) -> None:
    check_plan_tables(free.tables)
    assert len(free.tables["limits"]) == len(free.tables["next_best"]) == 0


def test_the_budget_is_kept_and_used_and_lines_that_it_cut_say_so(free: Plan, tight: Plan) -> None:
    check_plan_tables(tight.tables)
    budget = 0.6 * spent(free)
    dearest_lot = 2 * 7.0
    assert budget - dearest_lot <= spent(tight) <= budget + 1e-6
    assert codes(tight)["order-budget"] > 0
    row = tight.tables["limits"].iloc[0]
    assert (row["limit"], row["place_id"]) == ("budget", "")
    assert row["asked"] == pytest.approx(spent(free))
    assert row["used"] == pytest.approx(spent(tight))
    assert row["price"] > 0
    assert "limits-shared" in set(tight.tables["assumptions"]["assumption_code"])


def test_cut_orders_stay_whole_lots_and_never_grow(free: Plan, tight: Plan) -> None:
    before = free.tables["orders"].set_index("line_id")["units"]
    after = tight.tables["orders"].set_index("line_id")["units"]
    assert set(after.index) <= set(before.index)
    assert (after <= before.loc[after.index]).all()
    assert (after % 2 == 0).all()
    kept = tight.tables["orders"].set_index("line_id")["reason_code"] != "order-budget"
    assert (after[kept] == before.loc[after.index][kept]).all()


def test_the_next_best_are_the_cut_lines_ranked_by_what_money_saves(free: Plan, tight: Plan) -> None:
    ranked = tight.tables["next_best"]
    before = free.tables["orders"].set_index("line_id")["units"]
    after = tight.tables["orders"].set_index("line_id")["units"].reindex(before.index).fillna(0)
    assert set(ranked["line_id"]) == set(before.index[after < before])
    assert (np.diff(ranked["gain_per_money"]) <= 1e-9).all()
    assert (ranked["gain"] >= 0).all()
    np.testing.assert_allclose(ranked["gain_per_money"], ranked["gain"] / ranked["value"], atol=1e-5)
    price = float(tight.tables["limits"]["price"].iloc[0])
    # What was left out saves no more for its money than the price of money, but for the last lot that did not fit.
    assert (ranked["gain_per_money"].iloc[1:] <= 1.05 * price).all()


def test_a_budget_that_is_enough_changes_nothing(free: Plan) -> None:
    rich = plan_of(budget=spent(free) + 1.0)
    for name in ("orders", "targets", "planned", "projection", "costs"):
        pd.testing.assert_frame_equal(rich.tables[name], free.tables[name], check_exact=True)
    assert rich.tables["limits"]["price"].tolist() == [0.0]
    assert len(rich.tables["next_best"]) == 0


def test_no_money_orders_nothing(free: Plan) -> None:
    poor = plan_of(budget=0.0)
    assert len(poor.tables["orders"]) == 0
    assert len(poor.tables["next_best"]) == len(free.tables["orders"])


def test_a_supplier_delivers_no_more_than_its_week(free: Plan) -> None:
    suppliers = pd.DataFrame({"source_id": ["S", "T"], "capacity_units_per_week": [40.0, np.nan]})
    plan = plan_of(suppliers=suppliers)
    units = plan.tables["orders"].groupby("source_id")["units"].sum()
    before = free.tables["orders"].groupby("source_id")["units"].sum()
    assert before["S"] > 40
    assert units["S"] == 40
    assert units["T"] == before["T"]
    assert codes(plan)["order-supplier-capacity"] > 0
    assert "supplier-terms-not-applied" not in set(plan.tables["assumptions"]["assumption_code"])


def test_what_was_ordered_from_a_supplier_this_week_is_off_its_capacity(free: Plan) -> None:
    monday = pd.Timestamp(free.as_of)
    order = {
        "order_id": "P1", "line_no": 1, "item_id": "I0", "location_id": "E", "units": 10.0, "kind": "purchase",
        "due_date": monday + pd.Timedelta(days=60), "ordered_on": monday, "source_id": "S", "status": "firm",
    }  # fmt: skip
    suppliers = pd.DataFrame({"source_id": ["S"], "capacity_units_per_week": [40.0]})
    plan = plan_of(suppliers=suppliers, open_orders=pd.DataFrame([order]))
    assert plan.tables["orders"].groupby("source_id")["units"].sum()["S"] == 30


def test_a_site_receives_no_more_than_it_has_room_for(free: Plan) -> None:
    locations = pd.DataFrame({"location_id": ["E", "W"], "capacity_volume": [30.0, np.nan]})
    plan = plan_of(locations=locations)
    units = plan.tables["orders"].groupby("location_id")["units"].sum()
    before = free.tables["orders"].groupby("location_id")["units"].sum()
    held = free.tables["targets"].query("location_id == 'E'")["stock_at_landing"].sum()
    assert 0.5 * before["E"] > 30
    assert 0.5 * (units["E"] + held) <= 30 + 1e-6
    assert 0.5 * (units["E"] + held) > 30 - 1.0
    assert units["W"] == before["W"]
    assert codes(plan)["order-site-capacity"] > 0


def test_limits_give_the_same_bits_in_several_processes(free: Plan, tight: Plan) -> None:
    with processes(2) as executor:
        again = plan_of(budget=0.6 * spent(free), run=Run(executor=executor))
    for name, table in tight.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name], check_exact=True)


def test_a_cut_line_tells_what_it_needed(tight: Plan) -> None:
    lines = tight.tables["orders"].query("reason_code == 'order-budget'")
    for units, text in zip(lines["units"], lines["reason_values"], strict=True):
        values = json.loads(text)
        assert values["units"] == units
        assert values["need"] > units - 2


def test_a_line_that_no_limit_binds_is_not_cut_though_it_saves_nothing() -> None:
    """What a minimum stock asks for saves next to nothing, and is asked for all the same."""
    floors = [(f"I{item}", site, 30.0) for item in range(N_ITEMS) for site in ("E", "W")]
    kept = pd.DataFrame(floors, columns=["item_id", "location_id", "min_stock"])
    weeks = pd.DataFrame({"source_id": ["S", "T"], "capacity_units_per_week": [60.0, None]})
    free = plan_of(item_locations=kept).tables["orders"].set_index("line_id")
    held = plan_of(budget=1e9, suppliers=weeks, item_locations=kept).tables["orders"].set_index("line_id")
    other = free.index[free["source_id"] == "T"]
    assert len(other) > 0
    pd.testing.assert_series_equal(held["units"].reindex(other), free["units"].reindex(other))
    assert held.loc[held["source_id"] == "S", "units"].sum() <= 60


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_budget_holds_for_what_breaks_make_of_prices(factor: float) -> None:
    breaks = pd.DataFrame(
        {
            "item_id": [f"I{item}" for item in range(N_ITEMS)],
            "source_id": np.where(np.arange(N_ITEMS) < 3, "S", "T"),
            "min_units": 2.0,
            "unit_cost": (2.0 + np.arange(N_ITEMS)) * factor,
            "kind": "all_units",
        }
    )
    asked = float(plan_of(price_breaks=breaks).tables["orders"]["value"].sum())
    enough = plan_of(budget=1.2 * asked, price_breaks=breaks)
    assert float(enough.tables["orders"]["value"].sum()) == pytest.approx(asked)
    assert enough.tables["limits"]["asked"].tolist() == pytest.approx([asked])
    held = plan_of(budget=0.4 * asked, price_breaks=breaks)
    paid = float(held.tables["orders"]["value"].sum())
    assert 0.2 * asked < paid <= 0.4 * asked + 1e-6
    assert held.tables["limits"]["used"].tolist() == pytest.approx([paid])


def test_orders_below_a_minimum_and_targets_out_of_reach_are_told() -> None:
    terms = pd.DataFrame({"source_id": ["S", "T"], "min_order_value": [1e9, None]})
    told = {
        row.assumption_code: row.assumption_values
        for row in plan_of(suppliers=terms).tables["assumptions"].itertuples()
    }
    assert '"first": "S to E"' in told["orders-below-minimum"]
    assert "targets-out-of-reach" not in told
    one = frames()["supply"].assign(max_order_units=2.0)
    told = {
        row.assumption_code: row.assumption_values for row in plan_of(supply=one).tables["assumptions"].itertuples()
    }
    assert "targets-out-of-reach" in told
