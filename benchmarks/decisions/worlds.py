"""Made-up networks of many items on a few sites, for `benchmarks.decisions.network`.

Each item has its own rate and each of its sites a share of it; demand over the interval is negative binomial. Stock is
uneven, as after a season: some sites hold far too much, others nothing. A cell's cost is holding per unit left and
shortage per unit missed, read off the distribution at ``N_SEGMENTS`` integer breakpoints, straight lines between them.
Sites are 2 feeders and regions; lanes lead from feeders to all others and between neighbours, each with a trip cost
and a volume. Purchases come in packs of 1, 4, 6 or 12, for money.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc

from engine.limits.problem import Curves, Lanes, Purchases, ScarceProblem, Use

N_SEGMENTS = 10
_CHUNK = 20_000


def lanes_of(n_sites: int) -> tuple[np.ndarray, np.ndarray]:
    """Return origins and destinations: feeders 0 and 1 to all others, and neighbours in a ring both ways."""
    pairs = [(feeder, site) for feeder in (0, 1) for site in range(2, n_sites)]
    ring = list(range(2, n_sites))
    for here, there in zip(ring, [*ring[1:], ring[0]], strict=True):
        pairs += [(here, there), (there, here)]
    origin, dest = np.array(sorted(set(pairs))).T
    return origin, dest


def world(seed: int, n_items: int, n_sites: int = 10) -> ScarceProblem:
    """Return a network without binding limits: resource 0 is the budget, the next ones are the lanes; all inf."""
    rng = np.random.default_rng(seed)
    origin, dest = lanes_of(n_sites)
    rate = rng.lognormal(2.0, 0.8, n_items)
    share = rng.dirichlet(np.full(n_sites, 2.0), n_items).T * n_sites
    mean = np.maximum(rate * share, 0.05)
    money = rng.lognormal(2.0, 0.7, n_items)
    shortage = (money * rng.uniform(0.3, 1.0, n_items)).astype(np.float32)
    holding = (money * rng.uniform(0.02, 0.06, n_items)).astype(np.float32)
    stock = np.floor(mean * rng.choice([0.0, 0.3, 0.9, 1.5, 3.0], mean.shape, p=[0.2, 0.25, 0.25, 0.2, 0.1]))
    ends = np.full((n_sites, N_SEGMENTS, n_items), np.inf, dtype=np.float32)
    value = np.zeros((n_sites, N_SEGMENTS, n_items), dtype=np.float32)
    for start in range(0, n_items, _CHUNK):
        part = slice(start, start + _CHUNK)
        ends[:, :-1, part], value[:, :, part] = _curves(mean[:, part], holding[part], shortage[part])
    size = np.broadcast_to(rng.choice([1, 4, 6, 12], n_items).astype(np.float32), mean.shape)
    most = np.ceil(3 * mean / size).astype(np.float32)
    volume = rng.uniform(0.5, 2.0, n_items).astype(np.float32)
    n_lanes = len(origin)
    return ScarceProblem(
        stock=stock.astype(np.float32),
        curves=Curves(ends, value, (shortage * mean).astype(np.float32)),
        purchases=Purchases(
            size=size,
            least=np.broadcast_to(np.float32(1), mean.shape),
            most=most,
            charge=np.broadcast_to(np.float32(0), mean.shape),
            uses=(
                Use(
                    np.broadcast_to(np.int16(0), mean.shape),
                    np.broadcast_to(money.astype(np.float32), mean.shape),
                ),
            ),
        ),
        lanes=Lanes(
            origin=origin,
            dest=dest,
            charge=rng.uniform(0.05, 0.3, n_lanes),
            trip_cost=np.zeros(n_lanes),
            resource=1 + np.arange(n_lanes),
            volume=volume,
        ),
        bound=np.full(1 + n_lanes, np.inf),
    )


def _curves(mean: np.ndarray, holding: np.ndarray, shortage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ends of all but the last segment (S, K - 1, n) and values (S, K, n) of negative binomial demand."""
    spread = 1.0 + 0.5 * mean  # variance over mean
    sd = np.sqrt(spread * mean)
    steps = np.linspace(-1.6, 3.2, N_SEGMENTS - 1)
    points = np.stack([np.rint(np.maximum(mean + z * sd, 0.0)) for z in steps], axis=1)
    points[:, 0] = np.maximum(points[:, 0], 1)
    for k in range(1, points.shape[1]):
        points[:, k] = np.maximum(points[:, k], points[:, k - 1] + 1)
    whole = np.concatenate([np.zeros_like(points[:, :1]), points], axis=1)
    short = _expected_short(whole, mean[:, None], spread[:, None])
    cost = holding * (whole - mean[:, None] + short) + shortage * short
    value = np.empty((mean.shape[0], N_SEGMENTS, mean.shape[1]))
    value[:, :-1] = -np.diff(cost, axis=1) / np.diff(whole, axis=1)
    value[:, -1] = -holding
    value = np.minimum.accumulate(value.astype(np.float32), axis=1)
    return points.astype(np.float32), value


def _expected_short(units: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return E[(D - units)+] of a negative binomial with the given mean and variance over mean."""
    chance = 1.0 / spread
    size = mean * chance / (1.0 - chance)

    def at_most(k: np.ndarray, r: np.ndarray) -> np.ndarray:
        return np.where(k < 0, 0.0, betainc(r, np.maximum(k, 0.0) + 1.0, chance))

    # E[D; D > k] = mean * P(D' > k - 1) where D' has one more success to wait for.
    above = 1.0 - at_most(units, size)
    return mean * (1.0 - at_most(units - 1.0, size + 1.0)) - units * above
