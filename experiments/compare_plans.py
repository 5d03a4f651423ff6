"""A plan beside the one before it, from their folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import ConfigError
from engine.plan.changes import COMPARED_TABLES, Edition, plan_changes
from engine.plan.tables import column_kinds, empty_table
from engine.plan.types import Plan
from experiments.exchange.catalogue import read_catalogue, with_wording
from experiments.exchange.plan_writer import read_plan_tables

_BUCKET_DAYS = {"D": 1, "W": 7}


def compare_plans(newer: Path, older: Path) -> dict[str, pd.DataFrame]:
    """Return the tables ``changes``, with wording, and ``stability`` of the plan in a folder against an older one.

    Raises
    ------
    ConfigError
        A folder holds no plan, or the older one is not older.
    """
    found = _compared(read_edition(newer), read_edition(older))
    return {name: with_wording(table, read_catalogue()) for name, table in found.items()}


def with_changes(plan: Plan, older: Edition) -> dict[str, pd.DataFrame]:
    """Return the tables ``changes`` and ``stability`` of a plan just made against an older one."""
    return _compared(Edition(np.datetime64(plan.as_of), _BUCKET_DAYS[plan.bucket], plan.tables), older)


def read_edition(folder: Path) -> Edition:
    """Return a written plan as it is compared.

    Raises
    ------
    ConfigError
        The folder holds no plan.
    """
    about = folder / "plan.json"
    if not about.exists():
        rule = "A comparison needs the folder of a plan"
        raise ConfigError(rule, f"no plan.json in {folder}", "Name what restock plan wrote")
    told = json.loads(about.read_text(encoding="utf-8"))
    # A plan made before there were shared limits has no table of what they left out.
    lacking = {"next_best": empty_table("next_best")} if not (folder / "next_best.parquet").exists() else {}
    found = read_plan_tables(folder, [name for name in COMPARED_TABLES if name not in lacking])
    tables = lacking | {name: _as_made(name, table) for name, table in found.items()}
    return Edition(np.datetime64(told["as_of"]), _BUCKET_DAYS[told["bucket"]], tables)


def _as_made(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table that was read, with text and dates of the types that a plan in memory has."""
    kinds = {"text": "string[pyarrow]", "date": "datetime64[ns]"}
    known = column_kinds(name, list(table.columns))
    return table.astype({column: kinds[kind] for column, kind in known.items() if kind in kinds})


def _compared(newer: Edition, older: Edition) -> dict[str, pd.DataFrame]:
    if older.as_of > newer.as_of:
        raise ConfigError(
            "A plan is compared with an older one", f"{newer.as_of} against {older.as_of}", "Name the newer plan first"
        )
    return plan_changes(newer, older)
