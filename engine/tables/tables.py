"""`Tables`: the checked tables, typed and complete, in an order that does not depend on the input's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from engine.tables.cells import as_text
from engine.tables.columns import DATE, TEXT
from engine.tables.contract import TABLES, columns_of, default_of, dtype_of, is_filled, key_of, kind_of


@dataclass(frozen=True)
class Tables(Mapping[str, pd.DataFrame]):
    """The tables of the contract by name; each has all its columns, whether or not they were given.

    Text is ``string[pyarrow]``, dates are ``datetime64[ns]``, numbers ``float64`` (NaN where not given),
    flags ``bool``. Rows are sorted by key. What is returned shares its data with the tables: do not write into it.

    Parameters
    ----------
    frames
        Frame of every table of the contract.
    columns_given
        Columns that were given, by table; only tables that were given are listed.
    """

    frames: Mapping[str, pd.DataFrame]
    columns_given: Mapping[str, frozenset[str]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", MappingProxyType(dict(self.frames)))
        object.__setattr__(self, "columns_given", MappingProxyType(dict(self.columns_given)))

    def __reduce__(self) -> tuple[type[Tables], tuple[dict[str, pd.DataFrame], dict[str, frozenset[str]]]]:
        return Tables, (dict(self.frames), dict(self.columns_given))

    def __getitem__(self, table: str) -> pd.DataFrame:
        return self.frames[table].copy(deep=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def given(self, table: str) -> bool:
        """Return whether the table was given (it may still have no rows)."""
        if table not in TABLES:
            raise KeyError(table)
        return table in self.columns_given

    def has(self, table: str, column: str) -> bool:
        """Return whether the column was given."""
        if column not in columns_of(table):
            raise KeyError(f"{table}.{column}")
        return column in self.columns_given.get(table, frozenset())

    def known_on(self, day: np.datetime64) -> Tables:
        """Return the tables as they were known on a day.

        Of tables with ``known_from`` only rows known by then remain (a row without it always was), and of
        several rows that differ only in it the latest.
        """
        frames = dict(self.frames)
        for table, given in self.columns_given.items():
            if "known_from" in given:
                frames[table] = _known(frames[table], table, day)
        return Tables(frames, self.columns_given)

    @classmethod
    def of(cls, frames: Mapping[str, pd.DataFrame]) -> Tables:
        """Return tables of frames that satisfy the contract: types are set, columns completed, rows sorted.

        Raises
        ------
        ValueError
            If a table or column is unknown, a required column is missing, a value does not fit its
            column's type, or a key is repeated. The checks proper are `engine.tables.check.check_tables`.
        """
        unknown = sorted(set(frames) - set(TABLES))
        if unknown:
            raise ValueError(f"tables must be those of the contract. Got {unknown} instead.")
        complete = {table: _complete(table, frames[table]) if table in frames else empty(table) for table in TABLES}
        given = {table: frozenset(str(column) for column in frame.columns) for table, frame in frames.items()}
        return cls(complete, given)


@cache
def empty(table: str) -> pd.DataFrame:
    """Return a table without rows, with all its columns; it is shared, so do not write into it."""
    return pd.DataFrame({name: null_column(table, name, 0) for name in columns_of(table)})


def null_column(table: str, column: str, n_rows: int) -> pd.Series[Any]:
    """Return a column that was not given: nulls, or the default where it is filled in."""
    schema = columns_of(table)[column]
    kind = kind_of(schema)
    if kind == "flag":
        return pd.Series(np.full(n_rows, default_of(schema), bool))
    if kind == "number":
        return pd.Series(np.full(n_rows, np.nan))
    if kind == "date":
        return pd.Series(np.full(n_rows, np.datetime64("NaT"), DATE))
    # One value taken n times: building text cell by cell takes seconds where rows are many.
    one = pd.array([default_of(schema) if is_filled(schema) else None], dtype=TEXT)
    return pd.Series(one.take(np.zeros(n_rows, np.int64)))


def _complete(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    schemas = columns_of(table)
    unknown = [str(column) for column in frame.columns if column not in schemas]
    missing = [name for name, schema in schemas.items() if schema.required and name not in frame.columns]
    if unknown or missing:
        raise ValueError(f"{table} must have the contract's columns. Got unknown {unknown}, missing {missing} instead.")
    columns = {}
    for name, schema in schemas.items():
        if name not in frame.columns:
            columns[name] = null_column(table, name, len(frame))
            continue
        column = frame[name].reset_index(drop=True)
        if is_filled(schema):
            column = column.astype("boolean" if kind_of(schema) == "flag" else TEXT).fillna(default_of(schema))
        if dtype_of(schema) == TEXT and pd.api.types.is_numeric_dtype(column):
            column = column.map(as_text, na_action="ignore")
        columns[name] = column.astype(dtype_of(schema))
        if schema.required and columns[name].isna().any():
            raise ValueError(f"{table}.{name} must be given in every row. Got nulls instead.")
    complete = pd.DataFrame(columns)
    key = list(key_of(table))
    if complete.duplicated(key).any():
        raise ValueError(f"{table} must have one row per {key}. Got {int(complete.duplicated(key).sum())} repeats.")
    return complete.sort_values(key, na_position="first", kind="stable", ignore_index=True)


def _known(frame: pd.DataFrame, table: str, day: np.datetime64) -> pd.DataFrame:
    known = frame[frame["known_from"].isna() | (frame["known_from"] <= pd.Timestamp(day))]
    # Sorted with nulls first, so the last row of a key is the one known latest.
    latest = known.sort_values("known_from", na_position="first", kind="stable")
    key = [column for column in key_of(table) if column != "known_from"]
    return latest[~latest.duplicated(key, keep="last")].sort_index().reset_index(drop=True)
