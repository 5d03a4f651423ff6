"""The whole problem as one mixed-integer model for HiGHS: the peer of `benchmarks.decisions.network`."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from scipy.sparse import coo_matrix

from engine.limits.problem import ScarceProblem


@dataclass(frozen=True)
class OneModel:
    """What HiGHS found: cost, bound, its own gap as a share, its status, and whether it has a solution at all."""

    cost: float
    bound: float
    gap: float
    status: str
    found: bool


def solve_one_model(problem: ScarceProblem, gap: float, seconds: float, threads: int = 2) -> OneModel:
    """Return HiGHS's answer: whole lots, moves and trips, the limits, and a column for every segment of a curve."""
    n_sites, n = problem.stock.shape
    n_segments, lanes, bought = problem.curves.value.shape[1], problem.lanes, problem.purchases
    n_cells, n_lanes = n_sites * n, lanes.n_lanes
    segments = n_cells * n_segments
    first_lot, first_move = segments, segments + n_cells
    first_trip = first_move + n_lanes * n
    n_columns = first_trip + n_lanes
    cost = np.concatenate(
        [
            -problem.curves.value.ravel(),
            (bought.charge * bought.size).ravel(),
            np.repeat(lanes.charge, n),
            lanes.trip_cost,
        ]
    ).astype(np.float64)
    length = np.diff(problem.curves.ends, axis=1, prepend=0.0)
    stock = problem.stock.ravel().astype(np.float64)
    upper = np.concatenate(
        [length.ravel(), bought.most.ravel(), np.full(n_lanes * n, np.inf), np.ones(n_lanes)]
    ).astype(np.float64)
    rows, columns, values = [], [], []

    def entry(row: np.ndarray, column: np.ndarray, value: np.ndarray | float) -> None:
        rows.append(np.ravel(row))
        columns.append(np.ravel(column))
        values.append(np.broadcast_to(value, np.shape(row)).ravel().astype(np.float64))

    cell = np.arange(n_cells).reshape(n_sites, n)
    entry(np.repeat(cell[:, None, :], n_segments, axis=1), np.arange(segments).reshape(problem.curves.value.shape), 1.0)
    entry(cell, first_lot + cell, -bought.size)
    limit_row = 2 * n_cells + np.arange(len(problem.bound))
    for lane in range(n_lanes):
        move = first_move + lane * n + np.arange(n)
        entry(cell[lanes.dest[lane]], move, -1.0)
        entry(cell[lanes.origin[lane]], move, 1.0)
        entry(n_cells + cell[lanes.origin[lane]], move, 1.0)
        row = limit_row[lanes.resource[lane]]
        entry(np.full(n, row), move, lanes.volume)
        if np.isfinite(problem.bound[lanes.resource[lane]]):
            entry(np.array([row]), np.array([first_trip + lane]), -problem.bound[lanes.resource[lane]])
    for use in bought.uses:
        some = use.resource >= 0
        entry(limit_row[use.resource[some]], (first_lot + cell)[some], (use.amount * bought.size)[some])
    right = problem.bound.astype(np.float64).copy()
    right[lanes.resource[np.isfinite(problem.bound[lanes.resource])]] = 0.0
    n_rows = 2 * n_cells + len(right)
    matrix = coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(n_rows, n_columns)
    ).tocsc()
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = n_columns, n_rows
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, np.zeros(n_columns), upper
    model.row_lower_ = np.concatenate([stock, np.full(n_rows - n_cells, -np.inf)])
    model.row_upper_ = np.concatenate([stock, stock, right])
    model.offset_ = float(problem.curves.nothing.sum(dtype=np.float64))
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_ = matrix.indptr, matrix.indices
    model.a_matrix_.value_ = matrix.data
    kinds = np.full(n_columns, highspy.HighsVarType.kContinuous, dtype=object)
    kinds[first_lot:] = highspy.HighsVarType.kInteger
    model.integrality_ = kinds.tolist()
    # Our own solves run on one thread, and HiGHS keeps its first number of threads for a process.
    highspy.Highs.resetGlobalScheduler(True)
    solver = highspy.Highs()
    for name, setting in (
        ("output_flag", False), ("threads", threads), ("mip_rel_gap", gap), ("time_limit", seconds),
    ):  # fmt: skip
        solver.setOptionValue(name, setting)
    solver.passModel(model)
    solver.run()
    info = solver.getInfo()
    status = solver.modelStatusToString(solver.getModelStatus())
    return OneModel(
        info.objective_function_value, info.mip_dual_bound, info.mip_gap, status, bool(np.isfinite(info.mip_gap))
    )
