"""Tests of presales in a replay: what is owed when, what a policy sees of it, and what it costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.demand.keys import demand_keys
from engine.demand.sales import base_sales
from engine.errors import DataError
from engine.forecast.streams import Streams
from engine.network.build import build_network
from engine.network.presale import presale_demand
from engine.tables import Tables
from experiments.replay.hindsight import ForesightPolicy
from experiments.replay.links_then import LinkBook
from experiments.replay.measures import score
from experiments.replay.opening import real_opening, stated_opening
from experiments.replay.ours import PlanPolicy
from experiments.replay.result_tables import Compared, Grounds, replay_tables
from experiments.replay.view import OrderLines, View, state_tables, tables_at
from experiments.replay.walk import Pace, Walked, walk
from experiments.replay.world import Stretch, World, world_of
from experiments.settings import parse_settings
from tests.replays import FROM, cover_policy, small_frames

PACE = Pace(1, "lost", 0)
SETTINGS = parse_settings("[forecast]\nmodels = ['moving_average']\nn_paths = 40\n[run]\nworkers = 1\n", "test")
Frames = dict[str, pd.DataFrame]
ID = ["presale_id", "line_id"]


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


def world_at(made: Frames, weeks: int = 4, first: int = 0) -> World:
    return world_of(Tables.of(made), PlanConfig(), Stretch(FROM + first, weeks))[0]


def walked(world: World, policy: object = None, pace: Pace = PACE) -> Walked:
    opening = real_opening(world, world.stock_history)[0]
    return walk(world, policy or cover_policy(world), opening, pace)


def told(made: Frames) -> dict[str, object]:
    notes = world_of(Tables.of(made), PlanConfig(), Stretch(FROM, 4))[1]
    return {note.code: note.values["count"] for note in notes if note.code.startswith("replay-presales")}


class Watching:
    """Three weeks of cover that keeps the views it was shown."""

    def __init__(self, world: World) -> None:
        self.world, self.views, self.policy = world, list[View](), cover_policy(world)

    def decide(self, view: View) -> OrderLines:
        self.views.append(view)
        return self.policy.decide(view)


def test_presale_orders_leave_before_ordinary_demand_and_wait_as_worked_out_by_hand():
    trace = walked(world_at(frames())).trace
    # Three weeks of cover hold 12 of A and 6 of B; the line that is cancelled falls away as shipping begins.
    assert trace.presale.asked.tolist() == [[0, 0, 10, 0], [0, 0, 6, 0]]
    assert trace.presale.served.tolist() == [[0, 0, 8, 2], [0, 0, 4, 2]]
    assert trace.short.tolist() == [[0, 0, 4, 0], [0, 0, 2, 0]]
    assert trace.demand.tolist() == [[4] * 4, [2] * 4], "sales hold no presale"


def test_a_late_order_costs_a_lost_sale_once_or_where_demand_is_owed_a_backorder_by_days():
    world = world_at(frames())
    found = score(world, walked(world), PACE, world.first, "cover")
    assert found.costs["presale"].sum() == 2 * 5 + 2 * 3
    owing = Pace(1, "backordered", 0)
    late = walked(world, pace=owing)
    assert late.trace.presale.waiting.tolist() == [[0, 0, 2, 0], [0, 0, 2, 0]]
    assert score(world, late, owing, world.first, "cover").costs["presale"].sum() == 7 * (2 * 0.5 + 2 * 0.25)


def test_the_summary_tells_presale_units_the_share_of_the_first_day_and_days_waited():
    world = world_at(frames())
    grounds = Grounds(
        world.network.cells.item_id, world.network.cells.location_id, world.network.cells.abc,
        world.network.demanded, world.calendar.edges[world.first : world.end], 4, np.array([10.0, 5.0]),
    )  # fmt: skip
    found = score(world, walked(world), PACE, world.first, "cover")
    row = replay_tables([found], grounds, Compared(("cover",), (), ("cover", "cover"), 0))["summary"].iloc[0]
    assert row[["presale_units", "presale_local"]].tolist() == [16, 12 / 16]
    assert row["presale_waiting_days"] == pytest.approx(4 * 7 / 16)


def test_days_waited_since_before_the_counted_weeks_are_spread_over_what_waited_then():
    world = world_at(frames())
    found = score(world, walked(world), PACE, world.first + 3, "cover")
    assert found.units["presale_before"].sum() == 4
    assert found.units["presale_units"].sum() == 0
    assert found.units["presale_served"].sum() == 4


def test_a_policy_sees_an_order_the_day_after_it_as_a_deposit_until_the_balance_is_due_and_what_became_of_it():
    made = frames(*LINES, balance_due_on=day(10))
    world = world_at(made)
    orders = world.presales.orders
    seen = {at: world.presales.tables(orders, FROM + at)["presales"] for at in (-1, 0, 2, 9, 10, 11)}
    status = {at: dict(zip(rows["line_id"], rows["status"], strict=True)) for at, rows in seen.items()}
    both = {"1": "deposit", "3": "deposit"}
    assert status[-1] == {}
    assert status[0] == {"1": "deposit"}
    assert status[2] == both
    assert status[9] == status[10] == both | {"2": "deposit"}
    assert status[11] == {"1": "paid", "3": "paid", "2": "cancelled"}
    events = [len(world.presales.tables(orders, FROM + at)["presale_events"]) for at in (-4, -3)]
    assert events == [0, 1]


def test_rules_of_textbooks_see_what_is_owed_from_the_day_it_should_ship():
    world = world_at(frames())
    policy = Watching(world)
    last = walked(world, policy).last
    # That 4 of A are cancelled on the first day of shipping is known a day later.
    owed = [view.presales_owed.tolist() for view in [*policy.views, last]]
    assert owed == [[0, 0], [0, 0], [14, 6], [2, 2], [0, 0]]


def planned_for(world: World, view: View) -> dict[str, float]:
    """Return the presale units by item that a plan counts with, as it reads the tables of a view."""
    tables, calendar = tables_at(world, view), replace(view.calendar, n_future=1)
    network = build_network(tables, PlanConfig(), calendar, demand_keys(tables, calendar))
    presale = presale_demand(tables, network, PlanConfig(), Streams(0))
    units = np.bincount(presale.rows["cell"], weights=presale.committed, minlength=network.cells.n_cells)
    return dict(zip(network.cells.item_id, units, strict=True))


def test_what_was_shipped_is_not_asked_for_again():
    world = world_at(frames())
    for weeks, units in ((2, [14, 6]), (3, [2, 2]), (4, [0, 0])):
        view = walked(replace(world, end=world.first + weeks)).last
        assert planned_for(world, view) == dict(zip("AB", units, strict=True))
        ordered = tables_at(world, view)["presales"].groupby("item_id")["units"].sum()
        assert ordered.tolist() == [14, 6], "nothing is lost of what was ordered"


def test_restock_plans_for_orders_that_rules_do_not_see_coming():
    world = world_at(frames())
    trace = walked(world, PlanPolicy(world, SETTINGS, 4)).trace
    assert trace.presale.on_time.sum() == 16


def late_changes(made: Frames) -> Frames:
    """Return the tables with orders, a cancellation and a presale that become known from the second week on."""
    more = [line("8", "A", 300.0, 7), line("9", "B", 90.0, 9, presale_id="G")]
    lines = made["presales"].assign(cancelled_on=pd.NaT)
    lines.loc[lines["line_id"] == "1", ["status", "cancelled_on"]] = ["cancelled", day(7)]
    other = pd.DataFrame([{"presale_id": "G", "opens_on": day(8), "ship_from": day(18)}])
    return made | {
        "presales": pd.concat([lines, *more], ignore_index=True),
        "presale_events": pd.concat([made["presale_events"], other], ignore_index=True),
    }


@pytest.mark.parametrize("name", ["cover", "restock"])
def test_orders_to_come_and_cancellations_to_come_are_never_read(name: str):
    found = []
    for made in (frames(), late_changes(frames())):
        world = world_at(made)
        policy = cover_policy(world) if name == "cover" else PlanPolicy(world, SETTINGS, 4)
        lines = walked(world, policy).lines
        found.append(lines[["cell", "asked", "order_date"]].sort_values(["order_date", "cell"], ignore_index=True))
    plain, changed = found
    # The decision of the second Monday is made before anything of that day is known.
    for lines in (plain, changed):
        lines["early"] = lines["order_date"] <= day(7)
    pd.testing.assert_frame_equal(changed[changed["early"]], plain[plain["early"]])
    assert not changed.equals(plain)


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
    ends = [state_tables(world_at(frames(*lines), 8), part.last)["presales"] for part in (unbroken,)]
    assert ends[0]["units"].sum() == sum(rows["units"].sum() for rows in lines)


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


def test_an_open_order_without_a_site_is_refused():
    with pytest.raises(DataError, match="Every presale line needs a site"):
        world_at(frames(*LINES, line("9", "A", 1.0, 0, location_id=None, region="nowhere")))


def test_undated_orders_count_as_placed_on_the_last_day_of_orders():
    world = world_at(frames(*LINES, line("9", "A", 1.0, 0, ordered_on=pd.NaT)))
    at = {
        name: set(world.presales.tables(world.presales.orders, FROM + name)["presales"]["line_id"]) for name in (13, 14)
    }
    assert at[14] - at[13] == {"9"}
    assert told(frames(*LINES, line("9", "A", 1.0, 0, ordered_on=pd.NaT)))["replay-presales-undated"] == 1


def test_presale_units_in_sales_are_no_demand_and_without_their_orders_they_are_left_out_and_told():
    made = frames()
    extra = made["sales"].iloc[[8]].assign(channel="presale", units=99.0)
    made["sales"] = pd.concat([made["sales"].assign(channel="shop"), extra], ignore_index=True)
    assert world_at(made).demand.max() == 4
    assert "replay-presales-left-out" not in told(made)
    without = {name: made[name] for name in made if name not in ("presales", "presale_events")}
    assert told(without) == {"replay-presales-left-out": 1}
    assert world_at(without).presales is None
    assert walked(world_at(without)).trace.presale is None


def test_an_item_that_only_a_presale_ordered_is_known_to_rules_once_it_is_ordered():
    world = world_at(frames(*LINES, line("9", "NEW", 5.0, 2)))
    policy = Watching(world)
    found = walked(world, policy)
    new = int(np.flatnonzero(world.network.cells.item_id == "NEW")[0])
    assert [bool(view.known[new]) for view in policy.views] == [False, True, True, True]
    assert found.lines.loc[found.lines["cell"] == new, ["asked", "order_date"]].to_numpy().tolist() == [[5.0, day(14)]]
    assert found.trace.presale.waiting[new].tolist() == [0, 0, 5, 0]


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


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
def test_foresight_has_presale_orders_there_on_their_first_day_and_no_rule_costs_less(unmet: str):
    world, pace = world_at(frames(*LINES, line("9", "B", 30.0, 12)), 8), Pace(1, unmet, 0)
    bound = walked(world, ForesightPolicy(world, LinkBook(world, PlanConfig()), pace, "foresight"), pace)
    assert bound.trace.presale.on_time.sum() == 46
    cost = [
        sum(money.sum() for money in score(world, found, pace, world.first, "one").costs.values())
        for found in (bound, walked(world, cover_policy(world), pace), walked(world, cover_policy(world, 9.0), pace))
    ]
    assert cost[0] == min(cost)


def three_sites() -> Frames:
    """Return the example of docs/presale.md: 1,500 pairs ordered in the city, 100 in the town; shipping on day 15."""
    sites, rates = ("CITY", "TOWN", "VILLAGE"), (10.0, 0.0, 0.0)
    days = pd.date_range(FROM - 70, periods=91)
    sold = [
        pd.DataFrame({"item_id": "SHOE", "location_id": site, "date": days, "units": rate})
        for site, rate in zip(sites, rates, strict=True)
    ]
    lanes = {
        "origin_id": ["TOWN", "VILLAGE"], "dest_id": ["CITY", "CITY"], "item_id": "*", "lead_time_days": [3.0, 3.0],
        "unit_cost": [0.4, 0.3], "trip_cost": [50.0, 200.0], "role": "lateral",
    }  # fmt: skip
    supply = {"item_id": ["*"], "source_id": ["S"], "location_id": ["*"], "lead_time_days": [40.0]}
    regions = {"region": [site.lower() for site in sites], "location_id": sites, "rank": 1.0}
    lines = [
        line(region, "SHOE", units, -6, region=region, location_id=None)
        for region, units in (("city", 1500.0), ("town", 100.0))
    ]
    event = {"presale_id": ["F"], "opens_on": [day(-7)], "closes_on": [day(0)], "ship_from": [day(15)]}
    stock = {"item_id": "SHOE", "location_id": sites, "date": day(-1), "closing_on_hand": [900.0, 2000.0, 900.0]}
    return {
        "sales": pd.concat(sold, ignore_index=True),
        "items": pd.DataFrame({"item_id": ["SHOE"], "unit_cost": [4.0], "unit_price": [12.0]}),
        "supply": pd.DataFrame({**supply, "review_period_days": [14.0]}),
        "lanes": pd.DataFrame(lanes),
        "service_regions": pd.DataFrame(regions),
        "stock_history": pd.DataFrame(stock),
        "presale_events": pd.DataFrame(event),
        "presales": pd.concat(lines, ignore_index=True),
    }


def test_restock_moves_what_a_presale_lacks_from_the_town_and_once():
    world, pace = world_at(three_sites(), 3), Pace(7, "lost", 0)
    found = walked(world, PlanPolicy(world, SETTINGS, 4), pace)
    moved = found.lines[found.lines["origin"] >= 0]
    # Of 900 the city sells 150 until then: it lacks 750, which the town's lane brings for the least.
    assert set(moved["source_id"]) == {"TOWN"}
    # What the city sells until a purchase comes, 40 days on, is helped with too; nothing is moved for a presale twice.
    assert 750 <= moved["units"].sum() <= 750 + 10 * 40
    assert found.trace.presale.on_time.sum() == 1600
    alone = walked(world, cover_policy(world), pace).trace.presale
    assert alone.on_time.sum() == 750 + 100
