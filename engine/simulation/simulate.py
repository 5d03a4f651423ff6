"""The simulator: stock, demand and decisions bucket by bucket, in the event order of docs/design.md, 3.

In each bucket: the policy decides at its start (at reviews), receipts come in as far as their site has room, what is
owed and then presale orders that are due leave, transfers leave their origin, then demand arises. Cells are independent
but for transfers, shared room and what is served elsewhere, so replications of a world may be stacked as further cells.
What receipts and demand do to stock stands in `engine.simulation.bucket`, which `engine.simulation.arrays` shares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from engine.simulation.bucket import Unmet, elsewhere, owed, sales
from engine.simulation.door import DOOR_RECORDED, DoorTrace, Room
from engine.simulation.presales import RECORDED as PRESALE_RECORDED
from engine.simulation.presales import PresaleOrders, PresaleTrace, ship, told
from engine.simulation.receiving import aged_at_the_door, come_in
from engine.simulation.shelf import aged, first_expired_out, fresh_batches, oldest_life, put_in
from engine.simulation.types import (
    F64,
    FRESH,
    I64,
    Lines,
    Shipments,
    StockState,
    Trace,
    join_shipments,
)


class Policy(Protocol):
    """Decides at the start of a review's bucket, knowing the state but no arrival that is not yet due."""

    def __call__(self, state: StockState, /) -> Lines: ...


class Delay(Protocol):
    """Returns the buckets by which each line arrives after it is due (negative: early), shape (n_lines,)."""

    def __call__(self, lines: Lines, /) -> I64: ...


def on_time(lines: Lines) -> I64:
    """Return no delay."""
    return np.zeros(lines.n_lines, np.int64)


@dataclass(frozen=True)
class SimulationRules:
    """How a world runs.

    Parameters
    ----------
    review_buckets
        The policy is called in every bucket that this number divides.
    unmet
        What becomes of demand that finds no stock: lost, backordered, or served from other cells while they hold
        more than their own demand, and lost where none does.
    delay
        How late lines arrive. Lines of one link (source, cell) never overtake those sent in earlier buckets, whether
        they are placed together or not.
    helpers
        For ``served_elsewhere``: the cells that serve each cell's short demand, best first, -1 for none; shape
        (n_cells, n_helpers).
    life_buckets
        Buckets in which a fresh unit of each cell may be sold, 0 where it does not expire, shape (n_cells,); None:
        nothing expires. What expires first leaves first. A moved line is as old as the oldest unit that its origin
        held, and may be sold for one bucket at least.
    room
        How much sites hold; what does not fit waits at the door, where it grows older too (`engine.simulation.door`).
        None: they hold anything.
    """

    review_buckets: int = 1
    unmet: Unmet = "lost"
    delay: Delay = on_time
    helpers: I64 | None = None
    life_buckets: I64 | None = None
    room: Room | None = None

    def __post_init__(self) -> None:
        if self.review_buckets < 1:
            raise ValueError(f"review_buckets must be >= 1. Got {self.review_buckets} instead.")
        if self.unmet not in ("lost", "backordered", "served_elsewhere"):
            raise ValueError(f"unmet must be lost, backordered or served_elsewhere. Got {self.unmet!r} instead.")
        if (self.unmet == "served_elsewhere") != (self.helpers is not None):
            raise ValueError("helpers must be given for served_elsewhere and only for it. Got the opposite instead.")


@dataclass(frozen=True)
class Outcome:
    """The state after a simulation, its trace, and the lines that arrived in it."""

    state: StockState
    trace: Trace
    arrived: Shipments


