"""A run from data to a written and tracked plan: what the command line and the worker both call."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import pandas as pd

from engine.execution import Run, processes
from engine.plan.make import make_plan
from engine.plan.types import Plan
from engine.tables import Tables
from experiments.compare_plans import read_edition, with_changes
from experiments.exchange.load import Loaded
from experiments.exchange.plan_meta import PlanMeta
from experiments.exchange.plan_writer import write_plan
from experiments.forecasters import build_forecaster
from experiments.reading import parse_date, start_run, state_day
from experiments.settings import read_settings
from models.contributions import forecast_factors


@dataclass(frozen=True)
class PlanRequest:
    """What a plan is asked of: data, settings, and where the results go.

    Parameters
    ----------
    data
        Folder, workbook or database URL; ``env:NAME`` names an environment variable that holds it.
    config
        TOML file of settings that differ from the defaults.
    as_of
        Day of the plan, ISO; None: the day after the last complete bucket.
    repairs
        Names of the repairs that may be made.
    out
        Folder of the results; None: ``home/out/<run id>``.
    home
        Folder of restock's state.
    since
        Folder of the plan before this one, whose lines stay where chance alone explains the difference, and against
        which the plan tells what changed; None: there is none.
    opening
        An exported state (tables ``inventory`` and ``open_orders``) to plan from in place of the stock in ``data``;
        None: that of ``data``.
    """

    data: str
    home: Path
    config: Path | None = None
    as_of: str | None = None
    repairs: tuple[str, ...] = ()
    out: Path | None = None
    overwrite: bool = False
    track: bool = True
    notice: str = ""
    since: Path | None = None
    opening: str | None = None


@dataclass(frozen=True)
class RunResult:
    """A finished run. ``tracked`` is the MLflow run id, "" if the run was not tracked."""

    run_id: str
    out: Path
    plan: Plan
    snapshot_id: str
    exit_code: int
    loaded: Loaded
    tracked: str


def run_plan(request: PlanRequest, run: Run | None = None) -> RunResult:
    """Read, plan, write and track.

    Raises
    ------
    ConfigError, DataError, ContradictionError
        See `engine.errors`; no output folder is left that looks complete.
    """
    run = run or Run()
    settings = read_settings(request.config)
    older = None if request.since is None else read_edition(request.since)
    started = start_run(request, settings, run, request.as_of)
    run_id, out, loaded, tables = started.run_id, started.out, started.loaded, started.tables
    as_of = request.as_of if request.opening is None else state_day(tables, request.as_of, "--as-of")
    with processes(settings.run.n_workers) as executor:
        run = replace(run, executor=executor)
        forecaster = build_forecaster(settings, run)
        plan = make_plan(tables, settings, forecaster, run, parse_date(as_of), forecast_factors, older)
    if older is not None:
        plan = replace(plan, tables={**plan.tables, **with_changes(plan, older)})
    run.step("write", 0, 1)
    meta = PlanMeta(
        run_id=run_id,
        snapshot_id=loaded.snapshot_id,
        config_version=settings.config_version,
        config=settings.flat(),
        data=loaded.source,
        notice=request.notice,
        item_names=_names(tables, "items", "item_id", "name"),
        location_names={},
    )
    write_plan(plan, out, meta, request.overwrite, _history(tables, plan), loaded.checked.quarantine)
    tracked = ""
    if request.track:
        # By name: importing mlflow takes seconds that an untracked run should not pay.
        tracked = import_module("experiments.tracking").track_plan(plan, meta, out, request.home, git_revision())
    run.progress("write", 1, 1)
    return RunResult(run_id, out, plan, loaded.snapshot_id, loaded.exit_code, loaded, tracked)


def git_revision() -> str:
    """Return the revision of the working folder's repository, "" outside of one."""
    try:
        told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""


def _names(tables: Tables, table: str, key: str, column: str) -> Mapping[str, str]:
    rows = tables[table].dropna(subset=[column])
    return dict(zip(rows[key].astype(str), rows[column].astype(str), strict=True))


def _history(tables: Tables, plan: Plan) -> pd.DataFrame:
    """Return the units sold in the plan's buckets, which the report draws before the forecasts."""
    sales = tables["sales"][["item_id", "location_id", "date", "units"]]
    as_of = pd.Timestamp(plan.as_of)
    sales = sales[sales["date"] < as_of]
    if plan.bucket == "W":
        sales = sales.assign(date=sales["date"] - pd.to_timedelta(sales["date"].dt.weekday, unit="D"))
    elif plan.bucket == "M":
        sales = sales.assign(date=sales["date"].dt.to_period("M").dt.start_time)
    keys = ["item_id", "location_id", "date"]
    return sales.groupby(keys, as_index=False).agg({"units": "sum"})
