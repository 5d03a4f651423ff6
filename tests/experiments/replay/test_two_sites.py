"""Tests of replays of one item at two sites, bought there or fed by a third: what is told, worth and counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.tables import Tables
from experiments.replay.links_then import LinkBook
from experiments.replay.measures import score
from experiments.replay.opening import target_opening
from experiments.replay.rules import RuleParams, RulePolicy
from experiments.replay.view import tables_at
from experiments.replay.walk import Pace, Walked, walk
from experiments.replay.world import Stretch, World, world_of

PACE = Pace(1, "lost", 0)


def two_sites(n_weeks: int) -> dict[str, pd.DataFrame]:
    """Return weeks of 4 at P and at Q, bought a week ahead at 5 an order."""
    mondays = pd.date_range("2023-01-02", periods=n_weeks, freq="W-MON")
    sales = [pd.DataFrame({"item_id": "A", "location_id": place, "date": mondays, "units": 4.0}) for place in "PQ"]
    supply = {"item_id": ["*"], "source_id": ["S"], "location_id": ["*"], "lead_time_days": [7.0]}
    costs = {"unit_cost": [10.0], "unit_price": [15.0], "holding_cost": [0.1], "shortage_cost": [5.0]}
    return {
        "sales": pd.concat(sales, ignore_index=True),
        "items": pd.DataFrame({"item_id": ["A"], **costs}),
        "supply": pd.DataFrame({**supply, "review_period_days": [7.0]}),
        "suppliers": pd.DataFrame({"source_id": ["S"], "order_cost": [5.0]}),
    }


def fed_by_a_third() -> dict[str, pd.DataFrame]:
    """Return the same with all goods going over DC."""
    frames = two_sites(12)
    ways = {"origin_id": ["DC", "DC"], "dest_id": ["P", "Q"], "item_id": ["*", "*"], "lead_time_days": [7.0, 7.0]}
    frames["supply"] = frames["supply"].assign(location_id="DC", lead_time_days=14.0)
    frames["lanes"] = pd.DataFrame({**ways, "role": ["replenish", "replenish"]})
    return frames


def walked(frames: dict[str, pd.DataFrame], on_hand: dict[str, float], weeks: int) -> tuple[World, Walked]:
    world, _ = world_of(Tables.of(frames), PlanConfig(), Stretch(np.datetime64("2023-02-13"), weeks))
    params = RuleParams("weeks_of_cover", cover_weeks=3.0, window_weeks=4)
    opening = target_opening(world, np.array([on_hand[place] for place in world.network.cells.location_id]))
    return world, walk(world, RulePolicy(world, LinkBook(world, PlanConfig()), params, "cover"), opening, PACE)


def test_a_feeder_that_runs_empty_is_no_series_of_sales():
    world, found = walked(fed_by_a_third(), {"DC": 2.0, "P": 10.0, "Q": 10.0}, weeks=6)
    feeder = world.network.cells.location_id == "DC"
    assert (found.trace.closing[feeder] == 0).any()
    assert set(tables_at(world, found.last)["sales"]["location_id"]) == {"P", "Q"}


def test_the_opening_value_is_of_the_first_day_that_counts():
    world, found = walked(two_sites(20), {"P": 12.0, "Q": 12.0}, weeks=12)
    result = score(world, found, PACE, world.first + 4, "cover")
    assert result.totals["opening_value"] == 10.0 * found.trace.closing[:, 3].sum()
    assert found.trace.closing[:, 3].sum() != 24, "it differs from the opening of the walk"
    assert score(world, found, PACE, world.first, "cover").totals["opening_value"] == 240


def test_as_many_orders_are_counted_as_are_paid():
    world, found = walked(two_sites(20), {"P": 12.0, "Q": 12.0}, weeks=12)
    result = score(world, found, PACE, world.first, "cover")
    # Both sites order on the same days, each for itself.
    assert found.lines["order_date"].nunique() < result.totals["orders"]
    assert result.totals["orders"] == pytest.approx(result.costs["order"].sum() / 5)
