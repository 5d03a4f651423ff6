"""Building and checking the tables of a plan: columns, kinds and keys as `engine.plan.types` states them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from engine.forecast.summary import quantile_column
from engine.plan.types import PLAN_KEYS, PLAN_TABLES, Kind

QUANTILE_COLUMN = re.compile(r"q0\.\d+")

_DTYPES: Mapping[Kind, str] = {
    "text": "string[pyarrow]",
    "date": "datetime64[ns]",
    "whole": "int64",
    "units": "float64",
    "money": "float64",
    "number": "float64",
    "share": "float64",
}
_MAY_BE_NULL = frozenset({"units", "money", "number", "share"})


def column_kinds(table: str, columns: Sequence[str] = ()) -> dict[str, Kind]:
    """Return the kinds of a table's columns in contract order.

    ``columns`` are those at hand: for ``forecast`` the quantile columns among them are appended.
    """
    kinds: dict[str, Kind] = dict(PLAN_TABLES[table])
    if table == "forecast":
        kinds |= {name: "units" for name in columns if QUANTILE_COLUMN.fullmatch(name)}
    return kinds


def plan_table(table: str, columns: Mapping[str, npt.ArrayLike | pd.Series]) -> pd.DataFrame:
    """Return one table of a plan from its columns, typed and in contract order.

    Raises
    ------
    ValueError
        A column is missing or unknown, or columns differ in length.
    """
    kinds = column_kinds(table, list(columns))
    if set(kinds) != set(columns):
        missing, unknown = sorted(set(kinds) - set(columns)), sorted(set(columns) - set(kinds))
        raise ValueError(f"{table} must have the columns of the contract. Lacks {missing}, has unknown {unknown}.")
    lengths = {name: len(np.atleast_1d(np.asarray(columns[name]))) for name in kinds}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns of {table} must have one length. Got {lengths} instead.")
    return pd.DataFrame({name: _typed(columns[name], kind) for name, kind in kinds.items()})


def empty_table(table: str, quantiles: Sequence[float] = ()) -> pd.DataFrame:
    """Return a table of a plan without rows; ``quantiles`` are the levels of a forecast."""
    names = [*PLAN_TABLES[table], *(quantile_column(level) for level in quantiles)]
    return plan_table(table, {name: [] for name in names})


def check_plan_tables(tables: Mapping[str, pd.DataFrame]) -> None:
    """Check that a plan has every table, with the columns, kinds and keys of the contract.

    Raises
    ------
    ValueError
        Lists everything that differs.
    """
    findings = [f"table {name} is missing" for name in PLAN_TABLES if name not in tables]
    findings += [f"table {name} is unknown" for name in tables if name not in PLAN_TABLES]
    for name in PLAN_TABLES:
        if name in tables:
            findings += [f"{name}: {finding}" for finding in _findings(name, tables[name])]
    if findings:
        raise ValueError("the tables of a plan must follow their contract. Found: " + "; ".join(findings) + ".")


def _findings(table: str, frame: pd.DataFrame) -> list[str]:
    kinds = column_kinds(table, [str(name) for name in frame.columns])
    if list(frame.columns) != list(kinds):
        return [f"columns {list(frame.columns)} instead of {list(kinds)}"]
    found = []
    for name, kind in kinds.items():
        column = frame[name]
        if column.dtype != pd.Series([], dtype=_DTYPES[kind]).dtype:
            found.append(f"{name} is {column.dtype} instead of {_DTYPES[kind]}")
        elif kind in _MAY_BE_NULL:
            if np.isinf(column.to_numpy()).any():
                found.append(f"{name} is infinite in {int(np.isinf(column.to_numpy()).sum())} rows")
        elif column.isna().any():
            found.append(f"{name} is null in {int(column.isna().sum())} rows")
    key = list(PLAN_KEYS.get(table, ()))
    if key and frame.duplicated(key).any():
        found.append(f"{int(frame.duplicated(key).sum())} rows repeat the key {key}")
    return found


def _typed(values: npt.ArrayLike | pd.Series, kind: Kind) -> pd.Series:
    dtype: str | ExtensionDtype = _DTYPES[kind]
    if kind == "date":
        return pd.Series(np.asarray(values, dtype="datetime64[ns]"))
    if kind == "text":
        return pd.Series(np.asarray(values, dtype=object), dtype=dtype)
    return pd.Series(np.asarray(values), dtype=dtype)
