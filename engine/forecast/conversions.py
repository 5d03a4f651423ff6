"""Named conversions to sample paths for forecasters without any; each states the dependence it assumes.

A mean with past errors is better served by `engine.forecast.empirical.ResidualPool`, which assumes none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from engine.demand.panel import DemandPanel, Floats
from engine.forecast.empirical import divisible, round_whole
from engine.forecast.streams import Streams
from engine.forecast.types import SamplePaths

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Dependence:
    """Dependence of the normal scores behind a Gaussian copula.

    Parameters
    ----------
    autocorrelation
        Correlation of a series' scores in neighbouring buckets, in [0, 1).
    shared
        Correlation of two series' scores in one bucket, in [0, 1].
    """

    autocorrelation: float = 0.0
    shared: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.autocorrelation < 1 and 0 <= self.shared <= 1):
            found = f"{self.autocorrelation} and {self.shared}"
            raise ValueError(f"autocorrelation must lie in [0, 1) and shared in [0, 1]. Got {found} instead.")


def paths_from_quantiles_gaussian_copula(
    quantiles: Floats,
    levels: Doubles,
    panel: DemandPanel,
    n_paths: int,
    streams: Streams,
    dependence: Dependence,
) -> SamplePaths:
    """Return paths with the given quantiles in every bucket, joined by a Gaussian copula.

    Assumed: normal scores follow a first-order autoregression over buckets and have one common factor
    over series (`Dependence`). Between quantiles the distribution is linear, below the lowest it runs to 0,
    above the highest it falls off exponentially at the rate of the last two.

    Parameters
    ----------
    quantiles
        Shape (n, horizon, n_levels), not falling along the last axis.
    levels
        Probabilities, shape (n_levels,), ascending, in (0, 1), at least two.
    """
    n, horizon, n_levels = quantiles.shape
    if n_levels < 2 or n_levels != len(levels) or (np.diff(levels) <= 0).any() or levels[0] <= 0 or levels[-1] >= 1:
        raise ValueError(f"levels must be {n_levels} >= 2 ascending probabilities in (0, 1). Got {levels} instead.")
    dates = panel.calendar.starts[panel.calendar.n_history :][:horizon]
    shared = np.stack([streams.common("copula", date).standard_normal(n_paths) for date in dates], axis=1)
    common = np.sqrt(dependence.shared) * _autoregression(shared, dependence.autocorrelation)
    units = np.empty((n, n_paths, horizon), np.float32)
    generators = [streams.series(i, j, "copula") for i, j in zip(panel.item_id, panel.location_id, strict=True)]
    for row, generator in enumerate(generators):
        own = _autoregression(generator.standard_normal((horizon, n_paths)).T, dependence.autocorrelation)
        score = common + np.sqrt(1 - dependence.shared) * own
        units[row] = _inverse(ndtr(score), np.maximum(quantiles[row].astype(np.float64), 0), levels)
    round_whole(units, ~divisible(panel), generators)
    return SamplePaths(panel.item_id, panel.location_id, units)


def paths_from_mean_independent_negative_binomial(
    mean: Floats, dispersion: Doubles, panel: DemandPanel, n_paths: int, streams: Streams
) -> SamplePaths:
    """Return paths of negative binomial demand, variance = mean + dispersion * mean**2; always whole.

    Assumed: buckets and series are independent, so sums over an interval or over items come out too narrow
    wherever levels are uncertain. ``mean`` has shape (n, horizon), ``dispersion`` (n,), >= 0.
    """
    n, horizon = mean.shape
    units = np.empty((n, n_paths, horizon), np.float32)
    for row in range(n):
        generator = streams.series(panel.item_id[row], panel.location_id[row], "negative-binomial")
        rate = np.repeat(np.maximum(mean[row].astype(np.float64), 0)[:, None], n_paths, axis=1)
        spread = float(dispersion[row])
        rate = rate * generator.gamma(1 / spread, spread, rate.shape) if spread > 0 else rate
        units[row] = generator.poisson(rate).T
    return SamplePaths(panel.item_id, panel.location_id, units)


def _autoregression(noise: Doubles, correlation: float) -> Doubles:
    """Standard normal scores (n_paths, horizon) with the given correlation of neighbours."""
    out = np.array(noise)
    for t in range(1, noise.shape[1]):
        out[:, t] = correlation * out[:, t - 1] + np.sqrt(1 - correlation**2) * noise[:, t]
    return out


def _inverse(probability: Doubles, quantiles: Doubles, levels: Doubles) -> Doubles:
    """Quantile function of each bucket at ``probability`` (n_paths, horizon); ``quantiles`` (horizon, n_levels)."""
    out = np.empty_like(probability)
    knots = np.concatenate([[0.0], levels])
    rate = np.log((1 - levels[-2]) / (1 - levels[-1]))
    for t in range(probability.shape[1]):
        p, q = probability[:, t], quantiles[t]
        inside = np.interp(p, knots, np.concatenate([[0.0], q]))
        beyond = (q[-1] - q[-2]) / rate * np.log((1 - levels[-1]) / np.maximum(1 - p, 1e-12))
        out[:, t] = inside + np.where(p > levels[-1], beyond, 0)
    return out
