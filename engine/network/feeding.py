"""Cells that feed others, followed together: on no order day does a feeder send more than it has.

The rules are those of today's transfers over primary lanes (`engine.network.decide`): a trip carries at most its
volume, a site sends at most its stock at the start of the bucket with that bucket's receipts, in whole steps, and where
receivers together ask for more they share it (`engine.network.sharing`), trips first. What is sent leaves the giver's
stock. What is not stays asked for: the receiver's next order asks for it again, and the giver's own orders count it as
owed until then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from engine.network.sharing import share_out
from engine.network.steady import Held, kept
from engine.policy.lots import Lots
from engine.policy.types import F64, I64

_SLACK = 1e-6


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
    """

    giver: I64
    step: F64
    lane: I64
    volume: F64
    room: F64

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

    def serve(self, now: tuple[I64, I64], units: F64, stock: F64, lots: Lots, held: Held | None) -> F64:
        """Return what is granted of orders of one day, and book it.

        Parameters
        ----------
        now
            Rows that order, and their steps.
        units
            What they ask for, shape (rows, P).
        stock
            Stock of all cells, receipts included, shape (r, P).
        lots
            Feasible quantities, shape (r,).
        held
            What an older plan meant, which also stays where only the sharing moved it, within the same band.
        """
        rows, steps = now
        place = np.flatnonzero(self.feeding.giver[rows] >= 0)
        if not len(place):
            return units
        fed, asked = rows[place], units[place]
        own = Lots(lots.size[fed], lots.least[fed], lots.most[fed])
        limits = self._limits(fed, stock)
        granted = asked
        for limit in limits:
            granted = limit.shared(granted, own)
        if held is not None:
            granted = _as_meant(granted, asked, (held.meant[fed, steps[place]], held.band[fed]), own, limits)
        self.asked[fed] = asked - granted
        np.add.at(self.sent, self.feeding.giver[fed], granted)
        served = units.copy()
        served[place] = granted
        return served

    def _limits(self, fed: I64, stock: F64) -> list[_Limit]:
        """Return the limits of receivers on one day: trips, then givers."""
        feeding = self.feeding
        carried = np.flatnonzero(feeding.lane[fed] >= 0)
        lanes, lane = np.unique(feeding.lane[fed[carried]], return_inverse=True)
        room = np.repeat(feeding.room[lanes, None], stock.shape[1], axis=1)
        givers, giver = np.unique(feeding.giver[fed], return_inverse=True)
        step = feeding.step[givers, None]
        there = np.floor(np.maximum(stock[givers] - self.sent[givers], 0.0) / step + 1e-9) * step
        return [
            _Limit(carried, feeding.volume[fed[carried]], lane.reshape(-1), room),
            _Limit(np.arange(len(fed)), np.ones(len(fed)), giver.reshape(-1), there),
        ]


@dataclass(frozen=True)
class _Limit:
    """Limits of one kind, each row under one: rows (k,), what a unit uses, the limit's number, and bounds (g, P)."""

    row: I64
    weight: F64
    group: I64
    bound: F64

    def shared(self, asked: F64, lots: Lots) -> F64:
        part = Lots(lots.size[self.row], lots.least[self.row], lots.most[self.row])
        granted = asked.copy()
        granted[self.row] = share_out(asked[self.row], part, self.weight, self.group, self.bound)
        return granted

    def over(self, units: F64) -> F64:
        """Return which rows are under a limit that units exceed, shape of the units."""
        used = np.zeros(self.bound.shape)
        np.add.at(used, self.group, self.weight[:, None] * units[self.row])
        found = np.zeros(units.shape, dtype=bool)
        found[self.row] = (used > self.bound + _SLACK)[self.group]
        return found


def _as_meant(granted: F64, asked: F64, meant: tuple[F64, F64], lots: Lots, limits: list[_Limit]) -> F64:
    """Return units as meant where sharing cut them and they lie in the band; as granted where a limit would break."""
    units, band = meant[0][:, None], meant[1][:, None]
    rules = Lots(lots.size[:, None], lots.least[:, None], lots.most[:, None])
    ends = rules.at_least(granted - band), rules.at_least(granted + band)
    near = kept(np.broadcast_to(units, granted.shape), granted, ends, rules)
    held = np.where((granted < asked) & (near <= asked), near, granted)
    while True:
        back = (held != granted) & np.logical_or.reduce([limit.over(held) for limit in limits])
        if not back.any():
            return held
        held = np.where(back, granted, held)
