"""Tests of replays in days: steps that do not divide the stretch, and shares of days."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.tables import Tables
from experiments.replay.links_then import LinkBook
from experiments.replay.measures import Score, score, unit_value
from experiments.replay.opening import target_opening
from experiments.replay.result_tables import Compared, Grounds, replay_tables
from experiments.replay.rules import RuleParams, RulePolicy
from experiments.replay.walk import Pace, Walked, walk
from experiments.replay.world import Stretch, World, world_of

FIRST = np.datetime64("2023-02-13")


def daily_frames(order_weekdays: str | None = None) -> dict[str, pd.DataFrame]:
    """Return ten weeks of 4 a day; from the seventh on the shop sold 1 and ran out, every day."""
    dates = pd.date_range("2023-01-02", periods=70)
    late = dates >= pd.Timestamp(FIRST)
    supply = {"item_id": ["*"], "source_id": ["S"], "location_id": ["*"], "lead_time_days": [2.0]}
    return {
        "sales": pd.DataFrame(
            {
                "item_id": "A", "location_id": "P", "date": dates,
                "units": np.where(late, 1.0, 4.0), "in_stock": np.where(late, 0.5, 1.0),
            }
        ),
        "items": pd.DataFrame(
            {
                "item_id": ["A"], "unit_cost": [10.0], "unit_price": [15.0],
                "holding_cost": [0.1], "shortage_cost": [5.0],
            }
        ),
        "supply": pd.DataFrame({**supply, "review_period_days": [7.0], "order_weekdays": [order_weekdays]}),
    }  # fmt: skip


def daily_world(weeks: int, order_weekdays: str | None = None) -> World:
    return world_of(Tables.of(daily_frames(order_weekdays)), PlanConfig(), Stretch(FIRST, weeks))[0]


def walked(world: World, on_hand: float, every: int) -> tuple[Walked, Score]:
    policy = RulePolicy(world, LinkBook(world, PlanConfig()), RuleParams("weeks_of_cover", cover_weeks=2.0), "cover")
    opening, pace = target_opening(world, np.full(world.n_cells, on_hand)), Pace(every, "lost", 0)
    found = walk(world, policy, opening, pace)
    return found, score(world, found, pace, world.first, "cover")


@pytest.mark.parametrize("weeks", [2, 3])
def test_the_last_step_of_a_replay_ends_with_it_and_places_nothing_later(weeks: int):
    world = daily_world(weeks, order_weekdays="2")
    found, result = walked(world, 0.0, every=10)
    assert found.lines["sent"].max() < world.end
    assert found.trace.end == world.end == found.last.until
    assert result.units["demand"].shape == (1, weeks)


def test_the_share_of_marked_days_is_of_days():
    world = daily_world(weeks=4)
    _, result = walked(world, 200.0, every=7)
    cells = world.network.cells
    weeks = world.calendar.edges[world.first : world.end : 7]
    grounds = Grounds(
        cells.item_id, cells.location_id, cells.abc, world.network.demanded, weeks, 28, unit_value(world)
    )  # fmt: skip
    tables = replay_tables([result], grounds, Compared(("cover",), (), ("cover", "cover"), 0))
    # The shop ran out on all of 28 days, and the policy never did.
    assert tables["summary"]["marked_share"].tolist() == [1.0]
