"""What follows today's decision: planned lines on later order days, and projected stock.

Both follow the policy of `engine.network.follow` beyond today: planned lines along mean demand, one forecast of orders;
the projection along every path, each with the orders that it leads to. So a projection does not fall to nothing, and
its ``ordered`` is the mean of those orders.

The demand of a decision already holds what fed cells order later and what is sent today, so one pass does: a feeder is
supplied for all paths of its receivers, also where their mean demand alone would not make them order. Planned
transfers are what receivers will ask for; trips and the feeder's stock do not limit them.

Lead times are at their mean. An order placed within the horizon often lands behind it, so what is known is followed
for a further horizon, in which demand goes on at its mean rate where the item is still sold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.forecast.summary import quantile_column
from engine.network.decision import Decision
from engine.network.follow import Followed, LaterOrders, follow, later_orders
from engine.network.steady import Steady
from engine.network.tiers import with_arrivals
from engine.network.types import Network
from engine.plan.lines import LineKeys, line_ids
from engine.plan.tables import plan_table
from engine.policy.types import F32, F64, I64, Cells, Days, StockRule, Targets

PROJECTED_CELLS = 300
"""Cells that a plan projects, by `projected_cells`."""

PROJECTED_LEVELS = (0.05, 0.95)
"""Quantiles of projected stock."""

_BLOCK_VALUES = 2**21  # values of an array over rows, paths and buckets: 16 MB


@dataclass(frozen=True)
class _Ahead:
    """A network over its horizon and a further one, ``2 H`` buckets, with the mean demand of some cells.

    Parameters
    ----------
    network
        The network, with cells over all buckets.
    mean
        Mean demand, rounded to float32, shape (n, 2 H); 0 at cells that were not asked for.
    """

    network: Network
    mean: F64


@dataclass(frozen=True)
class _Planned:
    """Planned orders of options, arrays of one length."""

    option: I64
    units: F64
    order_date: Days
    available_date: Days


def planned_lines(
    scope: str,
    network: Network,
    decision: Decision,
    targets: Targets,
    rule: StockRule,
    steady: Steady | None = None,
) -> pd.DataFrame:
    """Return the table ``planned``, sorted by item, location, order date and source.

    Lists what primary links are expected to order on their order days after today's and within the horizon, also
    where it lands behind it; what lands behind a further horizon, after a long closure, is left out. Trips and the
    stock of feeders do not limit planned transfers.

    Parameters
    ----------
    scope
        What line ids are hashed with, as for the lines of today.
    network, decision
        Stock, links, and what is decided on them today.
    targets
        Levels of all primary options.
    rule
        What becomes of unmet demand.
    steady
        What holds lines to an older plan.
    """
    planned = _planned(network, decision, targets, rule, steady)
    cells, options = network.cells, network.options
    cell = options.cell[planned.option]
    kind = np.where(options.origin_cell[planned.option] < 0, "purchase", "transfer").astype(object)
    item, source, location = cells.item_id[cell], options.source_id[planned.option], cells.location_id[cell]
    return plan_table(
        "planned",
        {
            "line_id": line_ids(scope, LineKeys(item, source, location, kind, planned.order_date)),
            "kind": kind,
            "item_id": item,
            "source_id": source,
            "location_id": location,
            "units": planned.units,
            "order_date": planned.order_date,
            "available_date": planned.available_date,
        },
    )


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
        As for `planned_lines`.
    cells
        Rows in the network's cells; repeated ones count once.

    Raises
    ------
    ValueError
        If a cell has no primary option, hence no policy to follow.
    """
    chosen = np.unique(cells).astype(np.int64)
    option = network.primary_of[chosen]
    without = np.count_nonzero(option < 0)
    if without:
        raise ValueError(f"projected cells must have a primary option. Got {without} without.")
    at = np.searchsorted(targets.option, option)
    horizon, paths = network.horizon, decision.demand.paths
    ahead = _look_ahead(network, paths, chosen)
    inbound = network.cells.arrivals[chosen]
    ordered = _arriving_today(network.cells, network, decision)[chosen]
    mean = np.zeros((len(chosen), horizon))
    quantiles = np.zeros((len(PROJECTED_LEVELS), len(chosen), horizon))
    for rows in _blocks(len(chosen), paths.shape[1] * (horizon + 1)):
        later = _within(later_orders(ahead.network, targets, at[rows], ahead.mean), horizon)
        followed = follow(network, later, paths[chosen[rows]], inbound[rows] + ordered[rows], rule)
        ordered[rows] += _mean_arrivals(later, followed, horizon)
        mean[rows] = followed.stock.mean(axis=1)
        quantiles[:, rows] = _quantiles(followed.stock)
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
    demand = _mean_demand(decision.demand.paths, linked).sum(axis=1)
    price = np.where(np.isnan(cells.unit_price), np.nan_to_num(cells.unit_cost, nan=0.0), cells.unit_price)
    waiting = np.bincount(options.cell, weights=decision.cost_of_waiting, minlength=cells.n_cells)
    money = demand * price[linked] + waiting[linked]
    most = np.lexsort((linked, -demand, -money))[:n]
    return np.sort(linked[most])


