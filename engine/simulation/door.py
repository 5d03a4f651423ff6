"""The room of sites: what does not fit beside the stock of a bucket waits at the door, in a queue.

The room of a bucket is what a site's stock leaves of its capacity as the bucket opens, before anything leaves: so a
site is never fuller than it holds but where it was so from the first. The queue of a site does not change its order:
the first line that does not fit comes in as far as it fits, and what stands behind it waits. Only units that the empty
site could not hold let others pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_SLACK = 1e-9
"""Share of a unit, and of a site, by which sums of volumes may err."""


@dataclass(frozen=True)
class Room:
    """How much sites hold.

    Parameters
    ----------
    capacity
        Volume that each site holds, >= 0, shape (n_sites,).
    site
        Row of each cell's site, -1 where it holds anything, shape (n_cells,).
    volume
        Of a unit of each cell, >= 0, in the measure of ``capacity``, shape (n_cells,); 0 takes no room and never waits.
    whole
        Which cells come in whole units only, shape (n_cells,).
    """

    capacity: F64
    site: I64
    volume: F64
    whole: Bools

    def __post_init__(self) -> None:
        for name in ("volume", "whole"):
            if getattr(self, name).shape != self.site.shape:
                raise ValueError(f"{name} must have shape {self.site.shape}. Got {getattr(self, name).shape} instead.")
        for name in ("capacity", "volume"):
            if not (getattr(self, name) >= 0).all():
                raise ValueError(f"{name} must be >= 0. Got negative or missing values instead.")
        if len(self.site) and not (self.site.min() >= -1 and self.site.max() < len(self.capacity)):
            raise ValueError(f"site must lie in [-1, {len(self.capacity)}). Got others instead.")

    def stacked(self, n_replications: int) -> Room:
        """Return the room of cells stacked once for each replication, each with sites of its own."""
        number = np.repeat(np.arange(n_replications), len(self.site)) * len(self.capacity)
        site = np.tile(self.site, n_replications)
        return Room(
            np.tile(self.capacity, n_replications),
            np.where(site >= 0, site + number, -1),
            np.tile(self.volume, n_replications),
            np.tile(self.whole, n_replications),
        )

    def used(self, units: F64) -> F64:
        """Return the volume of units of every cell at each site, shape (n_sites,) and any further axis of ``units``."""
        volume = np.zeros((len(self.capacity), *units.shape[1:]))
        inside = np.flatnonzero(self.site >= 0)
        of_unit = self.volume[inside].reshape(-1, *[1] * (units.ndim - 1))
        np.add.at(volume, self.site[inside], of_unit * units[inside])
        return volume

    def fitting(self, on_hand: F64, cell: I64, units: F64) -> F64:
        """Return how many units of each line of a queue come in, shape of ``units``.

        Parameters
        ----------
        on_hand
            Units of every cell that take up room already, shape (n_cells,).
        cell, units
            Lines in the order of the queue, sites mixed.
        """
        site, volume = self.site[cell], self.volume[cell]
        held = (site >= 0) & (volume > 0)
        if not held.any():
            return units
        slack = _SLACK * np.maximum(1.0, self.capacity)
        outsized = held & (volume > (self.capacity + slack)[site])
        queue = np.flatnonzero(held & ~outsized)
        left = np.maximum(self.capacity - self.used(on_hand), 0.0)
        asked = np.bincount(site[queue], weights=(volume * units)[queue], minlength=len(left))
        tight = asked > left + slack
        fits = np.where(outsized, 0.0, units)
        queue = queue[tight[site[queue]]]
        queue = queue[np.argsort(site[queue], kind="stable")]
        at, needs = site[queue], (volume * units)[queue]
        before = np.cumsum(needs) - needs
        before = before - before[np.searchsorted(at, at, side="left")]
        most = np.maximum((left[at] - before) / volume[queue], 0.0)
        most = np.where(self.whole[cell[queue]], np.floor(most + _SLACK), most)
        fits[queue] = np.where(most >= units[queue] - _SLACK, units[queue], most)
        return fits


class DoorQueue:
    """Queues at the doors of sites, bucket by bucket: what came first comes in first, of one bucket by cell."""

    def __init__(self, room: Room) -> None:
        self._room = room
        # A row for what came of a cell in one bucket and has not come in, in the order of the queue.
        self._cell, self._came, self._units = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)

    def taken_in(self, bucket: int, on_hand: F64, came: F64) -> tuple[F64, tuple[I64, I64, F64]]:
        """Return the units of each cell that come in, and those that had waited: cell, buckets, units."""
        new = np.flatnonzero(came > 0)
        cell, units = np.concatenate([self._cell, new]), np.concatenate([self._units, came[new]])
        since = np.concatenate([self._came, np.full(len(new), bucket)])
        fits = self._room.fitting(on_hand, cell, units)
        rest = units - fits
        kept, old = rest > 0, (since < bucket) & (fits > 0)
        self._cell, self._came, self._units = cell[kept], since[kept], rest[kept]
        received = np.bincount(cell, weights=fits, minlength=len(came)).astype(np.float64)
        return received, (cell[old], (bucket - since)[old], fits[old])

    def at_door(self, bucket: int, n_cells: int) -> tuple[F64, F64]:
        """Return what came in the bucket and waits at its end, and all that does, both of shape (n_cells,)."""
        new = self._came == bucket
        held_up = np.bincount(self._cell[new], weights=self._units[new], minlength=n_cells).astype(np.float64)
        return held_up, np.bincount(self._cell, weights=self._units, minlength=n_cells).astype(np.float64)


@dataclass(frozen=True)
class DoorTrace:
    """What happened at the doors of sites; arrays of shape (n_cells, n_buckets), units.

    In every cell and bucket: what waited before, what came to the door in it, less ``taken_in``, waits after.

    Parameters
    ----------
    opening
        Units at the door before the first bucket, shape (n_cells,).
    taken_in
        Units of lines that came in, without what other cells served.
    held_up
        Units that came to the door in the bucket and were not taken in in it.
    waiting
        Units at the door at the end of the bucket.
    """

    opening: F64
    taken_in: F64
    held_up: F64
    waiting: F64

    def columns(self, start: int) -> DoorTrace:
        """Return the buckets from the ``start``-th on."""
        opening = self.waiting[:, start - 1] if start else self.opening
        return DoorTrace(opening, *(getattr(self, name)[:, start:] for name in DOOR_RECORDED))


DOOR_RECORDED = ("taken_in", "held_up", "waiting")


def join_door_traces(parts: Sequence[DoorTrace | None]) -> DoorTrace | None:
    """Return one trace of parts that follow each other, None where no site states its room."""
    known = [part for part in parts if part is not None]
    if len(known) not in (0, len(parts)):
        raise ValueError("all traces must tell of doors, or none. Got some of each.")
    if not known:
        return None
    joined = (np.concatenate([getattr(part, name) for part in known], axis=1) for name in DOOR_RECORDED)
    return DoorTrace(known[0].opening, *joined)
