"""Steps up the lower convex hull of stock value against unmet demand, for many cells at once.

A point above the chord of two others is never bought at any price on unmet demand, so the hull holds all that a price
can choose (Lagrange; Everett 1963, Operations Research 11).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from engine.policy.types import F64, I64, Bools

_NOTHING = 1e-12
_CHORD = 1e-9


@dataclass(frozen=True)
class Steps:
    """Steps of cells, sorted by cell, each cell's in the order in which they are taken; arrays (k,).

    Parameters
    ----------
    row
        The cell.
    value, saved
        Stock value that the step adds, and weighted units a day that are no longer short, > 0.
    price
        ``value / saved``; never falls from one step of a cell to the next.
    fill
        Fill rate of the cell after the step.
    """

    row: I64
    value: F64
    saved: F64
    price: F64
    fill: F64

    @property
    def n_steps(self) -> int:
        return len(self.row)

    def take(self, rows: I64 | Bools) -> Steps:
        """Return the given steps, in the given order."""
        return Steps(*(getattr(self, f.name)[rows] for f in fields(self)))


def join_steps(parts: list[Steps]) -> Steps:
    """Return the steps of all parts, one behind the other."""
    columns: dict[str, Any] = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Steps)}
    return Steps(**columns)


def hull_steps(value: F64, short: F64, fill: F64, usable: Bools) -> Steps:
    """Return the hull's steps from the first usable point of every row to its last.

    Parameters
    ----------
    value, short
        Stock value (money) and weighted units a day short at each point, shape (r, k): the one never falls along a
        row, the other never rises.
    fill
        Fill rate at each point.
    usable
        Points that may be chosen.
    """
    row, column = np.nonzero(usable)
    kept = np.flatnonzero(_falls(short[row, column], row))
    row, column = row[kept], column[kept]
    while True:
        starts = np.flatnonzero(row[1:] == row[:-1])
        steps = _between(row, column, starts, (value, short, fill))
        # A point whose way in costs more than its way out lies above the chord of its neighbours. Points on a chord
        # stay: they are the finer steps at the same price.
        follows = steps.row[1:] == steps.row[:-1]
        above = np.flatnonzero(follows & (steps.price[:-1] > steps.price[1:] * (1 + _CHORD)))
        if not len(above):
            return replace(steps, price=_rising(steps))
        left = np.ones(len(row), dtype=bool)
        left[starts[above] + 1] = False
        row, column = row[left], column[left]


def _falls(short: F64, row: I64) -> Bools:
    """Return the first point of every row and those that are less short than all before them."""
    falls = np.ones(len(row), dtype=bool)
    # Along a row shortage never rises, but for rounding.
    same = row[1:] == row[:-1]
    falls[1:] = ~same | (short[:-1] - short[1:] > _NOTHING * np.maximum(1.0, short[:-1]))
    return falls


def _between(row: I64, column: I64, starts: I64, points: tuple[F64, F64, F64]) -> Steps:
    value, short, fill = points
    at, low, high = row[starts], column[starts], column[starts + 1]
    added = np.maximum(value[at, high] - value[at, low], 0.0)
    saved = short[at, low] - short[at, high]
    return Steps(at, added, saved, added / saved, fill[at, high])


def _rising(steps: Steps) -> F64:
    """Return the prices without the falls that are rounding."""
    if not steps.n_steps:
        return steps.price
    rows, first, number = np.unique(steps.row, return_index=True, return_inverse=True)
    place = np.arange(steps.n_steps) - first[number]
    wide = np.full((len(rows), int(place.max()) + 1), -np.inf)
    wide[number, place] = steps.price
    return np.asarray(np.maximum.accumulate(wide, axis=1)[number, place])
