"""Snapshots of checked tables: an immutable manifest of content-hashed Parquet parts, named by its own hash.

The same tables give the same id, whether they came from a folder, a workbook, a database or a request: what
is hashed is the checked tables, sorted by key, with the columns that were given.

    <home>/snapshots/<id>.json             the manifest
    <home>/snapshots/parts/<hash>.parquet  parts, shared by all snapshots that hold them
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import RestockError
from engine.tables import Tables
from engine.tables.columns import DATE, TEXT
from engine.tables.contract import CONTRACT_VERSION, TABLES, columns_of, kind_of
from engine.tables.tables import empty, null_column
from experiments.exchange.parquet import arrow_table, write_parquet

_ROWS_A_PART = 1 << 20


def write_snapshot(frames: Mapping[str, pd.DataFrame], columns_given: Mapping[str, frozenset[str]], home: Path) -> str:
    """Store checked tables under ``home`` and return the id of their snapshot.

    Parameters
    ----------
    frames
        Typed frames, sorted by key (`engine.tables.check.Checked.frames` or `Tables`).
    columns_given
        The columns that were given, by table; only these tables and columns are stored.
    """
    folder = home / "snapshots"
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    tables: dict[str, Any] = {}
    for table in sorted(columns_given):
        names = [name for name in columns_of(table) if name in columns_given[table]]
        frame = frames[table]
        parts = [
            _write_part(table, frame.iloc[start : start + _ROWS_A_PART][names], folder)
            for start in range(0, max(len(frame), 1), _ROWS_A_PART)
        ]
        tables[table] = {"columns": names, "n_rows": len(frame), "parts": parts}
    manifest = json.dumps({"contract_version": CONTRACT_VERSION, "tables": tables}, sort_keys=True).encode()
    snapshot_id = hashlib.sha256(manifest).hexdigest()
    _put(manifest, folder / f"{snapshot_id}.json")
    return snapshot_id


def read_snapshot(snapshot_id: str, home: Path) -> Tables:
    """Return the tables of a snapshot.

    Raises
    ------
    RestockError
        If the snapshot or a part is missing, or is not what its hash says.
    """
    folder = home / "snapshots"
    manifest = json.loads(_verified(folder / f"{snapshot_id}.json", snapshot_id))
    frames: dict[str, pd.DataFrame] = {table: empty(table) for table in TABLES}
    for table, content in manifest["tables"].items():
        parts = [
            pq.read_table(BytesIO(_verified(folder / "parts" / f"{digest}.parquet", digest)))
            for digest in content["parts"]
        ]
        frames[table] = _frame(table, pa.concat_tables(parts))
    given = {table: frozenset(content["columns"]) for table, content in manifest["tables"].items()}
    return Tables(frames, given)


def _write_part(table: str, frame: pd.DataFrame, folder: Path) -> str:
    buffer = BytesIO()
    write_parquet(arrow_table(table, frame), buffer)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    _put(content, folder / "parts" / f"{digest}.parquet")
    return digest


def _put(content: bytes, path: Path) -> None:
    """Write a file aside and rename it; what is there already under its hash is the same."""
    if path.exists():
        return
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _verified(path: Path, digest: str) -> bytes:
    rule = "A snapshot is what its id says"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RestockError(rule, f"no file {path}", "Read the data again, or restore the folder.") from None
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise RestockError(rule, f"{path} with hash {found}", "Read the data again, or restore the folder.")
    return content


def _frame(table: str, arrow: pa.Table) -> pd.DataFrame:
    columns: dict[str, pd.Series[Any]] = {}
    for name, schema in columns_of(table).items():
        if name not in arrow.column_names:
            columns[name] = null_column(table, name, arrow.num_rows)
            continue
        series = arrow.select([name]).to_pandas(types_mapper={pa.string(): TEXT}.get, date_as_object=False)[name]
        columns[name] = series.astype(DATE) if kind_of(schema) == "date" else series
    return pd.DataFrame(columns, copy=False)
