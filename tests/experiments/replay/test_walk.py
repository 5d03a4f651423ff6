"""Tests of the walk: a replay worked out by hand, and the future that is never read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.tables import Tables
from experiments.replay.hindsight import ActualPolicy, ForesightPolicy
from experiments.replay.links_then import LinkBook
from experiments.replay.measures import score
from experiments.replay.opening import real_opening, target_opening
from experiments.replay.ours import PlanPolicy
from experiments.replay.rules import RuleParams, RulePolicy
from experiments.replay.view import OrderLines, Policy, View, tables_at
from experiments.replay.walk import Pace, Walked, view_at_start, walk
from experiments.replay.world import Stretch, World, world_of
from experiments.settings import parse_settings
from tests.replays import FROM, SOLD, cover_policy, received, small_frames, small_world

PACE = Pace(1, "lost", 0)
SETTINGS = parse_settings(
    """
    [forecast]
    models = ["moving_average", "seasonal_naive"]
    n_paths = 30
    [run]
    workers = 1
    """,
    "test",
)


def walked(world: World, policy: Policy, pace: Pace = PACE) -> Walked:
    return walk(world, policy, real_opening(world, world.stock_history)[0], pace)


def ordered(found: Walked, world: World) -> dict[tuple[str, str], float]:
    """Return units by item and order date."""
    items = world.network.cells.item_id[found.lines["cell"]]
    days = found.lines["order_date"].dt.strftime("%m-%d")
    return dict(zip(zip(items, days, strict=True), found.lines["units"], strict=True))


def test_a_replay_of_two_items_and_four_weeks_equals_the_one_worked_out_by_hand():
    world = small_world()
    found = walked(world, cover_policy(world))
    first, second, third, fourth = "02-13", "02-20", "02-27", "03-06"
    of_a = {("A", second): 4, ("A", third): 8, ("A", fourth): 2}
    of_b = {("B", first): 3, ("B", second): 2, ("B", third): 4}
    assert ordered(found, world) == of_a | of_b
    assert found.trace.closing.tolist() == [[8, 2, 3, 6], [1, 0, 1, 4]]
    assert found.trace.short.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]


def test_its_cost_and_service_equal_those_worked_out_by_hand():
    world = small_world()
    opening = real_opening(world, world.stock_history)[0]
    found = score(world, walk(world, cover_policy(world), opening, PACE), PACE, world.first, "cover")
    terms = {name: round(float(money.sum()), 6) for name, money in found.costs.items() if money.any()}
    # 19 and 6 units at the ends of weeks, 7 days at 0.1 and 0.05; one unit of B lost; orders on four days.
    assert terms == {"holding": 15.4, "shortage": 3.0, "order": 20.0}
    assert (found.units["short"].sum(), found.units["demand"].sum()) == (1, 27)
    assert found.totals["opening_value"] == 8 * 10 + 3 * 5
    assert found.totals["closing_value"] == 6 * 10 + 4 * 5
    assert (found.totals["orders"], found.totals["order_lines"], found.totals["units_bought"]) == (4, 6, 23)


def test_a_policy_sees_what_it_sold_and_that_it_ran_out():
    world = small_world()
    last = walked(world, cover_policy(world)).last
    assert last.units[1, -4:].tolist() == [2, 4, 1, 1]
    assert last.available[1, -4:].tolist() == [1, 0.5, 1, 1]


def test_a_walk_keeps_one_record_in_single_precision_that_no_policy_can_change():
    world, views = small_world(), []

    class Watching:
        def decide(self, view: View) -> OrderLines:
            views.append(view)
            return cover_policy(world).decide(view)

    last = walk(world, Watching(), real_opening(world, world.stock_history)[0], PACE).last
    for view in views:
        for name in ("units", "available", "price"):
            seen, whole = getattr(view, name), getattr(last, name)
            assert np.shares_memory(seen, whole)
            assert not seen.flags.writeable
            assert seen.dtype == np.float32
            np.testing.assert_array_equal(seen, whole[:, : view.today])
    assert [view.units.shape[1] for view in views] == [6, 7, 8, 9]


def test_a_policy_never_sees_more_than_the_shop_sold():
    world = small_world()
    more = replace(world, demand=world.demand + 1.0, assumption="recovered")
    last = walked(more, cover_policy(more)).last
    assert (last.units <= world.units[:, : world.end]).all()


def test_backordered_demand_stands_in_the_sales_of_its_day():
    world = small_world()
    last = walked(world, cover_policy(world), Pace(1, "backordered", 0)).last
    assert last.units[1, -4:].tolist() == [2, 5, 1, 1]
    assert (last.available == 1).all()


def policies(world: World) -> dict[str, Policy]:
    book = LinkBook(world, PlanConfig())
    rules = {kind: RulePolicy(world, book, RuleParams(kind, window_weeks=4, refresh_weeks=2), kind)
             for kind in ("normal", "s_S", "weeks_of_cover", "min_max")}  # fmt: skip
    return {**rules, "restock": PlanPolicy(world, SETTINGS, 2), "actual": ActualPolicy(world)}


def awaited(day: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Return the history with the order that is on its way at the opening coming on ``day``."""
    return small_frames() | {"receipts": received("R1", "A", 4.0, (FROM - 7, day.to_datetime64()))}


