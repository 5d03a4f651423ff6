"""A table while it is checked: its columns as cells, and where each row stood in what was given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.messages import Value
from engine.tables.breach import Breach, Rule
from engine.tables.cells import Bools, Cells, Rows, as_text
from engine.tables.columns import Severity
from engine.tables.contract import columns_of, key_of, kind_of, prefix_of
from engine.tables.repairs import SET_ASIDE

ADDED = -1
_EMPTY: dict[str, np.dtype[Any]] = {
    "number": np.dtype(np.float64),
    "date": np.dtype("datetime64[ns]"),
    "flag": np.dtype(bool),
}


@dataclass(frozen=True)
class Sheet:
    """A table of the contract in coded form.

    Parameters
    ----------
    table
        Its name.
    positions
        Where each row stood in the frame that was given, shape (n,); `ADDED` for a row that a repair added.
    rows
        Its number as a spreadsheet counts it (header = row 1), shape (n,).
    cells
        The columns of the contract that were given.
    n_given
        Rows that were given.
    """

    table: str
    positions: Rows
    rows: Rows
    cells: Mapping[str, Cells]
    n_given: int

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> Cells:
        """Return a column; all null if it was not given."""
        if name in self.cells:
            return self.cells[name]
        dtype = _EMPTY.get(kind_of(columns_of(self.table)[name]), np.dtype(object))
        return Cells(np.full(len(self), -1, np.int32), np.empty(0, dtype))

    def take(self, rows: Bools | Rows) -> Sheet:
        """Return the sheet of the given rows."""
        cells = {name: column.take(rows) for name, column in self.cells.items()}
        return replace(self, positions=self.positions[rows], rows=self.rows[rows], cells=cells)

    def with_cells(self, changed: Mapping[str, Cells]) -> Sheet:
        """Return the sheet with columns replaced or added."""
        return replace(self, cells={**self.cells, **changed})

    def place(self, row: int) -> dict[str, str]:
        """Return the key of a row as text; parts that are null are left out."""
        found = {}
        for name in key_of(self.table):
            if name in self.cells and (code := self.cells[name].codes[row]) >= 0:
                found[name] = _shown(self.cells[name], int(code))
        return found


@dataclass(frozen=True)
class Finding:
    """A breach and the rows it sets aside (``rejected``, shape (n,); None if it sets none aside)."""

    breach: Breach
    rejected: Bools | None = None


@dataclass(frozen=True)
class SetAside:
    """Rows of a table that were set aside under a rule: their positions in the frame given, and their numbers."""

    rule: str
    positions: Rows
    rows: Rows


@dataclass(frozen=True)
class Weight:
    """How a breach of rows weighs: its severity, what mends it, and what else its wording needs."""

    severity: Severity
    repairs: tuple[str, ...] = ()
    values: Mapping[str, Value] | None = None


def find_rows(
    sheet: Sheet, rule: Rule, code: str, rows: Bools, weight: Weight, repairs: frozenset[str]
) -> tuple[Finding, ...]:
    """Return the finding that marked rows break a rule, or nothing if none is marked.

    With the repair ``set-aside`` a row that would refuse the data is quarantined instead.
    """
    if not rows.any():
        return ()
    severity, offered = weight.severity, weight.repairs
    if severity in ("fatal", "contradiction", "repairable"):
        if SET_ASIDE in repairs:
            severity, offered = "quarantined", ()
        else:
            offered = (*offered, SET_ASIDE)
    breach = rows_breach(sheet, rule, code, rows, Weight(severity, offered, weight.values))
    return (Finding(breach, rows if severity == "quarantined" else None),)


def set_aside(sheet: Sheet, findings: Iterable[Finding]) -> tuple[Sheet, tuple[SetAside, ...]]:
    """Return the sheet without the rows that the findings set aside, and these rows."""
    gone = [finding for finding in findings if finding.rejected is not None]
    if not gone:
        return sheet, ()
    rejected = np.zeros(len(sheet), bool)
    aside = []
    for finding in gone:
        if finding.rejected is not None:
            rejected |= finding.rejected
            rows = sheet.positions[finding.rejected], sheet.rows[finding.rejected]
            aside.append(SetAside(finding.breach.rule, *rows))
    return sheet.take(~rejected), tuple(aside)


def rows_breach(sheet: Sheet, rule: Rule, code: str, rows: Bools, weight: Weight) -> Breach:
    """Return the breach of the marked rows, with the first five and their places."""
    marked = np.flatnonzero(rows)
    # After a sort or a repair rows may stand in another order than they were given in.
    first = marked[np.argsort(sheet.rows[marked], kind="stable")[:5]]
    return Breach(
        rule=f"{prefix_of(sheet.table)}{int(rule)}",
        code=code,
        table=sheet.table,
        severity=weight.severity,
        count=len(marked),
        n_rows=sheet.n_given,
        rows=tuple(int(sheet.rows[row]) for row in first),
        places=tuple(sheet.place(int(row)) for row in first),
        repairs=weight.repairs,
        values=weight.values or {},
    )


def table_breach(table: str, rule: Rule, code: str, weight: Weight, count: int = 0, n_rows: int = 0) -> Breach:
    """Return a breach of a table as a whole."""
    return Breach(
        rule=f"{prefix_of(table)}{int(rule)}",
        code=code,
        table=table,
        severity=weight.severity,
        count=count,
        n_rows=n_rows,
        repairs=weight.repairs,
        values=weight.values or {},
    )


def _shown(cells: Cells, code: int) -> str:
    value = cells.values[code]
    return str(np.datetime_as_string(value, unit="D")) if cells.values.dtype.kind == "M" else as_text(value)
