"""The week that goes as planned, by hand: an item at a shop that a centre feeds."""

import numpy as np
import pandas as pd

from benchmarks.decisions.next_week import next_week

DAY = pd.Timestamp("2025-09-01")


def table(columns, *rows):
    return pd.DataFrame([dict(zip(columns.split(), row, strict=True)) for row in rows], columns=columns.split())


def made():
    """At the shop 2.4 a day are expected; 3 arrive on day 2 and 5, moved on day 1, on day 3."""
    lines = "line_id item_id {} {} units order_date available_date"
    orders = table(
        lines.format("source_id", "location_id"), ("L1", "A", "S", "C", 7.0, DAY, DAY + pd.Timedelta(days=30))
    )
    transfers = table(lines.format("origin_id", "dest_id"))
    day = [DAY + pd.Timedelta(days=k) for k in range(9)]
    planned = table(
        f"kind {lines.format('source_id', 'location_id')}",
        ("transfer", "L2", "A", "C", "W", 5.0, day[1], day[3]),
        ("purchase", "L3", "A", "S", "C", 9.0, day[7], day[8]),
    )
    forecast = table("item_id location_id date mean", *(("A", "W", date, 2.4) for date in day))
    plan = {"orders": orders, "transfers": transfers, "planned": planned, "forecast": forecast}
    tables = {
        "sales": table("item_id location_id region date channel units returned_units price in_stock",
                       ("A", "W", "EAST", DAY - pd.Timedelta(days=1), "online", 2.0, 0.0, 9.0, 1.0)),
        "stock_history": table("item_id location_id date closing_on_hand", ("A", "W", DAY - pd.Timedelta(days=1), 6.0)),
        "inventory": table("item_id location_id on_hand counted_on", ("A", "C", 4.0, DAY), ("A", "W", 6.0, DAY)),
        "receipts": table("order_id line_no item_id location_id source_id ordered_on received_on units",
                          ("P0", "1", "A", "W", "S", DAY - pd.Timedelta(days=9), DAY - pd.Timedelta(days=3), 1.0)),
        "open_orders": table(
            "order_id line_no restock_line_id item_id location_id source_id ordered_on units due_date kind status",
            ("P1", "1", "L0", "A", "W", "S", DAY - pd.Timedelta(days=9), 3.0, day[2], "purchase", "firm"),
        ),
        "prices": table("item_id location_id start_date price", ("A", "*", DAY - pd.Timedelta(days=90), 9.0)),
        "locations": table("location_id region", ("C", "EAST"), ("W", "EAST")),
    }  # fmt: skip
    return next_week(tables, plan, DAY)


def test_the_rounded_mean_is_sold_as_far_as_there_is_stock():
    sold = made()["sales"].iloc[1:]
    # 2.4, 4.8, 7.2 ... in all, rounded 2, 5, 7, 10, 12, 14, 17: 2, 3, 2, 3, 2, 2, 3 a day; of 6 + 3 + 4 (all that the
    # centre held of the five) one is left for the sixth day.
    assert sold["units"].tolist() == [2, 3, 2, 3, 2, 1, 0]
    np.testing.assert_allclose(sold["in_stock"], [1, 1, 1, 1, 1, 0.5, 0])
    assert set(sold["price"]) == {9.0}


def test_stock_is_conserved_and_what_is_on_its_way_stays_on_order():
    then = made()
    on_hand = then["inventory"].set_index("location_id")["on_hand"]
    assert on_hand.to_dict() == {"C": 0.0, "W": 0.0}
    assert then["sales"]["units"].iloc[1:].sum() + on_hand["W"] == 6 + 3 + 4
    assert then["open_orders"][["order_id", "units", "status"]].to_numpy().tolist() == [["L1", 7.0, "firm"]]
    assert then["receipts"]["order_id"].tolist() == ["P0", "P1", "L2"]
