"""The season and the long-run slope of many series at once, each from its own past alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from engine.demand.calendar import Bucket

Doubles = npt.NDArray[np.float64]

SEASON: Mapping[Bucket, int] = {"D": 7, "W": 52, "M": 12}
"""Buckets of the season: the week of days, the year of weeks and of months."""

HALF_LIFE: Mapping[Bucket, float] = {"D": 182.0, "W": 52.0, "M": 48.0}
"""Half-life, in buckets, of the weights of the factors and of the slope."""

NOISE_FACTOR = 2.0
"""Multiple of the variance that chance gives to seasonal factors, by which they are drawn towards 1."""

LEAST_FACTOR = 0.01
"""A season with a factor below this cannot be taken out by division, and is left in."""


def season_factors(demand: Doubles, season: int, half_life: float) -> Doubles:
    """Return the seasonal factors by place, counted from the end, of mean 1; shape (season, n).

    Ratios to a centred moving average, drawn towards 1 as far as chance explains them (Miller & Williams, 2003,
    International Journal of Forecasting 19), so that no test has to say whether there is a season.

    ``demand`` (n_buckets, n) has NaN where unseen. All are 1 where nothing but chance shows, where some place was never
    seen amid a full season, or where one of them is next to 0.
    """
    n_buckets, n = demand.shape
    factor = np.ones((season, n))
    if season == 1 or n_buckets < 2 * season:
        return factor
    around = _centred_mean(demand, season)
    usable = np.isfinite(demand) & (np.nan_to_num(around) > 0)
    sold, base = np.where(usable, demand, 0.0), np.where(usable, around, 0.0)
    weight = 0.5 ** (np.arange(n_buckets, 0, -1) / half_life)[:, None]
    place = np.arange(-n_buckets, 0) % season
    noise, count = np.zeros(n), np.zeros((season, n))
    for p in range(season):
        at = place == p
        total = ordered_total(weight[at] * base[at])
        factor[p] = ratio(ordered_total(weight[at] * sold[at]), total)
        off = weight[at] * (sold[at] - factor[p] * base[at])
        noise += ratio(ordered_total(off**2), total**2) / season
        count[p] = usable[at].sum(axis=0)
    # As many degrees of freedom are lost as there are factors.
    noise *= ratio(ordered_total(count), ordered_total(np.maximum(count - 1, 0)))
    factor = ratio(factor * season, ordered_total(factor))
    variance = ordered_total((factor - 1) ** 2) / (season - 1)
    share = np.clip(1 - NOISE_FACTOR * ratio(noise, variance), 0.0, 1.0)
    known = (count.min(axis=0) > 0) & (count.max(axis=0) > 1) & (factor.min(axis=0) > LEAST_FACTOR)
    return 1 + (factor - 1) * np.where(known & (variance > 0), share, 0.0)


def slope(demand: Doubles, half_life: float) -> Doubles:
    """Return the slope per bucket of the weighted least-squares line through what was seen, shape (n,)."""
    n_buckets, n = demand.shape
    weights, middle, mean, spread, product = (np.zeros(n) for _ in range(5))
    for t in range(n_buckets):
        known = np.isfinite(demand[t])
        weight = known * 0.5 ** ((n_buckets - t) / half_life)
        weights = weights + weight
        # Welford's update: means so far, then squares and products around them.
        step, gap = t - middle, np.where(known, demand[t] - mean, 0.0)
        share = ratio(weight, weights)
        middle, mean = middle + share * step, mean + share * gap
        spread = spread + weight * step * (t - middle)
        product = product + weight * gap * (t - middle)
    return ratio(product, spread)


def ordered_total(values: Doubles) -> Doubles:
    """Return the sum over the first axis."""
    # A running sum adds in one fixed order, so a series gets the same bits alone and in any batch.
    total: Doubles = np.cumsum(values, axis=0)[-1] if len(values) else np.zeros(values.shape[1:])
    return total


def ratio(above: Doubles, below: Doubles | npt.NDArray[np.int64]) -> Doubles:
    """Return above / below; 0 where ``below`` is not above 0."""
    result: Doubles = np.where(below > 0, above / np.where(below > 0, below, 1), 0.0)
    return result


def _centred_mean(demand: Doubles, season: int) -> Doubles:
    """Return the mean of a whole season around every bucket; NaN near the ends and around unseen buckets."""
    half = season // 2
    weights = np.full(2 * half + 1, 1.0 / season)
    if season % 2 == 0:
        weights[[0, -1]] /= 2
    n_inner = len(demand) - 2 * half
    inner = np.zeros((n_inner, demand.shape[1]))
    for shift, weight in enumerate(weights):
        inner += weight * demand[shift : shift + n_inner]
    return np.pad(inner, ((half, half), (0, 0)), constant_values=np.nan)
