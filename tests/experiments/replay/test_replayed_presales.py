"""Tests of presales in a replay: what is owed when, what a policy sees of it, and what it costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.errors import DataError
from experiments.replay.hindsight import ForesightPolicy
from experiments.replay.links_then import LinkBook
from experiments.replay.measures import score
from experiments.replay.ours import PlanPolicy
from experiments.replay.result_tables import Compared, Grounds, replay_tables
from experiments.replay.view import OrderLines, View, tables_at
from experiments.replay.walk import Pace
from experiments.replay.world import World
from experiments.settings import parse_settings
from tests.presale_replays import LINES, PACE, Frames, day, frames, line, planned_for, told, walked, world_at
from tests.replays import FROM, cover_policy

SETTINGS = parse_settings("[forecast]\nmodels = ['moving_average']\nn_paths = 40\n[run]\nworkers = 1\n", "test")


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
