"""How a table of the contract is stated: a pandera schema with a prefix for its rules and its row checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import pandas as pd
import pandera.pandas as pa

from engine.tables.columns import OPTIONAL_KEY, date

Faulty = Literal["quarantined", "fatal"]


def table(
    name: str,
    prefix: str,
    description: str,
    columns: Mapping[str, pa.Column],
    *,
    faulty: Faulty,
    checks: tuple[pa.Check, ...] = (),
) -> pa.DataFrameSchema:
    """Return the schema of a table.

    Parameters
    ----------
    name, prefix, description
        Name in the contract, what its rule numbers begin with, and what it holds.
    columns
        Columns in their order; those whose role says so form the key.
    faulty
        What becomes of a row with a cell that no repair can read: many small facts do without it
        ("quarantined"); a statement about stock, supply or money must be right ("fatal").
    checks
        Checks across the columns of a row; each takes the frame and returns a boolean per row.
    """
    key = [column for column, schema in columns.items() if schema.metadata["key"]]
    return pa.DataFrameSchema(
        dict(columns),
        list(checks),
        unique=key,
        name=name,
        description=description,
        metadata={"prefix": prefix, "faulty": faulty, "key": tuple(key)},
    )


def known_from() -> pa.Column:
    """Return the column that tells when a row became known; it belongs to the key."""
    return date("Day on which the row became known; the latest row known on a day holds.", OPTIONAL_KEY)


def starts_before_end(start: str, end: str) -> pa.Check:
    """Return the row check that one date is not after another, where both are given."""
    return _row_check("start-after-end", start, end, "fault", lambda low, high: low <= high)


def not_above(low: str, high: str) -> pa.Check:
    """Return the row check that one number is not above another; a breach contradicts itself."""
    return _row_check("minimum-above-maximum", low, high, "contradiction", lambda a, b: a <= b)


def differs(left: str, right: str) -> pa.Check:
    """Return the row check that two ids differ."""
    return _row_check("same-place", left, right, "fault", lambda a, b: a != b)


def _row_check(
    code: str, left: str, right: str, weight: str, holds: Callable[[pd.Series[Any], pd.Series[Any]], pd.Series[bool]]
) -> pa.Check:
    def passes(frame: pd.DataFrame) -> pd.Series[bool]:
        given = frame[left].notna() & frame[right].notna()
        return ~given | holds(frame[left], frame[right]).fillna(True).astype(bool)

    return pa.Check(
        passes,
        name=code,
        description=f"{left} and {right}",
        statistics={"left": left, "right": right, "weight": weight},
        ignore_na=False,
    )
