"""The table of actual / forecast that a residual pool draws from: filling, capping, levelling, thinning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.panel import Floats
from engine.forecast.backcast import Backcast

Doubles = npt.NDArray[np.float64]

MIN_STRETCHES = 24
"""With fewer stretches than this, the tail of the demand is assumed instead of learnt."""

MAX_CELLS = 12_000_000
"""Ratios kept (48 MB); beyond it every k-th series by level is kept, origins are not thinned."""

BINS = 20
BIN_STRETCHES = 100
"""Levels are split into at most BINS bins of at least BIN_STRETCHES stretches, each with its own cap and mean."""

MIN_AROUND = 4
"""Neighbours on each side, at least, whose mean ratio at an origin is that of a level."""

GRID = 64
"""Levels at which mean ratios are compared between origins."""

FLOOR = 0.1
"""A bucket's forecast counts as at least this share of its stretch's level: next to nothing explains no ratio."""

CAP_QUANTILE = 0.999
CAP_RATIO = 50.0
"""Ratios are cut to this quantile of their bin, and to CAP_RATIO (units where the level is below one): one bulk order,
or one absurd series, should not set everyone's tail."""

MIN_OWN_STRETCHES, MIN_OWN_UNITS = 4, 20
"""Least stretches of its own, and units in them, for a series to draw from them."""

REACH = 12
"""Neighbours searched on each side for a ratio above the bound of a censored bucket."""


@dataclass(frozen=True)
class RatioTable:
    """Arrays of `engine.forecast.empirical.ResidualPool`, and how many stretches were really seen."""

    ratio: Floats
    level: Floats
    rank: npt.NDArray[np.int32]
    own: Floats
    item_id: npt.NDArray[np.object_]
    location_id: npt.NDArray[np.object_]
    n_stretches: int


def ratio_table(past: Backcast) -> RatioTable:
    """Return the ratios of a backcast, complete, of mean 1 at every level, sorted by level in each origin.

    A stretch counts if its forecast is above zero and at least half of its buckets are known. A series without
    such a stretch at an origin is left out there by giving its row to the neighbour below in level.
    """
    level = forecast_level(past.mean)
    known = np.isfinite(past.actual)
    usable = (level > 0) & (2 * known.sum(axis=2) >= past.mean.shape[2])
    keep = _thinned(np.flatnonzero(usable.any(axis=1)), level, past.mean.shape)
    n_stretches = int(usable[keep].sum())
    n_origins, length = past.mean.shape[1:]
    ratio = np.zeros((n_origins, len(keep), length), np.float32)
    shape = np.zeros_like(ratio)
    sorted_level = np.zeros((n_origins, len(keep)), np.float32)
    rank = np.full((len(keep), n_origins), -1, np.int32)
    for o in range(n_origins):
        # Ties in level are broken by key, so that the order of rows does not matter.
        order = keep[np.lexsort((past.location_id[keep], past.item_id[keep], level[keep, o]))]
        good = order[usable[order, o]]
        if len(good) == 0:
            continue
        floor = np.maximum(past.mean[good, o], np.float32(FLOOR) * level[good, o][:, None])
        ratio_o = _completed(
            np.minimum(past.actual[good, o] / floor, CAP_RATIO / np.minimum(level[good, o], 1)[:, None]),
            known[good, o] & (past.mean[good, o] > 0),
            past.censored[good, o],
        )
        fill = np.rint(np.linspace(0, len(good) - 1, len(keep))).astype(np.int64)
        ratio[o], sorted_level[o] = ratio_o[fill], level[good, o][fill]
        shape[o] = past.mean[good, o][fill]
        position = np.full(past.mean.shape[0], -1, np.int64)
        position[good] = np.searchsorted(fill, np.arange(len(good)))
        rank[:, o] = position[keep]
    seen = sorted_level[:, -1] > 0 if len(keep) else np.zeros(n_origins, np.bool_)
    ratio, shape, sorted_level, rank = ratio[seen], shape[seen], sorted_level[seen], rank[:, seen]
    _levelled(ratio, shape, sorted_level)
    own = _own_factor(ratio, sorted_level, rank)
    return RatioTable(ratio, sorted_level, rank, own, past.item_id[keep], past.location_id[keep], n_stretches)


def forecast_level(mean: Floats) -> Floats:
    """Return the mean forecast per bucket over the buckets with any, along the last axis; 0 where none has."""
    if mean.shape[-1] == 0:
        return np.zeros(mean.shape[:-1], np.float32)
    # A running sum adds in one fixed order, so a series gets the same bits alone and in any batch.
    total = np.cumsum(mean, axis=-1, dtype=np.float64)[..., -1]
    level: Floats = (total / np.maximum((mean > 0).sum(axis=-1), 1)).astype(np.float32)
    return level


