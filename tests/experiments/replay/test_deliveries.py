"""Tests of when goods come in a replay: by the links of its world, whatever a policy believes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.policy.params import SupplyParams
from engine.tables import Tables
from experiments.replay.links_then import LinkBook
from experiments.replay.opening import target_opening
from experiments.replay.rules import RuleParams, RulePolicy
from experiments.replay.walk import Pace, Walked, walk
from experiments.replay.ways import on_time, usual_days
from experiments.replay.what_if import Closure, WhatIf, changed_tables
from experiments.replay.world import Stretch, World, world_of
from tests.replays import FROM, small_frames, small_world

LONG = {"A": [4] * 20, "B": [2] * 20}
SLOW = PlanConfig(supply=SupplyParams(lead_time_days=28.0))


def walked(world: World, believed: PlanConfig) -> Walked:
    policy = RulePolicy(world, LinkBook(world, believed), RuleParams("weeks_of_cover", window_weeks=4), "cover")
    return walk(world, policy, target_opening(world, np.full(world.n_cells, 2.0)), Pace(1, "lost", 0))


def lead_days(found: Walked) -> dict[str, int]:
    """Return the days from order to first sale by order date."""
    lines = found.lines
    waits = (lines["arrives"] - lines["sent"]).astype(int) * 7
    return dict(zip(lines["order_date"].dt.strftime("%m-%d"), waits, strict=True))


@pytest.mark.parametrize("believed", [1.0, 14.0, 28.0])
def test_goods_come_by_the_worlds_lead_time_whatever_the_policy_believes(believed: float):
    frames = small_frames(LONG)
    del frames["supply"]
    world, _ = world_of(Tables.of(frames), SLOW, Stretch(FROM, 12))
    found = walked(world, replace(SLOW, supply=SupplyParams(lead_time_days=believed)))
    assert set(lead_days(found).values()) == {28}
    wait = (found.lines["available_date"] - found.lines["order_date"]).dt.days
    assert set(wait) == {believed}, "what the policy believes is its due date"


def test_goods_ordered_after_a_link_changes_come_by_its_new_terms():
    frames = small_frames(LONG)
    terms = [frames["supply"].assign(lead_time_days=days, valid_from=pd.Timestamp(day))
             for days, day in ((7.0, FROM - 70), (21.0, FROM + 14))]  # fmt: skip
    frames["supply"] = pd.concat(terms, ignore_index=True)
    found = lead_days(walked(small_world(frames, 12), PlanConfig()))
    assert {found["02-13"], found["02-20"]} == {7}
    assert {days for day, days in found.items() if day >= "02-27"} == {21}


def test_goods_wait_for_a_closure_that_nobody_knew_of_when_they_were_ordered():
    tables = Tables.of(small_frames(LONG))
    rest = Closure("P", (FROM + 14).item(), (FROM + 27).item(), "receiving")
    _, closures, _ = changed_tables(tables, WhatIf("rest", closure=(rest,)), small_world(), PlanConfig())
    world, _ = world_of(tables, PlanConfig(), Stretch(FROM, 12), closures)
    found = walked(world, PlanConfig())
    # Ordered a week before the closure, due on its first day, taken in after its two weeks.
    assert lead_days(found)["02-20"] == 21
    due = found.lines.loc[found.lines["order_date"] == pd.Timestamp(FROM + 7), "available_date"]
    assert set(due) == {pd.Timestamp(FROM + 14)}


def test_the_ways_of_the_first_day_are_those_of_the_worlds_network():
    world = small_world()
    (ways,) = world.ways
    options = world.network.options
    assert (ways.come_on(np.arange(options.n_options), options.order_date) == options.available_date).all()


def texts(*values: str) -> np.ndarray:
    return np.array(values, object)


def test_a_link_that_the_world_does_not_have_is_as_slow_as_the_usual_one_and_comes_when_a_line_says():
    frames = small_frames()
    frames["item_locations"] = pd.DataFrame({"item_id": ["B"], "location_id": ["P"], "active": [False]})
    world = small_world(frames)
    source, cell = texts("S", "X", "X"), np.array([0, 0, 1])
    # B is not kept in stock any more, so nothing links it.
    assert usual_days(world.network, source, cell).tolist() == [7, 7, 0]
    comes, sd_days = on_time(world.ways, source, cell, np.full(3, FROM))
    assert comes[0] == FROM + 7
    assert np.isnat(comes[1:]).all()
    assert sd_days.tolist() == [0, 0, 0]


def test_an_order_of_before_the_replay_has_the_deviation_of_its_link_and_no_other_day():
    frames = small_frames()
    frames["supply"] = frames["supply"].assign(lead_time_sd_days=2.0)
    comes, sd_days = on_time(small_world(frames).ways, texts("S", "S"), np.array([0, 0]), np.array([FROM - 1, FROM]))
    assert np.isnat(comes).tolist() == [True, False]
    assert sd_days.tolist() == [2, 2]
