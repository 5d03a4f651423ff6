"""Demand forecasts alone: by item and location, and coherent by any grouping of their attributes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.execution import Run, processes
from engine.forecast.choice import backtest_of
from engine.forecast.overrides import with_overrides
from engine.forecast.sampling import series_blocks
from engine.forecast.streams import Streams
from engine.forecast.summary import aggregate_paths, forecast_by, forecast_table, group_series
from engine.plan.assemble import assumption_tables
from engine.tables import Tables
from experiments.exchange.catalogue import read_catalogue, with_wording
from experiments.exchange.plan_writer import write_table
from experiments.exchange.result_folder import refuse_existing, result_folder
from experiments.forecasters import build_forecaster
from experiments.reading import load_data, parse_date
from experiments.settings import Settings, read_settings

DEFAULT_HORIZON: Mapping[str, int] = {"D": 28, "W": 8, "M": 6}


@dataclass(frozen=True)
class ForecastRequest:
    """What is to be forecast. ``horizon`` in buckets, None: 28 days, 8 weeks or 6 months.

    ``by`` holds groupings, each a tuple of columns of `items` or `locations`; ``quantiles`` None: those of the
    settings. The other fields are those of `experiments.run_plan.PlanRequest`.
    """

    data: str
    home: Path
    config: Path | None = None
    as_of: str | None = None
    repairs: tuple[str, ...] = ()
    out: Path | None = None
    overwrite: bool = False
    horizon: int | None = None
    quantiles: tuple[float, ...] | None = None
    by: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class ForecastResult:
    """A finished forecast: its folder, its tables by name, and the exit code."""

    run_id: str
    out: Path
    tables: Mapping[str, pd.DataFrame]
    exit_code: int


def run_forecast(request: ForecastRequest, run: Run | None = None) -> ForecastResult:
    """Read ``sales`` and what else there is, forecast, and write the tables.

    Raises
    ------
    ConfigError, DataError
        See `engine.errors`; no output folder is left that looks complete.
    """
    run = run or Run()
    settings = read_settings(request.config)
    quantiles = request.quantiles or settings.forecast.quantiles
    settings = replace(settings, forecast=replace(settings.forecast, quantiles=quantiles))
    run_id = uuid.uuid4().hex
    out = request.out or request.home / "out" / run_id
    refuse_existing(out, request.overwrite)
    loaded = load_data(request.data, settings, request.as_of, request.repairs, request.home, need_supply=False)
    with processes(settings.run.n_workers) as executor:
        tables = _forecast(request, settings, loaded.tables, replace(run, executor=executor))
    with result_folder(out, request.overwrite) as folder:
        for name, table in tables.items():
            write_table(table, folder / name)
        for name, rows in loaded.checked.quarantine.items():
            write_table(rows, folder / "quarantine" / name)
    return ForecastResult(run_id, out, tables, loaded.exit_code)


def _forecast(request: ForecastRequest, settings: Settings, tables: Tables, run: Run) -> dict[str, pd.DataFrame]:
    calendar, span_notes = choose_calendar(tables, settings.time, parse_date(request.as_of))
    horizon = request.horizon or DEFAULT_HORIZON[calendar.bucket]
    calendar = replace(calendar, n_future=horizon)
    keys = demand_keys(tables, calendar)
    groups = [(columns, *group_series(tables, keys, columns)) for columns in request.by]
    interval = np.tile(np.array([0, horizon], dtype=np.int32), (len(keys[0]), 1))
    panel, panel_notes = build_panel(tables, settings, calendar, keys, interval)
    fitted, override_notes = with_overrides(build_forecaster(settings, run).fit(panel), panel, tables, settings, run)
    parts: list[pd.DataFrame] = []
    sums = [np.zeros((len(names), settings.forecast.n_paths, horizon), np.int64) for _, _, names in groups]
    blocks = series_blocks(panel)
    for number, rows in enumerate(blocks):
        paths = fitted.sample(panel.take(rows), horizon, settings.forecast.n_paths, Streams(settings.seed))
        parts.append(forecast_table(paths, calendar, settings.forecast.quantiles))
        for total, (_, codes, names) in zip(sums, groups, strict=True):
            total += aggregate_paths(paths, codes[rows], len(names))
        run.step("forecast", number + 1, len(blocks))
    result = {"forecast": pd.concat(parts, ignore_index=True), "backtest": backtest_of(fitted)}
    for total, (columns, _, names) in zip(sums, groups, strict=True):
        result[f"forecast_by_{'_'.join(columns)}"] = forecast_by(total, names, calendar, settings.forecast.quantiles)
    told = assumption_tables((*span_notes, *panel_notes, *fitted.notes, *override_notes))
    return result | {name: with_wording(table, read_catalogue()) for name, table in told.items()}
