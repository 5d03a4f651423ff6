"""A tiny weekly history of two items at one place, for the tests of replays; its numbers are worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.tables import Tables
from experiments.replay.links_then import LinkBook
from experiments.replay.rules import RuleParams, RulePolicy
from experiments.replay.world import Stretch, World, world_of

FIRST_MONDAY = np.datetime64("2023-01-02")
N_BEFORE = 6
FROM = FIRST_MONDAY + 7 * N_BEFORE
SOLD = {"A": [4, 4, 4, 4, 4, 4, 4, 6, 3, 5], "B": [2, 2, 2, 2, 2, 2, 2, 5, 1, 1]}


def mondays(n: int) -> np.ndarray:
    return (FIRST_MONDAY + 7 * np.arange(n)).astype("datetime64[ns]")


def small_frames(sold: Mapping[str, list[int]] = SOLD) -> dict[str, pd.DataFrame]:
    """Return tables with stock on record: A opens with 8 and 4 on the way, B with 3."""
    rows = [
        pd.DataFrame(
            {"item_id": item, "location_id": "P", "date": mondays(len(units)), "units": np.array(units, float)}
        )
        for item, units in sold.items()
    ]
    return {
        "sales": pd.concat(rows, ignore_index=True),
        "items": pd.DataFrame(
            {
                "item_id": ["A", "B"], "unit_cost": [10.0, 5.0], "unit_price": [15.0, 8.0],
                "holding_cost": [0.1, 0.05], "shortage_cost": [5.0, 3.0],
            }
        ),
        "supply": pd.DataFrame(
            {
                "item_id": ["*"], "source_id": ["S"], "location_id": ["*"],
                "lead_time_days": [7.0], "review_period_days": [7.0],
            }
        ),
        "suppliers": pd.DataFrame({"source_id": ["S"], "order_cost": [5.0]}),
        "stock_history": pd.DataFrame(
            {
                "item_id": ["A", "B"], "location_id": ["P", "P"],
                "date": [pd.Timestamp(FROM - 1)] * 2, "closing_on_hand": [8.0, 3.0],
            }
        ),
        "receipts": received("R1", "A", 4.0, (FROM - 7, FROM)),
    }  # fmt: skip


def received(order: str, item: str, units: float, days: tuple[np.datetime64, np.datetime64]) -> pd.DataFrame:
    """Return a row of receipts, ordered and received on the given days."""
    return pd.DataFrame(
        {
            "order_id": [order], "line_no": ["1"], "received_on": [pd.Timestamp(days[1])], "item_id": [item],
            "source_id": ["S"], "location_id": ["P"], "ordered_on": [pd.Timestamp(days[0])], "units": [units],
        }
    )  # fmt: skip


def small_world(frames: Mapping[str, pd.DataFrame] | None = None, weeks: int = 4) -> World:
    return world_of(Tables.of(frames or small_frames()), PlanConfig(), Stretch(FROM, weeks))[0]


def cover_policy(world: World, cover_weeks: float = 3.0) -> RulePolicy:
    """Return so many weeks of cover of the mean of four weeks."""
    params = RuleParams("weeks_of_cover", window_weeks=4, cover_weeks=cover_weeks)
    return RulePolicy(world, LinkBook(world, PlanConfig()), params, "cover")
