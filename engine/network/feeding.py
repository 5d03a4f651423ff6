"""Cells that feed others, followed together: on no order day does a feeder send more than it has.

The rules are those of today's transfers over primary lanes (`engine.network.decide`): a trip carries at most its
volume, a site sends at most its stock at the start of the bucket with that bucket's receipts, in whole steps, and where
receivers together ask for more they share it (`engine.network.sharing`), trips first. What is sent leaves the giver's
stock. What is not stays asked for: the receiver's next order asks for it again, and the giver's own orders count it as
owed until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from engine.network.sharing import share_out
from engine.network.steady import Held, kept_shares
from engine.policy.lots import Lots
from engine.policy.types import F64, I64, Bools

_SLACK = 1e-6
_BLOCK_VALUES = 2**21  # values of an array over rows, paths and buckets: 16 MB


def blocks(family: I64, values_per_row: int) -> Iterator[I64]:
    """Return row numbers in blocks of whole families, bounded by `_BLOCK_VALUES` unless one family is larger."""
    order = np.argsort(family, kind="stable")
    n_rows = len(order)
    bounds = np.append(np.flatnonzero(np.diff(family[order], prepend=family.min(initial=0) - 1)), n_rows)
    size = max(1, _BLOCK_VALUES // max(1, values_per_row))
    start = 0
    while start < n_rows:
        end = int(bounds[np.searchsorted(bounds, min(start + size, n_rows), side="right") - 1])
        if end <= start:
            end = int(bounds[np.searchsorted(bounds, start, side="right")])
        yield order[start:end]
        start = end


@dataclass(frozen=True)
class Feeding:
    """Who gives what ``r`` cells order later, and over which trips.

    Parameters
    ----------
    giver
        Row of the cell that gives, -1 for what is bought, shape (r,).
    step
        Smallest unit of each cell, shape (r,).
    lane
        Lane whose trips have a volume that the cell's orders take up, -1 for none, shape (r,).
    volume
        Volume of a unit, shape (r,).
    room
        Volume of a trip, by lane.
    has_all
        Bucket from which each cell gives all that is asked of it, shape (r, P); None: never.
    """

    giver: I64
    step: F64
    lane: I64
    volume: F64
    room: F64
    has_all: I64 | None = None

    def without_trips(self) -> Feeding:
        """Return the same with trips that carry everything."""
        return replace(self, lane=np.full_like(self.lane, -1))


@dataclass
class Fed:
    """A walk's state beside stock, each (r, P): units still asked for by receivers, and sent in the present bucket."""

    feeding: Feeding
    asked: F64
    sent: F64
    fed: I64 = field(init=False)

    def __post_init__(self) -> None:
        self.fed = np.flatnonzero(self.feeding.giver >= 0)

    @classmethod
    def at_first(cls, feeding: Feeding, n_paths: int) -> Fed:
        """Return the state before the first later order."""
        asked, sent = np.zeros((2, len(feeding.giver), n_paths))
        return cls(feeding, asked, sent)

    def owed(self, rows: I64) -> F64:
        """Return what givers owe their receivers, of what those asked for on days before."""
        total = np.zeros_like(self.asked)
        np.add.at(total, self.feeding.giver[self.fed], self.asked[self.fed])
        return np.asarray(total[rows], dtype=np.float64)

    def leaving(self) -> F64:
        """Return what was sent since this was last asked."""
        sent, self.sent = self.sent, np.zeros_like(self.sent)
        return sent

    def serve(
        self, now: tuple[I64, I64], bucket: int, asked: tuple[F64, F64], stock: F64, lots: Lots, held: Held | None
    ) -> F64:
        """Return what is granted of orders of one day, and book it.

        Parameters
        ----------
        now
            Rows that order, and their steps.
        bucket
            The bucket of the day.
        asked
            What they ask for afresh, and held to an older plan, shape (rows, P).
        stock
            Stock of all cells, receipts included, shape (r, P).
        lots
            Feasible quantities, shape (r,).
        held
            What an older plan meant.
        """
        rows, steps = now
        fresh, units = asked
        place = np.flatnonzero(self.feeding.giver[rows] >= 0)
        if not len(place):
            return units
        fed = rows[place]
        own = Lots(lots.size[fed], lots.least[fed], lots.most[fed])
        shares = _Shares(own, self._limits(fed, bucket, stock))
        if held is None:
            wanted = units[place]
            granted = shares.granted(wanted)
        else:
            meant = np.broadcast_to(held.meant[fed, steps[place], None], fresh[place].shape)
            rules = Lots(own.size[:, None], own.least[:, None], own.most[:, None])
            wanted, granted = kept_shares((fresh[place], units[place]), meant, held.band.column(fed), rules, shares)
        self.asked[fed] = wanted - granted
        np.add.at(self.sent, self.feeding.giver[fed], granted)
        served = units.copy()
        served[place] = granted
        return served

    def _limits(self, fed: I64, bucket: int, stock: F64) -> tuple[_Limit, ...]:
        """Return the limits of receivers on one day: trips, then givers."""
        feeding = self.feeding
        carried = np.flatnonzero(feeding.lane[fed] >= 0)
        lanes, lane = np.unique(feeding.lane[fed[carried]], return_inverse=True)
        room = np.repeat(feeding.room[lanes, None], stock.shape[1], axis=1)
        givers, giver = np.unique(feeding.giver[fed], return_inverse=True)
        step = feeding.step[givers, None]
        there = np.floor(np.maximum(stock[givers] - self.sent[givers], 0.0) / step + 1e-9) * step
        if feeding.has_all is not None:
            there = np.where(bucket >= feeding.has_all[givers], np.inf, there)
        return (
            _Limit(carried, feeding.volume[fed[carried]], lane.reshape(-1), room),
            _Limit(np.arange(len(fed)), np.ones(len(fed)), giver.reshape(-1), there),
        )


@dataclass(frozen=True)
class _Limit:
    """Limits of one kind, each row under one: rows (k,), what a unit uses, the limit's number, and bounds (g, P)."""

    row: I64
    weight: F64
    group: I64
    bound: F64

    def over(self, units: F64) -> Bools:
        used = np.zeros(self.bound.shape)
        np.add.at(used, self.group, self.weight[:, None] * units[self.row])
        found = np.zeros(units.shape, dtype=bool)
        found[self.row] = (used > self.bound + _SLACK)[self.group]
        return found


@dataclass(frozen=True)
class _Shares:
    """What receivers share on one day, in the order in which it is dealt, and their lots."""

    lots: Lots
    limits: tuple[_Limit, ...]

    def granted(self, asked: F64) -> F64:
        units = asked.copy()
        for limit in self.limits:
            part = Lots(self.lots.size[limit.row], self.lots.least[limit.row], self.lots.most[limit.row])
            units[limit.row] = share_out(units[limit.row], part, limit.weight, limit.group, limit.bound)
        return units

    def over(self, units: F64) -> Bools:
        return np.asarray(np.logical_or.reduce([limit.over(units) for limit in self.limits]))
