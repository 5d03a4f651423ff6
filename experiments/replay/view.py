"""What a policy knows on a day of decision, and the lines that it decides."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np
import pandas as pd

from engine.demand.calendar import Calendar
from engine.policy.types import F32, F64, I64, Bools, Days, Texts
from engine.simulation import FRESH, StockState
from engine.tables import Tables
from experiments.replay.world import World

NOT_YET = np.datetime64("NaT", "D")
_LINE = ["order_id", "line_no"]


@dataclass(frozen=True)
class OrderLines:
    """What a policy orders or moves, one entry a line; arrays of one length.

    Parameters
    ----------
    line_id
        Text, unique within a walk.
    cell, origin
        Rows of the cells that receive and give; origin -1 for a purchase.
    source_id
        Supplier, or the giving location.
    units, unit_cost
        Units, and money per unit bought or moved.
    order_date, available_date
        When it is placed, and when it can be sold if it is on time.
    received_on
        When it really came, where that is on record; NaT: the world draws it.
    promise
        Service that the policy expects, NaN where it states none.
    """

    line_id: Texts
    cell: I64
    origin: I64
    source_id: Texts
    units: F64
    unit_cost: F64
    order_date: Days
    available_date: Days
    received_on: Days
    promise: F64

    @property
    def n_lines(self) -> int:
        return len(self.line_id)

    def take(self, rows: Bools | I64) -> OrderLines:
        """Return the given lines."""
        return OrderLines(*(getattr(self, item.name)[rows] for item in fields(self)))


@dataclass(frozen=True)
class View:
    """What is known at the start of a day; nothing in it was recorded on or after that day.

    Three things are the world's and not for a policy without hindsight: in which bucket a line of ``state.inbound``
    arrives, unless it stands at the door of its site, its ``received_on`` in ``book`` until then, and
    ``state.presales``. The tables of a view (`tables_at`) hold none.

    Parameters
    ----------
    calendar
        The history up to today; ``n_history`` is the number of today's bucket.
    until
        First bucket that the next decision answers for, or the replay's end: orders dated before it are placed now.
    step
        Number of the decision, from 0.
    units, available, price
        What was recorded, shape (n_cells, n_history), read only: the shop's record before the replay, the policy's own
        since.
    since
        First bucket in which each cell is on record, today's for those that are not, shape (n_cells,).
    known
        Cells on record that sell, and those with known presale orders, shape (n_cells,).
    presales_owed
        Units of known presale orders that are due today or earlier and have not left, shape (n_cells,).
    state
        Stock, and what is on its way.
    book
        Dates of all lines placed: ``order_date, available_date, received_on`` by line id; of lines that the opening
        read off receipts also ``order_id`` and ``line_no``.
    arrived
        Lines that arrived in the replay, by id.
    tables
        The other tables, as known today.
    receipts
        Real receipts before the replay.
    """

    calendar: Calendar
    until: int
    step: int
    units: F32
    available: F32
    price: F32
    since: I64
    known: Bools
    presales_owed: F64
    state: StockState
    book: pd.DataFrame
    arrived: pd.DataFrame
    tables: Tables
    receipts: pd.DataFrame

    @property
    def today(self) -> int:
        """Number of today's bucket."""
        return self.calendar.n_history


class Policy(Protocol):
    """A way to order. It may remember what it did, so each walk needs its own."""

    def decide(self, view: View) -> OrderLines:
        """Return the lines to place before ``view.until``."""
        ...

    def levels(self, view: View) -> F64:
        """Return the units that it would have in stock and on its way, shape (n_cells,)."""
        ...


@dataclass(frozen=True)
class Texting:
    """Ids of a world's cells as Arrow text, made once: building text cell by cell takes seconds where rows are many."""

    world: World
    items: pd.arrays.ArrowExtensionArray = field(init=False)
    places: pd.arrays.ArrowExtensionArray = field(init=False)

    def __post_init__(self) -> None:
        cells = self.world.network.cells
        object.__setattr__(self, "items", pd.array(cells.item_id, dtype="string[pyarrow]"))
        object.__setattr__(self, "places", pd.array(cells.location_id, dtype="string[pyarrow]"))

    def keys(self, rows: I64) -> dict[str, object]:
        """Return the columns ``item_id`` and ``location_id`` of cells."""
        return {"item_id": self.items.take(rows), "location_id": self.places.take(rows)}


def tables_at(world: World, view: View) -> Tables:
    """Return the tables of the contract as the policy has them on the day of the view."""
    texts = Texting(world)
    frames = {
        "sales": _sales(world, view, texts),
        **stock_tables(world, view, texts),
        "receipts": _receipts(view, texts),
    }
    if world.presales is not None and view.state.presales is not None:
        frames |= world.presales.tables(view.state.presales, view.calendar.as_of)
    fresh = Tables.of(frames)
    return Tables(
        {**view.tables.frames, **{name: fresh.frames[name] for name in frames}},
        {**view.tables.columns_given, **{name: fresh.columns_given[name] for name in frames}},
    )


def came_on(world: World, planned: Days, arrives: I64) -> Days:
    """Return the days on which lines came to their site: as planned, or with an earlier one of their link.

    ``planned`` has a day, ``arrives`` the bucket that each line came to serve.
    """
    later = world.arrival_bucket(planned.astype("datetime64[D]")) < arrives
    return np.where(later, world.calendar.edges[np.maximum(arrives, 0)].astype("datetime64[ns]"), planned)


