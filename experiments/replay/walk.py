"""The walk: decide, place, let some days pass, look at what became of it, and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.demand.calendar import Calendar
from engine.forecast.streams import Streams
from engine.policy.lead_times import lead_time_days
from engine.policy.types import F32, F64, I64, Days, Texts
from engine.simulation import (
    Lines,
    Outcome,
    Shipments,
    SimulationRules,
    StockState,
    Trace,
    join_shipments,
    join_traces,
    no_lines,
    simulate,
)
from engine.simulation.bucket import Unmet
from experiments.replay.view import OrderLines, Policy, View, came_on
from experiments.replay.ways import on_time
from experiments.replay.withheld import known_on
from experiments.replay.world import World

HALF = 0.5
"""Share of a bucket on sale that a shop records which sold and then ran out (rule D1); 0 where it sold nothing."""

_BOOK = ("order_date", "available_date", "received_on")


@dataclass(frozen=True)
class Pace:
    """How a walk goes: buckets between decisions, what becomes of unmet demand, and the seed of late deliveries."""

    every: int
    unmet: Unmet
    seed: int


@dataclass(frozen=True)
class Walked:
    """What a walk left: the trace, all lines placed with their dates, and the state at the end.

    ``lines`` has one row a line placed in the walk: line_id, cell, origin, source_id, asked and units (that really
    left), unit_cost, order_date, available_date (as the policy expects), sent and arrives (buckets), promise.
    """

    trace: Trace
    lines: pd.DataFrame
    arrived: Shipments
    last: View


@dataclass(frozen=True)
class Opening:
    """The state that a walk opens with, and the dates of its lines by id, as in `View.book`."""

    state: StockState
    book: pd.DataFrame


def opening_of(state: StockState, book: pd.DataFrame | None = None) -> Opening:
    """Return an opening; without a book the state must have nothing on its way."""
    empty = pd.DataFrame({name: np.zeros(0, "datetime64[ns]") for name in _BOOK}, index=pd.Index([], dtype=object))
    return Opening(state, empty if book is None else book)


def view_at_start(world: World, opening: Opening, every: int) -> View:
    """Return what is known before the first decision."""
    return _view(world, _Record.of(world), opening.state, opening.book, _no_arrivals(), (every, 0))


def walk(
    world: World, policy: Policy, opening: Opening, pace: Pace, told: Callable[[int, int], None] = lambda *_: None
) -> Walked:
    """Return what becomes of ``opening`` under ``policy``, from the world's first bucket to its end.

    At each step the policy decides at the start of a bucket; lines dated before the next step are placed. A policy sees
    its own record: it never sold more than its stock served, nor more than the shop did, and where its own shelf was
    empty at the end of a bucket it was on sale for a part of it only. So none learns from demand that is made up.

    Parameters
    ----------
    told
        Told of steps done, and of how many there are.

    Raises
    ------
    ValueError
        If the policy places lines outside its step.
    """
    record, state, book = _Record.of(world), opening.state, opening.book
    outcomes: list[Outcome] = []
    placed: list[pd.DataFrame] = []
    arrived = _no_arrivals()
    steps = range(world.first, world.end, pace.every)
    for step, today in enumerate(steps):
        view = _view(world, record, state, book, arrived, (pace.every, step))
        lines = policy.decide(view)
        lines = lines.take(lines.units > 0)
        now, late, book_rows = placed_lines(world, lines, pace.seed)
        if lines.n_lines and (now.sent.min() < today or now.sent.max() >= view.until):
            raise ValueError(f"lines must be placed in buckets [{today}, {view.until}). Got others instead.")
        columns = slice(today - world.first, view.until - world.first)
        outcome = simulate(state, world.demand[:, columns], _once(now, today), _rules(world, pace, late))
        record.add(world, outcome, pace.unmet)
        book = pd.concat([book, book_rows]) if len(book_rows) else book
        arrived = pd.concat([arrived, _arrivals(world, outcome.arrived, book)], ignore_index=True)
        placed.append(_lines_frame(lines, now))
        outcomes.append(outcome)
        state = outcome.state
        told(step + 1, len(steps))
    last = _view(world, record, state, book, arrived, (pace.every, len(steps)))
    came = join_shipments([outcome.arrived for outcome in outcomes])
    trace = join_traces([outcome.trace for outcome in outcomes])
    return Walked(trace, _settled(pd.concat(placed, ignore_index=True), came, state), came, last)


@dataclass(frozen=True)
class _Record:
    """What a policy has on record, shape (n_cells, world.end); buckets are filled in as they pass, NaN until then."""

    units: F32
    available: F32

    @classmethod
    def of(cls, world: World) -> _Record:
        buffers = [np.full((world.n_cells, world.end), np.nan, np.float32) for _ in range(2)]
        for buffer, recorded in zip(buffers, (world.units, world.available), strict=True):
            buffer[:, : world.first] = recorded[:, : world.first]
        return cls(*buffers)

    def add(self, world: World, outcome: Outcome, unmet: Unmet) -> None:
        """Write down what was sold in the buckets of an outcome, and for which part of them it was on sale."""
        trace = outcome.trace
        columns = slice(trace.start, trace.end)
        if unmet == "backordered":
            # What is owed was ordered all the same, and stands in the sales of its day.
            sold, own = trace.demand, np.ones_like(trace.demand)
        else:
            sold = trace.demand - (trace.short if unmet == "lost" else trace.lost)
            out = trace.closing <= 0 if unmet == "lost" else trace.lost > 0
            own = np.where(out, np.where(sold > 0, HALF, 0.0), 1.0)
        self.units[:, columns] = np.minimum(world.units[:, columns], sold)
        self.available[:, columns] = np.minimum(world.available[:, columns], own)


def _view(
    world: World, record: _Record, state: StockState, book: pd.DataFrame, arrived: pd.DataFrame, pace: tuple[int, int]
) -> View:
    today = state.bucket
    day = world.date_of(today)
    known, owed = (world.seen_from < today) & world.network.demanded, np.zeros(world.n_cells)
    if world.presales is not None and state.presales is not None:
        known = known | world.presales.cells(day, world.n_cells)
        owed = world.presales.owed(state.presales, (today, day), world.n_cells)
    early = world.receipts["received_on"] < world.date_of(world.first)
    return View(
        calendar=Calendar(world.calendar.bucket, day, today, 0),
        until=min(today + pace[0], world.end),
        step=pace[1],
        units=_past(record.units, today),
        available=_past(record.available, today),
        price=_past(world.price, today),
        since=np.minimum(world.seen_from, today),
        known=known,
        presales_owed=owed,
        state=state,
        book=book,
        arrived=arrived,
        tables=known_on(world.tables, day, world.announced),
        receipts=world.receipts[early],
    )


def placed_lines(world: World, lines: OrderLines, seed: int) -> tuple[Lines, I64, pd.DataFrame]:
    """Return lines in buckets, by how many each comes late, and their dates."""
    sent = world.bucket_of(lines.order_date)
    due = np.maximum(world.arrival_bucket(lines.available_date), sent)
    received = np.where(np.isnat(lines.received_on), received_on(world, lines, seed), lines.received_on)
    late = world.arrival_bucket(received) - due
    dates = (lines.order_date, lines.available_date, received)
    columns = {name: date.astype("datetime64[ns]") for name, date in zip(_BOOK, dates, strict=True)}
    book = pd.DataFrame(columns, index=pd.Index(lines.line_id, dtype=object))
    now = Lines(
        lines.line_id, lines.cell, lines.origin, lines.source_id, lines.units, lines.unit_cost, sent, due, lines.promise
    )
    return now, late, book


def received_on(world: World, lines: OrderLines, seed: int) -> Days:
    """Return the day on which each line comes: by the world's links, one draw a link and order date for all policies.

    What a policy expects does not move it. Only a line that was ordered before the replay, or over a link that the
    world does not have, comes when it says.
    """
    due, sd_days = on_time(world.ways, lines.source_id, lines.cell, lines.order_date)
    received: Days = np.where(np.isnat(due), lines.available_date, due)
    streams = Streams(seed)
    places = world.network.cells.location_id[lines.cell]
    mean = (received - lines.order_date).astype(np.int64)
    drawn: dict[tuple[object, ...], int] = {}
    for row in np.flatnonzero((sd_days > 0) & (mean > 0)):
        link, day = f"{lines.source_id[row]} to {places[row]}", lines.order_date[row]
        key = (link, day, mean[row], sd_days[row])
        if key not in drawn:
            share = streams.common(f"replay lead time {link}", day).random(1)
            drawn[key] = int(lead_time_days(share, float(mean[row]), float(sd_days[row]))[0])
        received[row] = day + np.timedelta64(drawn[key], "D")
    return received


def _rules(world: World, pace: Pace, late: I64) -> SimulationRules:
    helpers = world.helpers if pace.unmet == "served_elsewhere" else None
    room = None if world.room is None else world.room.room
    return SimulationRules(1, pace.unmet, lambda _: late, helpers, world.life_buckets, room)


def _once(lines: Lines, bucket: int) -> Callable[[StockState], Lines]:
    return lambda state: lines if state.bucket == bucket else no_lines()


def _past(recorded: F32, today: int) -> F32:
    """Return the buckets before today, read only: it is no copy."""
    past = recorded[:, :today]
    past.flags.writeable = False
    return past


def _no_arrivals() -> pd.DataFrame:
    days = np.zeros(0, "datetime64[ns]")
    return _arrival_frame(np.zeros(0, object), np.zeros(0, np.int64), np.zeros(0, object), (days, days), np.zeros(0))


def _arrival_frame(line_id: Texts, cell: I64, source_id: Texts, dates: tuple[Days, Days], units: F64) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "line_id": line_id,
            "cell": cell,
            "source_id": source_id,
            "order_date": dates[0].astype("datetime64[ns]"),
            "received_on": dates[1].astype("datetime64[ns]"),
            "units": units,
        }
    )


def _arrivals(world: World, came: Shipments, book: pd.DataFrame) -> pd.DataFrame:
    """Return the lines that came in, by the days on which they came to their site."""
    lines = came.lines
    dates = book.reindex(pd.Index(lines.line_id, dtype=object))
    received = came_on(world, dates["received_on"].to_numpy(), came.arrives - came.waited)
    return _arrival_frame(
        lines.line_id, lines.cell, lines.source_id, (dates["order_date"].to_numpy(), received), lines.units
    )


def _lines_frame(lines: OrderLines, now: Lines) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "line_id": lines.line_id,
            "cell": lines.cell.astype(np.int64),
            "origin": lines.origin.astype(np.int64),
            "source_id": lines.source_id,
            "units": lines.units.astype(np.float64),
            "unit_cost": lines.unit_cost.astype(np.float64),
            "order_date": lines.order_date.astype("datetime64[ns]"),
            "available_date": lines.available_date.astype("datetime64[ns]"),
            "sent": now.sent.astype(np.int64),
            "promise": lines.promise.astype(np.float64),
        }
    )


def _settled(lines: pd.DataFrame, came: Shipments, state: StockState) -> pd.DataFrame:
    """Return the lines with the units that really left and the bucket in which they arrive.

    One that came in in parts arrives with its last; while one stands at the door that is not known (inf).
    """
    everything = join_shipments([came, state.inbound])
    at_door = np.append(np.zeros(came.lines.n_lines, bool), state.inbound.arrives < state.bucket)
    index = pd.Index(everything.lines.line_id, dtype=object)
    arrives = np.where(at_door, np.inf, everything.arrives) if at_door.any() else everything.arrives
    facts = pd.DataFrame({"units": everything.lines.units, "arrives": arrives}, index=index)
    if not index.is_unique:
        facts = facts.groupby(level=0, sort=False).agg({"units": "sum", "arrives": "max"})
    own = facts.reindex(pd.Index(lines["line_id"], dtype=object))
    return lines.assign(asked=lines["units"], units=own["units"].to_numpy(), arrives=own["arrives"].to_numpy())
