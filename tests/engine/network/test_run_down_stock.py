"""What there is to sell of each series, where places supply each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.network.build import build_network
from engine.network.run_down import pooled_stock
from engine.tables import Tables

CALENDAR = Calendar("D", np.datetime64("2025-10-27"), 30, 1)


def table(columns, *rows):
    return pd.DataFrame([dict(zip(columns.split(), row, strict=True)) for row in rows])


def stock_by_key(*held, backorders=0.0, orders=()):
    """Stock of items A and B at R1 and R2, which C feeds, and at the shop Z, bought from outside."""
    keys = [("A", "R1"), ("A", "R2"), ("A", "Z"), ("B", "R1")]
    owed = [backorders] + [0.0] * (len(held) - 1)
    frames = {
        "sales": table("item_id location_id date units", ("A", "R1", pd.Timestamp("2025-10-20"), 5.0)),
        "lanes": table(
            "origin_id dest_id item_id lead_time_days role", ("C", "R1", "*", 2.0, "replenish"),
            ("C", "R2", "*", 2.0, "replenish"),
        ),
        "supply": table("item_id source_id location_id lead_time_days review_period_days", ("*", "S", "C", 5.0, 7.0),
            ("*", "S", "Z", 5.0, 7.0)),
        "inventory": table("item_id location_id on_hand", *held).assign(backorders=owed),
    }  # fmt: skip
    if orders:
        frames["open_orders"] = table("order_id item_id location_id units due_date", *orders)
    ids = tuple(np.array(column, dtype=object) for column in zip(*keys, strict=True))
    network = build_network(Tables.of(frames), PlanConfig(), CALENDAR, ids)
    stock = pooled_stock(network)
    return dict(zip(keys, stock.units[stock.pool], strict=True)), dict(zip(keys, stock.pool.tolist(), strict=True))


def test_a_central_site_and_those_that_it_feeds_are_one_pool_an_item():
    units, pool = stock_by_key(("A", "C", 100.0), ("A", "R1", 7.0), ("A", "Z", 9.0), ("B", "R1", 3.0))
    assert [units[key][0] for key in (("A", "R1"), ("A", "R2"), ("A", "Z"), ("B", "R1"))] == [107, 107, 9, 3]
    assert pool["A", "R1"] == pool["A", "R2"]
    assert len(set(pool.values())) == 3


def test_inbound_counts_when_it_arrives_and_units_owed_come_off_first():
    orders = (("O1", "A", "C", 50.0, pd.Timestamp("2025-10-30")),)
    units, _ = stock_by_key(("A", "R1", 7.0), backorders=17.0, orders=orders)
    assert units["A", "R2"][:5].tolist() == [0, 0, 0, 40, 0]
