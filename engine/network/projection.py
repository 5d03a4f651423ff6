"""Projected stock: what becomes of cells along every path of demand, with the orders that each path leads to.

The policy of `engine.network.follow` goes on beyond today, so a projection does not fall to nothing, and its
``ordered`` is the mean of those orders. Cells that feed each other are followed together: no path sends more than its
giver has. Volumes of trips limit today's and planned lines only.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from engine.forecast.summary import quantile_column
from engine.network.ahead import arriving_today, families, feeders, look_ahead, mean_demand, sent_today, walk_of
from engine.network.decision import Decision
from engine.network.feeding import blocks
from engine.network.follow import Followed, LaterOrders, follow
from engine.network.types import Network
from engine.plan.tables import plan_table
from engine.policy.types import F32, F64, I64, StockRule, Targets

PROJECTED_CELLS = 300
"""Cells that a plan projects, by `projected_cells`."""

PROJECTED_LEVELS = (0.05, 0.95)
"""Quantiles of projected stock."""


def projection_rows(
    network: Network, decision: Decision, targets: Targets, rule: StockRule, cells: I64
) -> pd.DataFrame:
    """Return the table ``projection`` of some cells, sorted by key: stock at the end of every bucket.

    ``inbound`` is what open orders bring in a bucket, ``ordered`` what today's lines and, on the mean of paths, later
    orders bring. ``date`` is the bucket's first day; a quantile is the least stock that the share of paths does not
    exceed, both as in ``forecast``.

    Parameters
    ----------
    network, decision, targets, rule
        As for `engine.network.planned.planned_lines`.
    cells
        Rows in the network's cells; repeated ones count once.

    Raises
    ------
    ValueError
        If a cell has no primary option, hence no policy to follow.
    """
    chosen = np.unique(cells).astype(np.int64)
    without = np.count_nonzero(network.primary_of[chosen] < 0)
    if without:
        raise ValueError(f"projected cells must have a primary option. Got {without} without.")
    horizon, n_paths = network.horizon, decision.demand.n_paths
    family = families(network)
    walked = np.flatnonzero(np.isin(family, family[chosen]))
    ahead = look_ahead(network, decision, walked)
    inbound = network.cells.arrivals[walked]
    ordered = arriving_today(network.cells, network, decision)[walked]
    mean = np.zeros((len(walked), horizon))
    quantiles = np.zeros((len(PROJECTED_LEVELS), *mean.shape))
    for rows in blocks(family[walked], n_paths * (horizon + 1)):
        later, feeding = walk_of(ahead.network, targets, walked[rows], ahead.mean)
        later, feeding = _within(later, horizon), None if feeding is None else feeding.without_trips()
        at, paths = np.searchsorted(walked, later.cell), _leaving(network, decision, later.cell)
        followed = follow(network, later, paths, inbound[at] + ordered[at], rule, feeding=feeding)
        ordered[at] += _mean_arrivals(later, followed, horizon)
        mean[at] = followed.stock.mean(axis=1)
        quantiles[:, at] = _quantiles(followed.stock)
    asked = np.searchsorted(walked, chosen)
    mean, inbound, ordered, quantiles = mean[asked], inbound[asked], ordered[asked], quantiles[:, asked]
    dates = network.calendar.starts[network.calendar.n_history :][:horizon]
    return plan_table(
        "projection",
        {
            "item_id": np.repeat(network.cells.item_id[chosen], horizon),
            "location_id": np.repeat(network.cells.location_id[chosen], horizon),
            "date": np.tile(dates, len(chosen)),
            "stock_mean": mean.reshape(-1),
            **{
                f"stock_{quantile_column(level)}": values.reshape(-1)
                for level, values in zip(PROJECTED_LEVELS, quantiles, strict=True)
            },
            "inbound": inbound.reshape(-1),
            "ordered": ordered.reshape(-1),
        },
    )


def projected_cells(network: Network, decision: Decision, n: int = PROJECTED_CELLS) -> I64:
    """Return the rows, in order, of the ``n`` cells with most money in play among those with a primary option.

    Money is mean demand over the horizon at the unit price (at unit cost without one, else at 0), and the cost of
    waiting of the cell's lines. Ties go to higher demand, then to the first key.
    """
    cells, options = network.cells, network.options
    linked = np.flatnonzero(network.primary_of >= 0)
    demand = mean_demand(decision.demand.paths, linked).sum(axis=1)
    price = np.where(np.isnan(cells.unit_price), np.nan_to_num(cells.unit_cost, nan=0.0), cells.unit_price)
    waiting = np.bincount(options.cell, weights=decision.cost_of_waiting, minlength=cells.n_cells)
    money = demand * price[linked] + waiting[linked]
    most = np.lexsort((linked, -demand, -money))[:n]
    return np.sort(linked[most])


def _leaving(network: Network, decision: Decision, cells: I64) -> F32:
    """Return demand of some cells along all paths, without what fed cells order later."""
    paths = decision.demand.paths[cells]
    gives = feeders(network)[cells]
    if gives.any():
        sent = sent_today(network, decision)[cells[gives], None]
        paths[gives] = decision.own.paths[cells[gives]] + sent.astype(np.float32)
    return paths


def _within(later: LaterOrders, horizon: int) -> LaterOrders:
    """Return the orders placed within the horizon, with their levels as they are; what lands behind it lands at it."""
    return replace(
        later,
        bucket=np.minimum(later.bucket, horizon),
        arrival=np.minimum(later.arrival, horizon),
        until=np.minimum(later.until, horizon + 1),
    )


def _mean_arrivals(later: LaterOrders, followed: Followed, horizon: int) -> F64:
    """Return what later orders bring on the mean of paths, shape (r, H)."""
    row, step = np.nonzero(later.arrival < horizon)
    arrivals = np.zeros((len(later.option), horizon))
    np.add.at(arrivals, (row, later.arrival[row, step]), followed.ordered.mean(axis=1)[row, step])
    return arrivals


def _quantiles(stock: F64) -> F64:
    """Return the order statistics of `PROJECTED_LEVELS` over paths, shape (levels, r, H)."""
    n_paths = stock.shape[1]
    place = np.ceil(np.array(PROJECTED_LEVELS) * n_paths - 1e-9).astype(np.int64) - 1
    ranked = np.sort(stock, axis=1)[:, np.clip(place, 0, n_paths - 1)]
    return np.moveaxis(ranked, 1, 0)
