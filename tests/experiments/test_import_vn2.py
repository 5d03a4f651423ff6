"""Tests of the VN2 importer: the challenge's own files, stock flags, opening state and costs."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from engine.errors import DataError
from experiments.importers.registry import import_tables

WEEKS = ["2024-03-25", "2024-04-01", "2024-04-08"]


def write(folder: Path, name: str, rows: list[str]) -> None:
    (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    """Two products in one store, as the challenge publishes them."""
    head = "Store,Product," + ",".join(WEEKS)
    write(tmp_path, "Week 0 - 2024-04-08 - Sales.csv", [head, "0,126,3,0,5", "0,182,0,0,2"])
    write(tmp_path, "Week 0 - In Stock.csv", [head, "0,126,True,False,True", "0,182,False,True,True"])
    columns = "Store,Product,ProductGroup,Division,Department,DepartmentGroup,StoreFormat,Format"
    write(tmp_path, "Week 0 - Master.csv", [columns, "0,126,301202,3012,30,11,1,13", "0,182,440403,4404,44,11,1,13"])
    state = "Store,Product,Start Inventory,Sales,Missed Sales,End Inventory,In Transit W+1,In Transit W+2,Holding Cost"
    write(tmp_path, "Week 0 - 2024-04-08 - Initial State.csv", [state, "0,126,0,0,0,4,6,3,0", "0,182,0,0,0,1,0,2,0"])
    return tmp_path


def test_a_week_without_stock_is_flagged_and_weeks_before_the_first_are_before_launch(challenge: Path):
    tables = import_tables("vn2", challenge)
    sales = tables["sales"].set_index(["item_id", "date"])
    assert sales["units"].tolist() == [3, 0, 5, 0, 0, 2]
    assert sales["in_stock"].tolist() == [1, 0, 1, 0, 1, 1]
    launch = tables["item_locations"].set_index("item_id")["launch_date"]
    assert pd.isna(launch["126"])
    assert launch["182"] == pd.Timestamp("2024-04-01")


def test_the_opening_state_is_stock_and_two_weeks_in_transit(challenge: Path):
    tables = import_tables("vn2", challenge)
    assert tables["inventory"].set_index("item_id")["on_hand"].to_dict() == {"126": 4.0, "182": 1.0}
    orders = tables["open_orders"].astype({"due_date": str, "ordered_on": str})
    told = orders[["item_id", "units", "due_date", "ordered_on"]].to_numpy().tolist()
    assert told == [
        ["126", 6.0, "2024-04-15", "2024-04-01"],
        ["126", 3.0, "2024-04-22", "2024-04-08"],
        ["182", 2.0, "2024-04-22", "2024-04-08"],
    ]


def test_a_unit_left_at_a_weeks_end_costs_a_fifth(challenge: Path):
    tables = import_tables("vn2", challenge)
    assert (tables["items"]["holding_cost"] * 7).tolist() == pytest.approx([0.2, 0.2])
    assert tables["items"]["shortage_cost"].tolist() == [1.0, 1.0]
    assert tables["supply"][["lead_time_days", "review_period_days"]].to_numpy().tolist() == [[14.0, 7.0]]


def test_the_shared_long_form_is_the_same_data(challenge: Path, tmp_path: Path):
    wanted = import_tables("vn2", challenge)
    folder = tmp_path / "long"
    folder.mkdir()
    weekly = pd.DataFrame(
        {
            "store": 0,
            "product": [126] * 3 + [182] * 3,
            "week": WEEKS * 2,
            "units": [3, 0, 5, 0, 0, 2],
            "in_stock": [True, False, True, False, True, True],
        }
    )
    weekly.to_parquet(folder / "vn2_weekly_to_2024-04-08.parquet")
    for name in ("Week 0 - Master", "Week 0 - 2024-04-08 - Initial State"):
        plain = "vn2_master" if "Master" in name else "vn2_initial_state"
        pd.read_csv(challenge / f"{name}.csv").to_parquet(folder / f"{plain}.parquet")
    found = import_tables("vn2", folder)
    for name in wanted:
        pd.testing.assert_frame_equal(found[name], wanted[name])


def test_one_store_may_be_taken(challenge: Path):
    assert len(import_tables("vn2:0", challenge)["items"]) == 2
    with pytest.raises(DataError, match="The store must be in the data"):
        import_tables("vn2:7", challenge)


def test_sales_and_flags_of_different_weeks_are_refused(challenge: Path):
    head = "Store,Product," + ",".join(WEEKS[:2])
    write(challenge, "Week 0 - In Stock.csv", [head, "0,126,True,False", "0,182,False,True"])
    with pytest.raises(DataError, match="2 weeks without one"):
        import_tables("vn2", challenge)


@pytest.mark.data
def test_the_real_files():
    source = Path(os.environ.get("RESTOCK_DATA", "../shared/data")) / "vn2"
    if not source.exists():
        pytest.skip(f"no data at {source}")
    tables = import_tables("vn2", source)
    assert len(tables["sales"]) == 599 * 157
    assert len(tables["inventory"]) == 599
    assert (tables["sales"]["in_stock"] == 0).mean() == pytest.approx(0.112, abs=0.001)
    assert tables["open_orders"]["due_date"].min() >= pd.Timestamp("2024-04-15")
