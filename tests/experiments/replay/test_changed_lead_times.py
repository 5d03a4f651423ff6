"""Tests of changed lead times in a what-if: stated ones, learnt ones, those of the default link, and none at all."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.errors import ConfigError
from engine.policy.params import SupplyParams
from engine.tables import Tables
from experiments.replay.changed_lead_times import LeadTimeChange, refuse_unmoved
from experiments.replay.what_if import WhatIf, changed_tables
from experiments.replay.world import Stretch, World, world_of
from tests.replays import FIRST_MONDAY, FROM, mondays, received, small_frames

STRETCH = Stretch(FROM, 4)


def lead_days(world: World) -> dict[tuple[str, str], int]:
    """Return whole days by item and source."""
    options, items = world.network.options, world.network.cells.item_id
    keys = zip(items[options.cell], options.source_id, strict=True)
    return dict(zip(keys, world.network.days.lead_days.tolist(), strict=True))


def with_change(
    frames: dict[str, pd.DataFrame], *changes: LeadTimeChange, config: PlanConfig | None = None
) -> tuple[World, World]:
    """Return the world as it is and the one with the changes; one that moves nothing is refused."""
    config, tables = config or PlanConfig(), Tables.of(frames)
    world, _ = world_of(tables, config, STRETCH)
    other_tables, closures, _ = changed_tables(tables, WhatIf("x", lead_time=changes), world, config)
    other, _ = world_of(other_tables, config, STRETCH, closures)
    refuse_unmoved(world, other, changes)
    return world, other


def taught(item: str, took: int, n: int = 30) -> pd.DataFrame:
    """Return receipts before the replay that took so many days each."""
    days = [FIRST_MONDAY + number for number in range(n)]
    return pd.concat([received(f"{item}{day}", item, 4.0, (day - took, day)) for day in days], ignore_index=True)


@pytest.mark.parametrize(
    ("change", "days"),
    [(LeadTimeChange(source="S", factor=2.0), 18), (LeadTimeChange(days=5.0), 5), (LeadTimeChange(factor=1 / 3), 3)],
)
def test_lead_times_that_receipts_teach_are_changed_too(change: LeadTimeChange, days: int):
    # Stated as 7 days, learnt as 9.
    frames = small_frames()
    frames["receipts"] = pd.concat([frames["receipts"], taught("A", 9)], ignore_index=True)
    world, other = with_change(frames, change)
    assert lead_days(world) == {("A", "S"): 9, ("B", "S"): 9}
    assert lead_days(other) == {("A", "S"): days, ("B", "S"): days}


def test_changes_one_after_the_other_multiply():
    _, other = with_change(small_frames(), LeadTimeChange(factor=2.0), LeadTimeChange(source="S", factor=1.5))
    assert lead_days(other) == {("A", "S"): 21, ("B", "S"): 21}


def test_receipts_of_the_replay_itself_and_of_other_links_stay():
    frames = small_frames()
    late = received("L", "A", 4.0, (FROM, FROM + 8))
    beside = received("B", "B", 4.0, (FROM - 20, FROM - 10)).assign(source_id="T")
    before = received("C", "A", 4.0, (FROM - 20, FROM - 10))
    frames["receipts"] = pd.concat([late, beside, before], ignore_index=True)
    _, other = with_change(frames, LeadTimeChange(source="S", factor=2.0))
    ordered = other.receipts.set_index("order_id")["ordered_on"]
    plain = {"L": pd.Timestamp(FROM), "B": pd.Timestamp(FROM - 20)}
    assert ordered.to_dict() == plain | {"C": pd.Timestamp(FROM - 30)}


@pytest.mark.parametrize(
    ("change", "days"),
    [
        (LeadTimeChange(factor=2.0), {"A": 28, "B": 28}),
        (LeadTimeChange(source="default", days=3.0), {"A": 3, "B": 3}),
        (LeadTimeChange(item="B", days=3.0), {"A": 14, "B": 3}),
    ],
)
def test_the_default_link_is_changed_where_it_is_named(change: LeadTimeChange, days: dict[str, int]):
    frames = {name: rows for name, rows in small_frames().items() if name not in ("supply", "suppliers", "receipts")}
    config = replace(PlanConfig(), supply=SupplyParams(lead_time_days=14.0, lead_time_sd_days=2.0))
    world, other = with_change(frames, change, config=config)
    assert lead_days(world) == {("A", "default"): 14, ("B", "default"): 14}
    assert lead_days(other) == {(item, "default"): lead for item, lead in days.items()}
    assert (other.network.options.lead_time_sd_days == 2).all()
    assert (other.network.days.review_days == world.network.days.review_days).all()


def test_a_lane_without_a_lead_time_is_changed_from_that_of_the_default_link():
    frames = small_frames()
    frames["supply"] = frames["supply"].assign(location_id="DC")
    frames["lanes"] = pd.DataFrame({"origin_id": ["DC"], "dest_id": ["P"], "item_id": ["*"]})
    config = replace(PlanConfig(), supply=SupplyParams(lead_time_days=4.0, lead_time_sd_days=2.0))
    _, other = with_change(frames, LeadTimeChange(source="DC", factor=2.0), config=config)
    assert lead_days(other)["A", "DC"] == 8
    assert lead_days(other)["A", "S"] == 7
    assert set(other.network.options.lead_time_sd_days[other.network.options.source_id == "DC"]) == {2.0}
    _, other = with_change(frames, LeadTimeChange(source="S", factor=2.0), config=config)
    assert other.tables["lanes"]["lead_time_days"].isna().all(), "a lane that is not named stays as it is"


def test_a_change_that_moves_no_link_is_refused():
    frames = small_frames()
    # The row for the place goes before the one for all.
    closer = frames["supply"].assign(location_id="P", lead_time_days=9.0)
    frames["supply"] = pd.concat([frames["supply"], closer], ignore_index=True)
    with pytest.raises(ConfigError, match="moves the whole days"):
        with_change(frames, LeadTimeChange(location="*", factor=3.0))
    with pytest.raises(ConfigError, match="moves the whole days"):
        with_change(frames, LeadTimeChange(days=8.5), LeadTimeChange(days=9.0))


def test_a_change_of_what_holds_only_later_passes():
    frames = small_frames()
    later = frames["supply"].assign(source_id="T", valid_from=pd.Timestamp(mondays(8)[-1]))
    frames["supply"] = pd.concat([frames["supply"].assign(valid_from=pd.NaT), later], ignore_index=True)
    _, other = with_change(frames, LeadTimeChange(source="T", factor=3.0))
    assert other.tables["supply"].set_index("source_id")["lead_time_days"].to_dict() == {"S": 7.0, "T": 21.0}
