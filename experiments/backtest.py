"""A comparison of forecasters on the past: rolling origins, the loss that matters, every model beside the baseline.

Beside the scores stands what the choice among them adds to the baseline, by ABC and XYZ class.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import pandas as pd

from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.execution import Run, processes
from engine.network.build import build_network
from experiments.exchange.plan_meta import PlanMeta
from experiments.exchange.plan_writer import write_table
from experiments.exchange.result_folder import refuse_existing, result_folder
from experiments.forecasters import build_forecaster
from experiments.reading import load_data, parse_date
from experiments.run_plan import git_revision
from experiments.settings import read_settings
from models.value_added import forecast_value_added


@dataclass(frozen=True)
class BacktestRequest:
    """What is to be compared on which data; ``models`` empty: those of the settings."""

    data: str
    home: Path
    config: Path | None = None
    as_of: str | None = None
    repairs: tuple[str, ...] = ()
    out: Path | None = None
    overwrite: bool = False
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class BacktestResult:
    """The scores by model and segment, the value added by class, where they lie, and the tracked parent run."""

    scores: pd.DataFrame
    value_added: pd.DataFrame
    out: Path
    tracked: str
    exit_code: int


def run_backtest(request: BacktestRequest, run: Run | None = None) -> BacktestResult:
    """Score the models on the protection intervals that a plan of these data would have.

    Raises
    ------
    ConfigError, DataError
        See `engine.errors`.
    """
    run = run or Run()
    settings = read_settings(request.config)
    if request.models:
        settings = replace(settings, forecast=replace(settings.forecast, models=request.models))
    run_id = uuid.uuid4().hex
    out = request.out or request.home / "out" / run_id
    refuse_existing(out, request.overwrite)
    loaded = load_data(request.data, settings, request.as_of, request.repairs, request.home)
    tables = loaded.tables
    calendar, _ = choose_calendar(tables, settings.time, parse_date(request.as_of))
    keys = demand_keys(tables, calendar)
    network = build_network(tables, settings, calendar, keys)
    panel, _ = build_panel(tables, settings, network.calendar, keys, network.interval_for(keys))
    with processes(settings.run.n_workers) as executor:
        scores = build_forecaster(settings, replace(run, executor=executor)).race(panel)
    value_added = forecast_value_added(scores)
    with result_folder(out, request.overwrite) as folder:
        write_table(scores, folder / "backtest")
        write_table(value_added, folder / "value_added")
    meta = PlanMeta(run_id, loaded.snapshot_id, settings.config_version, settings.flat(), loaded.source)
    tracked = import_module("experiments.tracking").track_backtest(
        scores, meta, request.home, out / "backtest.parquet", git_revision()
    )
    return BacktestResult(scores, value_added, out, tracked, loaded.exit_code)
