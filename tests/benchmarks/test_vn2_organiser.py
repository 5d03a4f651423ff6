"""The organiser's policy against its formula worked out a second time, cell by cell in pandas."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.vn2.game import History, Stock, given_opening, history_of
from benchmarks.vn2.organiser import forecast, organiser
from experiments.importers.registry import import_tables

DATA = Path(os.environ.get("RESTOCK_DATA", "../shared/data")) / "vn2"


def formula(weekly: pd.DataFrame, state: pd.DataFrame) -> pd.Series:
    """Return the order of each store and product from the published files alone."""
    weekly = weekly.assign(week=pd.to_datetime(weekly["week"]), sold=weekly["units"].where(weekly["in_stock"]))
    by_week = weekly.groupby("week")["sold"].mean()
    number = by_week.index.map(lambda day: day.isocalendar()[1])
    by_number = by_week.groupby(number).mean()
    factor = by_number / by_number.mean()
    last = by_week.index.max()
    ahead = [factor[(last + timedelta(weeks=week)).isocalendar()[1]] for week in range(1, 5)]
    orders = {}
    for key, rows in weekly.sort_values("week").groupby(["store", "product"]):
        seen = [
            sold / factor[week.isocalendar()[1]]
            for week, sold in zip(rows["week"].tail(13), rows["sold"].tail(13), strict=True)
            if not np.isnan(sold)
        ]
        level = sum(seen) / len(seen) if seen else 0.0
        have = state.loc[key, ["End Inventory", "In Transit W+1", "In Transit W+2"]].sum()
        orders[key] = max(0, round(level * sum(ahead) - have))
    return pd.Series(orders)


@pytest.mark.data
def test_the_first_order_on_the_given_opening_is_the_documented_formula():
    if not DATA.exists():
        pytest.skip(f"no data at {DATA}")
    tables = import_tables("vn2", DATA)
    past = history_of(tables)
    found = organiser(past, given_opening(past, tables))
    state = pd.read_parquet(DATA / "vn2_initial_state.parquet").set_index(["Store", "Product"])
    wanted = formula(pd.read_parquet(DATA / "vn2_weekly_to_2024-04-08.parquet"), state)
    keys = pd.MultiIndex.from_arrays([past.location_id.astype(int), past.item_id.astype(int)])
    assert len(wanted) == 599
    np.testing.assert_array_equal(found, wanted.loc[keys].to_numpy())


def small(units: list[list[float]], in_stock: list[list[bool]] | None = None) -> History:
    shape = np.shape(units)
    return History(
        item_id=np.array([f"I{row}" for row in range(shape[0])], object),
        location_id=np.array(["S"] * shape[0], object),
        weeks=np.datetime64("2024-01-01") + 7 * np.arange(shape[1]),
        units=np.array(units, dtype=np.float64),
        in_stock=np.ones(shape, bool) if in_stock is None else np.array(in_stock),
    )


def test_a_week_out_of_stock_is_missing_not_zero():
    flat = small([[4, 4, 4, 4]])
    gap = small([[4, 0, 4, 4]], [[True, False, True, True]])
    np.testing.assert_allclose(forecast(gap, 4), forecast(flat, 4))
    np.testing.assert_allclose(forecast(flat, 4), 4.0)


def test_next_years_week_repeats_this_years_share():
    # 52 weeks at 2, but the third sold 6: its factor is 6 against a mean of (51 * 2 + 6) / 52.
    year = [2.0] * 52
    year[2] = 6.0
    found = forecast(small([year]), 3)[0]
    mean = (51 * 2 + 6) / 52
    np.testing.assert_allclose(found, [2.0, 2.0, 6.0])
    np.testing.assert_allclose(found / mean, [2 / mean, 2 / mean, 6 / mean])


def test_an_order_is_whole_and_never_negative():
    past = small([[1.3] * 20, [1.3] * 20])
    stock = Stock(np.array([0.0, 50.0]), np.array([[1.0, 1.0], [0.0, 0.0]]))
    # 4 * 1.3 = 5.2, less 2 in transit; the second has plenty.
    assert organiser(past, stock).tolist() == [3.0, 0.0]


def test_an_item_never_in_stock_is_not_ordered():
    past = small([[0.0] * 20, [2.0] * 20], [[False] * 20, [True] * 20])
    assert organiser(past, Stock(np.zeros(2), np.zeros((2, 2)))).tolist() == [0.0, 8.0]
