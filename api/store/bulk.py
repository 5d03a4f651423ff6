"""What is too big for SQL: a folder a plan in the artifact root, written aside and renamed, never changed after.

The folder's name is kept with the plan's row; a folder that no row names was never finished and is not read.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from api.store.curves import write_curves
from api.store.lines import BULK_TABLES, FILTERS, Page, records
from engine.policy.order_now import OrderCurves


def write_bulk(root: Path, name: str, curves: OrderCurves, out: Path) -> None:
    """Lay down a plan's curves and copies of its bulk tables as ``root/name``.

    Raises
    ------
    FileExistsError
        The folder is there already: a name is used once.
    """
    aside = root / f".{name}.{uuid.uuid4().hex}"
    aside.mkdir(parents=True)
    try:
        write_curves(aside / "curves", curves)
        for table in BULK_TABLES:
            shutil.copyfile(out / f"{table}.parquet", aside / f"{table}.parquet")
        for path in sorted(aside.rglob("*")):
            _sync(path)
        if (root / name).exists():
            raise FileExistsError(f"{name} exists under the artifact root")
        aside.rename(root / name)
        _sync(root)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read_bulk_page(path: Path, filters: Mapping[str, str], after: int, limit: int) -> Page:
    """Return up to ``limit`` rows of a Parquet file after row ``after`` of those that pass the filters."""
    first = after + 1
    rows = _filtered(path, filters).slice(first, limit + 1) if filters else _slice(path, first, limit + 1)
    page = list(records(rows.slice(0, limit).to_pandas()))
    return Page(page, after + limit if rows.num_rows > limit else None)


def _filtered(path: Path, filters: Mapping[str, str]) -> pa.Table:
    names = pq.read_schema(path).names
    expression = pc.scalar(True)
    for name, value in filters.items():
        column = next((meant for meant in FILTERS[name] if meant in names), None)
        expression = expression & (pc.scalar(False) if column is None else pc.field(column) == value)
    return pq.read_table(path, filters=expression)


def _slice(path: Path, first: int, count: int) -> pa.Table:
    # Only the row groups that the page touches are read.
    with pq.ParquetFile(path) as file:
        groups, start, skipped = [], 0, 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            if end <= first:
                skipped = end
            elif start < first + count:
                groups.append(group)
            start = end
        return file.read_row_groups(groups).slice(first - skipped, count)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
