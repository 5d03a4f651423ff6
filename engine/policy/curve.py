"""What today's order must cover on every path: the exact curves that all targets are read from.

On one path let the *level* of bucket t be demand less inbound, both cumulated from ``as_of``: without losses, net
stock after bucket t is what was there at the start less the level. With lost sales, stock is the level reflected at
zero (Skorokhod reflection; Harrison, Brownian Motion and Stochastic Flow Systems, 1985, section 1.2), so

- landing: what is on hand just before the order lands is ``base`` less the level then, with
  ``base = max(start, highest level before landing)``;
- need: the least order without shortage until the next arrival is the highest level of the interval less ``base``,
  and an order of q units loses exactly ``max(0, need - q)`` units.

With backorders ``base`` is the start itself. Either way what an order does depends on ``base + q`` alone, so one
pass over the buckets answers for every order and every starting stock: nothing is simulated twice.

Units still owed to customers at the start take the first receipts; with lost sales, what is owed when the order lands
asks again, first, in that bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.policy.levels import Cut, Levels, levels, levels_by_path, receipts_of
from engine.policy.types import F32, F64, I32, I64, Bools, Cells, Options, Scenarios, StockRule

_BLOCK_ELEMENTS = 1 << 15
"""Rows times paths of one block: its work arrays stay within the cache of one core."""


@dataclass(frozen=True)
class Needs:
    """Levels of the interval [arrival, next arrival) of ``r`` options by path; all (r, P) but the segments.

    A segment is a part of the interval without receipts but at its start, so that the level only rises in it.

    Parameters
    ----------
    base
        Starting stock as it counts at landing.
    landed
        Level when the order lands, receipts of that bucket included.
    peak, end
        Highest level at the end of a bucket of the interval, and the last one.
    demand, demand_from_start
        Demand of the interval and of the protection interval [0, next arrival).
    early_peak
        Highest level at the end of a bucket before landing; -inf where the order lands in bucket 0.
    owed
        Units owed since before ``as_of`` and still owed at landing.
    lower, upper
        Level at the start of each segment, its receipts included, and at its end; shape (s, r, P). Segments are cut at
        receipts with backorders, at every bucket where asked for, and otherwise not kept (s = 0).
    days
        Days of each segment, shape (s, 1, 1) or (s, r, P), where cut at every bucket.
    """

    base: F64
    landed: F64
    peak: F64
    end: F64
    demand: F64
    demand_from_start: F64
    early_peak: F64
    owed: F64
    lower: F64
    upper: F64
    days: F64

    @cached_property
    def landing(self) -> F64:
        """Net stock just before the order lands, shape (r, P): on hand if positive, owed if negative."""
        return self.base - self.landed

    @cached_property
    def running_peak(self) -> F64:
        """Highest level of the interval so far, at the end of every segment, shape (s, r, P)."""
        return np.maximum.accumulate(self.upper, axis=0)


def landing_and_need(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> tuple[F64, F64]:
    """Return net stock just before landing and the least order without shortage, each (m, P), for every option.

    A negative need means stock to spare. Whole arrays: for large data work in blocks, as `option_blocks` cuts them.
    """
    landing = np.empty((options.n_options, scenarios.n_paths))
    need = np.empty_like(landing)
    owed = scenarios.owes(options.cell)
    for rows in option_blocks(scenarios, np.arange(options.n_options), owed):
        needs = path_needs(cells, options.cell[rows], scenarios, rows, rule.where(bool(owed[rows[0]])))
        landing[rows] = needs.landing
        need[rows] = needs.peak - needs.base
    return landing, need


def option_blocks(
    scenarios: Scenarios, rows: I64, apart: Bools | I64 | None = None, n_copies: int = 1
) -> Iterator[I64]:
    """Yield the option rows in blocks that share one interval, or whose intervals vary by path.

    Parameters
    ----------
    rows
        Options, ascending.
    apart
        Kind of each row below 4, shape of ``rows``: those of one kind share blocks with no others.
    n_copies
        Work arrays of a block's size that the caller keeps at once, to bound memory.
    """
    size = max(1, _BLOCK_ELEMENTS // (scenarios.n_paths * n_copies))
    first, second = scenarios.arrival[:, 0][rows].astype(np.int64), scenarios.next_arrival[:, 0][rows]
    kind = first * (scenarios.horizon + 1) + np.minimum(second, scenarios.horizon)
    if not scenarios.fixed:
        kind = np.where(_is_fixed(scenarios.arrival, rows) & _is_fixed(scenarios.next_arrival, rows), kind, -1)
    if apart is not None:
        kind = 4 * kind + apart
    order = np.argsort(kind, kind="stable")
    cuts = np.flatnonzero(np.diff(kind[order])) + 1
    for group in np.split(order, cuts):
        for start in range(0, len(group), size):
            yield rows[group[start : start + size]]


def _is_fixed(buckets: I32, rows: I64) -> Bools:
    fixed: Bools = (buckets[rows] == buckets[rows, :1]).all(axis=1)
    return fixed


def segment_copies(scenarios: Scenarios, rows: I64) -> int:
    """Return ``n_copies`` for needs that are cut at every bucket: a quarter of them is worked on at a time."""
    shown = slice(None, 1) if scenarios.fixed else slice(None)
    lengths = np.minimum(scenarios.next_arrival[rows, shown], scenarios.horizon) - scenarios.arrival[rows, shown]
    return max(1, int(lengths.max(initial=0)) // 4)


def path_needs(
    cells: Cells, cell_rows: I64, scenarios: Scenarios, rows: I64, rule: StockRule, every_bucket: bool = False
) -> Needs:
    """Return the needs of one block of options.

    Parameters
    ----------
    cell_rows, rows
        Receiving cells and the options, shape (r,); a block of `option_blocks`.
    every_bucket
        Cut a segment at every bucket, for costs that are charged bucket by bucket.
    """
    first = np.minimum(scenarios.arrival[rows], scenarios.horizon)
    second = np.minimum(scenarios.next_arrival[rows], scenarios.horizon)
    end = min(int(np.maximum(second, first + 1).max()), scenarios.horizon)
    paths = _rows_of(scenarios.paths[:, :, :end], cell_rows)
    receipts = receipts_of(cells, cell_rows, end, rule.backordered)
    cut: Cut = "buckets" if every_bucket else "receipts" if rule.backordered else "never"
    if (first == first[0, 0]).all() and (second == second[0, 0]).all():
        interval = int(first[0, 0]), int(second[0, 0])
        found = levels(paths, receipts, interval, cut, rule.bucket_days)
    else:
        found = levels_by_path(paths, receipts, (first, second), cut, rule.bucket_days)

    # Receipts of the landing bucket are in before the order: the entry after that bucket.
    row = np.arange(len(rows))[:, None]
    landed_by, over_by = np.minimum(first + 1, end), np.minimum(np.maximum(first + 1, second), end)
    owed, early, later = (
        receipts.owed[row, landed_by],
        receipts.received[row, landed_by],
        receipts.received[row, over_by],
    )
    start = cells.net[cell_rows][:, None]
    if rule.backordered:
        return _needs(found, np.broadcast_to(start, found.peak.shape), owed, (early, later - early))
    served = np.maximum(-start, 0.0) - owed
    base = np.maximum(np.maximum(start, 0.0), found.early_peak) - owed
    return _needs(found, base, owed, (early - served, later - early))


def _needs(found: Levels, base: F64, owed: F64, receipts: tuple[F64, F64]) -> Needs:
    """Add demand, which is the rise of the level and the receipts before and after landing that it counts."""
    early, later = receipts
    demand = found.end - found.landed + later
    return Needs(
        base=base, landed=found.landed, peak=found.peak, end=found.end, demand=demand,
        demand_from_start=found.end + (early + later), early_peak=found.early_peak, owed=owed,
        lower=found.lower, upper=found.upper, days=found.days,
    )  # fmt: skip


def _rows_of(paths: F32, rows: I64) -> F32:
    """Return the rows, as a view where they follow each other."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return paths[rows[0] : rows[-1] + 1]
    return paths[rows]
