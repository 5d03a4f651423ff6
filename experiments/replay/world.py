"""The world that policies are walked through: its demand, links and costs, and all that the data say of its past."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.config import PlanConfig
from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.demand.calendar import Calendar
from engine.demand.censoring import expected_demand
from engine.demand.history import build_history
from engine.demand.keys import SeriesKeys
from engine.demand.sales import base_sales
from engine.errors import ConfigError
from engine.messages import Message
from engine.network.build import build_network
from engine.network.types import Network
from engine.policy.types import F32, F64, I64, Bools, Texts
from engine.simulation import PresaleOrders
from engine.tables import Tables
from experiments.replay.presale_orders import presales_of, told_bom
from experiments.replay.presales import WorldPresales
from experiments.replay.site_room import SiteRoom, site_room
from experiments.replay.ways import Ways, ways_of
from experiments.replay.withheld import FRESH, known_on, no_closures, replay_notes, without

LEAST_HISTORY = 4
"""Buckets that must lie before the first decision."""


@dataclass(frozen=True)
class World:
    """A stretch of history to replay; cells are those of ``network``, buckets count from the first of the history.

    Parameters
    ----------
    tables
        What policies are told of, by `Tables.known_on`: all but sales, stock and orders, which each makes for itself.
    receipts
        What really arrived, all of it.
    calendar
        All complete buckets of the data: ``as_of`` is the day after the last.
    first, end
        The first bucket replayed, and the one after the last.
    network
        Cells with their costs, links and lanes, as known on the first day.
    config
        Settings of the world: how links without terms are read.
    units, available, price
        What the shop recorded, shape (n_cells, n_buckets), as in `DemandPanel`.
    demand
        What customers are taken to ask for, units, from bucket ``first`` on, shape (n_cells, n_buckets - first).
    seen_from
        First bucket in which each cell is on record, shape (n_cells,); ``n_buckets`` for never.
    helpers
        Cells that serve each cell's short demand, best first, -1 for none, shape (n_cells, k).
    announced
        Further closures, each known from its ``known_from`` on.
    stock_history
        What was really in stock, all of it.
    assumption
        What ``demand`` is: "sales" or "recovered"; presale orders are in neither.
    presales
        Presale orders, None where there are none.
    """

    tables: Tables
    receipts: pd.DataFrame
    calendar: Calendar
    first: int
    end: int
    network: Network
    config: PlanConfig
    units: F32
    available: F32
    price: F32
    demand: F64
    seen_from: I64
    helpers: I64
    announced: pd.DataFrame
    stock_history: pd.DataFrame
    assumption: str = "sales"
    presales: WorldPresales | None = None

    @property
    def n_cells(self) -> int:
        return self.network.cells.n_cells

    @property
    def censored(self) -> Bools:
        """Where the shop ran out, so that demand was at least what it sold, shape of ``demand``."""
        return (self.available < 1)[:, self.first :] & (
            self.seen_from[:, None] <= np.arange(self.first, self.n_buckets)
        )

    @property
    def n_buckets(self) -> int:
        return self.calendar.n_history

    @property
    def presale_orders(self) -> PresaleOrders | None:
        """Presale orders as they stand at the start of the first day."""
        return None if self.presales is None else self.presales.orders

    @cached_property
    def index(self) -> pd.MultiIndex:
        """Keys of the cells."""
        return pd.MultiIndex.from_arrays([self.network.cells.item_id, self.network.cells.location_id])

    @cached_property
    def ways(self) -> tuple[Ways, ...]:
        """How goods really come, from the first day on and from each day on which the links change."""
        end = self.calendar.edges[-1]
        closures = known_on(self.tables, end, self.announced)["closures"]
        return ways_of(self.network, self.tables, self.receipts, closures, self.config, end)

    @cached_property
    def life_buckets(self) -> I64 | None:
        """Whole buckets in which a fresh unit of each cell may be sold, one at least, 0 where it does not expire.

        None where nothing expires.
        """
        days = self.network.sellable_days
        expires = np.isfinite(days)
        if not expires.any():
            return None
        life = np.zeros(self.n_cells, np.int64)
        life[expires] = np.maximum(days[expires] // self.network.bucket_days, 1).astype(np.int64)
        return life

    @cached_property
    def room(self) -> SiteRoom | None:
        """How much sites hold; None where none states it, and all hold anything."""
        return site_room(self.tables, self.network)

    def rows_of(self, items: pd.Series | Texts, locations: pd.Series | Texts) -> I64:
        """Return the cell of each pair, -1 where there is none."""
        pairs = pd.MultiIndex.from_arrays([np.asarray(items, object), np.asarray(locations, object)])
        return self.index.get_indexer(pairs).astype(np.int64)

    def date_of(self, bucket: int) -> np.datetime64:
        """Return the first day of a bucket."""
        day: np.datetime64 = self.calendar.edges[bucket]
        return day

    def bucket_of(self, dates: npt.NDArray[np.datetime64]) -> I64:
        """Return the bucket of each date."""
        return self.calendar.bucket_of(dates) + self.n_buckets

    def arrival_bucket(self, dates: npt.NDArray[np.datetime64]) -> I64:
        """Return the first bucket that an arrival on each date serves."""
        return self.calendar.arrival_bucket(dates) + self.n_buckets


@dataclass(frozen=True)
class Stretch:
    """Which part of the history to replay, by its first day and its weeks; None: a default (`world_of`)."""

    first_day: np.datetime64 | None = None
    weeks: int | None = None


def world_of(
    tables: Tables, config: PlanConfig, stretch: Stretch, announced: pd.DataFrame | None = None
) -> tuple[World, tuple[Message, ...]]:
    """Return the world of a history, its demand taken to be the sales, and what was assumed or left out.

    Without ``weeks`` the replay goes to the end of the history; without ``first_day`` too, over its latest 52 weeks, or
    over half of it where it is shorter.

    Raises
    ------
    ConfigError
        The stretch does not lie within the complete buckets, or leaves too little history before it.
    DataError, ContradictionError
        As for a plan.
    """
    whole, span_notes = choose_calendar(tables, config.time)
    if whole.bucket == "M":
        raise ConfigError("A replay walks in days or weeks", "monthly sales", "Give daily or weekly sales")
    first, end = _stretch(whole, stretch)
    told = without(tables)
    keys = demand_keys(_all_standing(told), whole)
    names = SeriesKeys(*keys)
    sales = base_sales(told)
    history = build_history(told, sales, whole, names)
    # Sales stay, for prices; what is in stock or on its way at the end of the data does not bear on the beginning.
    priced = without(told, tuple(name for name in FRESH if name not in ("sales", "receipts")))
    network = build_network(priced, config, Calendar(whole.bucket, whole.edges[first], first, 0), keys)
    n, rows = network.cells.n_cells, network.key_rows
    shape = (n, whole.n_history)
    units, available, price = (np.full(shape, value, np.float32) for value in (0.0, 1.0, np.nan))
    units[rows], available[rows], price[rows] = history.units, history.available, history.price
    seen = np.full(n, whole.n_history, np.int64)
    presales, presale_notes = presales_of(tables, network, whole, first)
    series = names.rows_of_sales(sales)
    bucket = np.maximum(whole.bucket_of(sales.date) + whole.n_history, 0)
    np.minimum.at(seen, rows[series[series >= 0]], bucket[series >= 0])
    world = World(
        tables=_unfolded(without(told, FRESH)),
        receipts=tables["receipts"],
        calendar=whole,
        first=first,
        end=end,
        network=network,
        config=config,
        units=units,
        available=available,
        price=price,
        demand=units[:, first:].astype(np.float64),
        seen_from=np.where(network.demanded, seen, 0),
        helpers=_helpers(told, network),
        announced=no_closures() if announced is None else announced,
        stock_history=tables["stock_history"],
        presales=presales,
    )
    notes = (*replay_notes(tables, world.date_of(first)), *presale_notes)
    return world, (*span_notes, *history.notes, *network.notes, *notes)


def _all_standing(tables: Tables) -> Tables:
    """Return the tables with no presale order cancelled: until it is, policies see it."""
    rows = tables["presales"]
    rows = rows.assign(status=rows["status"].where(rows["status"] != "cancelled", "deposit"))
    return replace(tables, frames={**tables.frames, "presales": rows})


def _unfolded(tables: Tables) -> Tables:
    """Return the tables with a `bom` for sales and orders that hold components already."""
    return replace(tables, frames={**tables.frames, "bom": told_bom(tables)})


def recovered(world: World, tables: Tables, config: PlanConfig) -> World:
    """Return the world in which demand is what would have sold had the shop not run out.

    The estimate is that of `engine.demand.censoring.expected_demand`; fractions are carried over from bucket to bucket
    of a cell, so that demand is whole where units are.
    """
    told = without(tables)
    items = told.frames["items"]
    # A successor's own demand only: the history of its predecessor is not sold again.
    told = replace(told, frames={**told.frames, "items": items.assign(successor_of=None)})
    keys = (world.network.cells.item_id, world.network.cells.location_id)
    own = world.network.demanded
    keys = (keys[0][own], keys[1][own])
    panel, _ = build_panel(told, config, world.calendar, keys, np.zeros((int(own.sum()), 2), np.int32))
    estimate = np.zeros(world.units.shape)
    estimate[own] = np.nan_to_num(expected_demand(panel).astype(np.float64), nan=0.0)
    sold = world.units[:, world.first :].astype(np.float64)
    extra = np.maximum(estimate[:, world.first :] - sold, 0.0)
    whole = np.diff(np.floor(np.cumsum(extra, axis=1) + 0.5), axis=1, prepend=0.0)
    extra = np.where(world.network.cells.divisible[:, None], extra, whole)
    return replace(world, demand=sold + extra, assumption="recovered")


def _stretch(whole: Calendar, stretch: Stretch) -> tuple[int, int]:
    """Return the first bucket and the one after the last."""
    n, per_week = whole.n_history, 7 if whole.bucket == "D" else 1
    if stretch.weeks is not None and stretch.weeks < 1:
        raise ConfigError("--weeks is 1 or more", str(stretch.weeks), "Ask for more weeks")
    if stretch.first_day is None:
        weeks = stretch.weeks or max(1, min(52, n // per_week // 2))
        first = n - weeks * per_week
    else:
        day = stretch.first_day.astype("datetime64[D]")
        first = int(whole.bucket_of(np.array([day]))[0]) + n
        if 0 <= first < n and whole.edges[first] != day:
            raise ConfigError("--from is the first day of a bucket", str(day), f"Use {whole.edges[first]}")
        weeks = stretch.weeks or (n - first) // per_week
    end = first + weeks * per_week
    if first < LEAST_HISTORY or end > n or weeks < 1:
        raise ConfigError(
            f"A replay lies within the complete history, with {LEAST_HISTORY} buckets or more before it",
            f"{weeks} weeks from {whole.as_of + (first - n) * (7 // per_week)}, "
            f"history from {whole.edges[0]} to {whole.edges[-1] - 1}",
            "Choose --from and --weeks within it",
        )
    return first, end


def _helpers(tables: Tables, network: Network) -> I64:
    """Return the cells that serve each cell's region too, in the order of their rank."""
    regions = tables["service_regions"].sort_values(["region", "rank", "location_id"], kind="stable")
    cells = network.cells
    if regions.empty:
        return np.zeros((cells.n_cells, 0), np.int64)
    places = tables["locations"].dropna(subset=["region"])
    home = dict(zip(places["location_id"].astype(str), places["region"].astype(str), strict=True))
    by_region = {str(region): [*rows["location_id"].astype(str)] for region, rows in regions.groupby("region")}
    index = pd.MultiIndex.from_arrays([cells.item_id, cells.location_id])
    longest = max(len(sites) for sites in by_region.values())
    helpers = np.full((cells.n_cells, longest), -1, np.int64)
    for rank in range(longest):
        sites = [_nth(by_region.get(home.get(str(place), ""), []), rank) for place in cells.location_id]
        found = index.get_indexer(pd.MultiIndex.from_arrays([cells.item_id, np.array(sites, object)]))
        helpers[:, rank] = np.where(found == np.arange(cells.n_cells), -1, found)
    return helpers


def _nth(sites: list[str], rank: int) -> str:
    return sites[rank] if rank < len(sites) else ""
