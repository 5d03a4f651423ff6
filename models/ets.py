"""Exponential smoothing of the most valuable series, the form and the parameters of each chosen automatically.

statsforecast's AutoETS estimates level, trend (none, additive, damped) and season (none, additive, multiplicative) by
maximum likelihood and takes the form of lowest AICc (Hyndman, Koehler, Ord & Snyder, 2008, Forecasting with Exponential
Smoothing). A fit is kept as smoothing constants and the states at its end; newer buckets update the states of all
series together (`models.series_fits`). The other series take the moving average.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from statsforecast.models import AutoETS

from engine.demand.censoring import expected_demand
from engine.demand.panel import DemandPanel, Floats
from engine.execution import Executor, Serial
from engine.forecast.pooled import PooledForecast
from engine.forecast.types import FittedState
from models.drifting import MAX_BUCKETS
from models.ets_states import ANY_FORM, FIRST_SEASON, MULTIPLICATIVE, Form, advance, ahead, fit_vector, form_of
from models.local_learning import Learnt
from models.moving_average import thirteen_weeks
from models.seasonal_factors import HALF_LIFE, SEASON, Doubles, season_factors
from models.series_fits import SeriesTask, fit_series, series_from_state

LONGEST_SEASON = 24
"""Buckets of the longest season that statsforecast estimates; a longer one is taken out before and stays as it is."""


@dataclass(frozen=True)
class EtsParams:
    """Settings. ``max_local_fits``: series fitted at most, the most valuable first."""

    max_local_fits: int = 200


@dataclass(frozen=True)
class Ets:
    """Automatic exponential smoothing for the most valuable series; the moving average for the others."""

    params: EtsParams = field(default_factory=EtsParams)
    executor: Executor = field(default_factory=Serial)
    name: str = "ets"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Fit series to everything and, in the same forms, before a hold-out, where the errors are learnt."""
        return fit_series(panel, EtsModel(), self.params.max_local_fits, self.executor)

    def from_state(self, state: FittedState) -> PooledForecast:
        return series_from_state(state, EtsModel())


@dataclass(frozen=True)
class EtsModel:
    """Exponential smoothing of one series; a fit is a vector of `models.ets_states`."""

    name: str = "ets"

    def demand(self, panel: DemandPanel) -> Doubles:
        """Return demand, NaN where it was never on sale or not on offer; shape (n, n_history)."""
        return np.where(panel.available > 0, expected_demand(panel), np.nan).astype(np.float64)

    def learn(self, task: SeriesTask) -> Learnt:
        """Return the fit of a series, its states rotated over the unseen buckets after its last one; may raise."""
        known = np.flatnonzero(np.isfinite(task.demand))
        demand = task.demand[known[0] : known[-1] + 1][-MAX_BUCKETS[task.bucket] :]
        season, form = SEASON[task.bucket], task.form or ANY_FORM
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if season <= LONGEST_SEASON:
                fit = _estimate(demand, season, form)
            else:
                factor = season_factors(demand[:, None], season, HALF_LIFE[task.bucket])[:, 0]
                flat = demand / factor[np.arange(-len(demand), 0) % season]
                fit = np.concatenate([_estimate(flat, 1, form)[:FIRST_SEASON], factor])
                fit[MULTIPLICATIVE] = True
        unseen = np.full((1, len(task.demand) - known[-1] - 1), np.nan)
        return Learnt(advance(fit[None], unseen)[0], tuple(sorted({str(w.message) for w in caught})))

    def form(self, fit: Doubles) -> Form:
        """Return trend, season and damping that were chosen."""
        return form_of(fit)

    def advance(self, fits: Doubles, newer: Doubles) -> Doubles:
        return advance(fits, newer)

    def ahead(self, fits: Doubles, horizon: int) -> Doubles:
        return ahead(fits, horizon)

    def others(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return the moving average."""
        return thirteen_weeks(panel, horizon)


def _estimate(demand: Doubles, season: int, form: Form) -> Doubles:
    model = AutoETS(season_length=season, model=form[0], damped=form[1]).fit(_filled(demand, season))
    return fit_vector(model.model_, season)


def _filled(demand: Doubles, season: int) -> Doubles:
    """Return demand (n_buckets,) with gaps filled by the mean of what was seen at the same place of the season."""
    known = np.isfinite(demand)
    out = np.where(known, demand, demand[known].mean())
    for place in range(season):
        seen = known[place::season]
        if seen.any():
            out[place::season] = np.where(seen, demand[place::season], demand[place::season][seen].mean())
    return out
