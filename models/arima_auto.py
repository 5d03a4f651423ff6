"""ARIMA of the most valuable series, the orders of each chosen automatically; ARIMA(1, 1, 1) for the others.

Demand is taken out of its season (`models.seasonal_factors`) and differenced once; statsforecast's AutoARIMA then takes
the autoregressive and moving-average orders, and a drift or none, of lowest AICc (Hyndman & Khandakar, 2008, Journal of
Statistical Software 27). A test for the number of differences, and orders of a season, do worse on short histories
(`benchmarks.forecast.textbook`). A stock-out enters as `expected_demand`, also where orders are chosen; a bucket not on
offer takes the one before it. Regressors are left to `models.arima`.

A fit is kept as coefficients and the last changes and errors (`models.arima_states`, `models.series_fits`).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from statsforecast.models import ARIMA, AutoARIMA

from engine.demand.censoring import expected_demand
from engine.demand.panel import DemandPanel, Floats
from engine.execution import Executor, Serial
from engine.forecast.pooled import PooledForecast
from engine.forecast.types import FittedState
from models.arima_111 import arima_111_mean
from models.arima_states import N_DRIFT, N_P, N_Q, advance, ahead, fit_vector
from models.drifting import MAX_BUCKETS
from models.local_learning import Learnt
from models.seasonal_factors import HALF_LIFE, SEASON, Doubles, season_factors
from models.series_fits import SeriesTask, fit_series, series_from_state

Orders = tuple[int, int, bool]
"""Autoregressive and moving-average order, and whether there is a drift."""


@dataclass(frozen=True)
class AutoArimaParams:
    """Settings. ``max_local_fits``: series fitted at most, the most valuable first."""

    max_local_fits: int = 200


@dataclass(frozen=True)
class AutoArima:
    """Automatic ARIMA for the most valuable series; ARIMA(1, 1, 1) for the others."""

    params: AutoArimaParams = field(default_factory=AutoArimaParams)
    executor: Executor = field(default_factory=Serial)
    name: str = "auto_arima"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Choose orders on everything, and learn the errors of these orders on a hold-out."""
        return fit_series(panel, ArimaModel(), self.params.max_local_fits, self.executor)

    def from_state(self, state: FittedState) -> PooledForecast:
        return series_from_state(state, ArimaModel())


@dataclass(frozen=True)
class ArimaModel:
    """ARIMA of one series; a fit is a vector of `models.arima_states`."""

    name: str = "auto_arima"

    def demand(self, panel: DemandPanel) -> Doubles:
        """Return demand, NaN where not on offer; shape (n, n_history)."""
        return expected_demand(panel).astype(np.float64)

    def learn(self, task: SeriesTask) -> Learnt:
        """Return the fit of a series, gone on over the buckets not on offer after its last one; may raise."""
        known = np.flatnonzero(np.isfinite(task.demand))
        demand = task.demand[known[0] : known[-1] + 1][-MAX_BUCKETS[task.bucket] :]
        season = SEASON[task.bucket]
        factor = season_factors(demand[:, None], season, HALF_LIFE[task.bucket])[:, 0]
        flat = _without_gaps(demand / factor[np.arange(-len(demand), 0) % season])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = fit_vector(_library_model(task.form).fit(flat).model_, flat, factor)
        unseen = np.full((1, len(task.demand) - known[-1] - 1), np.nan)
        return Learnt(advance(fit[None], unseen)[0], tuple(sorted({str(w.message) for w in caught})))

    def form(self, fit: Doubles) -> Orders:
        """Return the orders that were chosen."""
        return int(fit[N_P]), int(fit[N_Q]), bool(fit[N_DRIFT])

    def advance(self, fits: Doubles, newer: Doubles) -> Doubles:
        return advance(fits, newer)

    def ahead(self, fits: Doubles, horizon: int) -> Doubles:
        return ahead(fits, horizon)

    def others(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return ARIMA(1, 1, 1)."""
        return arima_111_mean(panel, horizon)


def _library_model(orders: Orders | None) -> AutoARIMA | ARIMA:
    if orders is None:
        return AutoARIMA(season_length=1, d=1)
    p, q, drift = orders
    return ARIMA(order=(p, 1, q), include_drift=drift)


def _without_gaps(demand: Doubles) -> Doubles:
    """Return demand (n_buckets,), whose first bucket is known, with each gap filled by the bucket before it."""
    place = np.where(np.isfinite(demand), np.arange(len(demand)), 0)
    return np.asarray(demand[np.maximum.accumulate(place)], np.float64)
