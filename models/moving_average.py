"""Moving average of thirteen weeks, with a weekday profile for days. A baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.demand.censoring import expected_demand, season_factor
from engine.demand.panel import DemandPanel, Floats
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled, mean_of_known
from engine.forecast.types import FittedState

WINDOW = {"D": 91, "W": 13, "M": 3}
"""Buckets averaged: thirteen weeks, or three months."""


@dataclass(frozen=True)
class MovingAverage:
    """The mean of the last thirteen weeks, spread over the weekdays as they were sold."""

    name: str = "moving_average"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Learn the errors that the moving average made."""
        return fit_pooled(panel, thirteen_weeks)

    def from_state(self, state: FittedState) -> PooledForecast:
        return PooledForecast(thirteen_weeks, ResidualPool.from_state(state))


def thirteen_weeks(panel: DemandPanel, horizon: int) -> Floats:
    """Return the moving average times the weekday factor, shape (n, horizon).

    Stock-outs enter as `expected_demand`. A series without a sale in the window takes the mean of its whole
    history on offer, so that a slow mover is not forecast as nothing; without any history it is 0.
    """
    calendar = panel.calendar
    demand = expected_demand(panel)
    recent = demand[:, -WINDOW[calendar.bucket] :]
    mean = mean_of_known(recent)
    mean = np.nan_to_num(np.where(mean > 0, mean, mean_of_known(demand)))
    level = np.repeat(mean[:, None], horizon, axis=1)
    if calendar.bucket != "D" or calendar.n_history == 0:
        return level.astype(np.float32)
    weekday = (calendar.starts.astype(np.int64) + 3) % 7
    past = weekday[: calendar.n_history][-recent.shape[1] :]
    factor = season_factor(recent.astype(np.float64), calendar.bucket, past)
    by_day = np.ones((panel.n_series, 7))
    by_day[:, past] = factor
    by_day *= 7 / np.cumsum(by_day, axis=1)[:, -1:]
    return (level * by_day[:, weekday[calendar.n_history :][:horizon]]).astype(np.float32)
