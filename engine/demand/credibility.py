"""Demand of buckets that were on sale for part of their time: credibility, with time on sale as exposure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincc

from engine.demand.calendar import Bucket

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVEL_BUCKETS: Mapping[Bucket, float] = {"D": 14.0, "W": 6.0, "M": 4.0}
"""Mean age, in buckets on sale, of what a level is read from."""

START_BUCKETS: Mapping[Bucket, float] = {"D": 7.0, "W": 4.0, "M": 3.0}
"""The level before anything was seen is that of the first so many buckets on sale, and counts as much as they do."""

LASTING = 0.5
"""Share of a series' scatter beyond that of single sales that lasts through a bucket: a busy morning foretells half a
busy afternoon. Chosen on the earlier days of `benchmarks.forecast.censoring`; from 0.3 to 0.7 little changes."""

USUAL_SCATTER, USUAL_BUCKETS = 0.08, 10.0
"""Squared coefficient of variation of that scatter before a series has shown its own; counts as so many buckets."""

PROFILE_SALES = 20.0
"""A weekday's factor is drawn towards 1 as if it had seen so many more single sales at the level."""

LEAST_FACTOR = 0.05
SAME_TOTAL = 1e-4
"""Totals that differ by less than this share of the largest one are the same, but for rounding."""


@dataclass(frozen=True)
class Usual:
    """What is usual of each series in a bucket, from the buckets before it; arrays of shape (n,).

    Parameters
    ----------
    factor, mean
        The weekday's factor on the level, and the demand of the bucket: their product.
    within, between
        Variance of its sales at a given rate of demand, and of that rate around the mean.
    weight
        Buckets on sale that the mean counts for, beside the bucket's own time on sale.
    """

    factor: Doubles
    mean: Doubles
    within: Doubles
    between: Doubles
    weight: Doubles


def demand_behind(units: Doubles, share: Doubles, bucket: Bucket, weekday: Ints) -> Doubles:
    """Return the expected demand of every bucket, at least the units sold, shape (n, n_history).

    Of ``x`` units sold over a share ``s`` of a bucket with usual demand ``m``, the rate of demand is the credibility
    mean ``(w m + x) / (w + s)`` (Bühlmann and Straub 1970), and ``x`` plus that rate over the rest of the bucket its
    demand. The weight ``w`` is the variance within a bucket over that between buckets. For Poisson sales at a
    gamma-distributed rate this is the exact expectation, whatever ended the sales: a rule when to stop does not
    change the likelihood. Where stock runs out because it sells, ``x / s`` is too high and the mean of the other
    buckets too low.

    The variances come from each series' own errors in buckets on sale all the time: what single sales explain lies
    within buckets, and of the rest the share `LASTING` between them. A bucket with sales but no time on sale says
    only that demand was at least the sales: its demand is the mean of a gamma distribution beyond them. Demand is
    read up to the bucket in question and in the first few buckets, no further.

    Parameters
    ----------
    units, share
        Units sold and the share of the bucket on sale (0 where not on offer), shape (n, n_history).
    bucket
        Length of the buckets; only days have a weekly profile.
    weekday
        Weekday of every bucket, shape (n_history,).
    """
    demand = units.copy()
    if not units.size:
        return demand
    seen = _start(units, share, bucket)
    for t in range(units.shape[1]):
        sold, on_sale = units[:, t], share[:, t]
        day = int(weekday[t]) if bucket == "D" else None
        usual = _usual(seen, day)
        demand[:, t] += (1 - on_sale) * (usual.weight * usual.mean + sold) / (usual.weight + on_sale)
        blind = (on_sale <= 0) & (sold > 0)
        if blind.any():
            demand[:, t] = np.where(blind, mean_beyond(sold, usual), demand[:, t])
        seen = _with_bucket(seen, usual, np.where(blind, 0.0, sold), on_sale, day)
    return demand


def smallest_unit(units: Doubles) -> Doubles:
    """Return the unit that each series' totals are counted in, shape (n,): a sale is hardly smaller.

    1 where all are whole, otherwise the median step between the different totals; near 0 for what is weighed.
    """
    ordered = np.sort(np.concatenate([np.zeros((len(units), 1)), units], axis=1), axis=1)
    step = np.diff(ordered, axis=1)
    step = np.sort(np.where(step > SAME_TOTAL * ordered[:, -1:], step, np.inf), axis=1)
    middle = np.maximum(np.isfinite(step).sum(axis=1) - 1, 0) // 2
    median = np.take_along_axis(step, middle[:, None], axis=1)[:, 0]
    whole = (units == np.rint(units)).all(axis=1)
    return np.where(whole | ~np.isfinite(median), 1.0, median)


