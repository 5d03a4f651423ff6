"""The history of a successor: its own and that of the item it follows, worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.demand.params import TimeParams
from engine.tables.tables import Tables

WEEKS = pd.date_range("2025-01-06", periods=6, freq="7D")
OLD = [10, 12, 8, 6, 3, 0]
NEW = [0, 0, 0, 5, 9, 11]


def sales_of(units, in_stock=None, price=None):
    """Weekly sales of items at the place x."""
    rows = [
        {
            "item_id": item,
            "location_id": "x",
            "date": date,
            "units": float(counts[week]),
            "in_stock": (in_stock or {}).get(item, [1.0] * 6)[week],
            "price": (price or {}).get(item, [np.nan] * 6)[week],
        }
        for item, counts in units.items()
        for week, date in enumerate(WEEKS)
    ]
    return pd.DataFrame(rows)


def panel_of(sales, **items):
    """The weekly panel of sales at x, series by item, and its notes; ``items`` are columns by item."""
    tables = Tables.of({"sales": sales, "items": pd.DataFrame(items)})
    calendar, _ = choose_calendar(tables, TimeParams("W"), None)
    keys = demand_keys(tables, calendar)
    interval = np.tile(np.array([[1, 2]], np.int32), (len(keys[0]), 1))
    panel, notes = build_panel(tables, PlanConfig(), calendar, keys, interval)
    row = {item: number for number, item in enumerate(panel.item_id)}
    return panel, row, {note.code: dict(note.values) for note in notes}


def test_the_history_of_a_successor_is_that_of_the_pair():
    panel, row, notes = panel_of(sales_of({"old": OLD, "new": NEW}), item_id=["new"], successor_of=["old"])
    assert panel.units[row["new"]].tolist() == [10, 12, 8, 11, 12, 11]
    assert panel.units[row["old"]].tolist() == OLD
    assert notes["predecessor-history-used"] == {"n_series": 1}
    assert "predecessor-history-shared" not in notes


def test_a_bucket_was_on_sale_as_long_as_either_item_was():
    in_stock = {"old": [1, 0.5, 1, 0.2, 0, 0], "new": [0, 0, 0, 0.6, 0.4, 1]}
    panel, row, _ = panel_of(sales_of({"old": OLD, "new": NEW}, in_stock), item_id=["new"], successor_of=["old"])
    # Before its first sale the successor was out of stock all the time, which says nothing of the pair.
    assert panel.available[row["new"]].tolist() == pytest.approx([1, 0.5, 1, 0.6, 0.4, 1])


def test_after_the_old_items_end_its_history_no_longer_counts():
    panel, row, _ = panel_of(
        sales_of({"old": [10, 12, 8, 6, 0, 0], "new": NEW}, {"new": [1, 1, 1, 1, 0, 1]}),
        item_id=["new", "old"], successor_of=["old", None], end_date=[pd.NaT, WEEKS[4] - pd.Timedelta(days=1)],
    )  # fmt: skip
    assert panel.offered[row["new"], :6].all()
    assert panel.available[row["new"]].tolist() == [1, 1, 1, 1, 0, 1]


def test_a_price_is_the_successors_own_where_it_has_one():
    price = {"old": [4.0] * 6, "new": [np.nan, np.nan, np.nan, 5.0, np.nan, 5.0]}
    panel, row, _ = panel_of(sales_of({"old": OLD, "new": NEW}, price=price), item_id=["new"], successor_of=["old"])
    assert panel.price[row["new"]].tolist() == [4, 4, 4, 5, 4, 5]


def test_two_successors_of_one_item_share_its_history_evenly():
    sales = sales_of({"old": OLD, "red": NEW, "blue": [0, 0, 0, 1, 1, 1]})
    panel, row, notes = panel_of(sales, item_id=["red", "blue"], successor_of=["old", "old"])
    assert panel.units[row["red"]].tolist() == [5, 6, 4, 8, 10.5, 11]
    assert panel.units[row["blue"]].tolist() == [5, 6, 4, 4, 2.5, 1]
    assert notes["predecessor-history-shared"] == {"n_series": 2}


def test_a_successor_of_a_successor_takes_one_step_back():
    sales = sales_of({"old": OLD, "new": NEW, "newest": [0, 0, 0, 0, 0, 2]})
    panel, row, _ = panel_of(sales, item_id=["new", "newest"], successor_of=["old", "new"])
    assert panel.units[row["newest"]].tolist() == [0, 0, 0, 5, 9, 13]


@pytest.mark.parametrize("follows", ["unknown", "new"])
def test_nothing_changes_where_the_item_followed_has_no_series_of_its_own(follows):
    panel, row, notes = panel_of(sales_of({"old": OLD, "new": NEW}), item_id=["new"], successor_of=[follows])
    assert panel.units[row["new"]].tolist() == NEW
    assert "predecessor-history-used" not in notes
