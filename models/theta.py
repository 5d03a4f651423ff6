"""The Theta method: exponential smoothing with half the slope of the long-run line, after taking out the season.

Assimakopoulos & Nikolopoulos (2000, International Journal of Forecasting 16) forecast the mean of a straight line and
of a series whose curvature was doubled; Hyndman & Billah (2003, same journal, 19) show that this is simple exponential
smoothing with a drift of half the line's slope, which is how it is computed here. It won the M3 competition.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.demand.panel import DemandPanel, Floats
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled
from engine.forecast.types import FittedState
from models.drifting import Grid, drifting_mean

SMOOTHING = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Smoothing constants tried."""

GRID: Grid = tuple((0.0, alpha - 1) for alpha in SMOOTHING)


@dataclass(frozen=True)
class Theta:
    """The Theta method for every series."""

    name: str = "theta"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Learn the errors that the Theta method made."""
        return fit_pooled(panel, theta_mean)

    def from_state(self, state: FittedState) -> PooledForecast:
        return PooledForecast(theta_mean, ResidualPool.from_state(state))


def theta_mean(panel: DemandPanel, horizon: int) -> Floats:
    """Return the forecast of the Theta method, shape (n, horizon); see `drifting_mean`."""
    return drifting_mean(panel, horizon, GRID)
