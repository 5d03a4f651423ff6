"""Items that share limits, as arrays: what stock is worth, how it can come, and what that uses up.

Rows of arrays are sites ``S`` or lanes ``L`` of an item, columns are the items ``n``, so that all items are worked on
at once. Numbers are float32 or float64 as given. What is minimised over whole lots and units is

    sum over cells of cost(units there) + sum of charges * units + cost of the trips made,

where a cell's cost is piecewise linear and convex. A site holds its stock, what it buys and what it is sent, less what
it sends; it sends no more than its stock. Every limit is a resource with a bound, and every purchase and every move
uses a given amount of some resources for each unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.policy.types import F64, I64

Floats = npt.NDArray[Any]
"""float32 or float64."""
Whole = npt.NDArray[Any]


@dataclass(frozen=True)
class Curves:
    """What units at a cell save, in ``K`` segments of falling value.

    Parameters
    ----------
    ends
        Units at which each segment ends, rising, shape (S, K, n); the last is inf.
    value
        What a unit of the segment saves, not rising, shape (S, K, n); <= 0 in the last segment.
    nothing
        Cost without units, shape (S, n).
    """

    ends: Floats
    value: Floats
    nothing: Floats

    def __post_init__(self) -> None:
        if self.ends.shape != self.value.shape or self.nothing.shape != (len(self.ends), self.ends.shape[2]):
            raise ValueError(f"curves must fit together. Got {self.ends.shape}, {self.value.shape} instead.")
        if not np.isinf(self.ends[:, -1]).all() or (self.value[:, -1] > 0).any():
            raise ValueError("the last segment must have no end and save nothing. Got others instead.")
        if (np.diff(self.value, axis=1) > 0).any():
            raise ValueError("values must not rise along a curve. Got others instead.")

    def worth(self, site: int, units: Floats) -> Floats:
        """Return what units at a site save beside having none, shape (n,)."""
        total = np.zeros_like(units)
        below = np.zeros_like(units)
        for end, value in zip(self.ends[site], self.value[site], strict=True):
            reached = np.minimum(units, end)
            total += value * (reached - below)
            below = reached
        return total

    def reach(self, site: int, price: Floats) -> Floats:
        """Return the units at a site that save more than a price each, shape (n,); inf where all do."""
        units = np.zeros_like(price)
        for end, value in zip(self.ends[site], self.value[site], strict=True):
            np.copyto(units, end, where=value > price)
        return units

    def next_unit(self, site: int, units: Floats) -> tuple[Floats, Floats]:
        """Return what one unit more saves, and how many units save as much."""
        value, room = self.value[site, -1].copy(), np.full_like(units, np.inf)
        for end, worth in zip(self.ends[site, -2::-1], self.value[site, -2::-1], strict=True):
            inside = units < end
            np.copyto(value, worth, where=inside)
            np.copyto(room, end - units, where=inside)
        return value, room

    def last_unit(self, site: int, units: Floats) -> tuple[Floats, Floats]:
        """Return what the last unit saves, and how many units save as little; 0 units where there are none."""
        value, room = self.value[site, 0].copy(), units.copy()
        for end, worth in zip(self.ends[site, :-1], self.value[site, 1:], strict=True):
            beyond = units > end
            np.copyto(value, worth, where=beyond)
            np.copyto(room, units - end, where=beyond)
        return value, room


@dataclass(frozen=True)
class Use:
    """What each unit of some rows uses of one kind of limit.

    Parameters
    ----------
    resource
        Limit that each row of an item uses, -1 for none, shape (rows, n).
    amount
        How much of it, > 0, shape (rows, n).
    """

    resource: Whole
    amount: Floats


@dataclass(frozen=True)
class Purchases:
    """What can be bought for each cell, shape (S, n): 0, or ``least`` to ``most`` lots of ``size`` units."""

    size: Floats
    least: Floats
    most: Floats
    charge: Floats
    uses: tuple[Use, ...]


@dataclass(frozen=True)
class Lanes:
    """Ways between the sites of an item, whole units; a lane's trip is made once for all items or not at all.

    Parameters
    ----------
    origin, dest
        Sites, shape (L,).
    charge
        Cost per unit, shape (L,).
    trip_cost
        Cost of the trip, shape (L,).
    resource
        The limit that holds the lane's volume, shape (L,).
    volume
        Volume of a unit, shape (n,).
    uses
        Further limits that a move uses.
    """

    origin: I64
    dest: I64
    charge: F64
    trip_cost: F64
    resource: I64
    volume: Floats
    uses: tuple[Use, ...] = ()

    @property
    def n_lanes(self) -> int:
        return len(self.origin)


@dataclass(frozen=True)
class ScarceProblem:
    """Items, how their sites are supplied, and the limits that they share; ``bound`` has a row a limit, inf: none."""

    stock: Floats
    curves: Curves
    purchases: Purchases
    lanes: Lanes
    bound: F64

    @property
    def n_sites(self) -> int:
        return len(self.stock)

    @property
    def n_items(self) -> int:
        return int(self.stock.shape[1])

    def take(self, items: slice | I64) -> ScarceProblem:
        """Return the problem of some items; limits stay as they are."""

        def uses(some: tuple[Use, ...]) -> tuple[Use, ...]:
            return tuple(Use(use.resource[:, items], use.amount[:, items]) for use in some)

        curves, bought = self.curves, self.purchases
        return replace(
            self,
            stock=self.stock[:, items],
            curves=Curves(curves.ends[:, :, items], curves.value[:, :, items], curves.nothing[:, items]),
            purchases=Purchases(
                bought.size[:, items],
                bought.least[:, items],
                bought.most[:, items],
                bought.charge[:, items],
                uses(bought.uses),
            ),
            lanes=replace(self.lanes, volume=self.lanes.volume[items], uses=uses(self.lanes.uses)),
        )

    def trip_share(self) -> F64:
        """Return each trip's cost per unit of its lane's volume, shape (L,): what a full trip costs at least."""
        volume = self.bound[self.lanes.resource]
        return np.asarray(np.divide(self.lanes.trip_cost, volume, out=np.zeros(len(volume)), where=volume > 0))

    def buying_price(self, prices: F64) -> Floats:
        """Return what a unit bought costs with the limits priced, shape (S, n)."""
        return np.asarray(self.purchases.charge + _priced(self.purchases.uses, prices, self.purchases.charge))

    def moving_price(self, prices: F64, trip_share: F64) -> Floats:
        """Return what a unit moved costs with the limits priced, shape (L, n)."""
        lanes = self.lanes
        per_volume = (prices[lanes.resource] + trip_share).astype(self.stock.dtype)
        charge = lanes.charge.astype(self.stock.dtype)[:, None] + per_volume[:, None] * lanes.volume
        return np.asarray(charge + _priced(lanes.uses, prices, charge))

    def used(self, lots: Floats, moved: Floats) -> F64:
        """Return what lots bought (S, n) and units moved (L, n) use of every limit."""
        total = np.zeros(len(self.bound))
        lanes = self.lanes
        np.add.at(total, lanes.resource, moved.astype(np.float64) @ lanes.volume.astype(np.float64))
        for uses, units in ((self.purchases.uses, lots * self.purchases.size), (lanes.uses, moved)):
            for use in uses:
                rows, items = np.nonzero((units > 0) & (use.resource >= 0))
                weights = units[rows, items].astype(np.float64) * use.amount[rows, items]
                total += np.bincount(use.resource[rows, items], weights=weights, minlength=len(total))
        return total

    def cost(self, lots: Floats, moved: Floats) -> float:
        """Return what a decision costs."""
        bought = lots * self.purchases.size
        units = self.level(lots, moved)
        total = float((self.purchases.charge * bought).sum(dtype=np.float64))
        total += float(self.curves.nothing.sum(dtype=np.float64))
        for site in range(self.n_sites):
            total -= float(self.curves.worth(site, units[site].astype(np.float64)).sum())
        total += float(self.lanes.charge @ moved.sum(axis=1, dtype=np.float64))
        return total + float(self.lanes.trip_cost[(moved > 0).any(axis=1)].sum())

    def level(self, lots: Floats, moved: Floats) -> Floats:
        """Return the units at every cell, shape (S, n)."""
        units: Floats = self.stock + lots * self.purchases.size
        for lane, (origin, dest) in enumerate(zip(self.lanes.origin, self.lanes.dest, strict=True)):
            units[origin] -= moved[lane]
            units[dest] += moved[lane]
        return units


def _priced(uses: tuple[Use, ...], prices: F64, like: Floats) -> Floats:
    total = np.zeros_like(like)
    # A resource of -1 reads the price 0 at the end.
    padded = np.append(prices, 0.0).astype(like.dtype)
    for use in uses:
        total += padded[use.resource] * use.amount
    return total
