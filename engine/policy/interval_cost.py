"""Expected cost of the interval that an order answers for, and the value of what is left at its end.

The cost from landing to the next arrival is, per path and summed over the buckets t of the interval,

    holding_cost * days[t] * stock[t] + shortage_cost * lost[t]        (lost, served elsewhere)
    holding_cost * days[t] * stock[t] + backorder_cost * days[t] * owed[t]        (backordered)

with stock and owed units at the end of the bucket, plus the loss on what is left at the end (`LeftOver`), plus the
price paid above ``unit_cost`` on every unit ordered. What happens before landing is sunk. It is convex in the order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.policy.curve import Needs
from engine.policy.types import F64, I64, Cells, Options, StockRule


@dataclass(frozen=True)
class LeftOver:
    """What a unit left at the end of the horizon loses against its ``unit_cost``; arrays (n,).

    Unit j of those left (j real, in order of sale) is expected to sell after j / daily demand days and is held until
    then: it loses ``slope * j``, ``slope = holding_cost / daily_demand``. It never loses more than ``cap``, its unit
    cost less its salvage value, and loses just that if its turn comes after the item's end. A salvage value above
    the unit cost counts as the unit cost: stock is not bought for its salvage. Without a unit cost the loss is 0.

    ``turn`` is the j from which on the loss is ``cap``.
    """

    slope: F64
    cap: F64
    turn: F64

    def columns(self) -> LeftOver:
        """Return the same as columns, shape (n, 1), to be read path by path."""
        return LeftOver(self.slope[:, None], self.cap[:, None], self.turn[:, None])

    def loss(self, units: F64) -> F64:
        """Return the loss on ``units`` >= 0 left: convex, 0 at 0."""
        sellable = np.minimum(units, self.turn)
        return 0.5 * self.slope * sellable * sellable + self.cap * (units - sellable)

    def marginal(self, units: F64) -> F64:
        """Return the loss on one unit more (right-hand derivative)."""
        return np.where(units < self.turn, self.slope * np.minimum(units, self.turn), self.cap)


def left_over(cells: Cells, daily_demand: F64, horizon_end: I64, rule: StockRule) -> LeftOver:
    """Return the loss on what is left at the start of bucket ``horizon_end`` (n,), given mean daily demand (n,)."""
    edges = np.concatenate([[0], np.cumsum(rule.bucket_days)]).astype(np.float64)
    n_buckets = len(rule.bucket_days)
    ends = cells.end_bucket < n_buckets
    last = np.minimum(cells.end_bucket, n_buckets)
    days_on_sale = np.where(ends, np.maximum(edges[last] - edges[np.minimum(horizon_end, n_buckets)], 0.0), np.inf)
    salvage = np.where(np.isnan(cells.salvage_value), 0.0, cells.salvage_value)
    cap = np.where(np.isnan(cells.unit_cost), 0.0, np.maximum(cells.unit_cost - salvage, 0.0))
    demand = np.maximum(daily_demand, 0.0)
    sells = demand > 0
    slope = np.divide(cells.holding_cost, demand, out=np.zeros_like(demand), where=sells)
    worn = np.divide(cap, slope, out=np.full_like(cap, np.inf), where=slope > 0)
    on_sale = np.multiply(demand, days_on_sale, out=np.zeros_like(demand), where=sells)
    return LeftOver(slope, cap, np.minimum(worn, on_sale))


def price_above_cost(cells: Cells, options: Options) -> F64:
    """Return what a unit of each option costs beyond its ``unit_cost``, shape (m,), >= 0.

    A purchase: its price above ``Cells.unit_cost``; a price below is as low at the next order, so it is no reason to
    order ahead. A transfer: the lane's cost per unit. 0 where a figure is missing.
    """
    purchase = options.origin_cell < 0
    extra = np.where(purchase, options.unit_cost - cells.unit_cost[options.cell], options.unit_cost)
    return np.maximum(np.where(np.isnan(extra), 0.0, extra), 0.0)


@dataclass(frozen=True)
class Prices:
    """Money per unit of a block of options; columns (r, 1). ``unmet``: shortage or backorder cost."""

    holding: F64
    unmet: F64
    above_cost: F64
    left: LeftOver


def interval_cost(needs: Needs, reach: F64, prices: Prices, rule: StockRule) -> F64:
    """Return the expected cost (r,) of a reach (r, P), without the price above cost of the units themselves.

    ``needs`` must have a segment for every bucket.
    """
    if rule.backordered:
        net = reach - needs.upper
        held = (needs.days * np.maximum(net, 0.0)).sum(axis=0)
        unmet = (needs.days * np.maximum(-net, 0.0)).sum(axis=0)
        left = np.maximum(net[-1], 0.0)
    else:
        stock = np.maximum(reach, needs.running_peak) - needs.upper
        held = (needs.days * stock).sum(axis=0)
        unmet = np.maximum(needs.peak - reach, 0.0)
        left = stock[-1]
    cost: F64 = prices.holding * held + prices.unmet * unmet + prices.left.loss(left)
    expected: F64 = cost.mean(axis=1)
    return expected


def check_prices(cells: Cells, rule: StockRule) -> None:
    """Raise ValueError unless holding and the price of unmet demand are given and >= 0 for every cell."""
    names = ("holding_cost", "backorder_cost" if rule.backordered else "shortage_cost")
    for name in names:
        wrong = ~(getattr(cells, name) >= 0)
        if wrong.any():
            raise ValueError(f"{name} must be given and >= 0. Got {np.count_nonzero(wrong)} others instead.")
