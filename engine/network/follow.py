"""Follow the order-up-to policy beyond today: what every primary link orders on its later order days.

On its j-th order day a cell orders up to the mean demand from that day to the arrival after next, plus the safety stock
of today's target: the same policy, moved along the calendar. It orders only once its position is at or below that
level by as much as today's reorder point lies below today's level, and in its link's lots. Beyond the last bucket
demand is taken to go on at its mean daily rate, so that the last orders are no smaller than the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from engine.network.feeding import Fed, Feeding
from engine.network.steady import Held, kept
from engine.network.types import Network
from engine.policy.lots import Lots, lots
from engine.policy.types import F32, F64, I64, StockRule, Targets

NEVER = 2**40
"""Bucket and day of what is never ordered."""


@dataclass(frozen=True)
class LaterOrders:
    """Order days after today's of ``r`` primary options, in at most ``J`` steps each.

    Parameters
    ----------
    option, cell
        Row in options, -1 for a cell that orders nothing, and the receiving cell, shape (r,).
    bucket, arrival
        Bucket of the order day and first bucket that it serves, shape (r, J), at most the horizon; the horizon where
        there is none.
    day, arrival_day
        The same as days from ``as_of``.
    until
        First bucket served by the order after it, at most the horizon and 1.
    level
        Order-up-to level on that day, units, shape (r, J).
    gap
        Order-up-to less reorder point, shape (r,).
    lots
        Feasible quantities, shape (r,).
    """

    option: I64
    cell: I64
    bucket: I64
    arrival: I64
    day: I64
    arrival_day: I64
    until: I64
    level: F64
    gap: F64
    lots: Lots

    @property
    def n_steps(self) -> int:
        return int(self.bucket.shape[1])


@dataclass(frozen=True)
class Followed:
    """What became of ``r`` cells along paths.

    Parameters
    ----------
    ordered
        Units ordered on each later order day, shape (r, P, J).
    stock
        Units on hand at the end of each bucket, shape (r, P, H).
    """

    ordered: F64
    stock: F64


def later_orders(network: Network, targets: Targets, rows: I64, mean_paths: F64) -> LaterOrders:
    """Return the later order days of the targets' ``rows``; ``mean_paths`` (n, H) is mean demand by cell.

    An order placed within the horizon counts wherever it lands, unless that is after the end of sale.
    """
    option = targets.option[rows]
    days = replace(
        network.days,
        order_row=network.days.order_row[option],
        ship_row=network.days.ship_row[option],
        receive_row=network.days.receive_row[option],
        lead_days=network.days.lead_days[option],
        review_days=network.days.review_days[option],
    )
    calendar, horizon, options = network.calendar, network.horizon, network.options
    cell = options.cell[option]
    order = days.order_day(np.zeros(len(option), dtype=np.int64))
    found: list[tuple[I64, I64]] = []
    while True:
        order = days.next_order_day(order, calendar)
        arrival = days.arrival_day(order)
        found.append((order, arrival))
        if ((arrival >= days.n_days) | (calendar.bucket_of(calendar.as_of + order) >= horizon)).all():
            break
    order_day = np.stack([day for day, _ in found], axis=1)
    arrival_day = np.stack([day for _, day in found], axis=1)
    bucket = calendar.bucket_of(calendar.as_of + order_day)
    served = calendar.arrival_bucket(calendar.as_of + arrival_day)
    end = network.cells.end_bucket[cell, None]
    too_late = (end < horizon) & (served >= end)
    none = (arrival_day >= days.n_days) | (bucket >= horizon) | too_late
    rules = lots(
        options.min_units[option], options.multiple[option], options.max_units[option], network.cells.step[cell]
    )
    return LaterOrders(
        option=option,
        cell=cell,
        bucket=np.where(none, horizon, bucket)[:, :-1],
        arrival=np.where(none, horizon, np.minimum(served, horizon))[:, :-1],
        day=order_day[:, :-1],
        arrival_day=arrival_day[:, :-1],
        until=np.minimum(served[:, 1:], horizon + 1),
        level=_levels(network, cell, targets.safety_stock[rows], mean_paths[cell], (bucket, served)),
        gap=np.maximum(targets.order_up_to - targets.reorder_point, 0.0)[rows],
        lots=rules,
    )


def with_idle(later: LaterOrders, cells: I64) -> LaterOrders:
    """Return the orders with some cells, as last rows, that order nothing."""
    if not len(cells):
        return later
    n_idle = len(cells)

    def filled(values: I64, fill: int) -> I64:
        return np.concatenate([values, np.full((n_idle, *values.shape[1:]), fill, dtype=np.int64)])

    return LaterOrders(
        option=filled(later.option, -1),
        cell=np.concatenate([later.cell, cells]),
        bucket=filled(later.bucket, NEVER),
        arrival=filled(later.arrival, NEVER),
        day=filled(later.day, NEVER),
        arrival_day=filled(later.arrival_day, NEVER),
        until=filled(later.until, NEVER),
        level=np.concatenate([later.level, np.zeros((n_idle, later.n_steps))]),
        gap=np.concatenate([later.gap, np.zeros(n_idle)]),
        lots=Lots(
            np.concatenate([later.lots.size, np.ones(n_idle)]),
            filled(later.lots.least, 1),
            filled(later.lots.most, 0),
        ),
    )


def _levels(network: Network, cell: I64, safety_stock: F64, mean: F64, steps: tuple[I64, I64]) -> F64:
    bucket, served = steps
    horizon = mean.shape[1]
    so_far = np.concatenate([np.zeros((len(mean), 1)), np.cumsum(mean, axis=1)], axis=1)
    goes_on = (network.cells.end_bucket[cell] >= horizon)[:, None]
    rate = np.where(goes_on, so_far[:, -1:] / max(horizon, 1), 0.0)

    def demand_by(at: I64) -> F64:
        inside = np.take_along_axis(so_far, np.minimum(at, horizon), axis=1)
        return np.asarray(inside + np.maximum(at - horizon, 0) * rate, dtype=np.float64)

    window = demand_by(served[:, 1:]) - demand_by(bucket[:, :-1])
    level: F64 = np.maximum(window + safety_stock[:, None], 0.0)
    return level


def follow(
    network: Network,
    later: LaterOrders,
    paths: F32,
    arriving: F64,
    rule: StockRule,
    held: Held | None = None,
    feeding: Feeding | None = None,
) -> Followed:
    """Follow the policy along paths.

    Parameters
    ----------
    network, later
        Stock at ``as_of``, and the later order days with their levels.
    paths
        Demand of the receiving cells, shape (r, P, H); without what ``feeding`` sends.
    arriving
        Units arriving by bucket besides later orders, shape (r, H): inbound and today's decision.
    rule
        What becomes of unmet demand.
    held
        What an older plan meant, which stays where chance explains the difference (`engine.network.steady`).
    feeding
        Which cells feed which, so that none sends more than it has (`engine.network.feeding`); without it orders are
        served in full.
    """
    n_rows, n_paths, horizon = paths.shape
    stock = np.repeat(network.cells.net[later.cell, None], n_paths, axis=1)
    # One bucket more, for all that lands behind the horizon.
    pipeline = np.zeros((horizon + 1, n_rows, n_paths))
    pipeline[:horizon] = arriving.T[:, :, None]
    buckets = np.arange(horizon + 1)[:, None]
    ordered = np.zeros((n_rows, n_paths, later.n_steps))
    on_hand = np.zeros((n_rows, n_paths, horizon))
    fed = None if feeding is None else Fed.at_first(feeding, n_paths)
    for t, days in enumerate(_order_days(later, horizon)):
        for at, step in days:
            # Only what is due before the arrival of the order after counts in the position.
            last = later.until[at, step]
            ahead = slice(t, int(last.max()))
            due = (buckets[ahead] < last).astype(np.float64)
            position = stock[at] + np.einsum("hr,hrp->rp", due, pipeline[ahead, at])
            if fed is not None:
                position -= fed.owed(at)
            fresh = units = _order(later, (at, step), position)
            if held is not None:
                units = _as_meant(later, (at, step), position, fresh, held)
            if fed is not None:
                units = fed.serve((at, step), t, (fresh, units), stock + pipeline[t], later.lots, held)
            ordered[at, :, step] = units
            pipeline[later.arrival[at, step], at] += units
        there = stock + pipeline[t]
        stock = there - paths[:, :, t]
        if fed is not None:
            stock -= fed.leaving()
        if not rule.backordered:
            # What was owed at the start stays owed until receipts cover it; new shortage is lost.
            stock = np.maximum(stock, np.minimum(there, 0.0))
        on_hand[:, :, t] = np.maximum(stock, 0.0)
    return Followed(ordered, on_hand)


def _order_days(later: LaterOrders, horizon: int) -> Iterator[list[tuple[I64, I64]]]:
    """Return for each bucket its order days, as rows and their steps."""
    row, step = np.nonzero(later.bucket < horizon)
    bucket, day = later.bucket[row, step], later.day[row, step]
    order = np.lexsort((row, day, bucket))
    row, step, bucket, day = row[order], step[order], bucket[order], day[order]
    starts = np.flatnonzero(np.diff(day, prepend=-1) | np.diff(bucket, prepend=-1))
    ends = np.append(starts[1:], len(row))
    first = np.searchsorted(bucket[starts], np.arange(horizon + 1))
    for t in range(horizon):
        yield [
            (row[start:end], step[start:end])
            for start, end in zip(starts[first[t] : first[t + 1]], ends[first[t] : first[t + 1]], strict=True)
        ]


def _order(later: LaterOrders, now: tuple[I64, I64], position: F64, shift: F64 | float = 0.0) -> F64:
    at, step = now
    level = later.level[at, step][:, None] + shift
    wish = np.where(position <= level - later.gap[at, None], level - position, 0.0)
    return _lots(later, at).at_least(wish)


def _as_meant(later: LaterOrders, now: tuple[I64, I64], position: F64, fresh: F64, held: Held) -> F64:
    at, step = now
    band = held.band.column(at)
    ends = _order(later, now, position, -band.below), _order(later, now, position, band.above)
    meant = np.broadcast_to(held.meant[at, step][:, None], fresh.shape)
    return kept(meant, fresh, ends, _lots(later, at))


def _lots(later: LaterOrders, at: I64) -> Lots:
    return Lots(later.lots.size[at, None], later.lots.least[at, None], later.lots.most[at, None])
