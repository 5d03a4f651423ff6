"""Scores of M5: WRMSSE and WSPL over 12 levels, WQL and calibration of series; peers and restock by the same code.

Makridakis, Spiliotis and Assimakopoulos (2022, Int. J. Forecasting 38) define WRMSSE and WSPL. Where a scale is
not positive (a group without a sale before) the group counts nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.forecast.m5.hierarchy import Doubles, Hierarchy
from engine.demand.panel import Floats
from engine.forecast.backtest import quantiles_of

Numbers = npt.NDArray[np.floating]

QUANTILES = (0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995)
DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

CELLS = 1 << 15
"""Groups times days whose paths are sorted at once."""


def wrmsse(hierarchy: Hierarchy, forecast: Floats, actual: Floats) -> dict[int, float]:
    """Return the weighted root mean squared scaled error at every level of forecasts (n_series, horizon)."""
    gap = hierarchy.sums(forecast.astype(np.float64) - actual)
    return hierarchy.by_level(np.sqrt(_over((gap**2).mean(axis=1), hierarchy.mse)))


def bias(forecast: Floats, actual: Floats, n_parts: int = 4) -> list[float]:
    """Return the forecast total over the actual one, less 1, in equal parts of the horizon."""
    said, came = (np.array_split(values.sum(axis=0, dtype=np.float64), n_parts) for values in (forecast, actual))
    return [float(f.sum() / a.sum() - 1) for f, a in zip(said, came, strict=True)]


def absolute_change(history: Numbers) -> Doubles:
    """Return the mean absolute one-day change from the first sale on of each row of (n, n_days), 0 where none."""
    begun = np.logical_or.accumulate(history > 0, axis=1)[:, :-1]
    change = np.where(begun, np.abs(np.diff(history, axis=1)), 0).sum(axis=1, dtype=np.float64)
    return change / np.maximum(begun.sum(axis=1), 1)


def path_quantiles(paths: Numbers, quantiles: tuple[float, ...]) -> Doubles:
    """Return quantiles (n, n_quantiles, horizon) of paths (n, n_paths, horizon), each a value that was drawn."""
    n, n_paths, horizon = paths.shape
    out = np.empty((n, len(quantiles), horizon))
    step = max(1, CELLS // max(1, horizon))
    for start in range(0, n, step):
        draws = paths[start : start + step].transpose(0, 2, 1).reshape(-1, n_paths)
        found = quantiles_of(draws, quantiles).reshape(-1, horizon, len(quantiles))
        out[start : start + step] = found.transpose(0, 2, 1)
    return out


def pinball_sums(actual: Numbers, values: Numbers, quantiles: tuple[float, ...]) -> Doubles:
    """Return the pinball loss summed over days, (n, n_quantiles), of ``values`` (n, n_quantiles, horizon)."""
    share = np.array(quantiles)[:, None]
    gap = actual[:, None, :] - values
    return np.asarray(np.maximum(share * gap, (share - 1) * gap).sum(axis=2, dtype=np.float64))


def scaled_pinball(actual: Numbers, values: Numbers, scale: Doubles) -> Doubles:
    """Return the mean pinball loss over the contest's quantiles and all days, over the scale, shape (n,)."""
    return _over(pinball_sums(actual, values, QUANTILES).mean(axis=1) / actual.shape[1], scale)


def wql(losses: Doubles, total: float) -> float:
    """Return the weighted quantile loss, of pinball summed by decile and the sum of actuals."""
    return float(2 * losses.mean() / total) if total > 0 else float("nan")


def mean_of_levels(levels: dict[int, float]) -> float:
    """Return the mean over the levels, each with the same weight."""
    return float(np.mean(list(levels.values()))) if levels else float("nan")


def _over(above: Doubles, below: Doubles) -> Doubles:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