def stock_tables(world: World, view: View, texts: Texting | None = None) -> dict[str, pd.DataFrame]:
    """Return the state of a view in the contract's own terms: inventory, open_orders, batches where units expire.

    Where a site states its room, open orders tell which lines stand at its door (``arrived_on``).
    """
    texts = texts or Texting(world)
    state, lines = view.state, view.state.inbound.lines
    held = view.known | (state.on_hand > 0) | (state.backlog > 0) | ~world.network.demanded
    held[lines.cell] = True
    rows = np.flatnonzero(held)
    inventory = pd.DataFrame(
        {
            **texts.keys(rows),
            "on_hand": state.on_hand[rows],
            "backorders": state.backlog[rows],
            "counted_on": np.full(len(rows), view.calendar.as_of, "datetime64[ns]"),
        }
    )
    moved = lines.origin >= 0
    dates = view.book.reindex(pd.Index(lines.line_id, dtype=object))
    arrives, life = view.state.inbound.arrives, view.state.inbound.life
    orders = pd.DataFrame(
        {
            "order_id": lines.line_id,
            "restock_line_id": lines.line_id,
            **texts.keys(lines.cell),
            "units": lines.units,
            "due_date": dates["available_date"].to_numpy(),
            "ordered_on": dates["order_date"].to_numpy(),
            "source_id": lines.source_id,
            "kind": np.where(moved, "transfer", "purchase"),
            "status": np.where(moved, "shipped", "firm"),
            "expiry_date": _last_day(world, view, np.maximum(arrives, view.today) + life - 1, life != FRESH),
        }
    )
    there = arrives < view.today
    if world.room is not None or there.any():
        came = np.full(lines.n_lines, np.datetime64("NaT", "ns"))
        came[there] = came_on(world, dates["received_on"].to_numpy()[there], arrives[there])
        orders["arrived_on"] = came
    tables = {"inventory": inventory, "open_orders": _by_order_line(orders[orders["units"] > 0], view.book)}
    if world.life_buckets is not None and state.batches is not None:
        cell, bucket = np.nonzero(state.batches)
        days = _last_day(world, view, state.bucket + bucket, np.ones(len(cell), bool))
        tables["inventory_batches"] = pd.DataFrame(
            {**texts.keys(cell), "expiry_date": days, "units": state.batches[cell, bucket]}
        )
    return tables


def _by_order_line(orders: pd.DataFrame, book: pd.DataFrame) -> pd.DataFrame:
    """Return the orders with the parts of an order line, each of which has a receipt of its own, as that line.

    Receipts of one line that name several items, sources or days of ordering stay apart.
    """
    if "order_id" not in book:
        return orders
    real = book.reindex(pd.Index(orders["order_id"], dtype=object))
    lines = orders.assign(**{name: real[name].to_numpy(object) for name in _LINE}).drop(columns="restock_line_id")
    key = [name for name in lines.columns if name != "units"]
    kinds = lines.drop_duplicates(key)
    several = pd.MultiIndex.from_frame(kinds.loc[kinds.duplicated(_LINE, keep=False), _LINE])
    merged = lines["order_id"].notna().to_numpy(bool) & ~pd.MultiIndex.from_frame(lines[_LINE]).isin(several)
    if not merged.any():
        return orders
    lines = lines[merged].groupby(key, sort=False, dropna=False)["units"].sum().reset_index()
    rest = orders[~merged]
    return pd.concat([rest.assign(line_no="1"), lines], ignore_index=True) if len(rest) else lines


def state_tables(world: World, view: View) -> dict[str, pd.DataFrame]:
    """Return the state of a view as another run opens with it: `stock_tables`, and `presales` where there are any."""
    tables = stock_tables(world, view)
    if world.presales is not None and view.state.presales is not None:
        tables["presales"] = world.presales.state(view.state.presales, view.calendar.as_of)
    return tables


def _last_day(world: World, view: View, bucket: I64, known: Bools) -> Days:
    """Return the last day of buckets at or after today's, NaT where it is not known."""
    days = view.calendar.as_of + ((bucket - view.today + 1) * world.network.bucket_days - 1)
    return np.where(known, days, NOT_YET).astype("datetime64[ns]")


def _sales(world: World, view: View, texts: Texting) -> pd.DataFrame:
    told = (view.units > 0) | (view.available < 1) | np.isfinite(view.price)
    on_record = np.flatnonzero(view.known & (view.since < view.today))
    # A cell that only feeds others sells nothing, and does not run out of what it sells.
    told &= (view.since[:, None] <= np.arange(view.today)) & world.network.demanded[:, None]
    # The first and the last bucket are covered even where nothing was sold in them.
    told[on_record[:1], 0] = True
    told[on_record, view.today - 1] = True
    cell, bucket = np.nonzero(told)
    return pd.DataFrame(
        {
            **texts.keys(cell),
            "date": view.calendar.starts[bucket].astype("datetime64[ns]"),
            "units": view.units[cell, bucket].astype(np.float64),
            "price": view.price[cell, bucket].astype(np.float64),
            "in_stock": view.available[cell, bucket].astype(np.float64),
        }
    )


def _receipts(view: View, texts: Texting) -> pd.DataFrame:
    came = view.arrived
    if came["line_id"].duplicated().any():
        # What came in in parts, as the site had room for them, came to it at once.
        whole = came.groupby("line_id", sort=False)["units"].sum()
        came = came.drop_duplicates("line_id").assign(units=whole.to_numpy())
    own = pd.DataFrame(
        {
            "order_id": came["line_id"],
            "received_on": came["received_on"],
            **texts.keys(came["cell"].to_numpy(np.int64)),
            "source_id": came["source_id"],
            "ordered_on": came["order_date"],
            "units": came["units"],
        }
    )
    # Empty frames are left out, so that they do not decide the types.
    parts = [part for part in (view.receipts, own) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else own.astype({"received_on": "datetime64[ns]"})
