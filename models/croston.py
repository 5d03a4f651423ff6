"""Croston's method for intermittent demand, with the correction of Syntetos and Boylan. A baseline.

The size of a sale and the buckets between two sales are smoothed apart, when there is a sale (Croston 1972,
Operational Research Quarterly 23, 289-303); size over interval is too high by about alpha / 2 (Syntetos and Boylan
2005, International Journal of Forecasting 21, 303-314, eq. 8), which is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.demand.panel import DemandPanel, Floats
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled
from engine.forecast.types import FittedState
from models.smoothing import Doubles, smoothed

ALPHAS = (0.1, 0.05, 0.2, 0.3)
"""Smoothing constants of size and interval to choose from, the usual one first."""


@dataclass(frozen=True)
class CrostonSba:
    """Croston's method, corrected, with the errors that it made."""

    name: str = "croston_sba"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Learn the errors that the method made."""
        return fit_pooled(panel, sba_mean)

    def from_state(self, state: FittedState) -> PooledForecast:
        return PooledForecast(sba_mean, ResidualPool.from_state(state))


def sba_mean(panel: DemandPanel, horizon: int) -> Floats:
    """Return the corrected forecast, the same for every bucket, shape (n, horizon); 0 for a series without a sale."""
    return smoothed(panel, horizon, partial(sba_forecasts, alphas=np.array(ALPHAS)))


def sba_forecasts(demand: Doubles, alphas: Doubles) -> Doubles:
    """Return forecasts as `models.smoothing.Recursion` states, one choice an alpha.

    The first sale sets the size, and the buckets on offer up to it the interval.
    """
    n, n_history = demand.shape
    alpha = alphas[:, None]
    forecast = np.full((len(alphas), n, n_history + 1), np.nan)
    size, interval = np.full((len(alphas), n), np.nan), np.full((len(alphas), n), np.nan)
    waited = np.zeros(n)
    for t in range(n_history):
        units = demand[:, t]
        waited += np.isfinite(units)
        sold = units > 0
        first = np.isnan(size)
        size = np.where(sold, np.where(first, units, size + alpha * (units - size)), size)
        interval = np.where(sold, np.where(first, waited, interval + alpha * (waited - interval)), interval)
        waited[sold] = 0
        forecast[:, :, t + 1] = (1 - alpha / 2) * size / interval
    return forecast
