"""A column as codes into its distinct values, so that each value is read and checked once however often it occurs."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]

# Kinds of objects whose columns pandas tells apart; all else is turned into text cell by cell.
_OF_ONE_TYPE = ("string", "date", "datetime", "decimal", "integer", "floating", "boolean")


@dataclass(frozen=True)
class Cells:
    """A column: ``codes`` (n_rows,) into ``values`` (n_distinct,); code -1 is a null.

    Values are all text (object), or one of float64, int64, datetime64 and bool. A value may be unused or
    occur twice.
    """

    codes: Codes
    values: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def is_text(self) -> bool:
        return self.values.dtype == object

    @property
    def null(self) -> Bools:
        """Which rows are null, shape (n_rows,)."""
        return self.codes < 0

    def rows_where(self, marked: Bools) -> Bools:
        """Return which rows hold a marked value; ``marked`` has shape (n_distinct,)."""
        return cast("Bools", np.append(marked, False)[self.codes])

    def without(self, marked: Bools) -> Cells:
        """Return the cells with the marked values made null."""
        if not marked.any():
            return self
        recode = np.append(np.where(marked, -1, np.arange(len(self.values))), -1).astype(np.int32)
        return Cells(recode[self.codes], self.values)

    def used(self) -> npt.NDArray[Any]:
        """Return the values that occur; one that is stored twice may be among them twice."""
        seen = np.zeros(len(self.values) + 1, bool)
        seen[self.codes] = True
        return self.values[seen[:-1]]

    def take(self, rows: Rows | Bools) -> Cells:
        """Return the cells of the given rows."""
        return Cells(self.codes[rows], self.values)

    def expand(self) -> npt.NDArray[Any]:
        """Return the value of every row; nulls become NaN, NaT or None (a bool column must have none)."""
        if self.values.dtype == object:
            null: Any = None
        elif np.issubdtype(self.values.dtype, np.datetime64):
            null = np.datetime64("NaT")
        else:
            null = False if self.values.dtype == bool else np.nan
        padded = np.empty(len(self.values) + 1, self.values.dtype if null is not np.nan else np.float64)
        padded[:-1] = self.values
        padded[-1] = null
        return padded[self.codes]

    def replace(self, rows: Rows, values: npt.NDArray[Any]) -> Cells:
        """Return the cells with new values, one for each of the given rows."""
        codes = self.codes.copy()
        codes[rows] = len(self.values) + np.arange(len(rows))
        return Cells(codes, np.concatenate([self.values, values.astype(self.values.dtype)]))

    def distinct(self, values: npt.NDArray[Any]) -> Cells:
        """Return the cells with each value replaced; equal values are merged and None becomes null."""
        codes, merged = pd.factorize(values)
        recode = np.append(codes, -1).astype(np.int32)
        return Cells(recode[self.codes], np.asarray(merged))

    def ranks(self) -> tuple[Rows, int]:
        """Return each row's rank among the distinct values (nulls 0, the least value 1), and one above the highest.

        Text is ordered as Python orders strings.
        """
        # np.unique on objects sorts by Python's comparison; equal values share a rank.
        merged, inverse = np.unique(self.values, return_inverse=True)
        rank = np.append(inverse.astype(np.int64) + 1, 0)
        return rank[self.codes], len(merged) + 1


def cells_of(column: pd.Series[Any]) -> Cells:
    """Return a column as cells, whatever its type; of mixed types each cell becomes text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _typed(column.cat.codes.to_numpy(), column.cat.categories)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        # The calendar date is the one on the wall where the row was written.
        column = column.dt.tz_localize(None)
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) not in _OF_ONE_TYPE:
        column = pd.Series([None if _is_null(cell) else as_text(cell) for cell in column], dtype=object)
    codes, distinct = pd.factorize(column, use_na_sentinel=True)
    return _typed(codes, distinct)


def as_text(value: object) -> str:
    """Return a value as it would stand in a CSV file: a whole number without ".0", a date as ISO."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        # As the CSV reader does it: the check finds bytes that are not UTF-8, and repairs decode them.
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.replace(tzinfo=None).isoformat(sep=" ")
    return str(value)


def _typed(codes: npt.NDArray[Any], distinct: Any) -> Cells:
    values = np.asarray(distinct)
    if values.dtype == object or not isinstance(values.dtype, np.dtype) or values.dtype.kind not in "ifubM":
        kind = pd.api.types.infer_dtype(values, skipna=True)
        if kind in ("integer", "floating"):
            values = values.astype(np.int64 if kind == "integer" else np.float64)
        elif kind == "boolean":
            values = values.astype(bool)
        else:
            texts = np.empty(len(values), dtype=object)
            texts[:] = [as_text(value) for value in values]
            values = texts
    elif values.dtype.kind == "u":
        values = values.astype(np.int64)
    elif values.dtype.kind == "f":
        values = values.astype(np.float64)
    return Cells(codes.astype(np.int32), values)


def _is_null(cell: Any) -> bool:
    return cell is None or bool(pd.api.types.is_scalar(cell) and pd.isna(cell))
