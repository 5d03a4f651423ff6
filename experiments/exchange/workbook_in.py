"""Reads an Excel workbook: a sheet a table, rows numbered as the sheet shows them."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
from openpyxl.utils.exceptions import InvalidFileException

from engine.tables.breach import Breach
from engine.tables.read_sheet import ROW_INDEX
from experiments.exchange.reading import (
    F_ONCE,
    F_READABLE,
    ColumnBuilder,
    Read,
    file_breach,
    is_known,
    not_read,
    table_named,
)

_BATCH = 20_000
Row = tuple[Any, ...]


def read_workbook(path: Path) -> Read:
    """Return the tables of a workbook; sheets that the contract does not know are named.

    The first row with a value is the header. Formulas count as the values that were saved with them.
    """
    frames: dict[str, pd.DataFrame] = {}
    unknown: list[str] = []
    breaches: list[Breach] = []
    try:
        with warnings.catch_warnings():
            # openpyxl warns of styles and validations that it does not keep; values are all that is read.
            warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                for sheet in book.worksheets:
                    table = table_named(sheet.title)
                    if not table:
                        unknown.append(sheet.title)
                    elif table in frames:
                        breaches.append(file_breach(F_ONCE, "table-twice", table, "fatal", {"files": sheet.title}))
                    else:
                        # The size that a file states for its sheets is often wrong.
                        sheet.reset_dimensions()
                        frames[table] = _frame(table, sheet.iter_rows(values_only=True))
            finally:
                book.close()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, InvalidFileException) as error:
        values = {"file": path.name, "reason": str(error).splitlines()[0] if str(error) else type(error).__name__}
        return Read({}, breaches=(file_breach(F_READABLE, "file-unreadable", "", "fatal", values),))
    return Read(frames, tuple(unknown), tuple(breaches))


def _frame(table: str, rows: Iterator[Row]) -> pd.DataFrame:
    header: Row = ()
    line = 0
    for line, header in enumerate(rows, 1):  # noqa: B007
        if any(cell is not None for cell in header):
            break
    names = [str(name) if name is not None else "" for name in header]
    while names and not names[-1]:
        names.pop()
    builders = {place: ColumnBuilder() for place, name in enumerate(names) if is_known(table, name)}
    n_rows = 0
    while batch := list(islice(rows, _BATCH)):
        n_rows += len(batch)
        for place, builder in builders.items():
            builder.add([row[place] if place < len(row) else None for row in batch])
    columns = [builders[place].column() if place in builders else not_read(n_rows) for place in range(len(names))]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    frame.columns = pd.Index(names)
    if line > 1:
        frame.index = pd.Index(np.arange(n_rows, dtype=np.int64) + line + 1, name=ROW_INDEX)
    return frame
