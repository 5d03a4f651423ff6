"""Reads and writes a folder of tables: CSV (perhaps gzipped) and Parquet, one file a table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.tables import Tables
from engine.tables.breach import Breach
from engine.tables.contract import columns_of
from experiments.exchange.csv_in import read_csv
from experiments.exchange.parquet import arrow_table, write_parquet
from experiments.exchange.reading import (
    F_ONCE,
    F_READABLE,
    Read,
    file_breach,
    is_known,
    not_read,
    table_named,
    text_column,
)

_CSV = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_PARQUET = (".parquet",)


def read_folder(folder: Path) -> Read:
    """Return the tables of a folder; other data files are named, anything else is left alone."""
    files: dict[str, list[Path]] = {}
    unknown: list[str] = []
    for path in sorted(folder.iterdir()):
        suffix = _suffix(path)
        if not suffix or path.name.startswith(".") or not path.is_file():
            continue
        table = table_named(path.name[: -len(suffix)])
        if table:
            files.setdefault(table, []).append(path)
        else:
            unknown.append(path.name)
    frames: dict[str, pd.DataFrame] = {}
    breaches: list[Breach] = []
    rejected: dict[str, pd.DataFrame] = {}
    for table, paths in files.items():
        if len(paths) > 1:
            values = {"files": ", ".join(path.name for path in paths)}
            breaches.append(file_breach(F_ONCE, "table-twice", table, "fatal", values))
            continue
        read = read_csv(paths[0], table) if _suffix(paths[0]) in _CSV else None
        if read is None:
            frame, found = _read_parquet(paths[0], table)
        else:
            frame, found = read.frame, read.breaches
            if read.rejected is not None:
                rejected[table] = read.rejected
        breaches += found
        if frame is not None:
            frames[table] = frame
    return Read(frames, tuple(unknown), tuple(breaches), rejected)


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write contract tables to a folder as Parquet files; of `Tables` only what was given.

    All files are written aside first and then renamed, so that no half-written table has a table's name.

    Raises
    ------
    ValueError
        If a table or column is unknown, or a value does not fit its column's type.
    """
    if isinstance(tables, Tables):
        tables = {table: frame[_given(tables, table)] for table, frame in tables.items() if tables.given(table)}
    folder.mkdir(parents=True, exist_ok=True)
    aside = {table: folder / f".{table}.{os.getpid()}.partial" for table in tables}
    try:
        for table, frame in tables.items():
            write_parquet(arrow_table(table, frame), aside[table])
        for table, path in aside.items():
            path.replace(folder / f"{table}.parquet")
    finally:
        for path in aside.values():
            path.unlink(missing_ok=True)


def _given(tables: Tables, table: str) -> list[str]:
    return [name for name in columns_of(table) if tables.has(table, name)]


def _suffix(path: Path) -> str:
    name = path.name.lower()
    # The longest first: ".csv.gz" before ".gz" would be.
    return next((suffix for suffix in (*_CSV[::-1], *_PARQUET) if name.endswith(suffix)), "")


def _read_parquet(path: Path, table: str) -> tuple[pd.DataFrame | None, tuple[Breach, ...]]:
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        known = [name for name in names if is_known(table, name)]
        texts = [name for name in known if _is_text(file.schema_arrow.field(name).type)]
        arrow = pq.read_table(path, columns=known, read_dictionary=texts)
    except (OSError, pa.ArrowException) as error:
        values = {"file": path.name, "reason": str(error).splitlines()[0]}
        return None, (file_breach(F_READABLE, "file-unreadable", table, "fatal", values),)
    columns = [_column(arrow.column(name)) if name in known else not_read(arrow.num_rows) for name in names]
    frame = pd.concat(columns, axis=1, copy=False) if columns else pd.DataFrame()
    frame.columns = pd.Index(names)
    pa.default_memory_pool().release_unused()
    return frame, ()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _column(column: pa.ChunkedArray) -> pd.Series[Any]:
    kind = column.type
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    if pa.types.is_dictionary(kind) and _is_text(kind.value_type):
        chunks = column.unify_dictionaries().chunks
        if not chunks:
            return text_column(np.empty(0, np.int32), [])
        codes = np.concatenate([chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in chunks])
        values = chunks[0].dictionary.to_pylist()
        if None not in values and len(set(values)) == len(values):
            return text_column(codes.astype(np.int32), values)
    if pa.types.is_integer(column.type):
        # Whole numbers with nulls stay whole: an id of 19 digits does not survive a float.
        return pd.Series(column.to_pandas(integer_object_nulls=True))
    return pd.Series(column.to_pandas(date_as_object=False))
