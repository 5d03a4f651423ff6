"""What every reader returns, and the breaches of files (rules F1 to F5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.messages import Value
from engine.tables.breach import Breach
from engine.tables.cells import Cells, as_text, cells_of
from engine.tables.columns import Severity
from engine.tables.contract import TABLES, columns_of

F_EMPTY, F_READABLE, F_RAGGED, F_ONCE, F_ENCODING = "F1", "F2", "F3", "F4", "F5"


@dataclass(frozen=True)
class Read:
    """Raw tables as a reader found them.

    Parameters
    ----------
    frames
        Frames of text or typed columns by table, numbered by an index named ``row`` where it does not start at 2.
    unknown
        Names of files, sheets or tables that the contract does not know.
    breaches
        Breaches of the files themselves.
    rejected
        Rows that are no rows of their table (columns row, rules, text), by table.
    """

    frames: Mapping[str, pd.DataFrame]
    unknown: tuple[str, ...] = ()
    breaches: tuple[Breach, ...] = ()
    rejected: Mapping[str, pd.DataFrame] = field(default_factory=dict)


def file_breach(rule: str, code: str, table: str, severity: Severity, values: Mapping[str, Value]) -> Breach:
    """Return the breach of a file as a whole."""
    return Breach(rule, code, table, severity, 1, 1, values=values)


def table_named(name: str) -> str:
    """Return the table of the contract that a file, sheet or database table names, or nothing."""
    known = name.strip().lower()
    return known if known in TABLES else ""


def is_known(table: str, column: object) -> bool:
    """Return whether a column belongs to the contract; others are named but not read."""
    return str(column).strip().lower() in columns_of(table)


def not_read(n_rows: int) -> pd.Series[Any]:
    """Return what stands for a column that is named but not read."""
    return text_column(np.full(n_rows, -1, np.int32), [])


def text_column(codes: npt.NDArray[np.int32], values: list[str]) -> pd.Series[Any]:
    """Return a column of text as a categorical: codes into distinct values, -1 for nulls."""
    dtype = pd.CategoricalDtype(pd.Index(values, dtype=object))
    return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), copy=False)  # type: ignore[arg-type]


class ColumnBuilder:
    """Builds a column from batches of Python values, keeping each distinct value once.

    Values of one type stay typed; as soon as types differ, all become text as they would stand in a CSV file.
    """

    def __init__(self) -> None:
        self._parts: list[Cells] = []

    def add(self, values: list[Any]) -> None:
        """Add a batch of cells."""
        self._parts.append(cells_of(pd.Series(values, dtype=object)))

    def column(self) -> pd.Series[Any]:
        """Return the column of all batches."""
        used = [part for part in self._parts if len(part.values)]
        kinds = {part.values.dtype.kind for part in used}
        wide = kinds == {"i"} and any(np.abs(part.values).max() >= 2**53 for part in used)
        if len(kinds) != 1 or kinds == {"O"} or wide:
            return self._text()
        null = np.datetime64("NaT") if kinds == {"M"} else np.nan
        parts = [part.expand() if len(part.values) else np.full(len(part), null) for part in self._parts]
        return pd.Series(np.concatenate(parts))

    def _text(self) -> pd.Series[Any]:
        places: dict[str, int] = {}
        codes = []
        for part in self._parts:
            texts = part.values if part.is_text else [as_text(value) for value in part.values.tolist()]
            recode = np.array([places.setdefault(text, len(places)) for text in texts] + [-1], np.int32)
            codes.append(recode[part.codes])
        return text_column(np.concatenate(codes) if codes else np.empty(0, np.int32), list(places))
