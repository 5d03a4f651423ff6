"""The files of a public data set: finding them by name, reading CSV, workbook and Parquet alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.errors import DataError

SUFFIXES = (".parquet", ".csv", ".xlsx")


def find_file(src: Path, *words: str, suffixes: Sequence[str] = SUFFIXES) -> Path:
    """Return the one file of ``src`` (a file or a folder) whose name contains all ``words``.

    Names are compared in lower case with every run of other signs as one underscore, so that
    ``Week 0 - In Stock.csv`` contains ``in_stock``. Of several candidates the last by name is taken,
    which prefers ``sales_train_evaluation`` to ``sales_train_validation``.

    Raises
    ------
    DataError
        If there is no such file.
    """
    files = [src] if src.is_file() else sorted(p for p in src.glob("*") if p.is_file())
    named = [p for p in files if p.suffix.lower() in suffixes and all(w in plain_name(p.stem) for w in words)]
    if not named:
        raise DataError(
            f"The source must hold a file named like {' '.join(words) or 'the data set'} ({', '.join(suffixes)})",
            f"{', '.join(p.name for p in files[:5]) or 'no file'} in {src}",
            "Download the data set in its original format and give its folder",
        )
    return named[-1]


def read_source(path: Path, **csv_options: Any) -> pd.DataFrame:
    """Return a source file as a frame: all sheets of a workbook; CSV in UTF-8 or, where it is not that, ISO-8859-1."""
    if path.suffix.lower() == ".parquet":
        return pd.read_parquet(path)
    if path.suffix.lower() == ".xlsx":
        return pd.concat(pd.read_excel(path, sheet_name=None).values(), ignore_index=True)
    try:
        frame: pd.DataFrame = pd.read_csv(path, encoding="utf-8", **csv_options)
    except UnicodeDecodeError:
        frame = pd.read_csv(path, encoding="iso-8859-1", **csv_options)
    return frame


def rename_columns(frame: pd.DataFrame, wanted: Sequence[str], path: Path) -> pd.DataFrame:
    """Return the ``wanted`` columns, matched by plain name (``Customer ID`` is ``customer_id``).

    Raises
    ------
    DataError
        If one is missing.
    """
    found = {plain_name(str(column)): column for column in frame.columns}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise DataError(
            f"{path.name} must have the columns {', '.join(wanted)}",
            f"no {', '.join(missing)} among {', '.join(map(str, frame.columns[:12]))}",
            "Use the file as its publisher offers it",
        )
    return frame[[found[name] for name in wanted]].set_axis(list(wanted), axis=1)


def plain_name(name: str) -> str:
    """Return a name in lower case, words joined by underscores (``UnitPrice`` becomes ``unit_price``)."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def as_text(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return ids or names as text; whole numbers carry no ``.0``."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype("string[pyarrow]")


def as_dates(values: Any) -> pd.Series[Any]:
    """Return dates without a time part."""
    return pd.Series(pd.to_datetime(values)).dt.normalize().astype("datetime64[ns]")


NO_SUPPLY = ("no supplier is stated", 1, 0.0, "assumed: one row in supply, 14 days of lead time, weekly review")
"""The finding of an import that adds `default_supply`."""


def default_supply() -> pd.DataFrame:
    """Return the link that stands in where a data set states none: two weeks of lead time, reviewed weekly."""
    return pd.DataFrame(
        {
            "item_id": pd.array(["*"], "string[pyarrow]"),
            "source_id": pd.array(["supplier"], "string[pyarrow]"),
            "location_id": pd.array(["*"], "string[pyarrow]"),
            "lead_time_days": np.array([14.0]),
            "review_period_days": np.array([7.0]),
        }
    )


def report_frame(rows: Sequence[tuple[str, int, float, str]]) -> pd.DataFrame:
    """Return what an import found and did: finding, rows, units and what became of them."""
    return pd.DataFrame(list(rows), columns=["finding", "rows", "units", "treatment"]).astype(
        {"rows": "int64", "units": "float64"}
    )
