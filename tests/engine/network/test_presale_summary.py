"""What a plan is worth to presales: shares of past sales, moves by them, and cases counted by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.network.presale_shares import historical_shares
from engine.network.presale_summary import presale_summary
from engine.plan.tables import empty_table
from engine.tables import Tables
from tests.engine.network.presale_world import Decided, frames, table, world


def summary_of(found):
    [row] = presale_summary(found.presale, found.network, found.decision, empty_table("planned")).to_dict("records")
    return row


def test_shares_are_those_of_the_last_52_weeks_without_presale_units():
    given = frames({"city": 5}, {}, [])
    given["sales"] = table(
        "item_id location_id date units channel",
        ("SHOE", "CITY", "2025-10-20", 6.0, None),
        ("SHOE", "TOWN", "2024-10-28", 2.0, None),
        ("SHOE", "TOWN", "2024-10-27", 90.0, None),
        ("SHOE", "VILLAGE", "2025-10-20", 0.0, None),
        ("SHOE", "VILLAGE", "2025-10-20", 50.0, "presale"),
    )
    found = Decided(Tables.of(given))
    shares = historical_shares(Tables.of(given), found.network, {"SHOE"})
    assert dict(zip(found.network.cells.location_id[shares["cell"]], shares["share"], strict=True)) == {
        "CITY": 0.75,
        "TOWN": 0.25,
        "VILLAGE": 0.0,
    }


def test_a_new_item_is_divided_as_all_items_together():
    given = frames({"city": 5}, {}, [])
    lines = given["presales"]
    given["presales"] = pd.concat(
        [lines, *(lines.assign(line_id=f"N{r}", item_id="NEW", region=r) for r in ("town", "city"))], ignore_index=True
    )
    found = Decided(Tables.of(given))
    shares = historical_shares(Tables.of(given), found.network, {"NEW"})
    # Of the shoes six were sold in the city and three in the town; NEW is at no other place.
    assert shares["share"].tolist() == pytest.approx([6 / 9, 3 / 9])
    assert set(found.network.cells.item_id[shares["cell"]]) == {"NEW"}


def test_a_purchase_in_time_needs_no_moves_and_doing_nothing_waits_for_the_next_one():
    found = Decided(world({"city": 70}, {"CITY": 10.0}, [], lead_days=10.0))
    assert found.units() == {("MAKER", "CITY"): 60.0}
    # The next order, of 10 November, lands on the 20th: nine days after shipping starts.
    assert summary_of(found) == {
        "presale_id": "D11", "item_id": "SHOE", "units": 70.0, "share_local": 1.0,
        "share_local_nothing": pytest.approx(10 / 70), "share_local_historical": 1.0, "waiting_days": 0.0,
        "waiting_days_nothing": pytest.approx(9 * 60 / 70), "waiting_days_historical": 0.0, "move_cost": 0.0,
        "move_cost_historical": 0.0,
    }  # fmt: skip


def test_units_that_wait_for_a_purchase_are_counted_with_their_days():
    found = Decided(world({"city": 70}, {"CITY": 10.0}, [], lead_days=20.0))
    row = summary_of(found)
    assert row["share_local"] == pytest.approx(10 / 70)
    assert row["waiting_days"] == pytest.approx(5 * 60 / 70)  # 16 November


def test_the_split_by_history_takes_the_lane_that_brings_all_for_least_and_no_more_than_is_spare():
    lanes = [("TOWN", "CITY", 2.0, 1.0, 10.0), ("VILLAGE", "CITY", 2.0, 0.5, 100.0)]
    # Of 100 pairs 60, 30 and 10 are thought to be needed. The town can spare 20 of its 50, the village 90 of its 100;
    # the city lacks 60: 20 at 10 + 20 (1.5 a pair; the village's 60 would cost 130 / 60), then 40 at 100 + 20.
    found = Decided(world({"city": 100}, {"CITY": 0.0, "TOWN": 50.0, "VILLAGE": 100.0}, lanes))
    row = summary_of(found)
    assert row["share_local_historical"] == pytest.approx(0.6)
    assert row["move_cost_historical"] == pytest.approx(30 + 120)


@pytest.mark.parametrize("seed", range(8))
def test_shares_and_days_stay_within_their_bounds_and_a_plan_is_never_below_doing_nothing(seed):
    rng = np.random.default_rng(seed)
    orders = dict(zip(("city", "town", "village"), rng.integers(1, 60, 3).tolist(), strict=True))
    stock = dict(zip(("CITY", "TOWN", "VILLAGE"), rng.integers(0, 60, 3).astype(float).tolist(), strict=True))
    lanes = [(a, b, 2.0, 0.1, float(rng.integers(0, 30))) for a in stock for b in stock if a != b]
    found = Decided(world(orders, stock, lanes, lead_days=float(rng.choice([10, 20, 40]))))
    row = summary_of(found)
    assert row["units"] == sum(orders.values())
    assert row["share_local_nothing"] - 1e-12 <= row["share_local"] <= 1
    assert 0 <= row["waiting_days"] <= row["waiting_days_nothing"] + 1e-12
    local = sum(min(stock[site], units) for site, units in zip(stock, orders.values(), strict=True))
    assert row["share_local_nothing"] == pytest.approx(local / row["units"])


def planned_purchase(available):
    return table(
        "line_id kind item_id source_id location_id units order_date available_date",
        ("L1", "purchase", "SHOE", "MAKER", "CITY", 60.0, pd.Timestamp("2025-11-03"), pd.Timestamp(available)),
    )


@pytest.mark.parametrize(
    ("available", "share", "days"), [("2025-11-11", 1.0, 0.0), ("2025-11-13", 10 / 70, 2 * 60 / 70)]
)
def test_what_later_lines_bring_counts_for_the_plan(available, share, days):
    found = Decided(world({"city": 70}, {"CITY": 10.0}, [], lead_days=20.0))
    later = planned_purchase(available)
    [row] = presale_summary(found.presale, found.network, found.decision, later).to_dict("records")
    assert row["share_local"] == pytest.approx(share)
    assert row["waiting_days"] == pytest.approx(days)
    assert row["share_local_nothing"] == pytest.approx(10 / 70)
