"""The profile of the year, learnt across all series: how far each week or month lies above or below their levels.

A series that sells little cannot show its season; all together can. What all sell in a bucket is set against what the
levels on both sides of it expect, and the levels are read again less the profile. What differs between years in one
place of the year is no season: each place is drawn towards 1 by how much that is (the garrote of Breiman, 1995,
Technometrics 37), so small departures vanish and peaks stay. Neighbours are then averaged, since peaks move by a week.
In the same way the series of a category, a place or any other attribute show how far they depart from all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import fdtrc

from engine.demand.calendar import Bucket, Calendar
from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel
from engine.forecast.types import FittedState
from engine.messages import Message
from models.alignment import weights_of
from models.features import Codes, coded
from models.group_codes import group_codes
from models.local_design import YEARLY_FROM

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PLACES: Mapping[Bucket, int] = {"D": 52, "W": 52, "M": 12}
"""Places in a year: ISO weeks (those of days too; week 53 counts as 52), or months."""

YEAR: Mapping[Bucket, int] = {"D": 364, "W": 52, "M": 12}
"""Buckets of a year."""

HALF_LIFE: Mapping[Bucket, float] = {"D": 91.0, "W": 13.0, "M": 6.0}
"""Half-life, in buckets, of the level around a bucket, read on both sides of it."""

MIN_AROUND: Mapping[Bucket, float] = {"D": 28.0, "W": 4.0, "M": 3.0}
"""Weight of buckets around one, below which its level is not known."""

MIN_UNITS = 30.0
"""Units expected of series together in a place of one year, below which it tells nothing."""

N_ROUNDS = 4
"""Rounds of reading the levels less the profile, and the profile against the levels."""

NOISE, NOISE_OF_GROUP, NOISE_PLACES = 0.15, 0.3, 8.0
"""Usual standard deviation, in logarithms, of a place between years, of all series and of a group beside all; and the
repeated places that this counts for."""

MOST_CHANCE = 0.001
"""Without a season the places of all series differ as much as they do with at most this probability."""

NOISE_FACTOR = 2.0
"""Multiple of the variance between years by which places are drawn towards 1."""

NEIGHBOUR: Mapping[Bucket, float] = {"D": 0.25, "W": 0.25, "M": 0.0}
"""Share that each of the two neighbours of a place has in it."""

BOUND = 2.0
"""A place lies at most this many natural logarithms above or below the level."""

MAX_CELLS = 2_000_000
"""Buckets of series that are learnt from: the best sellers, which tell most."""


@dataclass(frozen=True)
class YearProfile:
    """Log factors on demand by place in the year.

    Parameters
    ----------
    log
        Shape (rows, n_places): in the first row those of all series, in others what groups add.
    codes
        Per attribute, the row of each text; another text adds nothing.
    """

    log: Doubles
    codes: Codes = field(default_factory=dict)

    def __call__(self, panel: DemandPanel) -> Doubles:
        """Return the factor on the demand of every bucket, shape (n, n_buckets)."""
        place = place_in_year(panel.calendar)
        total = np.repeat(self.log[:1, place], panel.n_series, axis=0)
        for row in coded(panel, self.codes).values():
            total += np.where(row[:, None] > 0, self.log[row][:, place], 0.0)
        return np.asarray(np.exp(np.clip(total, -BOUND, BOUND)), np.float64)

    def state(self) -> FittedState:
        """Return the profile as arrays and text."""
        return FittedState({"season": self.log}, {"season": json.dumps(self.codes, ensure_ascii=False)})

    @classmethod
    def from_state(cls, state: FittedState) -> YearProfile:
        """Return the profile that a state describes."""
        return cls(np.asarray(state.arrays["season"], np.float64), json.loads(state.text["season"]))


def place_in_year(calendar: Calendar) -> Ints:
    """Return the place of every bucket, shape (n_buckets,), from 0."""
    starts = calendar.starts
    if calendar.bucket == "M":
        month: Ints = starts.astype("datetime64[M]").astype(np.int64) % 12
        return month
    # An ISO week has the number of its Thursday's week in that day's year.
    thursday = starts - (starts.astype(np.int64) + 3) % 7 + 3
    day = (thursday - thursday.astype("datetime64[Y]")).astype(np.int64)
    week: Ints = np.minimum(day // 7, PLACES[calendar.bucket] - 1)
    return week


def learn_profile(panel: DemandPanel, effect: Doubles) -> tuple[YearProfile, tuple[Message, ...]]:
    """Return the profile that a panel's history shows, and what is to be told of it.

    It is flat with less than `YEARLY_FROM` years, of which hardly a place was seen twice; this is told. So it is where
    places differ no more from each other than from year to year, by the F test of Lothian and Morry (1978, A test for
    the presence of identifiable seasonality, Statistics Canada).

    Parameters
    ----------
    panel
        In the order of its keys.
    effect
        Known factors on the demand of every bucket, shape (n, n_buckets), beyond which the season is learnt.
    """
    bucket, h = panel.calendar.bucket, panel.calendar.n_history
    least = int(np.ceil(YEARLY_FROM * YEAR[bucket]))
    flat = YearProfile(np.zeros((1, PLACES[bucket])))
    if h < least:
        note = Message("season-too-short", {"n_buckets": h, "least": least})
        return flat, (note,)
    total = panel.units.sum(axis=1, dtype=np.float64)
    best = np.sort(np.argsort(-total, kind="stable")[: max(1, MAX_CELLS // h)])
    part = panel.take(best)
    share = np.where(on_offer(part)[:, :h], part.available.astype(np.float64), 0.0) * effect[best, :h]
    units = np.where(share > 0, part.units.astype(np.float64), 0.0)
    units = weights_of(total[best] / h)[:, None] * units
    place = place_in_year(panel.calendar)[:h]
    of_all, chance = _learnt(units, share, panel.calendar, NOISE)
    if chance > MOST_CHANCE:
        return flat, ()
    log = [of_all]
    share *= np.exp(of_all[place])
    codes: dict[str, dict[str, int]] = {}
    found = group_codes(panel)
    # Few large groups first: what they share is not left to the smaller ones.
    for name in sorted(found, key=lambda one: (len(found[one]), one)):
        codes[name] = {}
        code = coded(part, {name: found[name]})[name]
        for text, number in found[name].items():
            rows = code == number
            codes[name][text] = len(log)
            log.append(_learnt(units[rows], share[rows], panel.calendar, NOISE_OF_GROUP)[0])
            share[rows] *= np.exp(log[-1][place])
    return YearProfile(np.stack(log), codes), ()


def _learnt(units: Doubles, share: Doubles, calendar: Calendar, noise: float) -> tuple[Doubles, float]:
    """Return the logs by place of series together, and the probability of no season.

    They are read from units and exposure by bucket, shape (n, n_history) each.
    """
    bucket, place = calendar.bucket, place_in_year(calendar)[: calendar.n_history]
    log, chance = np.zeros(PLACES[bucket]), 1.0
    for _ in range(N_ROUNDS):
        level = _local_level(units, share * np.exp(log[place]), bucket)
        sold, expected = np.where(level > 0, units, 0.0).sum(axis=0), (level * share).sum(axis=0)
        log, chance = _drawn_in(sold, expected, place, len(log), noise)
    beside = NEIGHBOUR[bucket]
    return (1 - 2 * beside) * log + beside * (np.roll(log, 1) + np.roll(log, -1)), chance


def _drawn_in(sold: Doubles, expected: Doubles, place: Ints, n_places: int, usual: float) -> tuple[Doubles, float]:
    """Return the logs by place and the probability that they differ by chance alone.

    They come from what series sold in each bucket and their levels expected, shape (h,) each.
    """
    first = np.flatnonzero(np.diff(place, prepend=-1))
    sold, expected, place = np.add.reduceat(sold, first), np.add.reduceat(expected, first), place[first]
    known = (expected >= MIN_UNITS) & (sold > 0)
    if not known.any():
        return np.zeros(n_places), 1.0
    place = place[known]
    log = np.log(sold[known] / expected[known])
    count = np.bincount(place, minlength=n_places)
    mean = np.bincount(place, log, minlength=n_places) / np.maximum(count, 1)
    free = np.maximum(count - 1, 0).sum() + NOISE_PLACES
    noise = (((log - mean[place]) ** 2).sum() + NOISE_PLACES * usual**2) / free
    between = max(int((count > 0).sum()) - 1, 1)
    chance = float(fdtrc(between, free, (count * (mean - log.mean()) ** 2).sum() / between / noise))
    # The level of most places, not of all: a few high peaks shall not make a trough of every other.
    departs = np.where(count > 0, mean - np.median(mean[count > 0]), 0.0)
    told = count * departs**2
    noise *= NOISE_FACTOR
    kept = np.where(told > noise, 1 - noise / np.maximum(told, noise), 0.0)
    drawn_in: Doubles = np.clip(departs * kept, -BOUND, BOUND)
    return drawn_in, chance


def _local_level(units: Doubles, exposure: Doubles, bucket: Bucket) -> Doubles:
    """Return units per bucket of exposure 1 around every bucket of the history; 0 where not known."""
    keep = 0.5 ** (1 / HALF_LIFE[bucket])
    h = units.shape[1]
    above, below = np.zeros(units.shape), np.zeros(units.shape)
    for order in (range(h), range(h - 1, -1, -1)):
        sold, seen = np.zeros(len(units)), np.zeros(len(units))
        for t in order:
            above[:, t] += sold
            below[:, t] += seen
            sold, seen = keep * (sold + units[:, t]), keep * (seen + exposure[:, t])
    return np.where(below >= MIN_AROUND[bucket], above / np.maximum(below, 1e-9), 0.0)
