"""Presale orders: owed from their first bucket of shipping on, before ordinary demand; what finds no stock waits.

They are never lost and never served from another cell. What is cancelled falls away at the start of a bucket.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

NEVER = np.iinfo(np.int64).max
"""Bucket in which an order is cancelled that is not."""


@dataclass(frozen=True)
class PresaleOrders:
    """Order lines of presales; a cell serves those due first before others, then in the order of the rows.

    Parameters
    ----------
    cell
        Row of the cell that serves the line, shape (n_lines,), as all arrays.
    units
        Units ordered, finite, >= 0.
    due
        First bucket in which the line is to leave.
    gone
        Bucket at whose start what has not left is cancelled, `NEVER` for none.
    shipped
        Units that have left, in [0, ``units``].
    """

    cell: I64
    units: F64
    due: I64
    gone: I64
    shipped: F64

    def __post_init__(self) -> None:
        for item in fields(self):
            array = getattr(self, item.name)
            if array.shape != (len(self.cell),):
                raise ValueError(f"{item.name} must have shape {(len(self.cell),)}. Got {array.shape} instead.")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, item.name, view)
        if not (np.isfinite(self.units).all() and ((self.shipped >= 0) & (self.shipped <= self.units)).all()):
            raise ValueError("units must be finite and shipped in [0, units]. Got others instead.")

    def owed(self, bucket: int) -> F64:
        """Return the units of each line that are to leave in a bucket: due by then, not cancelled, not shipped."""
        return np.where((self.due <= bucket) & (self.gone > bucket), self.units - self.shipped, 0.0)

    def ahead(self, bucket: int, shape: tuple[int, int]) -> F64:
        """Return what is still to leave by cell and bucket, from ``bucket`` on; what is owed already in the first."""
        due = np.maximum(self.due, bucket)
        rows = (self.gone > due) & (due < bucket + shape[1])
        units = np.zeros(shape)
        np.add.at(units, (self.cell[rows], due[rows] - bucket), (self.units - self.shipped)[rows])
        return units


@dataclass(frozen=True)
class PresaleTrace:
    """What became of presale orders; arrays of shape (n_cells, n_buckets), units.

    In every cell and bucket: waiting before + asked - served - cancelled = waiting after.

    Parameters
    ----------
    asked
        Units that were to leave from this bucket on.
    on_time
        Those of them that left in it.
    served
        All that left, those that had waited included.
    cancelled
        Units that had waited and were cancelled.
    waiting
        Units owed at the end of the bucket.
    """

    asked: F64
    on_time: F64
    served: F64
    cancelled: F64
    waiting: F64

    def columns(self, start: int) -> PresaleTrace:
        """Return the buckets from the ``start``-th on."""
        return PresaleTrace(*(getattr(self, item.name)[:, start:] for item in fields(self)))


RECORDED = tuple(item.name for item in fields(PresaleTrace))


def ship(orders: PresaleOrders, bucket: int, on_hand: F64) -> tuple[PresaleOrders, F64]:
    """Return the orders with what stock serves of them in a bucket, and the units that leave each cell."""
    owed = orders.owed(bucket)
    rows = np.flatnonzero(owed > 0)
    if not len(rows):
        return orders, np.zeros_like(on_hand)
    order = rows[np.lexsort((orders.due[rows], orders.cell[rows]))]
    cell, asked = orders.cell[order], owed[order]
    before = np.cumsum(asked) - asked
    before = before - before[np.searchsorted(cell, cell, side="left")]
    left = np.clip(np.minimum(asked, on_hand[cell] - before), 0.0, None)
    shipped = orders.shipped.copy()
    shipped[order] = np.minimum(shipped[order] + left, orders.units[order])
    return replace(orders, shipped=shipped), _by_cell(cell, left, len(on_hand))


def told(before: PresaleOrders, after: PresaleOrders, bucket: int, n_cells: int) -> dict[str, F64]:
    """Return the bucket's column of every array of `PresaleTrace`, given the orders at its start and at its end."""
    open_yet = (before.due <= bucket) & (before.gone >= bucket) & (before.shipped < before.units)
    rows = np.flatnonzero(open_yet)
    due, gone = before.due[rows], before.gone[rows]
    begins, rest, left = due == bucket, (before.units - before.shipped)[rows], (after.shipped - before.shipped)[rows]
    by_line = {
        "asked": np.where(begins & (gone > bucket), rest, 0.0),
        "on_time": np.where(begins, left, 0.0),
        "served": left,
        "cancelled": np.where(~begins & (gone == bucket), rest, 0.0),
        "waiting": np.where(gone > bucket, rest - left, 0.0),
    }
    return {name: _by_cell(before.cell[rows], units, n_cells) for name, units in by_line.items()}


def _by_cell(cell: I64, units: F64, n_cells: int) -> F64:
    return np.bincount(cell, weights=units, minlength=n_cells).astype(np.float64)


def join_presale_traces(parts: list[PresaleTrace | None]) -> PresaleTrace | None:
    """Return one trace of parts that follow each other, None where none has presales."""
    known = [part for part in parts if part is not None]
    if len(known) not in (0, len(parts)):
        raise ValueError("all traces must tell of presales, or none. Got some of each.")
    if not known:
        return None
    return PresaleTrace(*(np.concatenate([getattr(part, name) for part in known], axis=1) for name in RECORDED))