def simulate(state: StockState, demand: F64, policy: Policy, rules: SimulationRules) -> Outcome:
    """Return what happens to ``state`` under ``demand`` and ``policy``.

    Parameters
    ----------
    state
        Stock at the start; its arrays are not changed.
    demand
        Shape (n_cells, n_buckets), units, from ``state.bucket`` on.
    policy
        Called with the state at every review; its lines may be sent in that bucket or later.
    rules
        Reviews, unmet demand and delays.

    Raises
    ------
    ValueError
        If shapes do not fit, or the policy returns lines of the past or of unknown cells.
    """
    n_cells = len(state.on_hand)
    if demand.ndim != 2 or demand.shape[0] != n_cells:
        raise ValueError(f"demand must have shape ({n_cells}, n_buckets). Got {demand.shape} instead.")
    record = {name: np.zeros(demand.shape) for name in _RECORDED}
    presale = None if state.presales is None else {name: np.zeros(demand.shape) for name in PRESALE_RECORDED}
    doors = {} if rules.room is None else {name: np.zeros(demand.shape) for name in DOOR_RECORDED}
    arrived: list[Shipments] = []
    now = state
    if rules.life_buckets is not None and state.batches is None:
        now = replace(state, batches=fresh_batches(state.on_hand, rules.life_buckets))
    for column in range(demand.shape[1]):
        if now.bucket % rules.review_buckets == 0:
            now = _with_decisions(now, policy(now), rules.delay)
        before = now
        now, moved, came = _step(now, demand[:, column], rules)
        arrived.extend(came)
        for name in _RECORDED:
            record[name][:, column] = moved[name]
        if rules.room is not None:
            for name, units in _at_doors(came, now, n_cells).items():
                doors[name][:, column] = units
        if presale is not None and before.presales is not None and now.presales is not None:
            for name, units in told(before.presales, now.presales, before.bucket, n_cells).items():
                presale[name][:, column] = units
    course = None if presale is None else PresaleTrace(**presale)
    at_door = state.inbound.take(state.inbound.arrives < state.bucket)
    door = DoorTrace(opening=_by_cell(at_door, n_cells), **doors) if doors else None
    trace = Trace(start=state.bucket, opening=state.on_hand, demand=demand, presale=course, door=door, **record)
    return Outcome(now, trace, join_shipments(arrived))


_RECORDED = ("short", "lost", "served", "received", "sent", "expired", "closing", "backlog")


def _with_decisions(state: StockState, lines: Lines, delay: Delay) -> StockState:
    """Return the state with the policy's lines on their way."""
    if lines.n_lines == 0:
        return state
    if lines.sent.min() < state.bucket:
        raise ValueError(f"lines must be sent in bucket {state.bucket} or later. Got {lines.sent.min()} instead.")
    arrives = np.maximum(lines.due + delay(lines), lines.sent)
    arrives = _in_order(state.inbound, lines, arrives)
    inbound = join_shipments([state.inbound, Shipments(lines, arrives)])
    return replace(state, inbound=inbound)


def _in_order(inbound: Shipments, lines: Lines, arrives: I64) -> I64:
    """Return arrivals that overtake neither what their link has on its way nor its lines sent in earlier buckets."""
    n_before = inbound.lines.n_lines
    _, source = np.unique(np.concatenate([inbound.lines.source_id, lines.source_id]), return_inverse=True)
    cell = np.concatenate([inbound.lines.cell, lines.cell])
    sent = np.concatenate([np.full(n_before, np.iinfo(np.int64).min), lines.sent])
    latest = np.concatenate([inbound.arrives, arrives])
    # Lines sent in one bucket do not wait for each other: in the order of their arrival none raises another's.
    order = np.lexsort((latest, sent, source, cell))
    link = np.cumsum(np.append(False, (np.diff(cell[order]) != 0) | (np.diff(source[order]) != 0)))
    # Links are set apart by more than arrivals differ by, so that each has its own running maximum.
    apart = link * (latest.max() - latest.min() + 1)
    found = np.empty_like(latest)
    found[order] = np.maximum.accumulate(latest[order] + apart) - apart
    return found[n_before:]


