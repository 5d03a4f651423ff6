"""The pass over the buckets: levels of demand less inbound, path by path (see `engine.policy.curve`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.policy.types import F32, F64, I32, I64, Bools, Cells

Cut = Literal["never", "receipts", "buckets"]
"""Where the interval is cut into segments: nowhere, wherever stock is received, or at every bucket."""


@dataclass(frozen=True)
class Receipts:
    """Receipts of ``r`` cells by bucket, shape (r, b), and their running sums before each bucket, shape (r, b + 1).

    ``free`` are receipts left to sell after what was owed at the start is served; ``owed`` what is still owed.
    """

    inbound: F64
    free: F64
    received: F64
    owed: F64

    def take(self, rows: I64) -> Receipts:
        return Receipts(self.inbound[rows], self.free[rows], self.received[rows], self.owed[rows])


@dataclass(frozen=True)
class Levels:
    """Levels of an interval by path (r, P) and of its ``s`` segments (s, r, P); see `engine.policy.curve.Needs`.

    ``days`` of a segment's bucket, shape (s, 1, 1) or (s, r, P); 0 for a segment that only fills up.
    """

    early_peak: F64
    landed: F64
    peak: F64
    end: F64
    lower: F64
    upper: F64
    days: F64


def receipts_of(cells: Cells, cell_rows: I64, end: int, backordered: bool) -> Receipts:
    """Return the receipts of cells before bucket ``end``; with backorders all are free, as owed stock is negative."""
    inbound = cells.arrivals[cell_rows, :end]
    owed = np.maximum(-cells.net[cell_rows], 0.0)[:, None]
    received = np.zeros((len(cell_rows), end + 1))
    np.cumsum(inbound, axis=1, out=received[:, 1:])
    still_owed = np.maximum(owed - received, 0.0)
    free = inbound if backordered else inbound + np.diff(still_owed, axis=1)
    return Receipts(inbound, free, received, still_owed)


def levels(demand: F32, receipts: Receipts, interval: tuple[int, int], cut: Cut, bucket_days: I64) -> Levels:
    """Return the levels of rows that share one interval; ``demand`` has shape (r, p, buckets)."""
    arrival, next_arrival = interval
    stirs: Bools = np.count_nonzero(receipts.inbound, axis=0) > 0
    level = np.zeros(demand.shape[:2])
    early_peak = np.full(level.shape, -np.inf)
    for t in range(arrival):
        if stirs[t]:
            # A level only rises between receipts, so its peaks lie just before them.
            if t > 0:
                np.maximum(early_peak, level, out=early_peak)
            level -= receipts.free[:, t, None]
        level += demand[:, :, t]
    if arrival > 0:
        np.maximum(early_peak, level, out=early_peak)
    if arrival < demand.shape[2] and stirs[arrival]:
        level -= receipts.free[:, arrival, None]

    inside = np.arange(arrival + 1, next_arrival)
    cuts = {"never": [], "receipts": inside[stirs[inside]].tolist(), "buckets": inside.tolist()}[cut]
    n_segments = 0 if cut == "never" else len(cuts) + 1
    lower, upper = np.empty((n_segments, *level.shape)), np.empty((n_segments, *level.shape))
    landed, peak, segment = level.copy(), np.full(level.shape, -np.inf), 0
    lower[:1] = level
    for t in range(arrival, next_arrival):
        if t > arrival and (stirs[t] or cut == "buckets"):
            np.maximum(peak, level, out=peak)
            upper[segment : segment + 1] = level
            level -= receipts.inbound[:, t, None]
            segment += 1
            lower[segment : segment + 1] = level
        level += demand[:, :, t]
    np.maximum(peak, level, out=peak)
    upper[segment : segment + 1] = level
    days = np.zeros((n_segments, 1, 1))
    if cut == "buckets":
        days[: next_arrival - arrival, 0, 0] = bucket_days[arrival:next_arrival]
    return Levels(early_peak, landed, peak, level, lower, upper, days)


def levels_by_path(paths: F32, receipts: Receipts, intervals: tuple[I32, I32], cut: Cut, bucket_days: I64) -> Levels:
    """Do the same where intervals (r, P) vary by path: every (row, path) with one interval is worked out together."""
    first, second = intervals
    shape = first.shape
    pairs = first.astype(np.int64) * (paths.shape[2] + 1) + second
    parts = []
    for pair in np.unique(pairs):
        row, path = np.nonzero(pairs == pair)
        interval = int(first[row[0], path[0]]), int(second[row[0], path[0]])
        found = levels(paths[row, path][:, None], receipts.take(row), interval, cut, bucket_days)
        parts.append((row, path, found))
    n_segments = max(len(found.upper) for _, _, found in parts)
    early_peak, landed, peak, end = (np.empty(shape) for _ in range(4))
    lower, upper, days = (np.zeros((n_segments, *shape)) for _ in range(3))
    for row, path, found in parts:
        n = len(found.upper)
        early_peak[row, path], landed[row, path] = found.early_peak[:, 0], found.landed[:, 0]
        peak[row, path], end[row, path] = found.peak[:, 0], found.end[:, 0]
        lower[:n, row, path], upper[:n, row, path] = found.lower[:, :, 0], found.upper[:, :, 0]
        # Shorter intervals are filled up with segments in which nothing happens.
        lower[n:, row, path] = upper[n:, row, path] = found.end[:, 0]
        days[:n, row, path] = found.days[:, 0]
    return Levels(early_peak, landed, peak, end, lower, upper, days)
