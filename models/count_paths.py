"""Paths of counts: states move from bucket to bucket, and each sale's size comes from the series' urn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.panel import Floats
from models.sale_chain import Bools, Doubles, SaleChain, rate_over
from models.sale_sizes import N_OWN, SELDOM, Ints, size_factor


@dataclass(frozen=True)
class UrnWeights:
    """What a size is drawn from.

    The k-th latest of the series' own sizes weighs ``keep`` ** k, each size that the path drew before weighs 1, and
    a new one weighs ``new``.
    """

    new: float
    keep: float

    def __post_init__(self) -> None:
        if not self.new > 0:
            raise ValueError(f"new must be > 0. Got {self.new} instead.")
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep must lie in (0, 1]. Got {self.keep} instead.")


@dataclass(frozen=True)
class Urns:
    """The urn of each series at the start of its paths.

    Parameters
    ----------
    weights
        The same for all series.
    own
        Past sizes, latest first, 0 beyond the last, shape (n, N_OWN).
    low, high, factor
        A new size is ``factor`` times one of ``value[low:high]``, shape (n,) each.
    value
        Shape (rows,).
    whole
        Whether sizes are whole units, shape (n,).
    """

    weights: UrnWeights
    own: Doubles
    low: Ints
    high: Ints
    factor: Doubles
    value: Doubles
    whole: Bools

    def take(self, rows: Ints) -> Urns:
        """Return the urns of some series."""
        own, low, high = self.own[rows], self.low[rows], self.high[rows]
        return Urns(self.weights, own, low, high, self.factor[rows], self.value, self.whole[rows])


@dataclass(frozen=True)
class Ahead:
    """What paths start from and meet.

    Parameters
    ----------
    chance
        Chance of each state in the first bucket, shape (n_states, n).
    exposure
        How many plain buckets each bucket is worth, shape (n, horizon).
    odds_factor
        Factor on the odds of a sale on each path, shape (n_paths,).
    """

    chance: Doubles
    exposure: Doubles
    odds_factor: Floats


def draw_paths(chain: SaleChain, urns: Urns, ahead: Ahead, generators: list[np.random.Generator], out: Floats) -> None:
    """Write paths into ``out`` (n, n_paths, horizon); each generator draws bucket by bucket, all paths at once."""
    n, n_paths, horizon = out.shape
    noise = np.empty((n, horizon, 3, n_paths), np.float32)
    place = np.empty((n, n_paths))
    for row, generator in enumerate(generators):
        # Evenly spread over the states, so that few paths already show how likely each is.
        place[row] = (generator.permutation(n_paths) + 0.5) / n_paths
        generator.random(out=noise[row], dtype=np.float32)
    state = np.zeros((n, n_paths), np.intp)
    for part in np.cumsum(ahead.chance[:-1], axis=0):
        state += place >= part[:, None]
    odds = (chain.rate / (1 - chain.rate)) * ahead.odds_factor[:, None]
    rate = odds / (1 + odds)
    path = np.arange(n_paths)
    weight = np.cumsum(np.where(urns.own > 0, urns.weights.keep ** np.arange(N_OWN), 0.0), axis=1)
    drawn, n_drawn = np.zeros((n, n_paths, horizon), np.float32), np.zeros((n, n_paths), np.int64)
    for t in range(horizon):
        plain, exposure = rate[path, state], ahead.exposure[:, t, None]
        here = rate_over(plain, exposure)
        at = np.nonzero(noise[:, t, 0] < here)
        before = n_drawn[at]
        size, again = _drawn(urns, weight, at[0], before, noise[:, t, 1][at].astype(np.float64))
        size = np.where(again >= 0, drawn[(*at, again)], size)
        more, seldom = size_factor(plain, exposure)[at], plain[at] < SELDOM
        # Given a sale, noise / rate is uniform again.
        units, rest = _multiplied(size, more, seldom, noise[:, t, 0][at] / here[at])
        units = np.where(urns.whole[at[0]], np.floor(units + rest), units)
        out[:, :, t][at] = units
        drawn[(*at, before)] = np.where(more == 1, units, size)
        n_drawn[at] += 1
        _move(chain, state, noise[:, t, 2])


def _multiplied(size: Doubles, more: Doubles, seldom: Bools, uniform: Doubles) -> tuple[Doubles, Doubles]:
    """Return sizes times ``more`` and what is left to draw from, uniform; shape (n_sales,) each.

    Where sales are ``seldom`` a size comes once or several times, as often on average: a pack stays a pack. Rounding up
    with the probability of the fraction keeps the mean.
    """
    part = more - np.floor(more)
    again = seldom & (uniform >= 1 - part)
    rest = np.where(again, (uniform - 1 + part) / np.where(again, part, 1), uniform / (1 - part))
    times = np.where(seldom, np.floor(more) + again, more)
    return size * times, np.where(seldom, rest, uniform)


def _move(chain: SaleChain, state: npt.NDArray[np.intp], noise: Floats) -> None:
    """Let the states (n, n_paths) move on by one bucket, in place."""
    stay = np.diag(chain.move)
    leave = np.cumsum(np.where(np.eye(len(stay), dtype=np.bool_), 0, chain.move), axis=1)
    at = np.nonzero(noise >= stay[state])
    left = state[at]
    passed = (leave[left] <= (noise[at] - stay[left])[:, None]).sum(axis=1)
    state[at] = np.minimum(passed, len(stay) - 1)


def _drawn(urns: Urns, weight: Doubles, row: Ints, before: Ints, uniform: Doubles) -> tuple[Doubles, Ints]:
    """Return the size of each sale, and which of the path's earlier sizes it is instead, or -1; shape (n_sales,) each.

    ``weight`` holds the weights of the own sizes, added up, (n, N_OWN); ``before`` counts the path's earlier sales.
    """
    own = weight[row, -1]
    place = uniform * (own + before + urns.weights.new)
    rest = np.maximum(place - own - before, 0) / urns.weights.new
    span = urns.high[row] - urns.low[row]
    new = urns.low[row] + np.minimum((rest * span).astype(np.int64), span - 1)
    latest = np.minimum(_passed(weight, row, place), N_OWN - 1)
    size = np.where(place < own, urns.own[row, latest], urns.factor[row] * urns.value[new])
    again = np.minimum((place - own).astype(np.int64), before - 1)
    return size, np.where((place >= own) & (place < own + before), again, -1)


def _passed(weight: Doubles, row: Ints, place: Doubles) -> Ints:
    """Return how many of the ascending ``weight[row]`` are at most ``place``, by bisection."""
    passed = np.zeros(len(row), np.int64)
    for step in (32, 16, 8, 4, 2, 1):
        further = passed + step
        reached = (further <= N_OWN) & (weight[row, np.minimum(further, N_OWN) - 1] <= place)
        passed = np.where(reached, further, passed)
    return passed
