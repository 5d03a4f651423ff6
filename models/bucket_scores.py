"""The loss of a forecast that is read bucket by bucket, such as that of `restock forecast`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.forecast.backtest import Actuals, IntervalScores, pinball, quantiles_of, score_intervals
from engine.forecast.types import SamplePaths


def score_buckets(
    paths: SamplePaths, actuals: Actuals, interval: npt.NDArray[np.int32], quantiles: tuple[float, ...]
) -> IntervalScores:
    """Return `score_intervals` with another loss: the mean pinball loss of the interval's buckets, each by itself.

    In the sum over a long horizon a season cancels out, so that the sum alone would not see a forecast without one.
    """
    whole = score_intervals(paths, actuals, interval, quantiles)
    horizon = min(paths.horizon, actuals.seen.shape[1])
    counted = (np.arange(horizon) < interval[:, 1:2]) & actuals.seen[:, :horizon]
    total = np.zeros(len(counted))
    for t in range(horizon):
        draws = paths.units[:, :, t].astype(np.float64)
        loss = pinball(actuals.units[:, t], quantiles_of(draws, quantiles), quantiles).mean(axis=1)
        total += np.where(counted[:, t], loss, 0.0)
    mean = total / np.maximum(counted.sum(axis=1), 1)
    return replace(whole, pinball=np.where(np.isfinite(whole.pinball), mean, np.nan))