def changed_later(day: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Return the history with a spike from ``day`` on, later goods, and rows of tables that become known on it."""
    frames = awaited(day + pd.Timedelta(weeks=3))
    sales = frames["sales"]
    end = pd.Timestamp("2024-01-01")
    late = sales["date"] >= day
    units = np.where(late, 50 * sales["units"] + 90, sales["units"])
    spiked = sales.assign(units=units, price=np.where(late, 99.0, np.nan))
    new = pd.DataFrame({"item_id": ["C"], "location_id": ["P"], "date": [day], "units": [500.0], "price": [1.0]})
    frames["sales"] = pd.concat([spiked, new], ignore_index=True)
    span = {"start_date": [pd.Timestamp("2023-01-09")], "end_date": [end]}
    override = {"operation": ["multiply"], **span}
    told_late = pd.DataFrame({"override_id": ["1"], "value": [9.0], "known_from": [day], **override})
    made_late = pd.DataFrame({"override_id": ["2"], "value": [7.0], "created_at": [day], **override})
    frames["overrides"] = pd.concat([told_late, made_late], ignore_index=True)
    frames["promotions"] = pd.DataFrame({"promotion_id": ["X"], **span, "discount": [0.5], "known_from": [day]})
    supply = frames["supply"].assign(known_from=pd.NaT)
    frames["supply"] = pd.concat([supply, supply.assign(lead_time_days=1.0, known_from=day)], ignore_index=True)
    receipts = frames["receipts"]
    more = receipts.assign(order_id="R2", ordered_on=day, received_on=day + pd.Timedelta(days=70), units=900.0)
    frames["receipts"] = pd.concat([receipts, more], ignore_index=True)
    return frames


def decisions(world: World, policy: Policy) -> pd.DataFrame:
    lines = walked(world, policy).lines
    lines = lines.assign(item=world.network.cells.item_id[lines["cell"]]).sort_values(["order_date", "item"])
    return lines[["item", "source_id", "asked", "unit_cost", "order_date", "available_date"]].reset_index(drop=True)


@pytest.mark.parametrize("name", ["normal", "s_S", "weeks_of_cover", "min_max", "restock", "actual"])
def test_the_future_is_never_read(name: str):
    day = pd.Timestamp(FROM) + pd.Timedelta(weeks=2)
    as_it_was, spiked = small_world(awaited(day)), small_world(changed_later(day))
    plain, moved = (decisions(world, policies(world)[name]) for world in (as_it_was, spiked))
    # What is decided on a day is decided before its sales; only rows that become known on it may move it.
    before = plain[plain["order_date"] < day]
    assert len(before) or name == "actual"
    pd.testing.assert_frame_equal(moved[moved["order_date"] < day], before)
    assert not moved.equals(plain), "the spike matters once it is known"


@pytest.mark.parametrize("weeks_late", [0, 1, 4])
def test_what_is_on_its_way_is_due_a_lead_time_after_its_order_whenever_it_came(weeks_late: int):
    world = small_world(awaited(pd.Timestamp(FROM + 7 * weeks_late)))
    opening, _ = real_opening(world, world.stock_history)
    orders = tables_at(world, view_at_start(world, opening, 1))["open_orders"]
    assert orders["due_date"].tolist() == [pd.Timestamp(FROM)]
    assert orders[["order_id", "line_no"]].to_numpy().tolist() == [["R1", "1"]]
    assert opening.state.inbound.arrives.tolist() == [world.first + weeks_late]


def test_an_order_line_that_came_in_parts_is_one_open_order_line_until_the_parts_come():
    parts = [received("R1", "A", units, (FROM - 7, FROM + days)) for units, days in ((4.0, 0), (3.0, 7), (2.0, 21))]
    other = received("R1", "A", 5.0, (FROM - 7, FROM + 14)).assign(line_no="2")
    world = small_world(small_frames() | {"receipts": pd.concat([*parts, other], ignore_index=True)})
    policy = Keeping(world)
    last = walked(world, policy).last
    lines = [tables_at(world, view)["open_orders"] for view in [*policy.views, last]]
    # Every part was ordered for the first day; what is still to come of line 1 is 9, 5, 2, 2 and then nothing.
    for rows, units in zip(lines, ({"1": 9, "2": 5}, {"1": 5, "2": 5}, {"1": 2, "2": 5}, {"1": 2}, {}), strict=True):
        real = rows[rows["order_id"] == "R1"]
        assert dict(zip(real["line_no"], real["units"], strict=True)) == units
        assert real["restock_line_id"].isna().all()
    placed = lines[-1]
    assert (placed["restock_line_id"] == placed["order_id"]).all()
    assert len(placed)


def test_receipts_of_one_line_that_are_of_several_items_stay_lines_of_their_own():
    parts = [
        received("R1", item, units, (FROM - 7, FROM + days)) for item, units, days in (("A", 4.0, 0), ("B", 3.0, 7))
    ]
    world = small_world(small_frames() | {"receipts": pd.concat(parts, ignore_index=True)})
    opening, _ = real_opening(world, world.stock_history)
    orders = tables_at(world, view_at_start(world, opening, 1))["open_orders"]
    assert orders[["order_id", "line_no", "units"]].to_numpy().tolist() == [["R1/1/0", "1", 4], ["R1/1/1", "1", 3]]


class Keeping:
    """Three weeks of cover that keeps the views it was shown."""

    def __init__(self, world: World) -> None:
        self.views, self.policy = list[View](), cover_policy(world)

    def decide(self, view: View) -> OrderLines:
        self.views.append(view)
        return self.policy.decide(view)


def test_foresight_reads_demand_and_lacks_nothing_that_an_order_could_bring():
    world = small_world()
    found = walked(world, ForesightPolicy(world, LinkBook(world, PlanConfig()), PACE, "foresight"))
    # The first order comes in the second week: B has 3 - 2 of its first week left for 5, and then orders 1 and 1.
    assert found.trace.short.sum() == 0
    assert found.trace.closing.tolist() == [[8, 2, 0, 0], [1, 0, 0, 0]]


def two_sites() -> World:
    """Return thirty weeks of one item at two sites of one region, each of which serves what the other lacks."""
    rng = np.random.default_rng(11)
    frames = small_frames({"P": rng.poisson(4, 30).tolist(), "Q": rng.poisson(2, 30).tolist()})
    frames["sales"] = frames["sales"].rename(columns={"item_id": "location_id", "location_id": "item_id"})
    frames["sales"]["item_id"] = "A"
    frames["items"] = frames["items"].assign(backorder_cost=1.0)
    frames["locations"] = pd.DataFrame({"location_id": ["P", "Q"], "region": ["R", "R"]})
    frames["service_regions"] = pd.DataFrame({"region": ["R", "R"], "location_id": ["P", "Q"], "rank": [1, 2]})
    return small_world({name: frames[name] for name in frames if name not in ("suppliers", "receipts")}, weeks=20)


@pytest.mark.parametrize("unmet", ["lost", "backordered", "served_elsewhere"])
def test_no_rule_costs_less_than_foresight(unmet: str):
    world, pace = two_sites(), Pace(1, unmet, 0)
    opening = target_opening(world, np.zeros(world.n_cells))
    book = LinkBook(world, PlanConfig())
    cost = {}
    for name, policy in (policies(world) | {"foresight": ForesightPolicy(world, book, pace, "foresight")}).items():
        if name in ("restock", "actual"):
            continue
        found = score(world, walk(world, policy, opening, pace), pace, world.first, name)
        cost[name] = float(sum(money.sum() for money in found.costs.values()))
    assert len(cost) == 5
    assert cost["foresight"] == min(cost.values())


def test_foresight_orders_what_is_owed_already():
    world, pace = small_world(), Pace(1, "backordered", 0)
    opening = target_opening(world, np.zeros(world.n_cells))
    found = walk(world, ForesightPolicy(world, LinkBook(world, PlanConfig()), pace, "foresight"), opening, pace)
    # The first week's 4 and 2 are owed until the first orders come, with the second week's 6 and 5.
    assert found.trace.received[:, 1].tolist() == [4 + 6, 2 + 5]
    assert found.trace.backlog.tolist() == [[4, 0, 0, 0], [2, 0, 0, 0]]


def test_actual_orders_arrive_when_they_really_did():
    frames = small_frames()
    real = received("R7", "B", 20.0, (FROM + 1, FROM + 16))
    frames["receipts"] = pd.concat([frames["receipts"], real], ignore_index=True)
    world = small_world(frames)
    found = walked(world, ActualPolicy(world))
    # Received on a Wednesday, on sale from the next Monday.
    assert found.trace.received.tolist() == [[4, 0, 0, 0], [0, 0, 0, 20]]
    assert found.trace.closing[1].tolist() == [1, 0, 0, 19]
    assert found.lines["unit_cost"].tolist() == [5.0], "the unit cost of B"


def test_late_deliveries_are_the_same_for_every_policy_and_reach_its_receipts():
    frames = small_frames()
    frames["supply"] = frames["supply"].assign(lead_time_sd_days=6.0, lead_time_days=10.0)
    world = small_world(frames)
    runs = [walked(world, policies(world)[name]) for name in ("normal", "weeks_of_cover")]
    came = [dict(zip(run.lines["order_date"], run.lines["arrives"], strict=True)) for run in runs]
    both = set(came[0]) & set(came[1])
    assert both
    assert all(came[0][day] == came[1][day] for day in both)
    receipts = tables_at(world, runs[0].last)["receipts"]
    own = receipts[receipts["order_id"].str.startswith("normal")]
    assert (own["received_on"] > own["ordered_on"]).all()
    assert len(own) == int((runs[0].lines["arrives"] < world.end).sum())


def test_the_tables_of_a_view_give_its_state_back():
    world = small_world()
    last = walked(world, cover_policy(world)).last
    tables = tables_at(world, last)
    stock = tables["inventory"].set_index("item_id")["on_hand"]
    assert stock.to_dict() == {"A": 6.0, "B": 4.0}
    coming = tables["open_orders"]
    assert coming[["item_id", "units"]].to_numpy().tolist() == [["A", 2.0]]
    assert coming["due_date"].tolist() == [pd.Timestamp("2023-03-13")]


def test_what_cannot_be_replayed_is_refused_with_its_reason():
    tables = Tables.of(small_frames())
    for stretch, told in (
        (Stretch(FROM + 1, 2), "first day of a bucket"),
        (Stretch(FROM, 9), "lies within the complete history"),
        (Stretch(np.datetime64("2023-01-09"), 2), "lies within the complete history"),
    ):
        with pytest.raises(Exception, match=told):
            world_of(tables, PlanConfig(), stretch)


def test_by_default_the_second_half_of_a_short_history_is_replayed():
    world, _ = world_of(Tables.of(small_frames()), PlanConfig(), Stretch())
    assert (world.first, world.end) == (5, len(SOLD["A"]))
