"""What overrides make of the mean forecast: a factor, and units on top, for each series and bucket."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.demand.calendar import Calendar
from engine.demand.panel import Floats
from engine.forecast.overrides_select import LEVELS, Bools, Changes, Doubles, Ints
from engine.messages import Message

MAX_RISE = 10.0
"""Paths are scaled up this far for a ``set`` or ``add``; what is missing then is the same on every path, since a few
sales among many empty paths are no shape for a much larger demand. A choice, not a measurement."""


@dataclass(frozen=True)
class Spells:
    """The future, cut wherever a bucket or an override begins or ends; demand is level within a spell.

    Parameters
    ----------
    start
        First day, shape (n_spells,).
    bucket
        Future bucket that it lies in, shape (n_spells,).
    days
        Days in it, shape (n_spells,).
    bucket_days
        Days in each future bucket, shape (n_buckets,).
    """

    start: np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]
    bucket: Ints
    days: Doubles
    bucket_days: Doubles

    @classmethod
    def of(cls, calendar: Calendar, changes: Changes) -> Spells:
        edges = calendar.edges[calendar.n_history :]
        cuts = np.unique(np.concatenate([edges, changes.first_day, changes.last_day + 1]))
        bucket_days = np.diff(edges).astype(np.float64)
        return cls(cuts[:-1], calendar.bucket_of(cuts[:-1]), np.diff(cuts).astype(np.float64), bucket_days)

    def share_out(self, units: Doubles) -> Doubles:
        """Return units by bucket as units by spell: every day of a bucket gets the same."""
        return units[:, self.bucket] * (self.days / self.bucket_days[self.bucket])

    def sum_up(self, units: Doubles) -> Doubles:
        """Return units by spell as units by bucket."""
        return np.add.reduceat(units, np.searchsorted(self.bucket, np.arange(len(self.bucket_days))), axis=1)


@dataclass(frozen=True)
class Settled:
    """Units of a path become ``units * factor + added``; both (n_series, n_buckets), float32."""

    factor: Floats
    added: Floats


def settle(changes: Changes, mean: Doubles, offered: Bools, calendar: Calendar) -> tuple[Settled, tuple[Message, ...]]:
    """Return what the overrides come to, and a note on each.

    Levels follow each other from coarse to fine, each working on what those before it left. On a level every override
    is settled over its whole scope, as if alone; on a day of a series that several speak of only the last holds.

    Parameters
    ----------
    changes
        With ``series`` numbering the rows of ``mean``.
    mean
        Mean forecast of the covered series, shape (n_series, n_buckets).
    offered
        Whether each is on offer, of the same shape.
    """
    spells = Spells.of(calendar, changes)
    factor = np.ones((len(mean), len(spells.days)))
    added = np.zeros_like(factor)
    spread = spells.share_out(mean)
    room = offered[:, spells.bucket] * spells.days
    notes: list[Message] = []
    for level in LEVELS:
        on_level = np.flatnonzero(changes.level == level)
        units = spread * factor + added
        free = np.ones(factor.shape, np.bool_)
        # The last first: it takes what is free, and leaves the rest to those before it.
        for number in on_level[::-1]:
            held = (spells.start >= changes.first_day[number]) & (spells.start <= changes.last_day[number])
            scope = np.ix_(changes.series[number], np.flatnonzero(held))
            holds, free[scope] = free[scope], False
            effect = _effect(str(changes.told[number]["operation"]), changes.value[number], units[scope], room[scope])
            notes.append(_note(changes, number, effect, units[scope], holds * spells.days[held]))
            if effect is not None:
                factor[scope] *= np.where(holds, effect.factor, 1)
                added[scope] = np.where(holds, added[scope] * effect.factor + effect.added, added[scope])
    by_bucket = spells.sum_up(factor * spells.days) / spells.bucket_days
    settled = Settled(by_bucket.astype(np.float32), spells.sum_up(added).astype(np.float32))
    return settled, tuple(notes)


@dataclass(frozen=True)
class _Effect:
    """What one override does to its scope: units times ``factor`` plus ``added``."""

    factor: float
    added: Doubles | float = 0.0
    not_taken: float = 0.0


def _effect(operation: str, value: float, units: Doubles, room: Doubles) -> _Effect | None:
    """Return the effect on a scope of mean ``units`` and days on offer ``room``; None if nothing can take the units.

    All arrays have shape (n_series, n_spells) of the scope.
    """
    if operation == "multiply":
        return _Effect(value)
    total = float(units.sum())
    goal = value if operation == "set" else max(0.0, total + value)
    not_taken = max(0.0, -(total + value)) if operation == "add" else 0.0
    if goal <= MAX_RISE * total:
        return _Effect(goal / total if total > 0 else 1.0, 0.0, not_taken)
    if total > 0:
        return _Effect(MAX_RISE, (goal - MAX_RISE * total) * units / total)
    return _Effect(1.0, goal * room / room.sum()) if room.any() else None


def _note(changes: Changes, number: int, effect: _Effect | None, units: Doubles, days: Doubles) -> Message:
    """Return what became of an override; ``units`` and ``days`` on which it holds are those of its scope."""
    told, holds = changes.told[number], days > 0
    if not holds.any():
        return Message("override-overtaken", {"override_id": told["override_id"]})
    if effect is None:
        return Message("override-not-on-offer", {"override_id": told["override_id"]})
    after = units * effect.factor + effect.added
    n_days = float((changes.last_day[number] - changes.first_day[number]).astype(np.int64)) + 1
    return Message(
        "override-applied",
        {
            **told,
            "first_day": str(changes.first_day[number]),
            "last_day": str(changes.last_day[number]),
            "n_series": int(holds.any(axis=1).sum()),
            "before": round(float(units[holds].sum()), 3),
            "after": round(float(after[holds].sum()), 3),
            "not_taken": round(effect.not_taken, 3),
            "outside": round(1 - float(changes.inside[number]), 3),
            "overtaken": round(1 - float(days.sum()) / (len(days) * n_days), 3),
        },
    )
