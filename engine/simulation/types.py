"""What a simulation works on: lines on their way, the state of stock, and the record of what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from engine.simulation.door import DoorTrace, join_door_traces
from engine.simulation.presales import PresaleOrders, PresaleTrace, join_presale_traces

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]


FRESH = -1
"""Life left of a line whose units are fresh when they arrive."""


@dataclass(frozen=True)
class Lines:
    """Order and transfer lines, one row each; buckets count from the simulation's bucket 0.

    Parameters
    ----------
    line_id, source_id
        Text; ``source_id`` is the supplier, or the giving location of a transfer.
    cell
        Row of the cell that receives.
    origin
        Row of the cell that gives (a transfer), or -1 (a purchase).
    units
        Units, finite, >= 0. Of a transfer that found less stock at its origin, the units that left.
    unit_cost
        Money per unit bought or moved.
    sent
        Bucket in which the line is ordered or leaves its origin.
    due
        First bucket that the line serves if it is on time; not before ``sent``.
    promise
        The service that the plan expects of the line's cycle, in [0, 1]; NaN where it states none.
    """

    line_id: Texts
    cell: I64
    origin: I64
    source_id: Texts
    units: F64
    unit_cost: F64
    sent: I64
    due: I64
    promise: F64

    def __post_init__(self) -> None:
        n = len(self.line_id)
        for item in fields(self):
            array = getattr(self, item.name)
            if array.shape != (n,):
                raise ValueError(f"{item.name} must have shape {(n,)}. Got {array.shape} instead.")
            object.__setattr__(self, item.name, _read_only(array))
        if n and not (np.isfinite(self.units).all() and self.units.min() >= 0):
            raise ValueError("units must be finite and >= 0. Got NaN, infinite or negative units instead.")
        if (self.due < self.sent).any():
            raise ValueError("due must be >= sent. Got lines due before they are sent instead.")

    @property
    def n_lines(self) -> int:
        return len(self.line_id)

    def take(self, rows: npt.NDArray[np.bool_] | I64) -> Lines:
        """Return the given lines, in the given order."""
        return Lines(*(getattr(self, item.name)[rows] for item in fields(self)))


def no_lines() -> Lines:
    """Return lines without a row."""
    whole, real, text = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, object)
    return Lines(text, whole, whole, text, real, real, whole, whole, real)


def join_lines(parts: Sequence[Lines]) -> Lines:
    """Return the lines of all parts, one behind the other."""
    if not parts:
        return no_lines()
    return Lines(*(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Lines)))


@dataclass(frozen=True)
class Shipments:
    """Lines with the bucket in which they really arrive: first served bucket, shape (n_lines,).

    ``life`` is the number of buckets in which their units may be sold on arrival, where units expire; `FRESH` for
    purchases and for transfers that have not left, which is what it is where it is not given. ``waited`` is the number
    of buckets for which they stood at the door of their site before they came in, 0 where it is not given: ``arrives``
    is the bucket in which lines came in, and of those that have not, the one in which they come to the door.
    """

    lines: Lines
    arrives: I64
    life: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    waited: I64 = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        for name, usual in (("life", FRESH), ("waited", 0)):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.full(self.lines.n_lines, usual))
            if getattr(self, name).shape != self.arrives.shape:
                raise ValueError(
                    f"{name} must have shape {self.arrives.shape}. Got {getattr(self, name).shape} instead."
                )
        if self.arrives.shape != (self.lines.n_lines,):
            raise ValueError(f"arrives must have shape {(self.lines.n_lines,)}. Got {self.arrives.shape} instead.")
        if (self.arrives < self.lines.sent).any():
            raise ValueError("arrives must be >= sent. Got lines that arrive before they are sent instead.")
        object.__setattr__(self, "arrives", _read_only(self.arrives))

    def take(self, rows: npt.NDArray[np.bool_] | I64) -> Shipments:
        """Return the given shipments, in the given order."""
        return Shipments(self.lines.take(rows), self.arrives[rows], self.life[rows], self.waited[rows])

    def with_units(self, units: F64) -> Shipments:
        """Return the shipments with other units."""
        return replace(self, lines=replace(self.lines, units=units))


def no_shipments() -> Shipments:
    """Return shipments without a row."""
    return Shipments(no_lines(), np.zeros(0, np.int64))


def join_shipments(parts: Sequence[Shipments]) -> Shipments:
    """Return the shipments of all parts, one behind the other."""
    if not parts:
        return no_shipments()
    names = ("arrives", "life", "waited")
    return Shipments(
        join_lines([part.lines for part in parts]),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in names),
    )


@dataclass(frozen=True)
class StockState:
    """Stock at the start of a bucket, before its receipts; all a simulation needs to go on.

    Parameters
    ----------
    bucket
        The next bucket to be simulated.
    on_hand, backlog
        Shape (n_cells,), units >= 0: in stock, and owed to customers.
    inbound
        Lines that have not come in; those with ``sent`` >= ``bucket`` have not left yet either, those with ``arrives``
        < ``bucket`` stand at the door of their site.
    batches
        Of ``on_hand``, what expires, by the buckets in which it may still be sold (`engine.simulation.shelf`); None:
        not told, and taken as fresh where units expire.
    presales
        Presale orders, those to come included; None: there are none.
    """

    bucket: int
    on_hand: F64
    backlog: F64
    inbound: Shipments
    batches: F64 | None = None
    presales: PresaleOrders | None = None

    def __post_init__(self) -> None:
        n = len(self.on_hand)
        for name in ("on_hand", "backlog"):
            array = getattr(self, name)
            if array.shape != (n,):
                raise ValueError(f"{name} must have shape {(n,)}. Got {array.shape} instead.")
            if n and not (np.isfinite(array).all() and array.min() >= 0):
                raise ValueError(f"{name} must be finite and >= 0. Got NaN, infinite or negative units instead.")
            object.__setattr__(self, name, _read_only(array))
        for name, lowest in (("cell", 0), ("origin", -1)):
            cells = getattr(self.inbound.lines, name)
            if len(cells) and not (cells.min() >= lowest and cells.max() < n):
                raise ValueError(f"{name} of inbound lines must lie in [{lowest}, {n}). Got others instead.")
        cells = np.zeros(0, np.int64) if self.presales is None else self.presales.cell
        if len(cells) and not (cells.min() >= 0 and cells.max() < n):
            raise ValueError(f"cell of presales must lie in [0, {n}). Got others instead.")


@dataclass(frozen=True)
class Trace:
    """What happened in each bucket; every array has shape (n_cells, n_buckets), units.

    In every cell and bucket: opening + received - served - sent - expired = closing, less what left for presales, and
    backlog before + demand - lost - served = backlog after. Units of presales stand in ``presale`` alone, but for
    ``received``, ``sent``, ``expired`` and ``closing``, which are of all stock.

    Parameters
    ----------
    start
        The bucket of the first column.
    opening
        Stock before the first bucket's receipts, shape (n_cells,).
    demand
        Units asked for in the bucket.
    short
        Units of the bucket's own demand that found no stock in it.
    lost
        Those of them that will never be served.
    served
        Units that left for customers, those owed from earlier included.
    received, sent
        Units that came in, and units that left for another cell.
    expired
        Units that could no longer be sold at the end of the bucket and were thrown away.
    closing, backlog
        Stock and units owed at the end of the bucket.
    presale
        What became of presale orders; None where the state holds none.
    door
        What happened at the doors of sites; None where all hold anything.
    """

    start: int
    opening: F64
    demand: F64
    short: F64
    lost: F64
    served: F64
    received: F64
    sent: F64
    expired: F64
    closing: F64
    backlog: F64
    presale: PresaleTrace | None = None
    door: DoorTrace | None = None

    def __post_init__(self) -> None:
        shape = self.demand.shape
        if len(shape) != 2 or self.opening.shape != shape[:1]:
            raise ValueError(f"opening must have shape {shape[:1]}. Got {self.opening.shape} instead.")
        for name in TRACED:
            array = getattr(self, name)
            if array.shape != shape:
                raise ValueError(f"{name} must have shape {shape}. Got {array.shape} instead.")
            object.__setattr__(self, name, _read_only(array))
        object.__setattr__(self, "opening", _read_only(self.opening))

    @property
    def n_buckets(self) -> int:
        return int(self.demand.shape[1])

    @property
    def end(self) -> int:
        """The bucket after the last."""
        return self.start + self.n_buckets


TRACED = tuple(item.name for item in fields(Trace) if item.name not in ("start", "opening", "presale", "door"))
"""The arrays of a trace with a column a bucket."""


def join_traces(parts: Sequence[Trace]) -> Trace:
    """Return one trace of parts that follow each other.

    Raises
    ------
    ValueError
        If there is no part, or one does not begin where the one before it ends.
    """
    if not parts:
        raise ValueError("parts must hold at least one trace. Got none instead.")
    for before, after in pairwise(parts):
        if after.start != before.end:
            raise ValueError(f"a trace must start in bucket {before.end}. Got {after.start} instead.")
    joined = {name: np.concatenate([getattr(part, name) for part in parts], axis=1) for name in TRACED}
    presale = join_presale_traces([part.presale for part in parts])
    door = join_door_traces([part.door for part in parts])
    return Trace(start=parts[0].start, opening=parts[0].opening, presale=presale, door=door, **joined)


def _read_only(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    view = array.view()
    view.flags.writeable = False
    return view
