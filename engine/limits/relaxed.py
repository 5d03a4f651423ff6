"""Prices of limits from the linear programme of some items: lots and trips in parts, limits scaled down to them."""

from __future__ import annotations

import highspy
import numpy as np

from engine.errors import RestockError
from engine.limits.problem import Floats, ScarceProblem
from engine.policy.types import F64, I64


def relaxed_prices(problem: ScarceProblem, bound: F64) -> F64:
    """Return a price per limit, >= 0, from the duals of the linear programme with the given bounds; 0 where inf."""
    columns, entries, right = _columns(problem), _entries(problem), _right(problem, bound)
    model = highspy.HighsLp()
    cost, upper = columns
    left = np.full(len(right), -highspy.kHighsInf)
    # What a cell holds is all in segments, also where it saves nothing.
    left[len(bound) : len(bound) + problem.stock.size] = right[len(bound) : len(bound) + problem.stock.size]
    row, column, value = entries
    order = np.lexsort((row, column))
    starts = np.zeros(len(cost) + 1, dtype=np.int64)
    np.cumsum(np.bincount(column, minlength=len(cost)), out=starts[1:])
    n_limits = len(bound)
    model.num_col_, model.num_row_ = len(cost), len(right)
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, np.zeros(len(cost)), upper
    model.row_lower_, model.row_upper_ = left, right
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = starts, row[order], value[order]
    solver = highspy.Highs()
    for name, setting in (("output_flag", False), ("threads", 1), ("solver", "simplex")):
        solver.setOptionValue(name, setting)
    solver.passModel(model)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RestockError(
            "Shared limits always have a solution, since nothing need be bought or moved",
            f"solver status {solver.modelStatusToString(solver.getModelStatus())}",
            "Report it with the data",
        )
    dual = -np.array(solver.getSolution().row_dual)[:n_limits]
    return np.asarray(np.where(np.isfinite(bound), np.maximum(dual, 0.0), 0.0))


def _columns(problem: ScarceProblem) -> tuple[F64, F64]:
    """Return cost and upper bound: units saved by segment, lots bought, units moved."""
    curves, bought, lanes = problem.curves, problem.purchases, problem.lanes
    length = np.diff(curves.ends, axis=1, prepend=0.0)
    most = np.where(bought.most >= bought.least, bought.most * bought.size, 0.0)
    charge = lanes.charge[:, None] + problem.trip_share()[:, None] * lanes.volume[None, :]
    cost = np.concatenate([-_flat(curves.value), _flat(bought.charge), _flat(charge)])
    return cost, np.concatenate([_flat(length), _flat(most), np.full(charge.size, np.inf)])


def _entries(problem: ScarceProblem) -> tuple[I64, I64, F64]:
    """Return rows, columns and coefficients: limits, then what each cell holds, then what it may send."""
    (n_sites, n_segments, n), n_limits = problem.curves.ends.shape, len(problem.bound)
    lanes = problem.lanes
    cell = n_limits + np.arange(n_sites * n).reshape(n_sites, n)
    segment = np.arange(n_sites * n_segments * n).reshape(n_sites, n_segments, n)
    buy = segment.size + np.arange(n_sites * n).reshape(n_sites, n)
    move = segment.size + buy.size + np.arange(lanes.n_lanes * n).reshape(lanes.n_lanes, n)
    sends = cell + n_sites * n
    ones = np.ones(n)
    parts: list[tuple[I64, I64, Floats]] = [
        (np.broadcast_to(cell[:, None, :], segment.shape), segment, np.ones(segment.shape)),
        (cell, buy, -np.ones(cell.shape)),
    ]
    for lane, (origin, dest) in enumerate(zip(lanes.origin.tolist(), lanes.dest.tolist(), strict=True)):
        parts += [(cell[dest], move[lane], -ones), (cell[origin], move[lane], ones), (sends[origin], move[lane], ones)]
        parts.append((np.full(n, lanes.resource[lane]), move[lane], lanes.volume))
    for uses, columns in ((problem.purchases.uses, buy), (lanes.uses, move)):
        for use in uses:
            some = use.resource >= 0
            amount = np.broadcast_to(use.amount, use.resource.shape)
            parts.append((use.resource[some], columns[some], amount[some]))
    row, column, value = (np.concatenate([np.ravel(part[k]) for part in parts]) for k in range(3))
    return row.astype(np.int64), column.astype(np.int64), value.astype(np.float64)


def _right(problem: ScarceProblem, bound: F64) -> F64:
    return np.concatenate([bound, _flat(problem.stock), _flat(problem.stock)])


def _flat(values: Floats) -> F64:
    return values.astype(np.float64).ravel()
