"""Expected cost of an interval as a function of the units ordered: a curve that answers for every quantity at once.

`engine.policy.interval_cost` asks all paths for each quantity. On one path its cost changes slope only where a bucket
begins to keep stock, where the last shortage ends, and where stock left over begins or ceases to sell in time; between
two such quantities it is a parabola (a line, but for what is left over). So the nodes of all paths in order, with cost,
slope and curvature at each, hold the whole curve, and a quantity costs a search among them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from engine.policy.curve import Needs, option_blocks, path_needs, segment_copies
from engine.policy.interval_cost import LeftOver, Prices, interval_cost, left_over
from engine.policy.types import F64, I64, Cells, Options, Scenarios, StockRule


@dataclass(frozen=True)
class LotCurves:
    """Convex curves of ``r`` options over units >= 0: between nodes, parabolas; all arrays (r, k).

    Parameters
    ----------
    at
        Nodes, ascending, the first 0; inf where a row has fewer than others.
    cost, slope, bend
        Cost at each node, and its first and second derivative to the right of it.
    """

    at: F64
    cost: F64
    slope: F64
    bend: F64

    def __call__(self, units: F64) -> F64:
        """Return the cost of units >= 0, shape (r,) or (r, j) as given."""
        wanted = units if units.ndim == 2 else units[:, None]
        node = self._node(wanted)
        cost, slope, bend, at = (
            np.take_along_axis(getattr(self, name), node, axis=1) for name in ("cost", "slope", "bend", "at")
        )
        beyond = wanted - at
        found: F64 = cost + beyond * (slope + 0.5 * bend * beyond)
        return found.reshape(units.shape)

    def take(self, rows: I64) -> LotCurves:
        """Return the curves of some rows."""
        return LotCurves(*(getattr(self, f.name)[rows] for f in fields(self)))

    def _node(self, units: F64) -> I64:
        """Return the last node at or below the units, by bisection in all rows at once."""
        low = np.zeros(units.shape, dtype=np.int64)
        high = np.full(units.shape, self.at.shape[1], dtype=np.int64)
        while (high - low > 1).any():
            middle = (low + high) // 2
            below = np.take_along_axis(self.at, np.minimum(middle, self.at.shape[1] - 1), axis=1) <= units
            below &= high - low > 1
            low, high = np.where(below, middle, low), np.where(below | (high - low <= 1), high, middle)
        return low


def lot_curves(
    cells: Cells, options: Options, scenarios: Scenarios, daily_demand: F64, rows: I64, rule: StockRule
) -> LotCurves:
    """Return the curves of some options, each alone at its cell, over [arrival, next arrival).

    Parameters
    ----------
    daily_demand
        Mean demand per day by cell, for what is left over (`engine.policy.aims.daily_demand`).
    rows
        Options, ascending.
    """
    order: list[I64] = []
    parts: list[LotCurves] = []
    for block in option_blocks(scenarios, rows, n_copies=segment_copies(scenarios, rows) if len(rows) else 1):
        cell = options.cell[block]
        here = cells.take(cell)
        end = scenarios.next_arrival[block].max(axis=1).astype(np.int64)
        unmet = here.backorder_cost if rule.backordered else here.shortage_cost
        left = left_over(here, daily_demand[cell], end, rule).columns()
        prices = Prices(here.holding_cost[:, None], unmet[:, None], np.zeros((len(block), 1)), left)
        order.append(block)
        parts.append(_curves(path_needs(cells, cell, scenarios, block, rule, every_bucket=True), prices, rule))
    if not parts:
        return LotCurves(*(np.zeros((0, 1)) for _ in range(4)))
    width = max(part.at.shape[1] for part in parts)
    whole = LotCurves(
        np.concatenate([_padded(part.at, width, np.inf) for part in parts]),
        *(
            np.concatenate([_padded(getattr(part, name), width, 0.0) for part in parts])
            for name in ("cost", "slope", "bend")
        ),
    )
    return whole.take(np.argsort(np.concatenate(order), kind="stable"))


def _curves(needs: Needs, prices: Prices, rule: StockRule) -> LotCurves:
    """Return curves from their nodes: where they lie, and by how much slope and curvature rise there."""
    n_segments, n_rows, n_paths = needs.upper.shape
    days = np.broadcast_to(needs.days, needs.upper.shape)
    held = needs.upper if rule.backordered else needs.running_peak
    rises = prices.holding + prices.unmet if rule.backordered else prices.holding
    starts = -(prices.unmet[:, 0] * days.sum(axis=0).mean(axis=1)) if rule.backordered else -prices.unmet[:, 0]
    # The last shortage ends at ``covered``; what is then left over sells from ``first`` on.
    covered = (needs.end if rule.backordered else needs.peak) - needs.base
    first = np.zeros_like(covered) if rule.backordered else needs.peak - needs.end
    nodes = [*(held - needs.base), covered, _turning(covered, first, prices.left)]
    at_first, bend, at_turn = _left_over_rises(first, prices.left)
    unmet_ends = 0.0 if rule.backordered else prices.unmet
    slopes = [*(rises * days), unmet_ends + at_first, at_turn]
    bends = [*np.zeros((n_segments, n_rows, n_paths)), bend, -bend]
    at = np.concatenate(nodes, axis=1)
    slope, bent = np.concatenate(slopes, axis=1) / n_paths, np.concatenate(bends, axis=1) / n_paths
    # A node below 0 has done all that it does up to there.
    passed = np.maximum(-at, 0.0)
    slope = slope + np.where(bent != 0, bent * np.where(np.isfinite(passed), passed, 0.0), 0.0)
    at = np.maximum(at, 0.0)
    order = np.argsort(at, axis=1, kind="stable")
    at, slope, bent = (np.take_along_axis(x, order, axis=1) for x in (at, slope, bent))
    zero = np.zeros((n_rows, 1))
    at, slope, bent = np.hstack([zero, at]), np.hstack([starts[:, None], slope]), np.hstack([zero, bent])
    bend_by = np.cumsum(bent, axis=1)
    known = np.isfinite(at)
    width = np.where(known[:, 1:], np.diff(np.where(known, at, 0.0), axis=1), 0.0)
    # Slope to the right of each node: what came before, plus the curve in between, plus its own rise.
    slope_by = np.cumsum(slope, axis=1)
    slope_by[:, 1:] += np.cumsum(bend_by[:, :-1] * width, axis=1)
    cost = np.empty_like(at)
    cost[:, 0] = interval_cost(needs, needs.base, prices, rule)
    cost[:, 1:] = cost[:, :1] + np.cumsum(width * (slope_by[:, :-1] + 0.5 * bend_by[:, :-1] * width), axis=1)
    return _without_repeats(LotCurves(at, cost, slope_by, bend_by))


def _without_repeats(curves: LotCurves) -> LotCurves:
    """Return the curves with one node where many paths share it: whole units leave few."""
    last = np.isfinite(curves.at)
    last[:, :-1] &= curves.at[:, :-1] != curves.at[:, 1:]
    row, _ = np.nonzero(last)
    place = (np.cumsum(last, axis=1) - 1)[last]
    shape = (len(last), int(np.count_nonzero(last, axis=1).max(initial=1)))
    kept = {f.name: np.full(shape, np.inf if f.name == "at" else 0.0) for f in fields(LotCurves)}
    for name, values in kept.items():
        values[row, place] = getattr(curves, name)[last]
    return LotCurves(**kept)


def _turning(covered: F64, first: F64, left: LeftOver) -> F64:
    """Return the order from which on what is left over no longer sells in time."""
    found: F64 = covered + np.maximum(left.turn - first, 0.0)
    return found


def _left_over_rises(first: F64, left: LeftOver) -> tuple[F64, F64, F64]:
    """Return by how much slope and curvature rise where stock begins to be left, and the slope where it turns."""
    in_time = first < left.turn
    slope = np.broadcast_to(left.slope, first.shape)
    begins = np.where(in_time, slope * first, left.cap)
    finite = np.isfinite(left.turn)
    at_turn = np.where(in_time & finite, left.cap - slope * np.where(finite, left.turn, 0.0), 0.0)
    return begins, np.where(in_time, slope, 0.0), at_turn


def _padded(values: F64, width: int, by: float) -> F64:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=by)
