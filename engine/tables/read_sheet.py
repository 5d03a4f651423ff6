"""Reads one table: its columns are recognised, its cells parsed, and what cannot be read is found."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.tables.breach import Breach, Repaired, Rule
from engine.tables.cells import Bools, Cells, cells_of
from engine.tables.columns import Kind, Severity
from engine.tables.contract import TABLES, columns_of, kind_of, prefix_of, reference_of
from engine.tables.parse_dates import parse_dates
from engine.tables.parse_numbers import parse_flags, parse_numbers
from engine.tables.parse_text import decode, parse_choice, parse_ids, parse_words
from engine.tables.parsed import Fault, Parsed
from engine.tables.repairs import COMMA_DECIMALS, COMMA_THOUSANDS
from engine.tables.sheet import Finding, Sheet, Weight, find_rows, table_breach

ROW_INDEX = "row"


@dataclass(frozen=True)
class ReadSheet:
    """A table read: ``unreadable`` (n,) marks the rows with a cell that could not be read."""

    sheet: Sheet
    findings: tuple[Finding, ...]
    repaired: tuple[Repaired, ...]
    unknown_columns: tuple[str, ...]
    unreadable: Bools


def read_sheet(table: str, raw: pd.DataFrame, repairs: frozenset[str]) -> ReadSheet:
    """Return a table read from a frame of text or typed columns.

    An index named ``row`` tells the rows' numbers in their source; otherwise the first is row 2, as in a
    spreadsheet with a header. Rows without any value are no rows.
    """
    names, findings, unknown = _recognise(table, raw)
    raw_cells = {name: cells_of(raw.iloc[:, place]) for name, place in names.items()}
    plain = repairs if _has_commas(table, raw_cells) else repairs - {COMMA_THOUSANDS, COMMA_DECIMALS}
    parsed: dict[str, Parsed] = {}
    faults: list[tuple[str, Fault]] = []
    repaired: list[Repaired] = []
    for name, cells in raw_cells.items():
        decoded = decode(cells, repairs)
        column = _parse(kind_of(columns_of(table)[name]), decoded.cells, plain)
        parsed[name] = column
        faults += [(name, fault) for fault in (*decoded.faults, *column.faults)]
        repaired += [
            Repaired(mend.name, f"{prefix_of(table)}{int(mend.rule)}", table, name, mend.n_rows)
            for mend in (*decoded.mended, *column.mended)
        ]
    sheet = _sheet(table, raw, {name: column.cells for name, column in parsed.items()})
    unreadable = np.zeros(len(sheet), bool)
    for name, fault in faults:
        findings += _fault_findings(sheet, name, fault, repairs)
        unreadable |= False if fault.told_only else fault.rows
    blank = _blank_rows(sheet) & ~unreadable
    if blank.any():
        findings = [_without_rows(finding, blank) for finding in findings]
        sheet, unreadable = sheet.take(~blank), unreadable[~blank]
    return ReadSheet(sheet, tuple(findings), tuple(repaired), unknown, unreadable)


def _recognise(table: str, raw: pd.DataFrame) -> tuple[dict[str, int], list[Finding], tuple[str, ...]]:
    """Return the place of every known column, breaches of the columns, and the unknown ones."""
    known = columns_of(table)
    names: dict[str, int] = {}
    unknown: list[str] = []
    breaches: list[Breach] = []
    for place, column in enumerate(raw.columns):
        name = str(column).strip().lower()
        if name not in known:
            unknown.append(str(column))
        elif name in names:
            breaches.append(table_breach(table, Rule.COLUMNS, "column-twice", Weight("fatal", (), {"column": name}), 1))
        else:
            names[name] = place
    for name, schema in known.items():
        if schema.required and name not in names:
            near = difflib.get_close_matches(name, unknown, n=1)
            values = {"column": name, "near": near[0] if near else "", "columns": ", ".join(map(str, raw.columns))}
            breaches.append(table_breach(table, Rule.COLUMNS, "column-missing", Weight("fatal", (), values), 1))
    if unknown:
        weight = Weight("noted", (), {"columns": ", ".join(unknown)})
        breaches.append(table_breach(table, Rule.COLUMNS, "columns-unknown", weight, len(unknown), len(raw.columns)))
    return names, [Finding(breach) for breach in breaches], tuple(unknown)


def _parse(kind: Kind, cells: Cells, repairs: frozenset[str]) -> Parsed:
    if kind == "number":
        return parse_numbers(cells, repairs)
    if kind == "date":
        return parse_dates(cells, repairs)
    if kind == "flag":
        return parse_flags(cells)
    if kind == "choice":
        return parse_choice(cells)
    return parse_ids(cells, repairs) if kind == "id" else parse_words(cells)


def _has_commas(table: str, cells: Mapping[str, Cells]) -> bool:
    """Return whether any number of the table is written with a separator, so that a repair of them concerns it."""
    return any(
        any("," in value or " " in value.strip() for value in column.values)
        for name, column in cells.items()
        if column.is_text and kind_of(columns_of(table)[name]) == "number"
    )


def _sheet(table: str, raw: pd.DataFrame, cells: Mapping[str, Cells]) -> Sheet:
    positions = np.arange(len(raw), dtype=np.int64)
    rows = raw.index.to_numpy(np.int64) if raw.index.name == ROW_INDEX else positions + 2
    return Sheet(table, positions, rows, {name: cells[name] for name in columns_of(table) if name in cells}, len(raw))


def _fault_findings(sheet: Sheet, name: str, fault: Fault, repairs: frozenset[str]) -> tuple[Finding, ...]:
    column = columns_of(sheet.table)[name]
    if fault.told_only and reference_of(column) is None and name not in ("item_id", "location_id"):
        # Line numbers and the like are numbers by nature; only ids of things that have leading zeros matter.
        return ()
    severity: Severity = TABLES[sheet.table].metadata["faulty"]
    if fault.told_only:
        severity = "noted"
    elif fault.repairs:
        severity = "repairable"
    elif fault.rule is Rule.SEPARATORS:
        # Numbers written in two ways: which of them are read rightly cannot be told, so none can be set aside.
        severity = "fatal"
    weight = Weight(severity, fault.repairs, {"column": name, "example": fault.example})
    return find_rows(sheet, fault.rule, fault.code, fault.rows, weight, repairs)


def _blank_rows(sheet: Sheet) -> Bools:
    blank = np.ones(len(sheet), bool)
    for column in sheet.cells.values():
        blank &= column.null
        if not blank.any():
            break
    return blank


def _without_rows(finding: Finding, blank: Bools) -> Finding:
    return finding if finding.rejected is None else Finding(finding.breach, finding.rejected[~blank])
