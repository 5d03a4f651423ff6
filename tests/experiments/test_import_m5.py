"""Tests of the M5 importer: days without sales, weeks without a price, price spans, events and SNAP days."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from engine.errors import DataError
from experiments.importers.registry import import_tables

N_DAYS = 21


@pytest.fixture
def contest(tmp_path: Path) -> Path:
    """Three weeks of two items in two stores, as the contest publishes them; Saturday 2011-01-29 is day 1."""
    dates = pd.date_range("2011-01-29", periods=N_DAYS)
    calendar = pd.DataFrame(
        {
            "date": dates.strftime("%Y-%m-%d"),
            "wm_yr_wk": [11101] * 7 + [11102] * 7 + [11103] * 7,
            "weekday": dates.day_name(),
            "wday": 1,
            "month": dates.month,
            "year": dates.year,
            "d": [f"d_{n}" for n in range(1, N_DAYS + 1)],
            "event_name_1": [None] * 8 + ["SuperBowl"] + [None] * 12,
            "event_type_1": [None] * 8 + ["Sporting"] + [None] * 12,
            "event_name_2": None,
            "event_type_2": None,
            "snap_CA": [1, 1, 0] + [0] * 4 + [1] * 3 + [0] * 11,
            "snap_TX": 0,
        }
    )
    calendar.to_csv(tmp_path / "calendar.csv", index=False)
    pd.DataFrame(
        [("CA_1", "FOODS_1_001", 11101, 2.0), ("CA_1", "FOODS_1_001", 11103, 2.0)]
        + [("CA_1", "FOODS_1_002", week, price) for week, price in ((11102, 1.5), (11103, 1.75))]
        + [("TX_1", "FOODS_1_001", week, 3.0) for week in (11101, 11102, 11103)],
        columns=["store_id", "item_id", "wm_yr_wk", "sell_price"],
    ).to_csv(tmp_path / "sell_prices.csv", index=False)
    units = {
        ("FOODS_1_001", "CA_1"): {1: 3, 2: 1, 16: 4},
        ("FOODS_1_002", "CA_1"): {9: 2},
        ("FOODS_1_001", "TX_1"): {5: 6},
    }
    rows = [
        [f"{item}_{store}_evaluation", item, "FOODS_1", "FOODS", store, store[:2]]
        + [sold.get(day, 0) for day in range(1, N_DAYS + 1)]
        for (item, store), sold in units.items()
    ]
    names = ["id", "item_id", "dept_id", "cat_id", "store_id", "state_id", *calendar["d"]]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "sales_train_evaluation.csv", index=False)
    return tmp_path


def test_a_gap_in_the_prices_is_a_week_not_on_sale(contest: Path):
    sales = import_tables("m5:CA_1", contest)["sales"]
    first = sales[sales["item_id"] == "FOODS_1_001"].set_index("date")
    # The covered days end with the last sale, day 16; week 2 has no price.
    off = first[first["in_stock"] == 0]
    assert off.index.tolist() == pd.date_range("2011-02-05", "2011-02-11").tolist()
    assert off["units"].sum() == 0
    assert off["price"].isna().all()
    assert first.loc[first["in_stock"] == 1, "units"].tolist() == [3, 1, 4]
    assert first.loc["2011-01-29", "price"] == 2.0


def test_before_its_first_price_an_item_is_not_launched(contest: Path):
    tables = import_tables("m5:CA_1", contest)
    launch = tables["item_locations"].set_index("item_id")["launch_date"]
    assert launch["FOODS_1_001"] == pd.Timestamp("2011-01-29")
    assert launch["FOODS_1_002"] == pd.Timestamp("2011-02-05")
    second = tables["sales"][tables["sales"]["item_id"] == "FOODS_1_002"]
    assert second[["units", "in_stock"]].to_numpy().tolist() == [[2.0, 1.0]]


def test_weeks_of_one_price_are_one_span_unless_they_are_apart(contest: Path):
    prices = import_tables("m5", contest)["prices"]
    told = prices.astype({"start_date": str, "end_date": str})
    assert told.to_numpy().tolist() == [
        ["FOODS_1_001", "CA_1", "2011-01-29", "2011-02-04", 2.0],
        ["FOODS_1_001", "CA_1", "2011-02-12", "2011-02-18", 2.0],
        ["FOODS_1_001", "TX_1", "2011-01-29", "2011-02-18", 3.0],
        ["FOODS_1_002", "CA_1", "2011-02-05", "2011-02-11", 1.5],
        ["FOODS_1_002", "CA_1", "2011-02-12", "2011-02-18", 1.75],
    ]


def test_named_days_and_runs_of_snap_days_are_events(contest: Path):
    events = import_tables("m5", contest)["events"].astype({"start_date": str, "end_date": str})
    told = events[["event", "start_date", "end_date", "region", "kind"]].fillna("").to_numpy().tolist()
    assert told == [
        ["snap", "2011-01-29", "2011-01-30", "CA", "benefit"],
        ["snap", "2011-02-05", "2011-02-07", "CA", "benefit"],
        ["super-bowl", "2011-02-06", "2011-02-06", "", "sporting"],
    ]


def test_a_store_is_taken_alone(contest: Path):
    tables = import_tables("m5:TX_1", contest)
    assert tables["locations"][["location_id", "region"]].to_numpy().tolist() == [["TX_1", "TX"]]
    assert tables["sales"]["units"].tolist() == [6.0]
    assert tables["items"]["item_id"].tolist() == ["FOODS_1_001"]
    assert tables["items"][["category", "subcategory"]].to_numpy().tolist() == [["FOODS", "FOODS_1"]]


def test_an_unknown_store_is_refused(contest: Path):
    with pytest.raises(DataError, match="'CA_9'"):
        import_tables("m5:CA_9", contest)


def test_the_shared_long_form_is_the_same_data(contest: Path, tmp_path: Path):
    folder = tmp_path / "long"
    folder.mkdir()
    wide = pd.read_csv(contest / "sales_train_evaluation.csv")
    calendar = pd.read_csv(contest / "calendar.csv")
    long = wide.melt(id_vars=list(wide.columns[:6]), var_name="d", value_name="units")
    long = long.merge(calendar[["d", "date"]], on="d")
    long["id"] = long["id"].str.removesuffix("_evaluation")
    long["date"] = pd.to_datetime(long["date"]).dt.date
    long[["id", "date", "units"]].assign(sell_price=1.0).to_parquet(folder / "m5_daily_d1_d21.parquet")
    wide.assign(id=wide["id"].str.removesuffix("_evaluation"))[
        ["item_id", "dept_id", "cat_id", "store_id", "state_id", "id"]
    ].to_parquet(folder / "m5_items.parquet")
    calendar.assign(d=range(1, N_DAYS + 1)).to_parquet(folder / "m5_calendar.parquet")
    pd.read_csv(contest / "sell_prices.csv").to_parquet(folder / "m5_sell_prices_full.parquet")
    for source in ("m5", "m5:CA_1"):
        wanted, found = import_tables(source, contest), import_tables(source, folder)
        for name in wanted:
            pd.testing.assert_frame_equal(found[name], wanted[name])


@pytest.mark.data
@pytest.mark.slow
def test_one_real_store():
    source = Path(os.environ.get("RESTOCK_DATA", "../shared/data")) / "m5"
    if not source.exists():
        pytest.skip(f"no data at {source}")
    tables = import_tables("m5:CA_1", source)
    assert len(tables["items"]) == 3_049
    assert tables["sales"]["date"].max() == pd.Timestamp("2016-05-22")
    assert not tables["sales"].duplicated(["item_id", "location_id", "date"]).any()
