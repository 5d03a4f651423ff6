"""Paths sampled and scored block by block: a process returns scores and sums of groups, never single paths.

A block holds whole items, so the groups of levels 10 to 12 end within it; paths of the upper levels are
added up over the blocks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from benchmarks.forecast.m5.hierarchy import Doubles, Hierarchy, Ints
from benchmarks.forecast.m5.score import (
    DECILES,
    QUANTILES,
    absolute_change,
    path_quantiles,
    pinball_sums,
    scaled_pinball,
)
from engine.demand.panel import DemandPanel, Floats
from engine.execution import Executor
from engine.forecast.backtest import Actuals, score_intervals
from engine.forecast.sampling import series_blocks
from engine.forecast.streams import Streams
from engine.forecast.types import Fitted

SPANS = (7, 14, 28)
"""Days whose sums calibration is read from."""

N_PATHS = 200


@dataclass(frozen=True)
class Truth:
    """What forecasts of ``n`` series are made from and scored with.

    Parameters
    ----------
    panel
        What the forecaster may see.
    actual
        Units of the days to come, shape (n, horizon).
    hierarchy
        Groups of the series.
    scale
        Mean absolute one-day change of each group in the panel, shape (n_groups,).
    sampled
        Whether a series is in the fixed sample, shape (n,).
    """

    panel: DemandPanel
    actual: Floats
    hierarchy: Hierarchy
    scale: Doubles
    sampled: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, panel: DemandPanel, actual: Floats, hierarchy: Hierarchy, sampled: npt.NDArray[np.bool_]) -> Truth:
        """Return the truth with the scale of the panel's history."""
        return cls(panel, actual, hierarchy, absolute_change(hierarchy.sums(panel.units)), sampled)

    def within(self, rows: Ints) -> Truth:
        """Return the truth of some series that hold whole items; see `Hierarchy.within`."""
        hierarchy, kept = self.hierarchy.within(rows)
        return Truth(self.panel.take(rows), self.actual[rows], hierarchy, self.scale[kept], self.sampled[rows])


@dataclass(frozen=True)
class PathScores:
    """What the paths of some series score, and what they add to the upper groups.

    Parameters
    ----------
    mean
        Mean of the paths, shape (n, horizon).
    upper
        Paths summed to the groups of the upper levels, shape (n_upper, n_paths, horizon).
    loss
        Scaled pinball loss of every group, shape (n_groups,); of the upper groups 0 until all series are in.
    decile_loss, units
        Pinball summed over the sampled series by decile, and their actual units.
    below, at_most
        Ends of the randomised PIT of sums over each of `SPANS`, shape (n, 3), NaN where not on sale.
    sample_seconds, score_seconds
        Time spent, added up over processes.
    """

    mean: Floats
    upper: Doubles
    loss: Doubles
    decile_loss: Doubles
    units: float
    below: Doubles
    at_most: Doubles
    sample_seconds: float
    score_seconds: float


def score_paths(fitted: Fitted, truth: Truth, executor: Executor, n_paths: int = N_PATHS) -> PathScores:
    """Sample every series and score its paths, and those of all groups."""
    hierarchy, blocks = truth.hierarchy, series_blocks(truth.panel)
    score = partial(score_block, fitted=fitted, n_paths=n_paths)
    parts = list(executor.map(score, (truth.within(rows) for rows in blocks)))
    started = time.perf_counter()
    loss = np.zeros(hierarchy.n_groups)
    for rows, part in zip(blocks, parts, strict=True):
        loss[hierarchy.within(rows)[1]] += part.loss
    upper = np.sum([part.upper for part in parts], axis=0)
    first = slice(0, hierarchy.n_upper)
    values = path_quantiles(upper, QUANTILES)
    loss[first] = scaled_pinball(hierarchy.sums(truth.actual)[first], values, truth.scale[first])
    return PathScores(
        mean=np.concatenate([part.mean for part in parts]),
        upper=upper,
        loss=loss,
        decile_loss=np.sum([part.decile_loss for part in parts], axis=0),
        units=sum(part.units for part in parts),
        below=np.concatenate([part.below for part in parts]),
        at_most=np.concatenate([part.at_most for part in parts]),
        sample_seconds=sum(part.sample_seconds for part in parts),
        score_seconds=sum(part.score_seconds for part in parts) + time.perf_counter() - started,
    )


def score_block(block: Truth, fitted: Fitted, n_paths: int) -> PathScores:
    """Sample and score the series of a block of whole items."""
    n, horizon = block.actual.shape
    started = time.perf_counter()
    paths = fitted.sample(block.panel, horizon, n_paths, Streams(0))
    sampled = time.perf_counter()
    n_upper = block.hierarchy.n_upper
    sums = block.hierarchy.sums(paths.units.reshape(n, -1)).reshape(-1, n_paths, horizon)
    actual = block.hierarchy.sums(block.actual)
    loss = np.zeros(len(sums))
    values = path_quantiles(sums[n_upper:], QUANTILES)
    loss[n_upper:] = scaled_pinball(actual[n_upper:], values, block.scale[n_upper:])
    chosen = block.actual[block.sampled]
    deciles = path_quantiles(paths.units[block.sampled], DECILES)
    truth = Actuals(block.actual.astype(np.float64), block.panel.offered[:, block.panel.calendar.n_history :])
    spans = [np.tile(np.array([0, span], np.int32), (n, 1)) for span in SPANS]
    found = [score_intervals(paths, truth, span, (0.5,)) for span in spans]
    return PathScores(
        mean=paths.units.mean(axis=1, dtype=np.float64).astype(np.float32),
        upper=sums[:n_upper].astype(np.float64),
        loss=loss,
        decile_loss=pinball_sums(chosen, deciles, DECILES).sum(axis=0),
        units=float(chosen.sum(dtype=np.float64)),
        below=np.stack([one.below for one in found], axis=1),
        at_most=np.stack([one.at_most for one in found], axis=1),
        sample_seconds=sampled - started,
        score_seconds=time.perf_counter() - sampled,
    )
