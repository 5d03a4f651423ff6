"""What the exchange curve is measured on: order days with their links and paths of demand, and the demand that came.

Models are chosen before the first order day, fitted again every `REFIT` order days and frozen between. On each order
day tables, links and forecasts are those of that day (`experiments.replay`), with the shop's own record of sales, the
same for every policy; so paths are drawn once and serve them all.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.forecast_quick.panels import DATA
from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.demand.oddities import usual_ahead
from engine.execution import Run
from engine.forecast.streams import Streams
from engine.forecast.types import Fitted, Forecaster
from engine.network.build import build_network
from engine.policy.lead_times import arrival_buckets
from engine.policy.types import F64, I64, Cells, Options, Scenarios, Texts
from engine.tables import Tables
from engine.tables.check import check_tables
from experiments.demo_world import build
from experiments.forecasters import build_forecaster
from experiments.importers.registry import import_tables
from experiments.replay.frozen import Frozen, Refitted
from experiments.replay.links_then import Links
from experiments.replay.measures import unit_value
from experiments.replay.opening import empty_opening, warm_up_buckets
from experiments.replay.view import View, tables_at
from experiments.replay.walk import view_at_start
from experiments.replay.world import Stretch, World, world_of
from experiments.settings import Settings, read_settings
from models.best_of import Chosen

REFIT = 4
DAYS_BETWEEN = 7
DEMO_END = np.datetime64("2025-11-24", "D")


@dataclass(frozen=True)
class Review:
    """An order day: the cells known then, their usual links and paths of demand.

    Parameters
    ----------
    view, links
        What a textbook policy reads; ``links`` also holds the world's row of each cell.
    cells, options
        The cells with demand of their own that a usual link supplies, and that link, row by row.
    rows
        The world's row of each cell.
    scenarios
        Demand by path; lead times are as long as stated.
    bucket_days
        Days in each bucket of the paths.
    """

    view: View
    links: Links
    cells: Cells
    options: Options
    rows: I64
    scenarios: Scenarios
    bucket_days: I64

    @property
    def today(self) -> int:
        return self.view.today

    @property
    def comes(self) -> I64:
        """Bucket that an order of today serves first, shape of ``rows``."""
        return self.today + self.options.arrival


@dataclass(frozen=True)
class Case:
    """Order days of a data set, the demand from the first on, and what is scored.

    Parameters
    ----------
    world
        Cells, links and demand; ``world.first`` is the first order day.
    reviews
        By bucket.
    first_scored
        First bucket that counts: after R + L, at least four weeks.
    value, price
        Money in a unit in stock and of a unit sold, shape (n_cells,).
    abc
        Class of every cell, from what sold before the first order day.
    scored
        Which cells count: those known on the first order day.
    """

    name: str
    world: World
    reviews: Mapping[int, Review]
    first_scored: int
    value: F64
    price: F64
    abc: Texts
    scored: np.ndarray


def case_of(name: str, weeks: int, n_items: int | None, models: tuple[str, ...]) -> Case:
    """Return a data set's order days of its last weeks, of all items or of a sample."""
    tables, settings, demand = _SOURCES[name](weeks, n_items)
    if models:
        settings = replace(settings, forecast=replace(settings.forecast, models=models))
    world, _ = world_of(tables, settings, Stretch(weeks=weeks))
    if demand is not None:
        world = _with_demand(world, demand)
    reviews: dict[int, Review] = {}
    forecaster: Forecaster = build_forecaster(settings, Run())
    fitted: Fitted | None = None
    buckets = range(world.first, world.end, DAYS_BETWEEN // world.network.bucket_days)
    for number, bucket in enumerate(buckets):
        if number and number % REFIT == 0 and isinstance(fitted, Chosen):
            forecaster = Refitted(build_forecaster(settings, Run()), fitted)
        elif fitted is not None:
            forecaster = Frozen("frozen", fitted)
        reviews[bucket], fitted = review_on(world, bucket, settings, forecaster)
        print(f"{name}: order day {number + 1} of {len(buckets)}", file=sys.stderr, flush=True)
        if reviews[bucket].comes.min() >= world.end:
            break
    first = reviews[world.first]
    abc = np.full(world.n_cells, "C", dtype=object)
    abc[first.rows] = first.cells.abc
    scored = np.zeros(world.n_cells, bool)
    scored[first.rows] = True
    value = unit_value(world)
    price = np.where(np.isnan(world.network.cells.unit_price), value, world.network.cells.unit_price)
    return Case(name, world, reviews, world.first + warm_up_buckets(world), value, price, abc, scored)


def review_on(world: World, bucket: int, settings: Settings, forecaster: Forecaster) -> tuple[Review, Fitted]:
    then = replace(world, first=bucket)
    view = view_at_start(then, empty_opening(then), DAYS_BETWEEN // world.network.bucket_days)
    tables = tables_at(then, view)
    calendar, _ = choose_calendar(tables, settings.time, view.calendar.as_of)
    keys = demand_keys(tables, calendar)
    network = build_network(tables, settings, calendar, keys)
    panel, _ = build_panel(tables, settings, network.calendar, keys, network.interval_for(keys))
    panel = usual_ahead(panel)
    fitted = forecaster.fit(panel)
    streams, n_paths = Streams(settings.seed), settings.forecast.n_paths
    paths = np.zeros((network.cells.n_cells, n_paths, network.horizon), dtype=np.float32)
    paths[network.key_rows] = fitted.sample(panel, network.horizon, n_paths, streams).units
    option = network.primary_of
    chosen = np.flatnonzero(network.demanded & (option >= 0))
    # Every cell buys over its usual link, as if its source always had stock, and no delivery is late.
    nowhere = np.full(len(chosen), -1, dtype=np.int64)
    options = replace(
        network.options.take(option[chosen]),
        cell=np.arange(len(chosen)), origin_cell=nowhere, lead_time_sd_days=np.zeros(len(chosen)),
    )  # fmt: skip
    cells = network.cells.take(chosen)
    rows = world.rows_of(cells.item_id, cells.location_id)
    value = unit_value(world)[rows]
    price = np.where(np.isnan(cells.unit_price), value, cells.unit_price)
    cells = replace(cells, unit_cost=value, unit_price=price)
    scenarios = Scenarios(paths[chosen], *arrival_buckets(options, cells, network.calendar, n_paths, streams))
    links = Links(network, world.rows_of(network.cells.item_id, network.cells.location_id), option[chosen])
    days = network.calendar.days[network.calendar.n_history :].astype(np.int64)
    return Review(view, links, cells, options, rows, scenarios, days), fitted


Source = tuple[Tables, Settings, pd.DataFrame | None]


def _m5(weeks: int, n_items: int | None) -> Source:
    """One store by the day, 14 days of lead time as its importer assumes."""
    return _imported("m5:CA_1", "m5", "m5-store", n_items)


def _uci(weeks: int, n_items: int | None) -> Source:
    """A gift shop by the week, 14 days of lead time as its importer assumes."""
    return _imported("uci-online-retail", "uci_online_retail", "uci", n_items)


def _imported(source: str, folder: str, config: str, n_items: int | None) -> Source:
    frames = import_tables(source, DATA / folder)
    frames = {name: frame for name, frame in frames.items() if name != "import_report"}
    if n_items is not None:
        frames = _sample(frames, n_items)
    return check_tables(frames).tables, read_settings(Path("configs") / f"{config}.toml"), None


def _demo(weeks: int, n_items: int | None) -> Source:
    """The demo world up to its latest date, Double 11 among them, with what customers truly ask for; its own links."""
    truth = build(0, str(DEMO_END - 7 * weeks)).truth
    frames = dict(build(0, str(DEMO_END)).tables)
    if n_items is not None:
        raise ValueError("n_items must be None for the demo world, whose bundles and feeders hang together.")
    asked = pd.DataFrame(truth.realised, columns=pd.to_datetime(truth.dates))
    asked = asked.set_index(pd.MultiIndex.from_arrays([truth.item_id, truth.location_id]))
    return Tables.of(frames), read_settings(Path("configs/demo.toml")), asked


_SOURCES = {"m5": _m5, "uci": _uci, "demo": _demo}


def _with_demand(world: World, asked: pd.DataFrame) -> World:
    """Return the world in which ``asked`` (a row a pair, a column a day) is the demand; days are its buckets."""
    cell = world.rows_of(asked.index.get_level_values(0), asked.index.get_level_values(1))
    days = world.calendar.starts[world.first : world.n_buckets].astype("datetime64[ns]")
    demand = np.zeros_like(world.demand)
    demand[cell[cell >= 0]] = asked[days].to_numpy(np.float64)[cell >= 0]
    return replace(world, demand=demand)


def _sample(frames: Mapping[str, pd.DataFrame], n_items: int) -> dict[str, pd.DataFrame]:
    """Return the rows of ``n_items`` items, evenly spaced by the rank of their units sold, and those of no item."""
    sold = frames["sales"].groupby("item_id", observed=True)["units"].sum()
    ranked = sold.reset_index().sort_values(["units", "item_id"], kind="stable")["item_id"].to_numpy()
    kept = set(ranked[np.linspace(0, len(ranked) - 1, min(n_items, len(ranked))).round().astype(int)])
    return {
        name: frame[frame["item_id"].isin(kept) | (frame["item_id"] == "*")].reset_index(drop=True)
        if "item_id" in frame
        else frame
        for name, frame in frames.items()
    }
