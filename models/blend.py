"""The mean of three simple forecasts: Theta, ARIMA(1, 1, 1) and exponential smoothing.

Equal weights are hard to beat (Makridakis, Spiliotis & Assimakopoulos, 2020, International Journal of Forecasting 36:
most of the best entries of M4 were combinations). The residual pool is that of the mean itself. A series without a fit
of exponential smoothing takes the mean of the other two.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engine.demand.panel import DemandPanel, Floats
from engine.execution import Executor, Serial
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled, stretch_length
from engine.forecast.types import FittedState
from models.arima_111 import arima_111_mean
from models.ets import EtsModel
from models.hold_out import errors_at, hold_out_origins, within_reach
from models.series_fits import SeriesMean, learn_twice
from models.theta import theta_mean


@dataclass(frozen=True)
class BlendParams:
    """Settings. ``max_local_fits``: series at most that exponential smoothing is fitted to, the most valuable first."""

    max_local_fits: int = 200


@dataclass(frozen=True)
class Blend:
    """The mean of Theta, ARIMA(1, 1, 1) and exponential smoothing."""

    params: BlendParams = field(default_factory=BlendParams)
    executor: Executor = field(default_factory=Serial)
    name: str = "blend"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Learn the errors of the mean on a hold-out, with exponential smoothing fitted before it."""
        length = stretch_length(panel)
        origins = hold_out_origins(panel.calendar, length)
        if not len(origins):
            mean = BlendMean(SeriesMean(EtsModel(), panel.calendar.as_of, {}))
            fitted = fit_pooled(panel, mean)
            return PooledForecast(mean, fitted.pool, fitted.notes, mean.ets.text())
        early, late, notes = learn_twice(panel, int(origins[-1]), EtsModel(), self.params.max_local_fits, self.executor)
        past = errors_at(origins, length, panel, BlendMean(early), self.executor)
        return PooledForecast(BlendMean(late), ResidualPool.learn(within_reach(past)), notes, late.text())

    def from_state(self, state: FittedState) -> PooledForecast:
        ets = SeriesMean.from_text(EtsModel(), state.text)
        return PooledForecast(BlendMean(ets), ResidualPool.from_state(state), text=ets.text())


@dataclass(frozen=True)
class BlendMean:
    """The mean forecast; ``ets`` is the member that has fits."""

    ets: SeriesMean

    def __call__(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return mean demand of the buckets to come, shape (n, horizon)."""
        two = theta_mean(panel, horizon) + arima_111_mean(panel, horizon)
        fitted = self.ets.serves(panel)[:, None]
        return np.where(fitted, (two + self.ets(panel, horizon)) / 3, two / 2).astype(np.float32)
