"""A small weekly world with a presale, for the tests of replays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.keys import demand_keys
from engine.forecast.streams import Streams
from engine.network.build import build_network
from engine.network.presale import presale_demand
from engine.tables import Tables
from experiments.replay.opening import real_opening
from experiments.replay.view import View, tables_at
from experiments.replay.walk import Pace, Walked, walk
from experiments.replay.world import Stretch, World, world_of
from tests.replays import FROM, cover_policy, small_frames

PACE = Pace(1, "lost", 0)
Frames = dict[str, pd.DataFrame]


def day(number: int) -> pd.Timestamp:
    """Return the day so many days after the first of the replay."""
    return pd.Timestamp(FROM + number)


def line(number: str, item: str, units: float, ordered: int, status: str = "shipped", **other: object) -> pd.DataFrame:
    row = {"presale_id": "F", "line_id": number, "item_id": item, "units": units, "ordered_on": day(ordered)}
    return pd.DataFrame([row | {"status": status, "location_id": "P"} | other])


LINES = (line("1", "A", 10.0, -1), line("2", "A", 4.0, 8, "cancelled"), line("3", "B", 6.0, 1))


def frames(*lines: pd.DataFrame, weeks: int = 8, **event: object) -> Frames:
    """Return weeks of 4 and 2 units with a presale that ships from the third Monday on; the default lines are `LINES`.

    A opens with 8 and 4 on the way, B with 3.
    """
    made = small_frames({"A": [4] * (6 + weeks), "B": [2] * (6 + weeks)})
    made["items"] = made["items"].assign(backorder_cost=[0.5, 0.25])
    usual = {"presale_id": "F", "opens_on": day(-3), "closes_on": day(13), "ship_from": day(14), "ship_by": day(20)}
    made["presale_events"] = pd.DataFrame([usual | event])
    made["presales"] = pd.concat(lines or LINES, ignore_index=True)
    return made


def world_at(made: Frames, weeks: int = 4) -> World:
    return world_of(Tables.of(made), PlanConfig(), Stretch(FROM, weeks))[0]


def walked(world: World, policy: object = None, pace: Pace = PACE) -> Walked:
    opening = real_opening(world, world.stock_history)[0]
    return walk(world, policy or cover_policy(world), opening, pace)


def told(made: Frames) -> dict[str, object]:
    """Return what is told of presales, by code."""
    notes = world_of(Tables.of(made), PlanConfig(), Stretch(FROM, 4))[1]
    return {note.code: note.values["count"] for note in notes if note.code.startswith("replay-presales")}


def planned_for(world: World, view: View) -> dict[str, float]:
    """Return the presale units by item that a plan counts with, as it reads the tables of a view."""
    tables, calendar = tables_at(world, view), replace(view.calendar, n_future=1)
    network = build_network(tables, PlanConfig(), calendar, demand_keys(tables, calendar))
    presale = presale_demand(tables, network, PlanConfig(), Streams(0))
    units = np.bincount(presale.rows["cell"], weights=presale.committed, minlength=network.cells.n_cells)
    return dict(zip(network.cells.item_id, units, strict=True))