def _thinned(rows: npt.NDArray[np.int64], level: Floats, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    most = max(1, MAX_CELLS // max(1, shape[1] * shape[2]))
    if len(rows) <= most:
        return rows
    by_level = rows[np.argsort(level[rows].mean(axis=1), kind="stable")]
    return np.sort(by_level[np.rint(np.linspace(0, len(rows) - 1, most)).astype(np.int64)])


def _completed(ratio: Floats, known: npt.NDArray[np.bool_], bound: npt.NDArray[np.bool_]) -> Floats:
    """Return ratios (rows, length) without gaps; rows are sorted by level.

    A censored bucket takes the same lead of the nearest neighbour whose demand was seen in full and reached
    its bound: demand given that it was at least that, the idea behind the Kaplan-Meier estimate. An unknown
    bucket takes the nearest neighbour's. Where no neighbour serves, a bound stands and an unknown bucket
    takes the mean of the row.
    """
    full = known & ~bound
    out = np.where(known, ratio, np.float32(np.nan))
    open_ = ~full
    least = np.where(known & bound, ratio, np.float32(0))
    n = len(ratio)
    for distance in range(1, min(REACH, n - 1) + 1):
        for shift in (distance, -distance):
            source = np.clip(np.arange(n) + shift, 0, n - 1)
            take = open_ & full[source] & (ratio[source] >= least)
            out = np.where(take, ratio[source], out)
            open_ &= ~take
    count = np.isfinite(out).sum(axis=1)
    total = np.cumsum(np.where(np.isfinite(out), out, 0), axis=1, dtype=np.float64)[:, -1]
    row_mean = np.where(count > 0, total / np.maximum(count, 1), 1.0).astype(np.float32)
    return np.where(np.isfinite(out), out, row_mean[:, None])


def _levelled(ratio: Floats, shape: Floats, level: Floats) -> None:
    """Cap the ratios and set their mean around every level to 1, in place.

    The mean at a level is that of its neighbours at each origin, averaged over the origins with equal weight as
    paths draw them, so a shock common to one origin stays. A stretch's ratios are weighted by the forecast
    shape of the next stretch in level: with its own, the noise of its forecast would count twice.
    """
    if level.size == 0:
        return
    by_level = np.argsort(level, axis=None, kind="stable")
    cells = ratio.reshape(-1, ratio.shape[2])
    for members in np.array_split(by_level, int(np.clip(len(by_level) // BIN_STRETCHES, 1, BINS))):
        cells[members] = np.minimum(cells[members], np.quantile(cells[members], CAP_QUANTILE))
    weight = np.roll(shape, 1, axis=1).astype(np.float64)
    stretch = _ordered_sum(ratio * weight) / _ordered_sum(weight)
    grid = np.log(np.quantile(level, np.linspace(0, 1, GRID)))
    width = max(2 * MIN_AROUND, level.shape[1] // BINS)
    at_grid = [np.interp(grid, np.log(level[o]), _running_mean(stretch[o], width)) for o in range(len(level))]
    mean = np.interp(np.log(level), grid, np.mean(at_grid, axis=0))
    mean = np.where(mean > 0, mean, 1)
    ratio /= mean[:, :, None].astype(np.float32)


def _ordered_sum(values: Doubles | Floats) -> Doubles:
    total: Doubles = np.cumsum(values, axis=-1, dtype=np.float64)[..., -1]
    return total


def _running_mean(values: Doubles, around: int) -> Doubles:
    """Mean of each value and ``around`` // 2 neighbours on each side, fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    low, high = np.maximum(place - around // 2, 0), np.minimum(place + around // 2 + 1, len(values))
    mean: Doubles = (total[high] - total[low]) / (high - low)
    return mean


def _own_factor(ratio: Floats, level: Floats, rank: npt.NDArray[np.int32]) -> Floats:
    """Factor that sets the mean of a series' own stretches to 1, shape (rows,); 0 where they say too little.

    Without it a series that has grown since would be forecast to grow by as much again.
    """
    n_origins, length = ratio.shape[0], ratio.shape[2]
    total, units, count = (np.zeros(len(rank)) for _ in range(3))
    for o in range(n_origins):
        own = rank[:, o] >= 0
        mean = np.cumsum(ratio[o], axis=1, dtype=np.float64)[:, -1] / length
        total += np.where(own, mean[rank[:, o]], 0)
        units += np.where(own, mean[rank[:, o]] * level[o][rank[:, o]] * length, 0)
        count += own
    enough = (count >= MIN_OWN_STRETCHES) & (units >= MIN_OWN_UNITS)
    return np.where(enough, count / np.where(total > 0, total, 1), 0).astype(np.float32)


def assumed_backcast() -> Backcast:
    """Return a made-up backcast for data too short to learn from: over-dispersed counts at all levels.

    Negative binomial demand, variance = mean + mean**2 / 2 in a bucket, around a level that is itself off by
    a gamma factor of variance 0.1 for the whole stretch; 400 levels from 0.01 to 10,000, 8 origins, 56 leads.
    """
    generator = np.random.Generator(np.random.Philox(key=20))
    level = np.geomspace(0.01, 10_000, 400)
    mean = np.broadcast_to(level[:, None, None], (400, 8, 56))
    off = generator.gamma(10, 1 / 10, (400, 8, 1))
    demand = generator.poisson(mean * off * generator.gamma(2, 1 / 2, mean.shape))
    names = np.array([f"assumed-{r:03d}" for r in range(400)], np.object_)
    blank = np.full(400, "", np.object_)
    return Backcast(names, blank, mean.astype(np.float32), demand.astype(np.float32), np.zeros(mean.shape, np.bool_))
