"""What comes in of the lines that have come to their site: all of it, or what its room takes, in the order of a queue.

First come, first served; of one bucket in the order of the cells, and of one cell by the bucket in which a line was
sent and its id.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.simulation.door import Bools, Room
from engine.simulation.types import F64, FRESH, I64, Shipments, join_shipments


def come_in(
    inbound: Shipments, there: Bools, bucket: int, on_hand: F64, room: Room | None
) -> tuple[Shipments, Shipments]:
    """Return the lines that come in, and those that stay on their way or at the door.

    A line of which a part comes in is in both, with its units shared. What comes in says in `Shipments.waited` how
    long it stood at the door, and arrives now.

    Parameters
    ----------
    there
        Which of the lines have come to their site.
    bucket, on_hand
        The bucket, and the units of every cell that take up room in it, shape (n_cells,).
    """
    if room is None:
        fits = there
    else:
        taken = _taken(inbound, np.flatnonzero(there), on_hand, room)
        fits = there & (taken >= inbound.lines.units)
        parts = np.flatnonzero((taken > 0) & ~fits)
        if len(parts):
            rest = inbound.lines.units.copy()
            rest[parts] -= taken[parts]
            came = join_shipments([inbound.take(fits), inbound.take(parts).with_units(taken[parts])])
            return _now(came, bucket), inbound.with_units(rest).take(~fits)
    return _now(inbound.take(fits), bucket), inbound.take(~fits)


def aged_at_the_door(inbound: Shipments, bucket: int, life_buckets: I64) -> Shipments:
    """Return the lines with the life of those at the door at the end of a bucket one shorter; one bucket is left."""
    at_door = inbound.arrives <= bucket
    if not at_door.any():
        return inbound
    own = life_buckets[inbound.lines.cell]
    life = np.where(inbound.life == FRESH, own, np.minimum(inbound.life, own))
    return replace(inbound, life=np.where(at_door & (own > 0), np.maximum(life - 1, 1), inbound.life))


def _taken(inbound: Shipments, rows: I64, on_hand: F64, room: Room) -> F64:
    """Return the units of every line that come in, 0 of those not among ``rows``."""
    lines, taken = inbound.lines, np.zeros(inbound.lines.n_lines)
    taken[rows] = room.fitting(on_hand, lines.cell[rows], lines.units[rows])
    if (taken[rows] < lines.units[rows]).any():
        # The order matters to a site that is short of room alone.
        name = np.unique(lines.line_id[rows].astype(str), return_inverse=True)[1]
        queue = rows[np.lexsort((name, lines.sent[rows], lines.cell[rows], inbound.arrives[rows]))]
        taken[queue] = room.fitting(on_hand, lines.cell[queue], lines.units[queue])
    return taken


def _now(came: Shipments, bucket: int) -> Shipments:
    """Return what came in with the buckets that it stood at the door."""
    waited = bucket - came.arrives
    if not waited.any():
        return came
    return replace(came, arrives=np.full(len(waited), bucket), waited=waited)
