"""Tests of presale orders in a replay that are settled, bundled, or left in an exported state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.demand.sales import base_sales
from engine.tables import Tables
from experiments.exchange.folder import write_tables
from experiments.exchange.load import WithState, load
from experiments.replay.opening import real_opening, stated_opening
from experiments.replay.view import state_tables, tables_at
from experiments.replay.walk import Walked, walk
from experiments.replay.world import Stretch, world_of
from tests.presale_replays import LINES, PACE, Frames, day, frames, line, planned_for, told, walked, world_at
from tests.replays import FROM, cover_policy


def paused(made: Frames, cut: int, weeks: int, cover: float) -> tuple[Walked, Walked, Walked]:
    """Return the whole walk, its part up to a week, and the part that goes on from the exported state."""
    whole = world_at(made, weeks)
    opening = real_opening(whole, whole.stock_history)[0]
    unbroken = walk(whole, cover_policy(whole, cover), opening, PACE)
    first = replace(whole, end=whole.first + cut)
    before = walk(first, cover_policy(first, cover), opening, PACE)
    held = Tables.of({**made, **state_tables(first, before.last)})
    second = world_of(held, PlanConfig(), Stretch(FROM + 7 * cut, weeks - cut))[0]
    return unbroken, before, walk(second, cover_policy(second, cover), stated_opening(second, held, 0), PACE)


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_walk_that_pauses_with_presales_owed_is_the_walk_that_did_not(cut: int):
    # Orders by many days, in part too many for the stock, some cancelled before they ship and one while it waits.
    lines = (
        *LINES, line("4", "B", 20.0, 9), line("5", "B", 3.0, 10, "cancelled", cancelled_on=day(24)),
        line("6", "A", 7.0, 22, ordered_on=pd.NaT), line("7", "A", 3.0, 23),
    )  # fmt: skip
    unbroken, before, after = paused(frames(*lines), cut, 8, 6.0)
    assert unbroken.trace.presale.cancelled.sum() == 3, "while it waits"
    for name in ("closing", "short", "received"):
        both = [getattr(part.trace, name) for part in (before, after)]
        np.testing.assert_array_equal(np.concatenate(both, axis=1), getattr(unbroken.trace, name), err_msg=name)
    for name in ("served", "cancelled", "waiting"):
        both = [getattr(part.trace.presale, name) for part in (before, after)]
        np.testing.assert_array_equal(np.concatenate(both, axis=1), getattr(unbroken.trace.presale, name), err_msg=name)
    held = state_tables(world_at(frames(*lines), 8), unbroken.last)["presales"]
    assert held["units"].sum() == sum(rows["units"].sum() for rows in lines)


def test_what_shipped_or_was_cancelled_before_the_replay_is_settled_wherever_it_was_served():
    past = line("0", "A", 50.0, -20, presale_id="E", location_id=None, region="gone")
    cancelled = line("00", "A", 9.0, -20, "cancelled", presale_id="E", location_id=None, region="gone")
    open_yet = line("000", "B", 2.0, -20, "deposit", presale_id="E")
    made = frames(*LINES, past, cancelled, open_yet)
    event = pd.DataFrame([{"presale_id": "E", "ship_from": day(-10), "ship_by": day(5)}])
    made["presale_events"] = pd.concat([made["presale_events"], event], ignore_index=True)
    world = world_at(made)
    trace = walked(world).trace
    # Two of B wait from before: they leave at once.
    assert trace.presale.served[:, 0].tolist() == [0, 2]
    assert trace.presale.asked.sum() == 16
    assert told(made) == {"replay-presales": 3, "replay-presales-cancelled": 2, "replay-presales-under-way": 1}
    assert world.presales.cells(FROM + 0, world.n_cells).tolist() == [True, True]


def test_a_history_of_settled_presales_alone_is_told_to_policies_and_owes_nothing():
    made = frames(line("1", "A", 10.0, -20), line("2", "B", 4.0, -15, "cancelled"), ship_from=day(-10), ship_by=day(-5))
    world = world_at(made)
    trace = walked(world).trace
    assert (trace.presale.asked.sum(), trace.presale.served.sum(), trace.presale.waiting.sum()) == (0, 0, 0)
    rows = tables_at(world, walked(world).last)["presales"]
    assert rows["status"].tolist() == ["shipped", "cancelled"]


def with_bundles() -> Frames:
    """Return the small world with K, a bundle of 1 A and 2 B, and A itself, which brings a gift G."""
    made = frames(line("1", "K", 5.0, 0), line("2", "A", 4.0, 1))
    made["bom"] = pd.DataFrame(
        {"parent_item_id": ["K", "K", "A", "A"], "component_item_id": ["A", "B", "A", "G"], "units": [1.0, 2, 1, 1]}
    )
    ids = {"item_id": ["G", "K"], "unit_cost": [1.0, 1], "unit_price": [2.0, 2], "holding_cost": [0.01, 0.01]}
    made["items"] = pd.concat([made["items"], pd.DataFrame(ids).assign(shortage_cost=1.0)], ignore_index=True)
    return made


def test_bundles_and_gifts_are_owed_as_their_components_and_told_once():
    world = world_at(with_bundles())
    trace = walked(world).trace
    owed = dict(zip(world.network.cells.item_id, trace.presale.asked.sum(axis=1), strict=True))
    assert owed == {"A": 9, "B": 10, "G": 9}
    view = walked(replace(world, end=world.first + 1)).last
    shown = base_sales(tables_at(world, view))
    sold = dict(zip(shown.items, np.bincount(shown.item, weights=shown.units), strict=True))
    # What is told as sold holds the gifts: they are not added again.
    assert sold == dict(zip(world.network.cells.item_id, view.units.sum(axis=1), strict=True))
    assert planned_for(world, view) == owed


def test_an_exported_state_names_the_item_of_a_gift_alone_so_that_its_list_brings_it():
    world = world_at(with_bundles())
    rows = state_tables(world, walked(replace(world, end=world.first + 1)).last)["presales"]
    assert dict(zip(rows["line_id"], rows["units"], strict=True)) == {"1/A": 5, "1/B": 10, "2": 4}


def test_an_opening_without_presales_leaves_those_of_the_data_and_one_with_them_stands_in_for_them(tmp_path: Path):
    made = frames()
    stock = pd.DataFrame({"item_id": ["A"], "location_id": ["P"], "on_hand": [3.0]})
    write_tables(made, tmp_path / "data")
    write_tables({"inventory": stock}, tmp_path / "bare")
    write_tables({"inventory": stock, "presales": made["presales"].iloc[:1]}, tmp_path / "full")
    for state, count in (("bare", 3), ("full", 1)):
        loaded = load(WithState(str(tmp_path / "data"), str(tmp_path / state)), tmp_path / "home")
        assert len(loaded.tables["presales"]) == count
