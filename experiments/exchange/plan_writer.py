"""Writing a plan: its tables as Parquet and CSV, a workbook, a report, and ``plan.json``."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from engine.errors import ConfigError
from engine.plan.types import CONTRACT_VERSION, PLAN_TABLES, Plan
from experiments.exchange.catalogue import Catalogue, read_catalogue, with_wording
from experiments.exchange.plan_meta import PlanMeta, with_item_names
from experiments.exchange.report import write_report
from experiments.exchange.result_folder import result_folder
from experiments.exchange.workbook_out import write_workbook

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_plan(
    plan: Plan,
    out: Path,
    meta: PlanMeta,
    overwrite: bool = False,
    history: pd.DataFrame | None = None,
    quarantine: Mapping[str, pd.DataFrame] | None = None,
) -> None:
    """Write a plan into the folder ``out``, complete or not at all.

    Parameters
    ----------
    history
        Units sold by ``item_id, location_id, date`` (buckets of the plan), drawn before the forecasts in
        the report; may hold more pairs and dates than are shown.
    quarantine
        Rows of the data that were set aside, by table; written to the folder ``quarantine``.

    Raises
    ------
    ConfigError
        ``out`` exists and ``overwrite`` is not given, or it is no folder.
    """
    catalogue = read_catalogue()
    tables = worded_tables(plan, catalogue)
    with result_folder(out, overwrite) as folder:
        for name, table in tables.items():
            write_table(table, folder / name)
        if len(plan.backtest.columns):  # none where the forecaster did not choose
            write_table(plan.backtest, folder / "backtest")
        for name, rows in (quarantine or {}).items():
            write_table(rows, folder / "quarantine" / name)
        (folder / "plan.json").write_text(plan_json(plan, meta), encoding="utf-8")
        named = {name: with_item_names(table, meta) for name, table in tables.items()}
        write_workbook(plan, named, folder / "plan.xlsx", meta)
        write_report(plan, named, folder / "report.html", meta, history)


def worded_tables(plan: Plan, catalogue: Catalogue) -> dict[str, pd.DataFrame]:
    """Return a plan's tables in contract order, with their wording columns."""
    return {name: with_wording(plan.tables[name], catalogue) for name in PLAN_TABLES}


def write_table(table: pd.DataFrame, stem: Path) -> None:
    """Write one table as ``<stem>.parquet`` and ``<stem>.csv`` (UTF-8, dates as ISO).

    In CSV, text that a spreadsheet would take for a formula gets a leading apostrophe; Parquet keeps it.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), f"{stem}.parquet", compression="zstd")
    rows = pa.Table.from_pandas(safe_for_spreadsheets(table), preserve_index=False)
    for place, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            rows = rows.set_column(place, field.name, rows[field.name].cast(pa.date32()))
    plain_header = all(name.isprintable() and not set(name) & set(',"') for name in rows.column_names)
    options = pc.WriteOptions(quoting_header="none" if plain_header else "needed")
    pc.write_csv(rows, f"{stem}.csv", options)


def safe_for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with an apostrophe before each text that begins like a formula."""
    changed: dict[str, pd.Series] = {}
    for name in table.columns[[not pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes]]:
        column = table[name]
        if pd.api.types.is_string_dtype(column.dtype) or column.dtype == object:
            risky = column.astype("string").str.startswith(_FORMULA_STARTS).fillna(False)
            if risky.any():
                changed[str(name)] = column.where(~risky, "'" + column.astype("string"))
    return table.assign(**changed)


def plan_json(plan: Plan, meta: PlanMeta) -> str:
    """Return what identifies a plan, as JSON: dates, versions, ids, and how it was solved."""
    content: Mapping[str, object] = {
        "run_id": meta.run_id,
        "snapshot_id": meta.snapshot_id,
        "contract_version": CONTRACT_VERSION,
        "config_version": meta.config_version,
        "as_of": plan.as_of,
        "bucket": plan.bucket,
        "data": meta.data,
        "notice": meta.notice,
        "solve": {
            "status": plan.solve.status,
            "objective": _finite(plan.solve.objective),
            "bound": _finite(plan.solve.bound),
            "gap": _finite(plan.solve.gap),
            "work": dict(plan.solve.work),
        },
        "rows": {name: len(plan.tables[name]) for name in PLAN_TABLES},
        "config": dict(meta.config),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_plan_tables(folder: Path, names: Collection[str] = tuple(PLAN_TABLES)) -> dict[str, pd.DataFrame]:
    """Return tables of a written plan, wording included.

    Raises
    ------
    ConfigError
        If the folder lacks one of them.
    """
    lacking = [name for name in names if not (folder / f"{name}.parquet").exists()]
    if lacking:
        rule = "A plan's folder must hold its tables"
        raise ConfigError(rule, f"no {lacking[0]}.parquet in {folder}", "Plan again with this version of restock")
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
