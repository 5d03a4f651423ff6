"""Shelf life: stock by the buckets in which it may still be sold, of which the first to expire leaves first.

``batches`` has shape (n_cells, k): column j is what may be sold in this bucket and j more. A fresh unit that serves
from bucket t on with a life of L buckets expires at the end of bucket t + L - 1. Cells with a life of 0 hold what does
not expire: their rows stay empty.
"""

from __future__ import annotations

import numpy as np

from engine.simulation.types import F64, FRESH, I64, Shipments


def fresh_batches(on_hand: F64, life_buckets: I64) -> F64:
    """Return stock of which every unit has its whole life before it."""
    batches = np.zeros((len(on_hand), int(life_buckets.max(initial=0))))
    expires = np.flatnonzero(life_buckets > 0)
    batches[expires, life_buckets[expires] - 1] = on_hand[expires]
    return batches


def put_in(batches: F64, came: Shipments, life_buckets: I64) -> F64:
    """Return the batches with what came in: purchases fresh, moved units with the life that they have left."""
    lines = came.lines
    own = life_buckets[lines.cell]
    left = np.where(came.life == FRESH, own, np.minimum(came.life, own))
    expires = own > 0
    fuller = batches.copy()
    np.add.at(fuller, (lines.cell[expires], left[expires] - 1), lines.units[expires])
    return fuller


def first_expired_out(batches: F64, units: F64) -> F64:
    """Return what stays when so many units leave each cell, shape (n_cells,), those that expire first before others."""
    before = np.cumsum(batches, axis=1) - batches
    stays: F64 = batches - np.clip(units[:, None] - before, 0.0, batches)
    return stays


def aged(batches: F64) -> tuple[F64, F64]:
    """Return the batches of the next bucket, and what expired at the end of this one, shape (n_cells,)."""
    if not batches.shape[1]:
        return batches, np.zeros(len(batches))
    return np.concatenate([batches[:, 1:], np.zeros((len(batches), 1))], axis=1), batches[:, 0]


def oldest_life(batches: F64) -> I64:
    """Return the buckets, this one included, in which each cell's oldest unit may be sold; `FRESH` without any."""
    held = batches > 0
    if not held.shape[1]:
        return np.full(len(batches), FRESH)
    return np.where(held.any(axis=1), held.argmax(axis=1) + 1, FRESH)
