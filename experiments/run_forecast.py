"""Demand forecasts alone: by item and location, and coherent by any grouping of their attributes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.demand.calendar import Calendar
from engine.demand.oddities import odd_series, usual_ahead
from engine.demand.recovered import recovered_notes
from engine.execution import Run, processes
from engine.forecast.choice import backtest_of
from engine.forecast.overrides import with_overrides
from engine.forecast.sampling import series_blocks
from engine.forecast.streams import Streams
from engine.forecast.succession import with_run_down
from engine.forecast.summary import GroupSums, forecast_by, forecast_table, group_series
from engine.forecast.types import SamplePaths
from engine.plan.assemble import assumption_tables
from engine.tables import Tables
from experiments.exchange.catalogue import read_catalogue, with_wording
from experiments.exchange.plan_writer import write_table
from experiments.exchange.result_folder import refuse_existing, result_folder
from experiments.forecasters import build_forecaster
from experiments.reading import load_data, parse_date
from experiments.settings import Settings, read_settings
from models.bucket_scores import score_buckets

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
    n_paths, quantiles = settings.forecast.n_paths, settings.forecast.quantiles
    groupings = [
        _Grouping.start(columns, *group_series(tables, keys, columns), n_paths, horizon)
        for columns in dict.fromkeys(request.by)
    ]
    interval = np.tile(np.array([0, horizon], dtype=np.int32), (len(keys[0]), 1))
    panel, panel_notes = build_panel(tables, settings, calendar, keys, interval)
    panel_notes = (*panel_notes, *odd_series(panel), *recovered_notes(panel))
    panel = usual_ahead(panel)
    # Without stock to look at, an item that another follows serves itself until its end.
    # Chosen by every bucket that is forecast, since no order's protection interval is known.
    forecaster = replace(build_forecaster(settings, run), score=score_buckets)
    fitted, run_down_notes = with_run_down(forecaster.fit(panel), panel, tables)
    fitted, override_notes = with_overrides(fitted, panel, tables, settings, run)
    parts: list[pd.DataFrame] = []
    blocks = series_blocks(panel)
    for number, rows in enumerate(blocks):
        paths = fitted.sample(panel.take(rows), horizon, n_paths, Streams(settings.seed))
        parts.append(forecast_table(paths, calendar, quantiles))
        for grouping in groupings:
            grouping.add(paths, rows, calendar, quantiles)
        run.step("forecast", number + 1, len(blocks))
    result = {"forecast": pd.concat(parts, ignore_index=True), "backtest": backtest_of(fitted)}
    for grouping in groupings:
        result[f"forecast_by_{'_'.join(grouping.columns)}"] = grouping.table(horizon)
    told = assumption_tables((*span_notes, *panel_notes, *fitted.notes, *run_down_notes, *override_notes))
    return result | {name: with_wording(table, read_catalogue()) for name, table in told.items()}


@dataclass
class _Grouping:
    """The forecast by one grouping: sums of groups not yet complete, and the table's rows of the others."""

    columns: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    names: pd.DataFrame
    sums: GroupSums
    parts: list[pd.DataFrame] = field(default_factory=list)
    numbers: list[npt.NDArray[np.int64]] = field(default_factory=list)

    @classmethod
    def start(
        cls, columns: tuple[str, ...], codes: npt.NDArray[np.int64], names: pd.DataFrame, n_paths: int, horizon: int
    ) -> _Grouping:
        """Return the grouping before any series."""
        return cls(columns, codes, names, GroupSums.start(codes, len(names), n_paths, horizon))

    def add(
        self, paths: SamplePaths, rows: npt.NDArray[np.int64], calendar: Calendar, quantiles: tuple[float, ...]
    ) -> None:
        """Add a block of series, and make the rows of the groups that it completes."""
        complete, self.sums = self.sums.plus(paths, self.codes[rows]).split()
        if not len(complete.group):
            return
        self.parts.append(forecast_by(complete.total, self.names.iloc[complete.group], calendar, quantiles))
        self.numbers.append(complete.group)

    def table(self, horizon: int) -> pd.DataFrame:
        """Return the rows of all groups, in the groups' order."""
        order = np.argsort(np.repeat(np.concatenate(self.numbers), horizon), kind="stable")
        return pd.concat(self.parts).iloc[order].reset_index(drop=True)
