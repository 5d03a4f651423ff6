"""How an old item and its successor share the demand of a path while the old one's stock is used up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.panel import Bools, Floats
from engine.demand.succession import Pairs

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PooledStock:
    """What there is to sell of each series, where places that supply each other share it.

    Parameters
    ----------
    pool
        Pool of each series of a panel, shape (n,); a pool holds one item.
    units
        Units by the future bucket that they first serve, stock in bucket 0; shape (n_pools, n_future).
    """

    pool: Ints
    units: Doubles

    @classmethod
    def unlimited(cls, n_series: int, n_future: int) -> PooledStock:
        """Return stock that serves whatever is asked for."""
        return cls(np.zeros(n_series, np.int64), np.full((1, n_future), np.inf))

    def take(self, rows: Ints) -> PooledStock:
        """Return what there is of the given series."""
        pools, pool = np.unique(self.pool[rows], return_inverse=True)
        return PooledStock(pool.astype(np.int64), self.units[pools])


def generations(pairs: Pairs) -> Iterator[Ints]:
    """Yield numbers of pairs such that a pair comes after the one in which its old item is the successor.

    Items that follow each other in a circle are left out: none of them is the old one.
    """
    left = np.arange(len(pairs.heir))
    while len(left):
        ready = ~np.isin(pairs.old[left], pairs.heir[left])
        if not ready.any():
            return
        yield left[ready]
        left = left[~ready]


def served_share(units: Floats, stock: PooledStock) -> Doubles:
    """Return the share of each pool's demand that stock serves, path by path, shape (n_pools, n_paths, horizon).

    Demand that finds no stock does not wait. What a pool cannot serve in a bucket is missed in the same proportion
    by all of its series. Where nothing is asked for, the share is 1 while anything is left.

    Parameters
    ----------
    units
        Demand of the stock's series, shape (n, n_paths, horizon).
    """
    demand = np.zeros((len(stock.units), *units.shape[1:]))
    np.add.at(demand, stock.pool, units)
    share, left = np.ones(demand.shape), np.zeros(demand.shape[:2])
    for t in range(units.shape[2]):
        left = left + stock.units[:, t, None]
        asked = demand[:, :, t]
        served = np.minimum(asked, left)
        share[:, :, t] = np.where(asked > 0, served / np.where(asked > 0, asked, 1.0), left > 0)
        left = left - served
    return share


def share_of_old(units: Floats, pairs: Pairs, together: Bools) -> Doubles:
    """Return the part of each pair's mean forecast that is the old item's, where both are on offer; shape (n_pairs,).

    Parameters
    ----------
    units
        Demand, shape (n, n_paths, horizon), that of a successor being the pair's.
    together
        Whether both are on offer, shape (n_pairs, horizon).
    """
    mean = units.mean(axis=1, dtype=np.float64)
    old, pair = (np.where(together, mean[rows], 0.0).cumsum(axis=1)[:, -1] for rows in (pairs.old, pairs.heir))
    return np.where(pair > 0, np.minimum(old * pairs.share / np.where(pair > 0, pair, 1.0), 1.0), 0.0)


def thinned(units: Floats, keep: Doubles, generator: np.random.Generator) -> Floats:
    """Return whole ``units`` (n_paths, horizon), each of them kept with probability ``keep`` of the same shape."""
    # Drawn bucket by bucket, all paths at once, so that a longer horizon only adds to the end.
    asked = np.ascontiguousarray(units.T.astype(np.int64))
    kept = generator.binomial(asked, np.clip(np.ascontiguousarray(keep.T), 0, 1))
    return kept.T.astype(np.float32)
