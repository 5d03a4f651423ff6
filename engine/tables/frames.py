"""Turns a checked sheet into the typed frame of its table, and rows set aside into a frame of what they were."""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_uppercase
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.tables.cells import Cells, as_text
from engine.tables.columns import TEXT
from engine.tables.contract import columns_of, default_of, is_filled, kind_of
from engine.tables.parse_text import escaped
from engine.tables.sheet import SetAside, Sheet
from engine.tables.tables import null_column


def fill_defaults(sheet: Sheet) -> Sheet:
    """Return the sheet with nulls of the given columns filled, where the contract has a default for them."""
    changed = {}
    for name, cells in sheet.cells.items():
        schema = columns_of(sheet.table)[name]
        if is_filled(schema) and (cells.codes < 0).any():
            default: npt.NDArray[Any] = np.empty(1, cells.values.dtype)
            default[0] = default_of(schema)
            codes = np.where(cells.codes < 0, len(cells.values), cells.codes).astype(np.int32)
            changed[name] = Cells(codes, np.concatenate([cells.values, default]))
    return sheet.with_cells(changed)


def typed_frame(sheet: Sheet) -> pd.DataFrame:
    """Return the frame of a sheet with all columns of its table, in the types of `engine.tables.Tables`."""
    columns: dict[str, pd.Series[Any]] = {}
    for name, schema in columns_of(sheet.table).items():
        if name not in sheet.cells:
            columns[name] = null_column(sheet.table, name, len(sheet))
        elif kind_of(schema) in ("number", "date", "flag"):
            columns[name] = pd.Series(sheet.cells[name].expand(), copy=False)
        else:
            columns[name] = pd.Series(_strings(sheet.cells[name]), copy=False)
    return pd.DataFrame(columns, copy=False)


def aside_frame(raw: pd.DataFrame, aside: Iterable[SetAside]) -> pd.DataFrame:
    """Return the rows that were set aside as text, as they were given, with their number and the rules they broke."""
    rules: dict[int, list[str]] = {}
    numbers: dict[int, int] = {}
    for some in aside:
        for position, row in zip(some.positions.tolist(), some.rows.tolist(), strict=True):
            numbers[position] = row
            if some.rule not in rules.setdefault(position, []):
                rules[position].append(some.rule)
    # Rows that a repair added were never given, so there is nothing of them to keep.
    positions = sorted(position for position in rules if position >= 0)
    frame = pd.DataFrame(
        {
            "row": [numbers[position] for position in positions],
            "rules": [", ".join(sorted(rules[p], key=_number)) for p in positions],
        }
    )
    frame["row"] = frame["row"].astype(np.int64)
    frame["rules"] = frame["rules"].astype(TEXT)
    for place, name in enumerate(raw.columns):
        given = raw.iloc[positions, place].astype(object)
        texts = [as_text(cell) if pd.api.types.is_list_like(cell) or pd.notna(cell) else None for cell in given]
        title = str(name)
        while title in frame.columns:
            title = f"{title} (column {place + 1})"
        frame[title] = pd.Series([text if text is None else escaped(text) for text in texts], dtype=TEXT)
    return frame


def _number(rule: str) -> int:
    return int(rule.lstrip(ascii_uppercase))


def _strings(cells: Cells) -> Any:
    texts = pd.array([escaped(value) for value in cells.values], dtype=TEXT)
    if not len(texts):
        return pd.array([None], dtype=TEXT).take(np.zeros(len(cells), np.int64))
    return texts.take(cells.codes, allow_fill=True)
