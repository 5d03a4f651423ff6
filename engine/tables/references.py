"""Items and locations that a table speaks of are those that `items` and `locations` list, where these are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from engine.messages import Value
from engine.tables.breach import Breach, Repaired, Rule
from engine.tables.cells import Bools, Cells
from engine.tables.columns import ANY, Reference
from engine.tables.contract import columns_of, prefix_of, reference_of
from engine.tables.repairs import ADD_ITEMS, ADD_LOCATIONS, LEADING_ZEROS
from engine.tables.sheet import ADDED, Finding, SetAside, Sheet, Weight, find_rows, set_aside

Target = Literal["items", "locations"]
_ID = {"items": "item_id", "locations": "location_id"}
_RULE = {"items": Rule.ITEMS_KNOWN, "locations": Rule.LOCATIONS_KNOWN}
_ADD = {"items": ADD_ITEMS, "locations": ADD_LOCATIONS}


@dataclass(frozen=True)
class Referred:
    """Sheets after their ids were looked up: rows that name the unknown are set aside."""

    sheets: Mapping[str, Sheet]
    breaches: tuple[Breach, ...]
    repaired: tuple[Repaired, ...]
    aside: Mapping[str, tuple[SetAside, ...]]


def look_up(sheets: Mapping[str, Sheet], target: Target, repairs: frozenset[str]) -> Referred:
    """Return the sheets with every id of items (or locations) looked up in the table that lists them."""
    current = dict(sheets)
    listed = current.get(target)
    if listed is None or not len(listed):
        return Referred(current, (), (), {})
    breaches: list[Breach] = []
    repaired: list[Repaired] = []
    aside: dict[str, tuple[SetAside, ...]] = {}
    known = _used(listed.column(_ID[target]))
    missing: set[str] = set()
    for table in sheets:
        for name in list(current[table].cells):
            reference = reference_of(columns_of(table)[name])
            if reference is None or reference.target != target:
                continue
            sheet = current[table]
            if LEADING_ZEROS in repairs:
                sheet, records = _restore_zeros(sheet, name, known, _RULE[target])
                repaired += records
            found, unknown = _unknown(sheet, name, known, reference, repairs)
            if _ADD[target] in repairs and reference.severity != "noted":
                missing |= unknown
                found = ()
            current[table], gone = set_aside(sheet, found)
            aside[table] = (*aside.get(table, ()), *gone)
            breaches += [finding.breach for finding in found]
    if missing:
        current[target] = _added(current[target], _ID[target], sorted(missing))
        rule = f"{prefix_of(target)}{int(_RULE[target])}"
        repaired.append(Repaired(_ADD[target], rule, target, _ID[target], len(missing)))
    return Referred(current, tuple(breaches), tuple(repaired), aside)


def _used(cells: Cells) -> set[str]:
    return set(cells.used())


def _unknown(
    sheet: Sheet, name: str, known: set[str], reference: Reference, repairs: frozenset[str]
) -> tuple[tuple[Finding, ...], set[str]]:
    cells = sheet.cells[name]
    allowed = known | {ANY} if reference.star else known
    strange = np.array([value not in allowed for value in cells.values], bool)
    rows = cells.rows_where(strange)
    if not rows.any():
        return (), set()
    unknown = _used(cells.take(rows))
    near = _zeros(known)
    spelt = np.array([bool(odd) and len(near.get(value.lstrip("0"), ())) == 1 and value.isdigit()
                      for value, odd in zip(cells.values, strange, strict=True)], bool)  # fmt: skip
    zeroed = cells.rows_where(spelt)
    findings = _finding(sheet, name, zeroed, "id-zeros", Weight("repairable", (LEADING_ZEROS,)), repairs)
    offered = (_ADD[reference.target],) if reference.severity != "noted" else ()
    others = rows & ~zeroed
    findings += _finding(sheet, name, others, "unknown-id", Weight(reference.severity, offered), repairs)
    return findings, unknown


def _finding(
    sheet: Sheet, name: str, rows: Bools, code: str, weight: Weight, repairs: frozenset[str]
) -> tuple[Finding, ...]:
    if not rows.any():
        return ()
    cells = sheet.cells[name]
    reference = reference_of(columns_of(sheet.table)[name])
    target: Target = reference.target if reference else "items"
    n_ids = len(_used(cells.take(rows)))
    example = str(cells.values[cells.codes[int(np.argmax(rows))]])
    values: dict[str, Value] = {"column": name, "example": example, "n_ids": n_ids, "target": target}
    return find_rows(sheet, _RULE[target], code, rows, replace(weight, values=values), repairs)


def _zeros(known: set[str]) -> dict[str, list[str]]:
    """Return the known ids that are digits, by their form without leading zeros."""
    forms: dict[str, list[str]] = {}
    for value in sorted(known):
        if value.isdigit():
            forms.setdefault(value.lstrip("0"), []).append(value)
    return forms


def _restore_zeros(sheet: Sheet, name: str, known: set[str], rule: Rule) -> tuple[Sheet, tuple[Repaired, ...]]:
    cells = sheet.cells[name]
    near = _zeros(known)
    values = cells.values.copy()
    for number, value in enumerate(values):
        same = near.get(value.lstrip("0"), []) if value.isdigit() and value not in known else []
        if len(same) == 1:
            values[number] = same[0]
    n_rows = int(cells.rows_where(values != cells.values).sum())
    if not n_rows:
        return sheet, ()
    record = Repaired(LEADING_ZEROS, f"{prefix_of(sheet.table)}{int(rule)}", sheet.table, name, n_rows)
    return sheet.with_cells({name: cells.distinct(values)}), (record,)


def _added(sheet: Sheet, name: str, ids: list[str]) -> Sheet:
    """Return the sheet with a row for each id, all else null."""
    n = len(ids)
    cells = {
        column: Cells(np.append(old.codes, np.full(n, -1, np.int32)), old.values) for column, old in sheet.cells.items()
    }
    old = sheet.cells[name]
    codes = np.append(old.codes, len(old.values) + np.arange(n)).astype(np.int32)
    cells[name] = Cells(codes, np.concatenate([old.values, np.array(ids, dtype=object)]))
    rows = np.append(sheet.rows, np.zeros(n, np.int64))
    return replace(sheet, positions=np.append(sheet.positions, np.full(n, ADDED)), rows=rows, cells=cells)
