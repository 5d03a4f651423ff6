"""The planner's workbook: a sheet a decision table, and a summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pandas as pd
import xlsxwriter

from engine.plan.tables import column_kinds
from engine.plan.types import CONTRACT_VERSION, Kind, Plan
from experiments.exchange.catalogue import Catalogue, read_catalogue
from experiments.exchange.plan_meta import PlanMeta
from experiments.exchange.report_data import Tables, totals

MAX_ROWS = 20_000
"""Most lines of a sheet; beyond it a workbook takes minutes to open."""

# Sheet to the column by which its top lines are chosen where it would overflow; "" keeps the first ones.
_SHEETS: Mapping[str, str] = {
    "orders": "value",
    "transfers": "value",
    "supplier_orders": "value",
    "open_order_changes": "gain",
    "presale_allocations": "units",
    "presale_summary": "units",
    "alerts": "money_at_stake",
    "targets": "protection_demand",
    "planned": "units",
    "changes": "",
    "stability": "",
    "assumptions": "",
    "assumption_details": "",
    "costs": "",
    "stock_to_service": "",
    "limits": "",
    "next_best": "gain",
}
_FORMATS: Mapping[Kind, str] = {
    "units": "#,##0.##",
    "number": "#,##0.##",
    "whole": "#,##0",
    "money": "#,##0.00",
    "share": "0.0%",
    "date": "yyyy-mm-dd",
}
_WHOLE = "#,##0"
_LONGEST_TEXT = 32_767  # of a cell, by Excel
_WIDEST = 70


def write_workbook(plan: Plan, tables: Tables, path: Path, meta: PlanMeta, max_rows: int = MAX_ROWS) -> None:
    """Write the workbook of a plan; ``tables`` are its tables with their wording columns.

    Headers are the column names of the contract, as in the CSV files, each with its meaning as a comment.
    Values of codes stay out (Parquet and CSV have them). A table of more than ``max_rows`` shows the lines
    with the most money (or units); its sheet and the summary say so.
    """
    catalogue = read_catalogue()
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(str(path), options) as book:
        # A fixed date, so that equal plans are equal files.
        book.set_properties({"title": f"Stock plan as of {plan.as_of}", "created": datetime.fromisoformat(plan.as_of)})
        _write_summary(book, plan, tables, meta, max_rows)
        for name, ranked_by in _SHEETS.items():
            _write_sheet(book, name, _top(tables[name], ranked_by, max_rows), len(tables[name]), catalogue)


def _write_summary(book: Any, plan: Plan, tables: Tables, meta: PlanMeta, max_rows: int) -> None:
    bold, title = book.add_format({"bold": True}), book.add_format({"bold": True, "font_size": 16})
    sheet = book.add_worksheet("summary")
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 22)
    sheet.set_column(2, 2, 80)
    sheet.hide_gridlines(2)
    for row, (label, value, note, style) in enumerate(_summary_rows(plan, tables, meta, max_rows)):
        for place, cell in enumerate((label, value, note)):
            if cell != "":
                head = title if style == "title" else bold if style == "head" else None
                sheet.write(row, place, cell, head) if head is not None else sheet.write(row, place, cell)


def _summary_rows(
    plan: Plan, tables: Tables, meta: PlanMeta, max_rows: int
) -> Iterator[tuple[str, str | float, str, str]]:
    yield f"Stock plan as of {plan.as_of}", "", "", "title"
    if meta.notice:
        yield meta.notice, "", "", "head"
    yield "", "", "", ""
    for total in totals(tables):
        yield total.label, total.figure, total.note, ""
    yield "", "", "", ""
    yield "Sheet", "Rows", "", "head"
    for name, ranked_by in _SHEETS.items():
        n = len(tables[name])
        note = f"the {max_rows:,} with the most {ranked_by}; all are in {name}.csv" if n > max_rows else ""
        yield name, n, note, ""
    yield "", "", "", ""
    yield "Run", "", "", "head"
    yield "run_id", meta.run_id, "", ""
    yield "data", meta.data, meta.snapshot_id, ""
    yield "contract_version", CONTRACT_VERSION, "", ""
    yield "config_version", meta.config_version, "", ""
    yield "solve", plan.solve.status, f"gap {plan.solve.gap:.2%}", ""


def _top(table: pd.DataFrame, ranked_by: str, max_rows: int) -> pd.DataFrame:
    if len(table) <= max_rows or not ranked_by:
        return table.head(max_rows)
    ranked = table.sort_values(ranked_by, ascending=False, na_position="last", kind="stable")
    return ranked.head(max_rows)


def _write_sheet(book: Any, name: str, table: pd.DataFrame, n_all: int, catalogue: Catalogue) -> None:
    kinds = column_kinds(name, list(table.columns))
    columns = [str(column) for column in table.columns if not str(column).endswith("_values")]
    sheet = book.add_worksheet(name)
    header = book.add_format({"bold": True, "bg_color": "#E2F0EE", "bottom": 1, "valign": "top"})
    for place, column in enumerate(columns):
        style = book.add_format(_style(table[column], kinds.get(column, "text")))
        sheet.set_column(place, place, _width(table[column], column, kinds.get(column, "text")), style)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(table), max(len(columns) - 1, 0))
    if n_all > len(table):
        sheet.set_tab_color("#C0504D")
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column, header)
        if catalogue.heading(column) != column:
            sheet.write_comment(0, place, catalogue.heading(column))
    cells = [_cells(table[column], kinds.get(column, "text")) for column in columns]
    write = [_writer(sheet, kinds.get(column, "text")) for column in columns]
    for row, values in enumerate(zip(*cells, strict=True), start=1):
        for place, value in enumerate(values):
            if value is not None:
                write[place](row, place, value)
    if n_all > len(table):
        sheet.write_string(len(table) + 1, 0, f"{len(table):,} of {n_all:,} rows; all are in {name}.csv")


def _writer(sheet: Any, kind: Kind) -> Callable[[int, int, Any], int]:
    writers = {"text": sheet.write_string, "date": sheet.write_datetime}
    return cast(Callable[[int, int, Any], int], writers.get(kind, sheet.write_number))


def _cells(column: pd.Series, kind: Kind) -> list[Any]:
    """Return the column as plain values, None where null."""
    if kind == "date":
        return [None if pd.isna(value) else value.to_pydatetime() for value in column]
    if kind == "text":
        return [None if value is pd.NA else _fitting(str(value)) for value in column]
    return [None if pd.isna(value) else value for value in column.tolist()]


def _fitting(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 8] + " … (cut)"


def _style(column: pd.Series, kind: Kind) -> dict[str, Any]:
    if kind == "text":
        return {"valign": "top"}
    whole = kind in ("units", "number") and not (column.dropna() % 1).any()
    return {"num_format": _WHOLE if whole else _FORMATS[kind], "valign": "top"}


def _width(column: pd.Series, name: str, kind: Kind) -> int:
    shown = 10 if kind != "text" else int(column.head(1000).str.len().max() or 0) if len(column) else 0
    return max(9, min(_WIDEST, max(shown, len(name)) + 3))
