import datetime as dt

import openpyxl
import pandas as pd
import pytest

from experiments.exchange.catalogue import read_catalogue
from experiments.exchange.plan_meta import PlanMeta, with_item_names
from experiments.exchange.plan_writer import worded_tables
from experiments.exchange.workbook_out import write_workbook
from tests.plans import NAMES, example_plan

META = PlanMeta("run-1", "sha256:abc", "1", notice="Made up.", item_names=NAMES)


def written(folder, max_rows=20_000, change=lambda tables: tables):
    plan = example_plan()
    tables = change(worded_tables(plan, read_catalogue()))
    named = {name: with_item_names(table, META) for name, table in tables.items()}
    write_workbook(plan, named, folder / "plan.xlsx", META, max_rows)
    return named, openpyxl.load_workbook(folder / "plan.xlsx")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return written(tmp_path_factory.mktemp("book"))


def test_there_is_a_sheet_for_each_decision_table(made):
    assert made[1].sheetnames == [
        "summary", "orders", "transfers", "supplier_orders", "open_order_changes", "presale_allocations",
        "presale_summary", "alerts", "targets", "planned", "changes", "stability", "assumptions", "assumption_details",
        "costs", "stock_to_service", "limits", "next_best",
    ]  # fmt: skip


def test_sheets_hold_the_tables_with_numbers_as_numbers_and_dates_as_dates(made):
    tables, book = made
    for name in book.sheetnames[1:]:
        rows = list(book[name].iter_rows(values_only=True))
        columns = [column for column in tables[name] if not column.endswith("_values")]
        assert list(rows[0]) == columns
        assert len(rows) == len(tables[name]) + 1
        for place, column in enumerate(columns):
            for cell, value in zip((row[place] for row in rows[1:]), tables[name][column], strict=True):
                if pd.isna(value) or value == "":
                    assert cell in (None, "")
                elif isinstance(value, pd.Timestamp):
                    assert cell == dt.datetime.fromisoformat(str(value))
                else:
                    assert cell == (value if isinstance(value, str) else pytest.approx(value))
                    assert isinstance(cell, str) == isinstance(value, str)


def test_headers_are_frozen_filtered_and_explained(made):
    _, book = made
    for name in book.sheetnames[1:]:
        assert book[name].freeze_panes == "A2"
        assert book[name].auto_filter.ref.startswith("A1:")
    assert book["orders"]["A1"].comment.text == "Line"


def test_text_like_a_formula_stays_text(made):
    cells = [cell for row in made[1]["targets"].iter_rows() for cell in row if cell.value == "=Gift box"]
    assert cells
    assert all(cell.data_type != "f" for cell in cells)


def test_a_sheet_that_would_overflow_shows_the_dearest_lines_and_says_so(tmp_path):
    tables, book = written(tmp_path, max_rows=3)
    rows = list(book["orders"].iter_rows(values_only=True))
    values = [row[rows[0].index("value")] for row in rows[1:4]]
    assert values == sorted(tables["orders"]["value"], reverse=True)[:3]
    assert rows[4][0] == f"3 of {len(tables['orders'])} rows; all are in orders.csv"
    said = [row[2] for row in book["summary"].iter_rows(values_only=True) if row[0] == "orders"]
    assert said == ["the 3 with the most value; all are in orders.csv"]


def test_text_longer_than_a_cell_is_cut_and_says_so(tmp_path):
    def long(tables):
        return tables | {"costs": tables["costs"].assign(term=pd.array(["x" * 40_000] * 4, dtype="string[pyarrow]"))}

    _, book = written(tmp_path, change=long)
    cell = book["costs"]["A2"].value
    assert len(cell) <= 32_767
    assert cell.endswith("(cut)")


def test_a_plan_without_lines_is_a_workbook_with_headers(tmp_path):
    _, book = written(tmp_path, change=lambda tables: {name: table.head(0) for name, table in tables.items()})
    assert book["orders"].max_row == 1
    assert book["orders"]["A1"].value == "line_id"
