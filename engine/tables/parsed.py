"""What comes of reading a column: its values, what could not be read, and what was mended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.tables.breach import Rule
from engine.tables.cells import Bools, Cells


@dataclass(frozen=True)
class Fault:
    """Cells that break a rule of reading.

    ``rows`` (n_rows,) marks them; ``example`` is the first of their texts; ``repairs`` mend all of them.
    ``told_only`` faults keep their value.
    """

    rule: Rule
    code: str
    rows: Bools
    example: str
    repairs: tuple[str, ...] = ()
    told_only: bool = False


@dataclass(frozen=True)
class Mended:
    """A repair of a column, by name, with the number of rows that it changed."""

    name: str
    rule: Rule
    n_rows: int


@dataclass(frozen=True)
class Parsed:
    """A column read: its typed cells, faults and repairs made. Faulty cells are null in ``cells``."""

    cells: Cells
    faults: tuple[Fault, ...] = ()
    mended: tuple[Mended, ...] = ()


def fault(rule: Rule, code: str, cells: Cells, marked: Bools, repairs: tuple[str, ...] = ()) -> tuple[Fault, ...]:
    """Return the fault of the marked distinct values, or nothing if no row holds one."""
    rows = cells.rows_where(marked) if marked.any() else np.zeros(len(cells), bool)
    if not rows.any():
        return ()
    first = cells.values[cells.codes[int(np.argmax(rows))]]
    return (Fault(rule, code, rows, str(first), repairs),)


def mended(name: str, rule: Rule, cells: Cells, marked: Bools) -> tuple[Mended, ...]:
    """Return the record of a repair of the marked distinct values, or nothing if no row holds one."""
    n_rows = int(cells.rows_where(marked).sum()) if marked.any() else 0
    return (Mended(name, rule, n_rows),) if n_rows else ()
