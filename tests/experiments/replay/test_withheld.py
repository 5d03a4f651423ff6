"""Tests of what a replay withholds: limits that its world does not hold every policy to bind none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.network.params import LimitParams
from engine.tables import Tables
from experiments.replay.jobs import Job
from experiments.replay.links_then import LinkBook
from experiments.replay.measures import score
from experiments.replay.opening import real_opening, target_opening
from experiments.replay.ours import PlanPolicy
from experiments.replay.policy_files import PolicySpec
from experiments.replay.rules import RuleParams, RulePolicy
from experiments.replay.run import _scope_notes
from experiments.replay.view import Policy
from experiments.replay.walk import Pace, Walked, walk
from experiments.replay.withheld import without
from experiments.replay.world import Stretch, World, world_of
from experiments.settings import parse_settings
from tests.replays import FROM, mondays, small_frames, small_world

PACE = Pace(1, "lost", 0)
SETTINGS = parse_settings("[forecast]\nmodels = ['moving_average']\nn_paths = 30\n[run]\nworkers = 1\n", "test")
Frames = dict[str, pd.DataFrame]


def of_supplier(column: str, value: float) -> Callable[[Frames], Frames]:
    return lambda frames: {**frames, "suppliers": frames["suppliers"].assign(**{column: value})}


def with_breaks(frames: Frames) -> Frames:
    breaks = {"item_id": ["A"], "source_id": ["S"], "min_units": [10.0], "unit_cost": [6.0], "kind": ["all_units"]}
    return {**frames, "price_breaks": pd.DataFrame(breaks)}


def with_full_site(frames: Frames) -> Frames:
    site = pd.DataFrame({"location_id": ["P"], "capacity_volume": [20.0]})
    return {**frames, "items": frames["items"].assign(volume=1.0), "locations": site}


LIMITS: dict[str, Callable[[Frames], Frames]] = {
    "price-breaks": with_breaks,
    "supplier-limits": of_supplier("capacity_units_per_week", 6.0),
    "supplier-limits, value": of_supplier("min_order_value", 400.0),
}


def restock(world: World) -> PlanPolicy:
    return PlanPolicy(world, SETTINGS, 4)


def normal(world: World) -> RulePolicy:
    return RulePolicy(world, LinkBook(world, PlanConfig()), RuleParams("normal", window_weeks=4), "normal")


def placed(world: World, policy: Policy) -> list[list[object]]:
    lines = walk(world, policy, real_opening(world, world.stock_history)[0], PACE).lines
    return lines[["cell", "asked", "unit_cost", "order_date"]].to_numpy(object).tolist()


@pytest.fixture(scope="module")
def unlimited() -> dict[str, list[list[object]]]:
    world = small_world()
    return {"restock": placed(world, restock(world)), "normal": placed(world, normal(world))}


@pytest.mark.parametrize("limit", list(LIMITS))
def test_prices_and_limits_that_no_other_policy_keeps_to_move_restock_as_little_as_the_textbook_and_are_told(
    limit: str, unlimited: dict[str, list[list[object]]]
):
    frames = LIMITS[limit](small_frames())
    world, notes = world_of(Tables.of(frames), PlanConfig(), Stretch(FROM, 4))
    assert placed(world, restock(world)) == unlimited["restock"]
    assert placed(world, normal(world)) == unlimited["normal"]
    told = {note.code: note.values["count"] for note in notes if note.code.endswith("left-out")}
    assert told == {f"replay-{limit.split(',')[0]}-left-out": 1}


def test_items_without_a_volume_at_sites_that_state_their_room_are_told():
    full = with_full_site(small_frames())
    half = full["items"].assign(volume=[np.nan, *[1.0] * (len(full["items"]) - 1)])
    for items, told in ((full["items"], []), (half, [1])):
        _, notes = world_of(Tables.of({**full, "items": items}), PlanConfig(), Stretch(FROM, 4))
        assert [note.values["count"] for note in notes if note.code == "replay-volume-unknown"] == told


def test_a_budget_binds_no_policy_and_is_told(unlimited: dict[str, list[list[object]]]):
    world = small_world()
    poor = replace(SETTINGS, limits=LimitParams(budget=1.0))
    assert placed(world, PlanPolicy(world, poor, 4)) == unlimited["restock"]
    specs = (PolicySpec("poor", "restock", settings=poor), PolicySpec("rich", "restock", settings=SETTINGS))
    opening = real_opening(world, world.stock_history)[0]
    (note,) = _scope_notes(Job((world,), specs, SETTINGS, opening, PACE, world.first, 4), (world,))
    assert (note.code, dict(note.values)) == ("replay-budget-left-out", {"count": 1, "policies": "poor"})


def test_what_an_order_costs_and_what_was_given_beside_stay():
    frames = with_full_site(of_supplier("min_order_value", 400.0)(small_frames()))
    told = without(Tables.of(frames))
    assert told["suppliers"]["order_cost"].tolist() == [5.0]
    assert told.columns_given["suppliers"] == {"source_id", "order_cost"}
    assert told.columns_given["locations"] == {"location_id", "capacity_volume"}, "all are held to it"


def lane_world() -> tuple[World, Walked, Walked]:
    """Return a place that a site feeds by trips of 20 units, and the walks of a rule and of restock there."""
    lanes = {
        "origin_id": ["DC"], "dest_id": ["P"], "item_id": ["*"], "lead_time_days": [7.0], "unit_cost": [0.0],
        "trip_cost": [10.0], "trip_capacity_volume": [20.0],
    }  # fmt: skip
    items = {
        "item_id": ["A"], "unit_cost": [10.0], "unit_price": [15.0], "holding_cost": [0.1], "shortage_cost": [5.0],
        "volume": [1.0],
    }  # fmt: skip
    frames = {
        "sales": pd.DataFrame({"item_id": "A", "location_id": "P", "date": mondays(12), "units": 40.0}),
        "items": pd.DataFrame(items),
        "supply": small_frames()["supply"].assign(location_id="DC"),
        "lanes": pd.DataFrame(lanes),
    }
    world, notes = world_of(Tables.of(frames), PlanConfig(), Stretch(FROM, 6))
    assert [note.values["count"] for note in notes if note.code == "replay-trip-capacity-left-out"] == [1]
    opening = target_opening(world, np.array([400.0, 60.0]))
    rule = RulePolicy(world, LinkBook(world, PlanConfig()), RuleParams("weeks_of_cover", window_weeks=4), "cover")
    return world, walk(world, rule, opening, PACE), walk(world, restock(world), opening, PACE)


def test_a_trip_carries_anything_for_every_policy_and_costs_once_a_day():
    world, rule, ours = lane_world()
    for found in (rule, ours):
        moved = found.lines[found.lines["origin"] >= 0]
        assert moved["units"].max() > 20
        cost = score(world, found, PACE, world.first, "one").costs["trip"].sum()
        assert cost == 10.0 * moved["order_date"].nunique()


@pytest.mark.parametrize(("kind", "level"), [("normal", 8 + 50), ("weeks_of_cover", 8 + 50), ("s_S", 8 + 50 + 16)])
def test_rules_keep_the_least_stock_of_a_place_as_plans_do(kind: str, level: float):
    frames = small_frames()
    frames["item_locations"] = pd.DataFrame({"item_id": ["A"], "location_id": ["P"], "min_stock": [50.0]})
    world = small_world(frames)
    policy = RulePolicy(world, LinkBook(world, PlanConfig()), RuleParams(kind, window_weeks=4), kind)
    first = walk(world, policy, real_opening(world, world.stock_history)[0], PACE).lines.iloc[0]
    # Demand of 4 a week until the delivery after the next order, two weeks on, and 50; 8 in stock, 4 on their way.
    assert (first["cell"], first["asked"]) == (0, level - 12)
