"""The four objectives, each as one question: does this reach meet the aim?

The answer turns from no to yes once, as the reach grows, so the least quantity that meets an aim is found by
bisection over whole steps on the exact curve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.policy.curve import Needs
from engine.policy.interval_cost import Prices, interval_cost
from engine.policy.service import UNIT_TOLERANCE, asks, short_units, stock_before_next
from engine.policy.types import F32, F64, I64, Bools, Cells, Options, Scenarios, StockRule

Meets = Callable[[F64], Bools]
"""From a reach (r, P) to whether it meets the aim, (r,)."""

_SLACK = 1e-9


@dataclass(frozen=True)
class Outlook:
    """What objectives read from the paths beyond the protection interval, by cell (n,).

    Parameters
    ----------
    daily_demand
        Mean demand per day over the horizon, up to the item's end.
    cover_units
        Mean demand of the first ``Cells.target`` days after the next arrival of the primary option; 0 for other
        objectives and cells without a primary option. Beyond the horizon it goes on at ``daily_demand``, or not at
        all if the item ends within it.
    """

    daily_demand: F64
    cover_units: F64


def outlook(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> Outlook:
    """Return mean demand per day and the units that days of cover stand for."""
    cover = np.zeros(cells.n_cells)
    if rule.objective in ("cycle_service", "fill_rate"):
        return Outlook(np.zeros(cells.n_cells), cover)
    so_far = mean_demand_so_far(scenarios.paths)
    daily = _daily(cells, so_far, rule)
    if rule.objective == "days_of_cover":
        edges = _edges(rule, scenarios.horizon)
        rows = np.flatnonzero(options.primary)
        cell = options.cell[rows]
        start = edges[np.minimum(options.next_arrival[rows], scenarios.horizon)]
        later = np.where(cells.end_bucket < scenarios.horizon, 0.0, daily)[cell]
        cover[cell] = demand_by(start + cells.target[cell], edges, so_far[cell], later)
        cover[cell] -= demand_by(start, edges, so_far[cell], later)
    return Outlook(daily, cover)


def daily_demand(cells: Cells, paths: F32, rule: StockRule) -> F64:
    """Return mean demand per day over the horizon, up to each item's end, shape (n,)."""
    return _daily(cells, mean_demand_so_far(paths), rule)


def _daily(cells: Cells, so_far: F64, rule: StockRule) -> F64:
    horizon = so_far.shape[1] - 1
    days_on_sale = _edges(rule, horizon)[np.minimum(cells.end_bucket, horizon)]
    daily: F64 = np.divide(so_far[:, -1], days_on_sale, out=np.zeros(len(so_far)), where=days_on_sale > 0)
    return daily


def _edges(rule: StockRule, horizon: int) -> F64:
    edges = np.zeros(horizon + 1)
    np.cumsum(rule.bucket_days[:horizon], out=edges[1:])
    return edges


def mean_demand_so_far(paths: F32) -> F64:
    """Return mean demand before the start of each bucket, shape (n, horizon + 1)."""
    so_far = np.zeros((len(paths), paths.shape[2] + 1))
    size = 64
    for start in range(0, len(paths), size):
        mean = paths[start : start + size].astype(np.float64).mean(axis=1)
        np.cumsum(mean, axis=1, out=so_far[start : start + size, 1:])
    return so_far


def demand_by(day: F64, edges: F64, so_far: F64, later: F64) -> F64:
    """Return mean demand from ``as_of`` to a day (r,), even within a bucket; ``later`` a day beyond the edges."""
    inside = np.minimum(day, edges[-1])
    bucket = np.clip(np.searchsorted(edges, inside, side="right") - 1, 0, len(edges) - 2)
    row = np.arange(len(day))
    share = (inside - edges[bucket]) / (edges[bucket + 1] - edges[bucket])
    within = share * (so_far[row, bucket + 1] - so_far[row, bucket])
    demand: F64 = so_far[row, bucket] + within + (day - inside) * later
    return demand


@dataclass(frozen=True)
class Aim:
    """What a block of cells is to reach; arrays (r,). ``prices`` is given for the cost objective only."""

    target: F64
    cover_units: F64
    min_stock: F64
    step: F64
    prices: Prices | None


def objective_met(needs: Needs, aim: Aim, rule: StockRule) -> Meets:
    """Return the question of the objective.

    - cycle service: of n paths with demand, the need of at least target * (n + 1) is covered, or of all: the k-th
      smallest of n needs covers the one to come with probability k / (n + 1), not k / n;
    - fill rate: expected shortage is at most 1 - target of expected demand;
    - days of cover: mean stock just before the next arrival is at least the units those days stand for;
    - cost: one step more costs at least as much as it saves.
    """
    if aim.prices is not None:
        return _not_cheaper(needs, aim, aim.prices, rule)
    if rule.objective == "days_of_cover":
        return stock_met(needs, aim.cover_units, rule)
    if rule.objective == "fill_rate":
        demand = needs.demand.sum(axis=1)
        allowed = (1.0 - aim.target + _SLACK) * demand
        return lambda reach: short_units(needs, reach, rule).sum(axis=1) <= allowed
    active = asks(needs)
    n_active = np.count_nonzero(active, axis=1)
    enough = np.minimum(aim.target * (n_active + 1), n_active) - _SLACK
    least = np.where(active, needs.peak - UNIT_TOLERANCE, np.inf)
    return lambda reach: np.count_nonzero(least <= reach, axis=1) >= enough


def stock_met(needs: Needs, units: F64, rule: StockRule) -> Meets:
    """Return whether mean stock just before the next arrival is at least ``units`` (r,)."""
    least = units * (1.0 - _SLACK)
    return lambda reach: stock_before_next(needs, reach, rule).mean(axis=1) >= least


def _not_cheaper(needs: Needs, aim: Aim, prices: Prices, rule: StockRule) -> Meets:
    def met(reach: F64) -> Bools:
        now = interval_cost(needs, reach, prices, rule)
        more = interval_cost(needs, reach + aim.step[:, None], prices, rule)
        return more + prices.above_cost[:, 0] * aim.step >= now - _SLACK * (1.0 + np.abs(now)) * aim.step

    return met


def least_steps(met: Callable[[I64], Bools], high: I64) -> I64:
    """Return the least whole number in [0, high] from which ``met`` holds; ``high`` where it holds nowhere below."""
    high = high.copy()
    low = np.full_like(high, -1)
    while (open_rows := high - low > 1).any():
        middle = (low + high) // 2
        yes = met(middle)
        high = np.where(open_rows & yes, middle, high)
        low = np.where(open_rows & ~yes, middle, low)
    return high
