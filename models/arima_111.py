"""ARIMA(1, 1, 1) with a drift, for every series at once: an ARIMA without a fit per series.

Always one difference, one autoregressive and one moving-average term, after taking out the season: on M3 and M4 an
automatic choice of orders does worse (`benchmarks.forecast.textbook`). `models.arima` is the one with regressors.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from engine.demand.panel import DemandPanel, Floats
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled
from engine.forecast.types import FittedState
from models.drifting import Grid, drifting_mean

AUTOREGRESSIVE = (0.0, 0.3, 0.6, 0.9)
MOVING_AVERAGE = (-0.95, -0.8, -0.6, -0.3, 0.0, 0.3)
"""Coefficients tried."""

GRID: Grid = tuple(product(AUTOREGRESSIVE, MOVING_AVERAGE))


@dataclass(frozen=True)
class Arima111:
    """ARIMA(1, 1, 1) for every series."""

    name: str = "arima_111"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Learn the errors that ARIMA(1, 1, 1) made."""
        return fit_pooled(panel, arima_111_mean)

    def from_state(self, state: FittedState) -> PooledForecast:
        return PooledForecast(arima_111_mean, ResidualPool.from_state(state))


def arima_111_mean(panel: DemandPanel, horizon: int) -> Floats:
    """Return the forecast of ARIMA(1, 1, 1), shape (n, horizon); see `drifting_mean`."""
    return drifting_mean(panel, horizon, GRID)
