"""The simulator over arrays: every cell has one link and a level, and all cells take a bucket in one step.

The event order is that of `engine.simulation.simulate`, with which it agrees unit for unit. It knows no lines, no
transfers and no presales, which are orders line by line, and is fast enough for many replications of many cells: stack
replications as further cells (`LevelCells.stacked`, `Room.stacked`) and give blocks of them, whole sites where these
state their room, to an executor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Literal

import numpy as np

from engine.simulation.bucket import owed, sales
from engine.simulation.door import DOOR_RECORDED, DoorQueue, DoorTrace, Room
from engine.simulation.types import F64, I64, Trace


@dataclass(frozen=True)
class LevelCells:
    """Cells under an (s, S) rule: a position at or below ``reorder_point`` is raised to ``order_up_to``.

    With ``reorder_point = order_up_to`` the rule is order-up-to. All arrays have shape (n_cells,).

    Parameters
    ----------
    on_hand
        Stock before the first bucket, units, >= 0; nothing is owed and nothing on its way.
    reorder_point, order_up_to
        Units; the position is stock and what is on its way, less what is owed.
    minimum, multiple
        An order is at least ``minimum`` units and a multiple of ``multiple``; 0 where there is no rule.
    lead_buckets
        An order placed in bucket t serves bucket t + lead, >= 0.
    life_buckets
        Buckets in which a unit may be sold after it came in (stock on hand: from bucket 0 on), what came first before
        what came later; 0, and where not given: it does not expire.
    """

    on_hand: F64
    reorder_point: F64
    order_up_to: F64
    minimum: F64
    multiple: F64
    lead_buckets: I64
    life_buckets: I64 = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        if not len(self.life_buckets):
            object.__setattr__(self, "life_buckets", np.zeros(len(self.on_hand), np.int64))
        for item in fields(self):
            array = getattr(self, item.name)
            if array.shape != self.on_hand.shape or array.ndim != 1:
                raise ValueError(f"{item.name} must have shape {self.on_hand.shape}. Got {array.shape} instead.")
        for name in ("on_hand", "minimum", "multiple", "lead_buckets", "life_buckets"):
            if len(self.on_hand) and not getattr(self, name).min() >= 0:
                raise ValueError(f"{name} must be >= 0. Got negative or missing values instead.")
        if (self.order_up_to < self.reorder_point).any():
            raise ValueError("order_up_to must be >= reorder_point. Got levels below it instead.")

    @property
    def n_cells(self) -> int:
        return len(self.on_hand)

    def take(self, rows: slice | I64) -> LevelCells:
        """Return the given cells."""
        return replace(self, **{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    def stacked(self, n_replications: int) -> LevelCells:
        """Return the cells once for each replication: all of the first, then all of the second, and so on."""
        return replace(self, **{f.name: np.tile(getattr(self, f.name), n_replications) for f in fields(self)})


@dataclass(frozen=True)
class LevelRules:
    """Reviews take place in every bucket that ``review_buckets`` divides; the others as in `SimulationRules`."""

    review_buckets: int = 1
    unmet: Literal["lost", "backordered"] = "lost"
    room: Room | None = None

    def __post_init__(self) -> None:
        if self.review_buckets < 1:
            raise ValueError(f"review_buckets must be >= 1. Got {self.review_buckets} instead.")
        if self.unmet not in ("lost", "backordered"):
            raise ValueError(f"unmet must be lost or backordered. Got {self.unmet!r} instead.")


@dataclass(frozen=True)
class LevelTotals:
    """Sums over the buckets of a simulation, shape (n_cells,): units, and counts of buckets and orders.

    ``held_up`` and ``waiting`` are those of `engine.simulation.door.DoorTrace`, 0 without stated room.
    """

    demand: F64
    short: F64
    lost: F64
    expired: F64
    stock: F64
    backlog: F64
    ordered: F64
    n_orders: F64
    n_short: F64
    held_up: F64
    waiting: F64


def trace_levels(cells: LevelCells, demand: F64, rules: LevelRules, lead_buckets: I64 | None = None) -> Trace:
    """Return what happens to every cell in every bucket.

    Parameters
    ----------
    demand
        Units, shape (n_cells, n_buckets), from bucket 0 on.
    rules
        Reviews and unmet demand.
    lead_buckets
        Lead time of an order placed in each bucket, same shape, where lead times vary; a later order never overtakes
        an earlier one. None: those of the cells.
    """
    record = {name: np.zeros(demand.shape) for name in _TRACED}
    doors = {} if rules.room is None else {name: np.zeros(demand.shape) for name in DOOR_RECORDED}
    for column, moved in enumerate(_walk(cells, demand, rules, lead_buckets)):
        for name in _TRACED:
            record[name][:, column] = getattr(moved, name)
        for name, units in doors.items():
            units[:, column] = moved.received if name == "taken_in" else getattr(moved, name)
    nothing = np.zeros(demand.shape)
    return Trace(
        start=0, opening=cells.on_hand, demand=demand.astype(np.float64), sent=nothing, presale=None,
        door=DoorTrace(opening=np.zeros(cells.n_cells), **doors) if doors else None, **record,
    )  # fmt: skip


def total_levels(cells: LevelCells, demand: F64, rules: LevelRules, lead_buckets: I64 | None = None) -> LevelTotals:
    """Return the sums of `trace_levels` over all buckets, without holding the buckets in memory."""
    sums = {item.name: np.zeros(cells.n_cells) for item in fields(LevelTotals)}
    for column, moved in enumerate(_walk(cells, demand, rules, lead_buckets)):
        sums["demand"] += demand[:, column]
        sums["short"] += moved.short
        sums["lost"] += moved.lost
        sums["expired"] += moved.expired
        sums["stock"] += moved.closing
        sums["backlog"] += moved.backlog
        sums["ordered"] += moved.ordered
        sums["n_orders"] += moved.ordered > 0
        sums["n_short"] += moved.short > 0
        if rules.room is not None:
            sums["held_up"] += moved.held_up
            sums["waiting"] += moved.waiting
    return LevelTotals(**sums)


_TRACED = ("short", "lost", "served", "received", "expired", "closing", "backlog")


@dataclass(frozen=True)
class _Moved:
    """What moved in one bucket, units, shape (n_cells,)."""

    ordered: F64
    received: F64
    served: F64
    short: F64
    lost: F64
    expired: F64
    closing: F64
    backlog: F64
    held_up: F64
    waiting: F64


class _Shelf:
    """What expires when what comes first leaves first: at its end, all that came a life ago and has not left."""

    def __init__(self, cells: LevelCells) -> None:
        self._cell = np.flatnonzero(cells.life_buckets > 0)
        self._life, self._n_cells = cells.life_buckets[self._cell], cells.n_cells
        self._came = cells.on_hand[self._cell].astype(np.float64)
        self._left = np.zeros(len(self._cell))
        # A ring: what had come by the end of bucket t, in row t modulo the longest life.
        self._came_by = np.zeros((int(self._life.max(initial=1)), len(self._cell)))

    def waited(self, bucket: int, came_in: tuple[I64, I64, F64]) -> None:
        """Count what comes in from the door as come when it came there, but no longer ago than expires now."""
        row = np.full(self._n_cells, -1)
        row[self._cell] = np.arange(len(self._cell))
        cell, buckets, units = row[came_in[0]], came_in[1], came_in[2]
        cell, buckets, units = cell[cell >= 0], buckets[cell >= 0], units[cell >= 0]
        ago = np.minimum(buckets, self._life[cell] - 1)
        for back in range(1, int(ago.max(initial=0)) + 1):
            old = ago >= back
            np.add.at(self._came_by, ((bucket - back) % len(self._came_by), cell[old]), units[old])

    def expired(self, bucket: int, received: F64, served: F64) -> F64:
        """Return what expires at the end of a bucket, shape (n_cells,), given what came and left in it."""
        expired = np.zeros(self._n_cells)
        if not len(self._cell):
            return expired
        self._came = self._came + received[self._cell]
        self._left = self._left + served[self._cell]
        self._came_by[bucket % len(self._came_by)] = self._came
        since = bucket - self._life + 1
        due = self._came_by[since % len(self._came_by), np.arange(len(self._cell))]
        gone = np.where(since >= 0, np.maximum(due - self._left, 0.0), 0.0)
        self._left = self._left + gone
        expired[self._cell] = gone
        return expired


def _walk(cells: LevelCells, demand: F64, rules: LevelRules, lead_buckets: I64 | None) -> Iterator[_Moved]:
    n, n_buckets = demand.shape
    if n != cells.n_cells:
        raise ValueError(f"demand must have {cells.n_cells} rows. Got {n} instead.")
    if rules.room is not None and rules.room.site.shape != (n,):
        raise ValueError(f"room must be that of {n} cells. Got {len(rules.room.site)} instead.")
    if lead_buckets is not None and lead_buckets.shape != demand.shape:
        raise ValueError(f"lead_buckets must have shape {demand.shape}. Got {lead_buckets.shape} instead.")
    longest = int((cells.lead_buckets if lead_buckets is None else lead_buckets).max(initial=0))
    # A ring: what arrives in bucket t lies in row t modulo its length.
    inbound = np.zeros((longest + 1, n))
    rows = np.arange(n)
    on_hand, backlog = cells.on_hand.astype(np.float64), np.zeros(n)
    position, latest = on_hand.copy(), np.zeros(n, np.int64)
    nothing, shelf = np.zeros(n), _Shelf(cells)
    held_up, waiting, door = nothing, nothing, None if rules.room is None else DoorQueue(rules.room)
    for bucket in range(n_buckets):
        ordered = nothing
        if bucket % rules.review_buckets == 0:
            ordered = _ordered(cells, position)
            lead = cells.lead_buckets if lead_buckets is None else lead_buckets[:, bucket]
            arrives = np.maximum(bucket + lead, latest)
            latest = np.where(ordered > 0, arrives, latest)
            inbound[arrives % (longest + 1), rows] += ordered
        slot = bucket % (longest + 1)
        received = inbound[slot].copy()
        inbound[slot] = 0.0
        if door is not None:
            received, old = door.taken_in(bucket, on_hand, received)
            held_up, waiting = door.at_door(bucket, n)
            shelf.waited(bucket, old)
        on_hand = on_hand + received
        owed_served = owed(on_hand, backlog)
        on_hand = on_hand - owed_served
        asked = demand[:, bucket]
        sold = sales(on_hand, asked)
        short = asked - sold
        lost = short if rules.unmet == "lost" else nothing
        expired = shelf.expired(bucket, received, owed_served + sold)
        on_hand = on_hand - sold - expired
        backlog = backlog - owed_served + short - lost
        position = position + ordered - sold - (short - lost) - expired
        yield _Moved(ordered, received, owed_served + sold, short, lost, expired, on_hand, backlog, held_up, waiting)


def _ordered(cells: LevelCells, position: F64) -> F64:
    wanted = np.where(position <= cells.reorder_point, cells.order_up_to - position, 0.0)
    units = np.where(wanted > 0, np.maximum(wanted, cells.minimum), 0.0)
    lots = np.where(cells.multiple > 0, cells.multiple, 1.0)
    return np.where(cells.multiple > 0, np.ceil(units / lots - 1e-9) * lots, units)
