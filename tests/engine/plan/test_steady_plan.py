"""Plans held to the one before: what is held to, what is told, and that nothing changes without one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine import make_plan
from engine.config import PlanConfig
from engine.errors import ConfigError
from engine.forecast.params import ForecastParams
from engine.network.params import SteadyParams
from engine.plan.changes import Edition
from engine.plan.types import Plan
from engine.policy.params import TargetParams
from engine.tables.check import check_tables
from models.moving_average import MovingAverage

CONFIG = PlanConfig(forecast=ForecastParams(n_paths=80), targets=TargetParams(service=0.9))
AS_OF = pd.Timestamp("2025-06-02")  # a Monday
ITEMS = [f"I{k}" for k in range(12)]


def tables(as_of=AS_OF, on_hand=60.0, **frames):
    """Return a year of noisy daily sales before a day, and a supplier that is open on Mondays."""
    rng = np.random.default_rng(5)
    days = pd.date_range(AS_OF - pd.Timedelta(days=360), periods=380)
    sold = rng.poisson(rng.gamma(2.0, 2.5, (len(ITEMS), 1)) * rng.gamma(4.0, 0.25, (len(ITEMS), len(days))))
    sales = pd.DataFrame(
        {"item_id": np.repeat(ITEMS, len(days)), "location_id": "W", "date": np.tile(days, len(ITEMS)),
         "units": sold.reshape(-1).astype(float)}
    )  # fmt: skip
    stock = pd.DataFrame({"item_id": ITEMS, "location_id": "W", "on_hand": on_hand})
    supply = pd.DataFrame(
        {"item_id": ["*"], "source_id": ["S"], "location_id": ["*"], "lead_time_days": [5.0],
         "review_period_days": [7.0], "order_weekdays": ["1"]}
    )  # fmt: skip
    return {"sales": sales[sales["date"] < as_of], "inventory": stock, "supply": supply, **frames}


def plan_of(frames, config=CONFIG, since=None) -> Plan:
    return make_plan(check_tables(frames).tables, config, MovingAverage(), since=since)


def edition(plan: Plan) -> Edition:
    return Edition(np.datetime64(plan.as_of), 1, plan.tables)


def later_tables(older, off=0.0, **frames):
    """Return the tables of a week later, with ``off`` units more on hand than the older plan expected."""
    today = AS_OF + pd.Timedelta(days=7)
    forecast = older.tables["forecast"]
    sold = forecast[forecast["date"] < today].groupby("item_id")["mean"].sum()
    orders = older.tables["orders"].set_index("item_id")["units"]
    on_hand = 60.0 + orders.reindex(ITEMS, fill_value=0.0) - sold.reindex(ITEMS) + off
    return tables(today, np.maximum(np.round(on_hand.to_numpy(np.float64)), 0.0), **frames)


@pytest.fixture(scope="module")
def older() -> Edition:
    return edition(plan_of(tables()))


@pytest.fixture(scope="module")
def afresh(older: Edition) -> Plan:
    return plan_of(later_tables(older))


@pytest.fixture(scope="module")
def kept(older: Edition) -> Plan:
    return plan_of(later_tables(older), since=older)


def units_on(plan: Plan | Edition, day: pd.Timestamp) -> pd.Series:
    lines = pd.concat([plan.tables["orders"], plan.tables["planned"]])
    return lines[lines["order_date"] == day].set_index("item_id")["units"].reindex(ITEMS, fill_value=0.0)


def test_some_lines_stay_as_they_were_planned_and_say_so(older: Edition, afresh: Plan, kept: Plan) -> None:
    today = AS_OF + pd.Timedelta(days=7)
    before, fresh, now = (units_on(plan, today) for plan in (older, afresh, kept))
    assert ((now == before) | (now == fresh)).all()
    stays = (now == before) & (now != fresh)
    assert stays.any()
    told = kept.tables["orders"].set_index("item_id")["reason_code"]
    assert set(told[stays[stays & (now > 0)].index]) == {"order-kept-as-planned"}
    assert not (told[now[(now == fresh) & (now > 0)].index] == "order-kept-as-planned").any()
    notes = kept.tables["assumptions"].set_index("assumption_code")["assumption_values"]
    values = json.loads(notes["lines-kept"])
    assert values["count"] == stays.sum()
    assert values["left_out"] == (stays & (now == 0)).sum()
    assert "lines-kept" not in set(afresh.tables["assumptions"]["assumption_code"])


def test_the_points_told_are_those_of_the_lines_kept(afresh: Plan, kept: Plan) -> None:
    # Each item stands alone, so what keeping moves is the difference of the two plans.
    of = [plan.tables["targets"].set_index("item_id") for plan in (kept, afresh)]
    moved = of[0]["order_units"] != of[1]["order_units"]
    points = 100 * (of[0]["expected_service"] - of[1]["expected_service"])[moved].mean()
    notes = kept.tables["assumptions"].set_index("assumption_code")["assumption_values"]
    values = json.loads(notes["lines-kept"])
    assert values["points"] == pytest.approx(points, abs=0.006)
    totals = [plan.tables["costs"].set_index("term")["value"].sum() for plan in (kept, afresh)]
    assert values["cost"] == pytest.approx(totals[0] - totals[1], abs=0.02)


def test_without_a_band_a_plan_is_the_same_to_the_bit(older: Edition, afresh: Plan) -> None:
    off = plan_of(later_tables(older), replace(CONFIG, steady=SteadyParams(z_below=0.0, z_above=0.0)), older)
    for name, table in afresh.tables.items():
        pd.testing.assert_frame_equal(table, off.tables[name], check_exact=True)
    assert off.solve == afresh.solve


def test_the_same_day_planned_again_is_decided_afresh(older: Edition) -> None:
    # Its lines of today may be placed already.
    again = plan_of(tables(), replace(CONFIG, seed=3), older)
    for name, table in plan_of(tables(), replace(CONFIG, seed=3)).tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name], check_exact=True)


def test_another_target_is_no_chance(older: Edition) -> None:
    other = replace(CONFIG, targets=TargetParams(service=0.91))
    found = plan_of(later_tables(older), other, older)
    for name, table in plan_of(later_tables(older), other).tables.items():
        pd.testing.assert_frame_equal(table, found.tables[name], check_exact=True)


def test_stock_far_from_what_was_expected_is_information(older: Edition) -> None:
    empty, full = later_tables(older, -500.0), later_tables(older, 500.0)
    for frames in (empty, full):
        today = AS_OF + pd.Timedelta(days=7)
        assert (units_on(plan_of(frames, since=older), today) == units_on(plan_of(frames), today)).all()


def test_a_line_that_is_placed_is_not_held_to(older: Edition) -> None:
    today = AS_OF + pd.Timedelta(days=7)
    lines = older.tables["planned"]
    lines = lines[lines["order_date"] == today]
    placed = pd.DataFrame(
        {"order_id": lines["line_id"], "line_no": "1", "restock_line_id": lines["line_id"], "item_id": lines["item_id"],
         "location_id": "W", "units": 1.0, "due_date": today + pd.Timedelta(days=5), "source_id": "S"}
    )  # fmt: skip
    found = plan_of(later_tables(older, open_orders=placed), since=older)
    fresh = plan_of(later_tables(older, open_orders=placed))
    assert (units_on(found, today)[lines["item_id"]] == units_on(fresh, today)[lines["item_id"]]).all()


def test_a_later_plan_cannot_be_the_one_before(older: Edition) -> None:
    with pytest.raises(ConfigError, match="compared with an older one"):
        plan_of(tables(), since=replace(older, as_of=np.datetime64("2025-06-09")))