def _step(state: StockState, demand: F64, rules: SimulationRules) -> tuple[StockState, dict[str, F64], list[Shipments]]:
    """Return the state after one bucket, the units moved in it, and the shipments that arrived."""
    bucket, inbound = state.bucket, state.inbound
    leaving = (inbound.lines.sent == bucket) & (inbound.lines.origin >= 0)
    first, staying = come_in(inbound, (inbound.arrives <= bucket) & ~leaving, bucket, state.on_hand, rules.room)
    came = [first]
    received = _by_cell(first, len(demand))
    on_hand = state.on_hand + received
    owed_served = owed(on_hand, state.backlog)
    on_hand = on_hand - owed_served
    presales, presale_left = _ship_presales(state.presales, bucket, on_hand)
    on_hand = on_hand - presale_left
    sent = np.zeros(len(demand))
    if leaving.any():
        staying, sent = _send(_with_life(staying, state), bucket, on_hand)
        on_hand = on_hand - sent
        # A transfer without lead time serves the bucket in which it leaves.
        inside = state.on_hand + received
        at_once, staying = come_in(staying, staying.arrives <= bucket, bucket, inside, rules.room)
        came.append(at_once)
        more = _by_cell(at_once, len(demand))
        received, on_hand = received + more, on_hand + more
        more_served = owed(on_hand, state.backlog - owed_served)
        owed_served, on_hand = owed_served + more_served, on_hand - more_served
        presales, more_left = _ship_presales(presales, bucket, on_hand)
        presale_left, on_hand = presale_left + more_left, on_hand - more_left
    sold = sales(on_hand, demand)
    short = demand - sold
    closing = on_hand - sold
    helped = np.zeros(len(demand))
    if rules.helpers is not None:
        helped, given = elsewhere(short, closing, rules.helpers)
        # Units from another cell's stock come in and go out within the bucket.
        received, sent, closing = received + helped, sent + given, closing - given
    batches, expired = state.batches, np.zeros(len(demand))
    if batches is not None and rules.life_buckets is not None:
        # What another cell served came in and went out at once, and is nothing of the own stock.
        batches = put_in(batches, join_shipments(came), rules.life_buckets)
        batches, expired = aged(first_expired_out(batches, owed_served + presale_left + sold + sent))
        closing = closing - expired
        staying = aged_at_the_door(staying, bucket, rules.life_buckets)
    lost = np.zeros_like(short) if rules.unmet == "backordered" else short - helped
    backlog = state.backlog - owed_served + short - helped - lost
    moved = {
        "short": short,
        "lost": lost,
        "served": owed_served + sold + helped,
        "received": received,
        "sent": sent,
        "expired": expired,
        "closing": closing,
        "backlog": backlog,
    }
    return StockState(bucket + 1, closing, backlog, staying, batches, presales), moved, came


def _at_doors(came: list[Shipments], after: StockState, n_cells: int) -> dict[str, F64]:
    """Return the bucket's column of every array of `DoorTrace`, given what came in and the state at its end."""
    waiting = after.inbound.arrives < after.bucket
    new = after.inbound.arrives == after.bucket - 1
    return {
        "taken_in": _by_cell(join_shipments(came), n_cells),
        "held_up": _by_cell(after.inbound.take(new), n_cells),
        "waiting": _by_cell(after.inbound.take(waiting), n_cells),
    }


def _ship_presales(presales: PresaleOrders | None, bucket: int, on_hand: F64) -> tuple[PresaleOrders | None, F64]:
    return (None, np.zeros_like(on_hand)) if presales is None else ship(presales, bucket, on_hand)


def _with_life(inbound: Shipments, state: StockState) -> Shipments:
    """Return the shipments with the life left to those that leave now, as old as their origins' oldest units."""
    if state.batches is None:
        return inbound
    leaving = np.flatnonzero((inbound.lines.sent == state.bucket) & (inbound.lines.origin >= 0))
    oldest = oldest_life(state.batches)[inbound.lines.origin[leaving]]
    life = inbound.life.copy()
    on_the_way = inbound.arrives[leaving] - state.bucket
    life[leaving] = np.where(oldest == FRESH, FRESH, np.maximum(oldest - on_the_way, 1))
    return replace(inbound, life=life)


def _by_cell(shipments: Shipments, n_cells: int) -> F64:
    return np.bincount(shipments.lines.cell, weights=shipments.lines.units, minlength=n_cells).astype(np.float64)


def _send(inbound: Shipments, bucket: int, on_hand: F64) -> tuple[Shipments, F64]:
    """Return the shipments with the units that really leave now, and the units that leave each cell.

    Where an origin holds less than its lines ask for, they are served in the order of the lines.
    """
    leaving = np.flatnonzero((inbound.lines.sent == bucket) & (inbound.lines.origin >= 0))
    order = leaving[np.argsort(inbound.lines.origin[leaving], kind="stable")]
    origin, asked = inbound.lines.origin[order], inbound.lines.units[order]
    before = np.cumsum(asked) - asked
    first = np.searchsorted(origin, origin, side="left")
    before = before - before[first]
    left = np.clip(np.minimum(asked, on_hand[origin] - before), 0.0, None)
    units = inbound.lines.units.copy()
    units[order] = left
    sent = np.bincount(origin, weights=left, minlength=len(on_hand)).astype(np.float64)
    return inbound.with_units(units), sent
