"""The lines of a plan's decision tables: frames in, pages out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from api.store.schema import plan_lines
from engine.plan.types import PLAN_TABLES

BULK_TABLES = ("forecast", "projection", "alternatives")
"""Many rows a series: these stay in files (`api.store.bulk`)."""

LINE_TABLES = tuple(name for name in PLAN_TABLES if name not in BULK_TABLES)
"""The tables whose lines lie in SQL."""

FILTERS = {
    "item_id": ("item_id",),
    "location_id": ("location_id", "dest_id"),
    "source_id": ("source_id", "origin_id"),
}
"""What a page may be narrowed by, and the columns of a table that mean it: who receives, who gives."""

# Lines of one statement: enough to be quick, few enough to keep memory flat.
_BATCH = 2000


@dataclass(frozen=True)
class Page:
    """Rows in the table's order; ``next_after`` is where the next page begins, None on the last."""

    rows: list[dict[str, Any]]
    next_after: int | None


def put_lines(connection: sa.Connection, plan_id: str, table: str, frame: pd.DataFrame) -> None:
    """Store all lines of one table of a plan."""
    columns = {name: _first_column(frame, meant) for name, meant in FILTERS.items()}
    numbered = enumerate(records(frame))
    while batch := list(islice(numbered, _BATCH)):
        connection.execute(
            plan_lines.insert(),
            [
                {
                    "plan_id": plan_id,
                    "table_name": table,
                    "row_no": row_no,
                    "content": row,
                    **{name: None if column is None else row[column] for name, column in columns.items()},
                }
                for row_no, row in batch
            ],
        )


def read_page(
    connection: sa.Connection,
    place: tuple[str, str],
    filters: Mapping[str, str],
    after: int,
    limit: int,
) -> Page:
    """Return up to ``limit`` lines after row ``after`` (-1: from the first) of ``place`` = (plan id, table)."""
    plan_id, table = place
    chosen = sa.select(plan_lines.c.row_no, plan_lines.c.content).where(
        plan_lines.c.plan_id == plan_id, plan_lines.c.table_name == table, plan_lines.c.row_no > after
    )
    for name, value in filters.items():
        chosen = chosen.where(plan_lines.c[name] == value)
    rows = connection.execute(chosen.order_by(plan_lines.c.row_no).limit(limit + 1)).all()
    return Page([row.content for row in rows[:limit]], rows[limit - 1].row_no if len(rows) > limit else None)


def records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield each row as what JSON can say: dates as ISO text, nulls as None, ``*_values`` as objects."""
    columns = [_plain(str(name), frame[name]) for name in frame.columns]
    names = [str(name) for name in frame.columns]
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def _first_column(frame: pd.DataFrame, meant: tuple[str, ...]) -> str | None:
    return next((name for name in meant if name in frame.columns), None)


def _plain(name: str, column: pd.Series) -> list[Any]:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        texts = np.datetime_as_string(column.to_numpy(dtype="datetime64[D]"), unit="D").tolist()
        return [None if text == "NaT" else text for text in texts]
    missing = column.isna().to_numpy(dtype=bool)
    values = column.to_numpy(dtype=object).tolist()
    plain = [None if gone else value for value, gone in zip(values, missing, strict=True)]
    return [value and json.loads(value) for value in plain] if name.endswith("_values") else plain
