"""Tests of replays with a site that holds less than policies order: goods wait at its door, for every policy alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.errors import ContradictionError
from engine.execution import Run
from engine.plan.make import make_plan
from engine.simulation import Trace
from engine.tables import Tables
from experiments.exchange.folder import write_tables
from experiments.forecasters import build_forecaster
from experiments.replay.hindsight import ForesightPolicy
from experiments.replay.links_then import LinkBook
from experiments.replay.measures import score
from experiments.replay.opening import real_opening, stated_opening
from experiments.replay.ours import PlanPolicy
from experiments.replay.run import ReplayRequest, run_replay
from experiments.replay.site_room import room_rows
from experiments.replay.view import Policy, state_tables, stock_tables, tables_at
from experiments.replay.walk import Pace, Walked, walk
from experiments.replay.world import Stretch, World, world_of
from experiments.run_plan import PlanRequest, run_plan
from experiments.settings import parse_settings
from tests.replays import FROM, cover_policy, small_frames, small_world

PACE = Pace(1, "lost", 5)
OURS = "[forecast]\nmodels = ['moving_average']\nn_paths = 20\n[run]\nworkers = 1\n"
SETTINGS = parse_settings(OURS, "test")
COVER = '[policy]\nkind = "weeks_of_cover"\nwindow_weeks = 4\ncover_weeks = 12\n'
Frames = dict[str, pd.DataFrame]


def capped(frames: Frames, capacity: float) -> Frames:
    """Return tables in which a unit takes a volume of 1 and the site holds so many."""
    site = pd.DataFrame({"location_id": ["P"], "capacity_volume": [capacity]})
    return {**frames, "items": frames["items"].assign(volume=1.0), "locations": site}


def long_frames() -> Frames:
    """Return twenty weeks that a generous cover never runs out of, with a lead time that varies; A expires."""
    generator = np.random.default_rng(3)
    made = small_frames({item: [*generator.poisson(rate, 20)] for item, rate in (("A", 5), ("B", 2))})
    made["supply"] = made["supply"].assign(lead_time_days=14.0, lead_time_sd_days=6.0)
    made["stock_history"] = made["stock_history"].assign(closing_on_hand=30.0)
    return {**made, "items": made["items"].assign(shelf_life_days=[42.0, np.nan])}


def walked(world: World, policy: Policy) -> Walked:
    return walk(world, policy, real_opening(world, world.stock_history)[0], PACE)


def waiting(trace: Trace) -> list[list[float]]:
    assert trace.door is not None
    return trace.door.waiting.tolist()


def test_a_walk_into_a_full_site_equals_the_one_worked_out_by_hand():
    world = small_world(capped(small_frames(), 12.0))
    found = walked(world, cover_policy(world))
    # 8 of A and 3 of B leave room for one of the 4 of A that come. In the second week 6 are in stock and all 6 come in;
    # in the third 2, and 6 come in. In the fourth 3 of A and 1 of B leave 8: for A, whose turn it is, and none for B.
    assert found.trace.received.tolist() == [[1, 3, 4, 8], [0, 3, 2, 0]]
    assert found.trace.closing.tolist() == [[5, 2, 3, 6], [1, 0, 1, 0]]
    assert waiting(found.trace) == [[3, 0, 0, 0], [0, 0, 0, 4]]
    at = found.lines.set_index(["cell", "sent"])
    assert at.loc[(0, 8), ["units", "arrives"]].tolist() == [8, 9]
    assert at.loc[(1, 8), ["units", "arrives"]].tolist() == [4, np.inf], "nobody knows yet when it comes in"
    orders = stock_tables(world, found.last)["open_orders"].set_index("item_id")
    assert orders["units"].to_dict() == {"A": 2, "B": 4}
    assert orders["arrived_on"].to_dict() == {"A": pd.NaT, "B": pd.Timestamp("2023-03-06")}
    (row,) = room_rows(world.room, found.trace, "cover", "sales", 7).to_dict("records")
    assert (row["waited_units"], row["waited_days"], row["most_waiting_volume"]) == (7, 7, 4)
    assert (row["most_volume"], row["share_over"], row["share_waiting"]) == (12, 0, 0.5)


def test_goods_at_the_door_cost_as_stock_from_the_day_they_come_and_are_worth_as_much():
    world = small_world(capped(small_frames(), 12.0))
    found = score(world, walked(world, cover_policy(world)), PACE, world.first, "cover")
    # Owned at the ends of weeks: 8, 2, 3 and 6 of A, 1, 0, 1 and 4 of B, as if all had room; 7 days at 0.1 and 0.05.
    assert found.costs["holding"].sum() == pytest.approx(7 * (0.1 * 19 + 0.05 * 6))
    assert found.units["stock"].tolist() == [[8, 2, 3, 6], [1, 0, 1, 4]]
    assert found.totals["closing_value"] == 6 * 10 + 4 * 5
    # Deliveries begin cycles, not the parts that come in: weeks 1, 3 and 4 of A, 2 and 3 of B, whose first is short.
    assert (found.totals["n_cycles"], found.totals["n_cycles_short"]) == (5, 1)
    later = score(world, walked(world, cover_policy(world)), PACE, world.first + 1, "cover")
    assert later.totals["opening_value"] == (5 + 3) * 10 + 1 * 5


def test_what_a_policy_ordered_is_taken_in_at_the_door_or_on_its_way():
    world = world_of(Tables.of(capped(long_frames(), 40.0)), PlanConfig(), Stretch(FROM, 12))[0]
    found = walked(world, cover_policy(world, 8.0))
    ordered = np.bincount(found.lines["cell"], weights=found.lines["asked"], minlength=2)
    opening = real_opening(world, world.stock_history)[0].state.inbound.lines
    ordered += np.bincount(opening.cell, weights=opening.units, minlength=2)
    inbound = found.last.state.inbound
    at_door = inbound.arrives < world.end
    on_way = np.bincount(inbound.lines.cell[~at_door], weights=inbound.lines.units[~at_door], minlength=2)
    assert at_door.any()
    left = np.array(waiting(found.trace))[:, -1]
    np.testing.assert_array_equal(found.trace.received.sum(axis=1) + left + on_way, ordered)
    assert found.last.arrived["units"].sum() == found.trace.received.sum()
    receipts = tables_at(world, found.last)["receipts"]
    own = receipts[receipts["order_id"].isin(found.lines["line_id"])]
    assert not own.duplicated(["order_id", "line_no"]).any(), "parts of a line are one receipt"
    assert own["units"].sum() + opening.units.sum() == found.trace.received.sum()


def test_a_walk_that_pauses_with_goods_at_the_door_goes_on_as_the_walk_that_did_not_pause():
    frames = capped(long_frames(), 40.0)
    tables = Tables.of(frames)
    whole = world_of(tables, PlanConfig(), Stretch(FROM, 12))[0]
    opening, _ = real_opening(whole, whole.stock_history)
    unbroken = walk(whole, cover_policy(whole, 8.0), opening, PACE)
    first = replace(whole, end=whole.first + 5)
    before = walk(first, cover_policy(first, 8.0), opening, PACE)
    state = Tables.of({**frames, **stock_tables(first, before.last)})
    second = world_of(tables, PlanConfig(), Stretch(FROM + 7 * 5, 7))[0]
    opened = stated_opening(second, state, PACE.seed)
    after = walk(second, cover_policy(second, 8.0), opened, PACE)

    assert (opened.state.inbound.arrives < second.first).sum() > 1, "lines stand at the door at the pause"
    assert unbroken.trace.short.sum() == 0, "so that the policies' own records are the shop's"
    assert unbroken.trace.expired[:, 5:].sum() > 0
    for name in ("received", "expired", "closing"):
        np.testing.assert_array_equal(getattr(after.trace, name), getattr(unbroken.trace, name)[:, 5:])
    assert waiting(after.trace) == [row[5:] for row in waiting(unbroken.trace)]
    assert after.trace.door is not None
    assert after.trace.door.opening.tolist() == [row[4] for row in waiting(unbroken.trace)]
    columns = ["cell", "asked", "units", "order_date", "arrives"]
    rest = unbroken.lines[unbroken.lines["sent"] >= second.first]
    assert after.lines[columns].to_numpy().tolist() == rest[columns].to_numpy().tolist()


def test_more_than_fits_is_worse_in_a_full_site_than_with_room_and_serves_no_one_better():
    frames = small_frames()
    free, full = small_world(capped(frames, 1000.0)), small_world(capped(frames, 12.0))
    roomy, tight = (walked(world, cover_policy(world, 9.0)) for world in (free, full))
    assert (tight.trace.served.sum(axis=1) <= roomy.trace.served.sum(axis=1)).all()
    cost = [
        sum(money.sum() for money in score(world, found, PACE, world.first, "cover").costs.values())
        for world, found in ((free, roomy), (full, tight))
    ]
    assert cost[1] > cost[0]
    assert tight.trace.lost[1].sum() > roomy.trace.lost[1].sum(), "B is shut out by A, which came first"


def test_room_for_everything_changes_nothing_but_that_it_is_told():
    free, wide = small_world(), small_world(capped(small_frames(), 1000.0))
    one, two = walked(free, cover_policy(free)), walked(wide, cover_policy(wide))
    pd.testing.assert_frame_equal(one.lines, two.lines)
    np.testing.assert_array_equal(one.trace.closing, two.trace.closing)
    assert one.trace.door is None
    assert not np.any(waiting(two.trace))
    assert "arrived_on" not in stock_tables(free, one.last)["open_orders"]


def test_restock_plans_within_the_room_with_goods_at_the_door_and_twice_alike():
    world = small_world(capped(small_frames(), 12.0))
    found, again = (walked(world, PlanPolicy(world, SETTINGS, 4)) for _ in range(2))
    free = walked(small_world(), PlanPolicy(small_world(), SETTINGS, 4))
    assert waiting(found.trace)[0][0] == 3, "what was on its way at the opening does not all fit"
    assert found.lines["asked"].sum() < free.lines["asked"].sum(), "orders keep to the room"
    pd.testing.assert_frame_equal(found.lines, again.lines)
    for table, rows in state_tables(world, found.last).items():
        pd.testing.assert_frame_equal(rows, state_tables(world, again.last)[table])


def test_a_state_with_more_inbound_than_fits_can_be_planned_and_data_without_doors_are_refused():
    world = small_world(capped(small_frames(), 12.0))
    view = walked(world, cover_policy(world, 9.0)).last
    tables = tables_at(world, view)
    inbound = tables["open_orders"]
    assert inbound["arrived_on"].notna().any()
    assert inbound.loc[inbound["arrived_on"].notna(), "units"].sum() > 12
    day = view.calendar.as_of
    plan = make_plan(tables, SETTINGS, build_forecaster(SETTINGS, Run()), as_of=day)
    told = dict(zip(plan.tables["assumptions"]["assumption_code"], plan.tables["assumptions"]["count"], strict=True))
    assert told["inbound-waits-for-room"] == 1
    assert "late-inbound-redated" not in told
    silent = {name: columns - {"arrived_on"} for name, columns in tables.columns_given.items()}
    rows = inbound.assign(arrived_on=pd.Series(pd.NaT, inbound.index, "datetime64[ns]"), due_date=pd.Timestamp(day))
    users = Tables({**tables.frames, "open_orders": rows}, silent)
    with pytest.raises(ContradictionError, match="Firm inbound must fit into its site"):
        make_plan(users, SETTINGS, build_forecaster(SETTINGS, Run()), as_of=day)


def test_foresight_is_held_to_the_room_and_does_not_order_again_what_stands_at_the_door():
    world = small_world(capped(small_frames(), 12.0))
    found = walked(world, ForesightPolicy(world, LinkBook(world, PlanConfig()), PACE, "f"))
    assert waiting(found.trace) == [[3, 0, 0, 0], [0, 1, 0, 0]]
    # B has 1 and needs 4 more in the second week, of which 3 find room behind the 3 of A; the fourth, too late, serves
    # the last week, for which nothing is ordered then. A has all it needs: 1 and 5 beside what came and waited.
    assert found.lines[["cell", "asked", "sent"]].to_numpy().tolist() == [[1, 4, 6], [0, 1, 7], [1, 1, 7], [0, 5, 8]]
    assert found.trace.short.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
    assert found.trace.closing[:, -1].tolist() == [0, 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    write_tables(capped(small_frames({"A": [4] * 20, "B": [2] * 20}), 30.0), folder / "data")
    (folder / "cover.toml").write_text(COVER)
    (folder / "ours.toml").write_text(OURS)
    return folder


def replayed(folder: Path, *policies: str, **changed: object):
    named = tuple(folder / f"{name}.toml" for name in policies)
    given = {"data": str(folder / "data"), "home": folder / "home", "policies": named, "weeks": 4, "track": False}
    return run_replay(ReplayRequest(**(given | changed)))


def test_a_replay_tells_what_waited_and_its_state_opens_another_and_a_plan(folder: Path):
    first = replayed(folder, "cover", "ours", first_day=str(FROM), out=folder / "first")
    tables = first.replayed.tables
    rows = tables["site_room"].set_index("policy")
    assert (rows["share_over"] == 0).all()
    assert rows.loc["cover", "waited_volume"] > 0
    assert rows.loc["cover", "waited_days"] >= 7
    assert rows.loc["foresight", "waited_volume"] == 0
    assert set(tables["assumptions"]["assumption_code"]) >= {"replay-site-room"}
    assert "waits at the door" in (folder / "first" / "report.html").read_text(encoding="utf-8")

    closing = folder / "first" / "closing" / "cover"
    state = pd.read_parquet(closing / "open_orders.parquet")
    assert state["units"].sum() > 30, "more than the site holds, which users' own data may not say"
    second = replayed(folder, "ours", opening=str(closing), out=folder / "second").replayed.tables
    assert (second["site_room"]["share_waiting"] > 0).all()
    plan = run_plan(
        PlanRequest(
            str(folder / "data"), folder / "home", folder / "ours.toml", opening=str(closing), track=False,
            out=folder / "plan",
        )
    ).plan  # fmt: skip
    assert "inbound-waits-for-room" in set(plan.tables["assumptions"]["assumption_code"])


def test_a_second_replay_gives_the_same_tables(folder: Path):
    one, two = (replayed(folder, "cover", first_day=str(FROM), out=folder / name).replayed for name in ("a", "b"))
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, two.tables[name])