def _planned(
    network: Network, decision: Decision, targets: Targets, rule: StockRule, steady: Steady | None
) -> _Planned:
    cell_of = network.options.cell
    ahead = _look_ahead(network, decision.demand.paths, cell_of[targets.option])
    arriving = ahead.network.cells.arrivals + _arriving_today(ahead.network.cells, network, decision)
    units: list[F64] = [np.zeros(0)]
    option, day, arrival_day = ([np.zeros(0, dtype=np.int64)] for _ in range(3))
    for rows in _blocks(len(targets.option), ahead.network.horizon + 1):
        later = later_orders(ahead.network, targets, rows, ahead.mean)
        cell = cell_of[later.option]
        path = ahead.mean[cell, None].astype(np.float32)
        held = None if steady is None else steady.later(later.option, later.day)
        ordered = follow(ahead.network, later, path, arriving[cell], rule, held).ordered[:, 0]
        # Cells are sorted by key and steps by date, so lines come in the order of the table.
        row, step = np.nonzero((ordered > 0) & (later.bucket < network.horizon))
        option.append(later.option[row])
        units.append(ordered[row, step])
        day.append(later.day[row, step])
        arrival_day.append(later.arrival_day[row, step])
    as_of = network.calendar.as_of
    return _Planned(
        option=np.concatenate(option),
        units=np.concatenate(units),
        order_date=as_of + np.concatenate(day),
        available_date=as_of + np.concatenate(arrival_day),
    )


def _look_ahead(network: Network, paths: F32, some: I64) -> _Ahead:
    cells, horizon = network.cells, network.horizon
    goes_on = cells.end_bucket >= horizon
    known = _mean_demand(paths, some)
    rate = known.mean(axis=1, keepdims=True).astype(np.float32) * goes_on[some, None]
    mean = np.zeros((cells.n_cells, 2 * horizon))
    mean[some] = np.concatenate([known, np.repeat(rate, horizon, axis=1)], axis=1)
    longer = replace(
        cells,
        arrivals=np.concatenate([cells.arrivals, np.zeros_like(cells.arrivals)], axis=1),
        end_bucket=np.where(goes_on, 2 * horizon, cells.end_bucket),
    )
    return _Ahead(replace(network, cells=longer, horizon=2 * horizon), mean)


def _mean_demand(paths: F32, some: I64) -> F64:
    """Return mean demand of some cells, rounded to float32: sums of it are exact, so rounding never adds a lot."""
    mean = np.zeros((len(some), paths.shape[2]))
    for rows in _blocks(len(some), paths.shape[1] * paths.shape[2]):
        mean[rows] = paths[some[rows]].mean(axis=1, dtype=np.float64).astype(np.float32)
    return mean


def _arriving_today(cells: Cells, network: Network, decision: Decision) -> F64:
    """Return what today's lines bring, shape (n, buckets of the cells)."""
    nothing = replace(cells, arrivals=np.zeros_like(cells.arrivals))
    return with_arrivals(nothing, network.options, decision.units).arrivals


def _within(later: LaterOrders, horizon: int) -> LaterOrders:
    """Return the later orders that land within the horizon, with their levels as they are."""
    lands = later.arrival < horizon
    return replace(
        later,
        bucket=np.where(lands, later.bucket, horizon),
        arrival=np.where(lands, later.arrival, horizon),
        until=np.minimum(later.until, horizon),
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


def _blocks(n_rows: int, values_per_row: int) -> Iterator[I64]:
    size = max(1, _BLOCK_VALUES // max(1, values_per_row))
    for start in range(0, n_rows, size):
        yield np.arange(start, min(start + size, n_rows), dtype=np.int64)
