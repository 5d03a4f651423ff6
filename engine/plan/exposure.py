"""What stock is exposed to: shortage before the next arrival, days of cover, and how sales went lately."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.plan.params import AlertParams
from engine.policy.types import F64, I64, Bools, Options

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class NextArrival:
    """When units come to each cell next.

    Parameters
    ----------
    bucket
        First bucket that the next arrival serves, shape (n,): of what is on order, else of the fastest order that could
        be placed, else (nothing could come within it) the horizon.
    on_order
        Whether something is that arrives within the horizon: inbound, or a decided line; shape (n,).
    """

    bucket: I64
    on_order: Bools


def next_arrival(arrivals: F64, options: Options, units: F64) -> NextArrival:
    """Return when units come to each cell next.

    Parameters
    ----------
    arrivals
        Inbound units by bucket, shape (n, horizon).
    units
        Decided units per option.
    """
    n, horizon = arrivals.shape
    coming = arrivals > 0
    inbound = np.where(coming.any(axis=1), coming.argmax(axis=1), horizon)
    decided, possible = np.full(n, horizon), np.full(n, horizon)
    np.minimum.at(decided, options.cell[units > 0], options.arrival[units > 0])
    np.minimum.at(possible, options.cell, options.arrival)
    first = np.minimum(inbound, decided)
    on_order = first < horizon
    return NextArrival(np.where(on_order, first, possible).astype(np.int64), on_order)


def shortage_before(opening: F64, arrivals: F64, paths: Floats, until: I64) -> tuple[F64, F64]:
    """Return the probability of a shortage before bucket ``until``, and the expected units short by then.

    In a bucket arrivals come first, then demand; demand that finds no stock is short.

    Parameters
    ----------
    opening
        Stock at the start, shape (n,); negative = units owed, which arrivals serve first.
    arrivals
        Units by bucket, shape (n, horizon).
    paths
        Demand, shape (n, n_paths, horizon).
    until
        Shape (n,): buckets [0, until) count.
    """
    n, n_paths, horizon = paths.shape
    stock = np.repeat(opening[:, None].astype(np.float64), n_paths, axis=1)
    short = np.zeros((n, n_paths))
    for bucket in range(min(horizon, int(until.max(initial=0)))):
        stock += arrivals[:, bucket, None]
        served = np.minimum(np.maximum(stock, 0), paths[:, :, bucket])
        short += np.where(bucket < until[:, None], paths[:, :, bucket] - served, 0)
        stock -= served
    return (short > 0).mean(axis=1), short.mean(axis=1)


def days_of_cover(stock: F64, mean_demand: F64, days: I64) -> F64:
    """Return for how many days of mean demand the stock lasts, shape (n,); inf where there is no demand.

    Demand is even within a bucket; beyond the horizon it goes on at the horizon's mean rate.

    Parameters
    ----------
    mean_demand
        Units by bucket, shape (n, horizon).
    days
        Days of each bucket, shape (horizon,).

    Examples
    --------
    >>> days_of_cover(np.array([9.0, 24.0]), np.array([[2.0, 14.0], [2.0, 14.0]]), np.array([1, 7])).tolist()
    [4.5, 12.0]
    """
    n, horizon = mean_demand.shape
    total, n_days = mean_demand.sum(axis=1), int(days.sum())
    used = np.concatenate([np.zeros((n, 1)), np.cumsum(mean_demand, axis=1)], axis=1)
    edges = np.concatenate([[0], np.cumsum(days)]).astype(np.float64)
    # The bucket in which the stock runs out: the last edge at which it has not yet.
    bucket = np.minimum((used[:, 1:] <= stock[:, None]).sum(axis=1), horizon - 1)
    rows = np.arange(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = edges[bucket] + (stock - used[rows, bucket]) / mean_demand[rows, bucket] * days[bucket]
        beyond = n_days + (stock - total) / total * n_days
    return np.where(total <= 0, np.inf, np.where(stock >= total, beyond, inside))


@dataclass(frozen=True)
class SalesFacts:
    """How sales went lately, per cell; NaN where a cell has no sales history.

    Parameters
    ----------
    recent_units
        Units sold in the last ``jump_days``.
    usual_units
        What was usual for as many days in the ``usual_days`` before, corrected for days without stock.
    days_unsold
        Days on sale since the last sale, or since the record begins.
    """

    recent_units: F64
    usual_units: F64
    days_unsold: F64


def sales_facts(units: Floats, on_sale: Floats, bucket_days: int, params: AlertParams) -> SalesFacts:
    """Return the facts of each series.

    Parameters
    ----------
    units
        Units sold, shape (n, n_history).
    on_sale
        Share of each bucket on offer and in stock, shape (n, n_history).
    bucket_days
        Days of a bucket (30 for months).
    """
    n, history = units.shape
    n_recent = max(1, round(params.jump_days / bucket_days))
    n_usual = max(1, round(params.usual_days / bucket_days))
    last = max(history - n_recent, 0)
    before = slice(max(last - n_usual, 0), last)
    open_buckets = on_sale[:, before].sum(axis=1, dtype=np.float64)
    sold = units[:, before].sum(axis=1, dtype=np.float64)
    # On sale for less than half of that time, nothing can be called usual.
    enough = open_buckets * 2 >= n_usual
    usual = np.where(enough, sold * n_recent / np.where(enough, open_buckets, 1), np.nan)
    since = np.cumsum((units > 0)[:, ::-1], axis=1)[:, ::-1] == 0
    return SalesFacts(
        recent_units=units[:, last:].sum(axis=1, dtype=np.float64) if history else np.full(n, np.nan),
        usual_units=usual,
        days_unsold=(on_sale * since).sum(axis=1, dtype=np.float64) * bucket_days,
    )


def facts_of_cells(facts: SalesFacts, series: I64) -> SalesFacts:
    """Return the facts per cell; ``series`` is each cell's row, or -1 for a cell without sales history."""

    def spread(values: F64) -> F64:
        if not len(values):
            return np.full(len(series), np.nan)
        return np.where(series >= 0, values[np.maximum(series, 0)], np.nan)

    return SalesFacts(spread(facts.recent_units), spread(facts.usual_units), spread(facts.days_unsold))
