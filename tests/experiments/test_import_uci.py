"""Tests of the UCI Online Retail importer: cancellations, codes that are no goods, and file formats."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError, DataError
from experiments.importers.cancellations import match_cancellations
from experiments.importers.registry import import_tables, run_import

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
LINES = """536365,85123A,WHITE HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom
536365,71053,LANTERN,8,12/1/2010 8:26,3.39,17850,United Kingdom
536366,85123a,WHITE HEART,4,12/1/2010 9:00,2.55,13047,France
536367,85123A,WHITE HEART,10,12/2/2010 9:00,2.55,17850,United Kingdom
C536379,85123A,WHITE HEART,-6,12/3/2010 9:41,2.55,17850,United Kingdom
C536380,85123A,WHITE HEART,-3,12/3/2010 9:41,2.55,17850,United Kingdom
C536381,71053,LANTERN,-9,12/4/2010 9:41,3.39,17850,United Kingdom
C536382,71053,LANTERN,-1,12/4/2010 9:41,3.39,,United Kingdom
536390,POST,POSTAGE,1,12/4/2010 10:00,18.00,17850,France
536391,85123A,damages,-20,12/4/2010 10:00,0,,United Kingdom
536392,71053,found,7,12/4/2010 10:00,0,,United Kingdom
536393,71053,LANTERN,2,12/4/2010 10:00,0,17850,United Kingdom
"""


@pytest.fixture
def lines_csv(tmp_path: Path) -> Path:
    path = tmp_path / "Online Retail.csv"
    path.write_text(HEADER + LINES, encoding="utf-8")
    return path


def findings(tables: dict[str, pd.DataFrame]) -> dict[str, tuple[int, float]]:
    report = tables["import_report"]
    return {name: (rows, units) for name, rows, units in report[["finding", "rows", "units"]].itertuples(index=False)}


def test_a_cancellation_removes_the_line_it_cancels(lines_csv: Path):
    sales = import_tables("uci-online-retail", lines_csv)["sales"]
    told = sales[["item_id", "location_id", "date", "region", "units", "returned_units"]].astype({"date": str})
    assert told.to_numpy().tolist() == [
        ["71053", "UK", "2010-12-01", "United Kingdom", 8.0, 0.0],
        ["71053", "UK", "2010-12-04", "United Kingdom", 2.0, 0.0],
        ["85123A", "UK", "2010-12-01", "France", 4.0, 0.0],
        ["85123A", "UK", "2010-12-02", "United Kingdom", 10.0, 3.0],
    ]


def test_what_is_left_out_is_listed(lines_csv: Path):
    told = findings(import_tables("uci-online-retail", lines_csv))
    assert told["no supplier is stated"] == (1, 0.0)
    assert told["lines read"] == (12, -1.0)
    assert told["stock codes that differ in case only"] == (1, 4.0)
    assert told["postage, fees, vouchers, manual and test codes"] == (1, 1.0)
    assert told["negative units without a cancellation: stock written off"] == (1, -20.0)
    assert told["no price and no customer: stock counted or moved"] == (1, 7.0)
    assert told["cancellations matched"] == (2, 9.0)
    assert told["cancellations of no customer"] == (1, 1.0)
    assert told["cancellations without an earlier line to cancel"] == (1, 9.0)
    assert told["order lines cancelled wholly"] == (1, 6.0)
    assert told["order lines cancelled in part"] == (1, 3.0)
    assert told["lines given away to a customer"] == (1, 2.0)


def test_every_unit_read_is_sold_returned_or_listed(lines_csv: Path):
    tables = import_tables("uci-online-retail", lines_csv)
    told, sales = findings(tables), tables["sales"]
    left_out = [
        "postage, fees, vouchers, manual and test codes",
        "negative units without a cancellation: stock written off",
        "no price and no customer: stock counted or moved",
        "cancellations without negative units, negative prices or no date",
    ]
    unmatched = told["cancellations of no customer"][1] + told["cancellations without an earlier line to cancel"][1]
    kept = sales["units"].sum() - sales["returned_units"].sum()
    assert told["lines read"][1] == sum(told[name][1] for name in left_out) - unmatched + kept


def test_items_have_their_usual_name_and_price(lines_csv: Path):
    items = import_tables("uci-online-retail", lines_csv)["items"].set_index("item_id")
    assert items.loc["85123A", "name"] == "WHITE HEART"
    assert items.loc["71053", "unit_price"] == 3.39


def test_a_gift_has_no_price(lines_csv: Path):
    sales = import_tables("uci-online-retail", lines_csv)["sales"]
    assert np.isnan(sales.set_index("date").loc["2010-12-04", "price"])


def test_workbook_parquet_and_second_edition_are_the_same_data(lines_csv: Path, tmp_path: Path):
    wanted = import_tables("uci-online-retail", lines_csv)
    frame = pd.read_csv(lines_csv, parse_dates=["InvoiceDate"], date_format="%m/%d/%Y %H:%M")
    # A workbook holds numeric codes as numbers.
    codes = [int(code) if code.isdigit() else code for code in frame["StockCode"]]
    frame.assign(StockCode=codes).to_excel(tmp_path / "Online Retail.xlsx", index=False)
    (tmp_path / "parquet").mkdir()
    frame.to_parquet(tmp_path / "parquet" / "online_retail_transactions.parquet")
    second = frame.set_axis(
        ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"], axis=1
    )
    (tmp_path / "second").mkdir()
    second.to_csv(tmp_path / "second" / "online_retail_II.csv", index=False, encoding="iso-8859-1")
    for source in (tmp_path / "Online Retail.xlsx", tmp_path / "parquet", tmp_path / "second"):
        found = import_tables("uci-online-retail", source)
        for name in ("sales", "items"):
            pd.testing.assert_frame_equal(found[name], wanted[name])


def test_a_missing_column_is_named(tmp_path: Path):
    path = tmp_path / "online_retail.csv"
    path.write_text("InvoiceNo,StockCode\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match="no description, quantity"):
        import_tables("uci-online-retail", path)


def test_an_empty_folder_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="The source must hold a file named like online retail"):
        import_tables("uci-online-retail", tmp_path)


def test_an_unknown_source_is_refused_with_the_nearest(tmp_path: Path):
    with pytest.raises(ConfigError, match="Did you mean uci-online-retail"):
        import_tables("uci-online-retial", tmp_path)


def test_a_missing_path_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="The source folder or file must exist"):
        import_tables("vn2", tmp_path / "nowhere")


def test_run_import_writes_tables_and_report(lines_csv: Path, tmp_path: Path):
    rows = run_import("uci-online-retail", lines_csv, tmp_path / "tables")
    assert rows == {"sales": 4, "items": 2, "locations": 1, "supply": 1}
    assert (tmp_path / "tables" / "import_report.json").exists()
    assert any(path.stem == "sales" for path in (tmp_path / "tables").iterdir())


def lines_of(rows: list[tuple[int, int, int]]) -> pd.DataFrame:
    """Return lines of (customer, units, hour) of one code and price."""
    customer, units, hour = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return pd.DataFrame(
        {
            "customer_id": np.array(customer, float),
            "stock_code": ["A"] * len(rows),
            "price": np.ones(len(rows)),
            "units": np.array(units, float),
            "time": pd.to_datetime("2011-01-01") + pd.to_timedelta(hour, unit="h"),
        }
    )


def test_the_line_of_the_same_quantity_is_preferred_to_a_later_larger_one():
    cancelled, matched = match_cancellations(lines_of([(1, 4, 0), (1, 9, 1)]), lines_of([(1, 4, 2)]))
    assert cancelled.tolist() == [4, 0]
    assert matched.tolist() == [True]


def test_of_equal_lines_the_latest_is_cancelled():
    cancelled, _ = match_cancellations(lines_of([(1, 4, 0), (1, 4, 1), (1, 4, 5)]), lines_of([(1, 4, 2)]))
    assert cancelled.tolist() == [0, 4, 0]


def test_another_customer_or_a_later_line_is_never_cancelled():
    cancelled, matched = match_cancellations(lines_of([(2, 4, 0), (1, 4, 3)]), lines_of([(1, 4, 2)]))
    assert cancelled.tolist() == [0, 0]
    assert matched.tolist() == [False]


rows = st.lists(st.tuples(st.integers(1, 2), st.integers(1, 5), st.integers(0, 9)), min_size=1, max_size=8)


@given(rows, rows)
@settings(max_examples=80, deadline=None)
def test_cancelled_units_are_those_matched_and_never_more_than_a_line_holds(orders, cancellations):
    ordered, taken_back = lines_of(orders), lines_of(cancellations)
    cancelled, matched = match_cancellations(ordered, taken_back)
    assert cancelled.sum() == taken_back["units"][matched].sum()
    assert (cancelled <= ordered["units"]).all()
    for customer in (1, 2):
        asked = matched & (taken_back["customer_id"] == customer).to_numpy()
        held = (ordered["customer_id"] == customer).to_numpy()
        assert cancelled[held].sum() == taken_back["units"][asked].sum()


@pytest.mark.data
def test_the_real_file_balances():
    source = Path(os.environ.get("RESTOCK_DATA", "../shared/data")) / "uci_online_retail"
    if not source.exists():
        pytest.skip(f"no data at {source}")
    tables = import_tables("uci-online-retail", source)
    told = findings(tables)
    assert told["lines read"][0] == 541_909
    assert told["cancellations matched"][0] > 7_000
    # The two famous orders of the last days, 80,995 and 74,215 pieces, were cancelled within minutes.
    assert tables["sales"]["units"].max() < 20_000
    assert not tables["sales"].duplicated(["item_id", "location_id", "date", "region"]).any()
