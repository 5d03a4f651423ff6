"""Contract tables as Parquet: one place that fixes types and writing options."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.tables.cells import as_text
from engine.tables.contract import TABLES, columns_of, kind_of

_TYPES = {
    "id": pa.string(),
    "text": pa.string(),
    "choice": pa.string(),
    "number": pa.float64(),
    "date": pa.date32(),
    "flag": pa.bool_(),
}


def arrow_table(table: str, frame: pd.DataFrame) -> pa.Table:
    """Return a contract table in Arrow form, its columns in the contract's order and types.

    Raises
    ------
    ValueError
        If the table or a column is unknown, or a value does not fit its column's type.
    """
    if table not in TABLES:
        raise ValueError(f"a table must be one of the contract. Got {table!r} instead.")
    columns = columns_of(table)
    if unknown := [str(name) for name in frame.columns if name not in columns]:
        raise ValueError(f"{table} must have the contract's columns. Got {unknown} instead.")
    names = [name for name in columns if name in frame.columns]
    arrays = [_array(frame[name], _TYPES[kind_of(columns[name])]) for name in names]
    return pa.table(arrays, schema=pa.schema([(name, _TYPES[kind_of(columns[name])]) for name in names]))


def write_parquet(table: pa.Table, sink: Path | BinaryIO) -> None:
    """Write an Arrow table with fixed options, so that the same table gives the same bytes."""
    pq.write_table(table, sink, compression="zstd", compression_level=3, version="2.6", store_schema=False)


def _array(column: pd.Series, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_string(kind) and pd.api.types.is_numeric_dtype(column):
        # A line number that pandas holds as 1.0 is the text "1".
        column = column.map(as_text, na_action="ignore").astype("string[pyarrow]")
    elif pa.types.is_string(kind):
        column = column.astype("string[pyarrow]")
    if pa.types.is_date32(kind):
        column = pd.to_datetime(column)
    array = pa.Array.from_pandas(column)
    return array if array.type == kind else array.cast(kind)
