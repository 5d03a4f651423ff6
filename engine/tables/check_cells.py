"""Checks the cells and rows of one table by the pandera checks of its schema, on distinct values where it can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from engine.messages import Value
from engine.tables.breach import Repaired, Rule
from engine.tables.cells import Bools, Cells, Rows
from engine.tables.columns import Severity
from engine.tables.contract import TABLES, columns_of, prefix_of
from engine.tables.repairs import NEGATIVE_TO_RETURNS, NEGATIVE_TO_ZERO
from engine.tables.sheet import Finding, Sheet, Weight, find_rows

# What may stand below zero in the systems that data come from, and what mends it.
_NEGATIVE = {
    ("sales", "units"): NEGATIVE_TO_RETURNS,
    ("inventory", "on_hand"): NEGATIVE_TO_ZERO,
    ("stock_history", "closing_on_hand"): NEGATIVE_TO_ZERO,
}


def check_cells(sheet: Sheet, unreadable: Bools, repairs: frozenset[str]) -> tuple[Finding, ...]:
    """Return the findings on required cells, ranges, fixed words and pairs of cells of one row."""
    findings: list[Finding] = []
    faulty: Severity = TABLES[sheet.table].metadata["faulty"]
    for name, cells in sheet.cells.items():
        schema = columns_of(sheet.table)[name]
        if schema.required:
            missing = cells.null & ~unreadable
            weight = Weight(faulty, (), {"column": name})
            findings += find_rows(sheet, Rule.REQUIRED, "missing-value", missing, weight, repairs)
        for check in schema.checks:
            findings += _check_column(sheet, name, check, faulty, repairs)
    for check in TABLES[sheet.table].checks:
        findings += _check_rows(sheet, check, repairs)
    return tuple(findings)


def mend_negatives(sheet: Sheet, repairs: frozenset[str]) -> tuple[Sheet, tuple[Repaired, ...]]:
    """Return the sheet with negative units made returns, or negative stock made zero, as asked for."""
    for (table, name), repair in _NEGATIVE.items():
        if table != sheet.table or repair not in repairs or name not in sheet.cells:
            continue
        cells = sheet.cells[name]
        negative = cells.rows_where(cells.values < 0)
        if not negative.any():
            continue
        rows: Rows = np.flatnonzero(negative)
        below = cells.expand()[rows]
        changed = {name: cells.replace(rows, np.zeros(len(rows)))}
        if repair == NEGATIVE_TO_RETURNS:
            returned = sheet.column("returned_units")
            already = np.nan_to_num(returned.expand()[rows])
            changed["returned_units"] = returned.replace(rows, already - below)
        record = Repaired(repair, f"{prefix_of(table)}{int(Rule.RANGE)}", table, name, len(rows))
        return sheet.with_cells(changed), (record,)
    return sheet, ()


def _check_column(
    sheet: Sheet, name: str, check: pa.Check, faulty: Severity, repairs: frozenset[str]
) -> tuple[Finding, ...]:
    cells = sheet.cells[name]
    failed = _failed(cells, check)
    rows = cells.rows_where(failed)
    if not rows.any():
        return ()
    repair = _NEGATIVE.get((sheet.table, name))
    offered = (repair,) if repair else ()
    example = str(cells.values[cells.codes[int(np.argmax(rows))]])
    values: dict[str, Value] = {"column": name, "example": example, "check": check.name, **_limits(check)}
    rule = Rule.RANGE if cells.values.dtype != object else Rule.WORDS
    severity: Severity = "repairable" if offered else faulty
    code = "out-of-range" if rule is Rule.RANGE else "unknown-word"
    return find_rows(sheet, rule, code, rows, Weight(severity, offered, values), repairs)


def _failed(cells: Cells, check: pa.Check) -> Bools:
    # Values that were not readable stay behind as NaN; pandera would leave them out of its answer.
    failed = np.zeros(len(cells.values), bool)
    given = np.flatnonzero(pd.notna(cells.values))
    if len(given):
        failed[given] = ~np.asarray(check(pd.Series(cells.values[given])).check_output, dtype=bool)
    return failed


def _limits(check: pa.Check) -> dict[str, Value]:
    statistics: dict[str, Any] = check.statistics or {}
    if "allowed_values" in statistics:
        return {"allowed": ", ".join(statistics["allowed_values"])}
    if "pattern" in statistics:
        return {"form": str(check.description)}
    return {name: value for name, value in statistics.items() if isinstance(value, (int, float, bool))}


def _check_rows(sheet: Sheet, check: pa.Check, repairs: frozenset[str]) -> tuple[Finding, ...]:
    statistics: dict[str, str] = check.statistics or {}
    left, right = statistics["left"], statistics["right"]
    if left not in sheet.cells or right not in sheet.cells:
        return ()
    frame = pd.DataFrame({name: sheet.cells[name].expand() for name in (left, right)})
    rows = ~np.asarray(check(frame).check_output, dtype=bool)
    contradicts = statistics["weight"] == "contradiction"
    severity: Severity = "contradiction" if contradicts else TABLES[sheet.table].metadata["faulty"]
    values: dict[str, Value] = {"left": left, "right": right}
    if rows.any():
        first = int(np.argmax(rows))
        values |= {f"{side}_value": _told(frame[name].iloc[first]) for side, name in (("left", left), ("right", right))}
    return find_rows(sheet, Rule.ROW, str(check.name), rows, Weight(severity, (), values), repairs)


def _told(value: object) -> Value:
    return str(value.date()) if isinstance(value, pd.Timestamp) else (value if isinstance(value, float) else str(value))