def mean_beyond(least: Doubles, usual: Usual) -> Doubles:
    """Return the expected demand given that it is at least ``least``, by a gamma distribution, shape (n,).

    The distribution has the usual mean and variance; half a sale is taken off the bound, for demand comes in sales.
    """
    known = usual.mean > 0
    mean = np.where(known, usual.mean, 1.0)
    scale = np.where(known, usual.within + usual.between, 1.0) / mean
    bound = np.maximum(least - 0.5 * usual.within / mean, 0.0) / scale
    chance = gammaincc(mean / scale, bound)
    above = mean * gammaincc(mean / scale + 1, bound)
    # Far out, where the chance underflows, the mean excess tends to the scale.
    expected = np.divide(above, chance, out=least + scale, where=chance > 0)
    return np.where(known, np.maximum(expected, least), least)


@dataclass(frozen=True)
class _Seen:
    """Running sums of each series, shape (n,), by weekday (n, 7), and what stays the same.

    ``sold`` over ``time`` is the level; both fade with the mean age ``age``. Over the buckets on sale all the time,
    ``excess`` is the sum of squared errors less what single sales of a ``unit`` explain, ``square`` that of means.
    """

    unit: Doubles
    age: float
    sold: Doubles
    time: Doubles
    day_sold: Doubles
    day_usual: Doubles
    excess: Doubles
    square: Doubles

    @property
    def level(self) -> Doubles:
        return self.sold / self.time

    @property
    def scatter(self) -> Doubles:
        """Squared coefficient of variation beyond single sales."""
        counted = USUAL_BUCKETS * self.level**2
        above, below = USUAL_SCATTER * counted + np.maximum(self.excess, 0.0), counted + self.square
        return np.divide(above, below, out=np.full_like(below, USUAL_SCATTER), where=below > 0)

    @property
    def clump(self) -> Doubles:
        """Variance of a bucket's sales at a given rate, over their mean: units that tend to sell together."""
        return self.unit + (1 - LASTING) * self.scatter * self.level


def _start(units: Doubles, share: Doubles, bucket: Bucket) -> _Seen:
    n, buckets = len(units), START_BUCKETS[bucket]
    time = np.cumsum(share, axis=1)
    sold = np.cumsum(np.where(share > 0, units, 0.0), axis=1)
    last = np.minimum((time < buckets).sum(axis=1), units.shape[1] - 1)[:, None]
    first = np.take_along_axis(time, last, axis=1)[:, 0]
    level = np.take_along_axis(sold, last, axis=1)[:, 0] / np.where(first > 0, first, 1.0)
    none, by_day = np.zeros(n), np.zeros((n, 7))
    unit, age = smallest_unit(units), LEVEL_BUCKETS[bucket]
    return _Seen(unit, age, level * buckets, np.full(n, buckets), by_day, by_day, none, none)


def _usual(seen: _Seen, day: int | None) -> Usual:
    """Return what is usual on a weekday, or in any bucket (None)."""
    if day is None:
        factor = np.ones(len(seen.sold))
    else:
        # By the scatter that is usual: a strong week, before it is known, looks like scatter of the series' own.
        drawn = PROFILE_SALES * (seen.unit + (1 - LASTING) * USUAL_SCATTER * seen.level)
        factor = np.maximum((seen.day_sold[:, day] + drawn) / (seen.day_usual[:, day] + drawn), LEAST_FACTOR)
    mean = seen.level * factor
    within = seen.clump * mean
    # The level is an estimate too: its own error sets the mean apart from the rate.
    between = LASTING * seen.scatter * mean**2 + within * factor / seen.time
    weight = np.divide(within, between, out=seen.time.copy(), where=between > 0)
    return Usual(factor, mean, within, between, weight)


def _with_bucket(seen: _Seen, usual: Usual, sold: Doubles, on_sale: Doubles, day: int | None) -> _Seen:
    fade = 1 - on_sale / seen.age
    day_sold, day_usual = seen.day_sold.copy(), seen.day_usual.copy()
    if day is not None:
        day_sold[:, day] += sold
        day_usual[:, day] += seen.level * on_sale
    whole = on_sale >= 1
    return replace(
        seen,
        sold=fade * seen.sold + sold,
        time=fade * seen.time + usual.factor * on_sale,
        day_sold=day_sold,
        day_usual=day_usual,
        excess=seen.excess + np.where(whole, (sold - usual.mean) ** 2 - seen.unit * usual.mean, 0.0),
        square=seen.square + np.where(whole, usual.mean**2, 0.0),
    )
