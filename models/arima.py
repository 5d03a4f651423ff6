"""Regression with ARIMA errors, one series at a time.

Demand is modelled as log(1 + demand / mean), so that zeros have a place and effects multiply where demand is
high. A ridge regression on season and regressors comes first. What it leaves moves around a slow level, an
exponentially weighted mean of fixed half-life, by an ARMA(p, q) process: together an ARIMA(p, 1, q + 1) one of whose
moving-average roots is fixed. Left free, that root runs to 1 where the yearly season has swallowed a drift, and the
forecast then no longer follows the level. The ARMA part is estimated by maximum likelihood in state space
(statsmodels), which takes missing buckets as they are; its order is the one of lowest AICc (Hurvich & Tsai, 1989,
Biometrika 76) among `ORDERS`. Forecasts come back to units by the smearing factor of Duan (1983, J. Am. Stat. Assoc.
78), then become whole sample paths by the residual pool of a hold-out.

Estimated parameters are applied to newer data by the recursion of one-step errors (Hyndman et al., 2008, Forecasting
with Exponential Smoothing, ch. 11), in which a missing bucket has error zero.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from statsmodels.tsa.statespace.sarimax import SARIMAX

from engine.demand.panel import DemandPanel
from engine.execution import Executor, Serial
from engine.forecast.pooled import PooledForecast
from engine.forecast.types import FittedState
from models.local import fit_local, local_from_state
from models.local_design import Design, Doubles
from models.local_learning import Learnt, LocalTask

ORDERS = ((0, 0), (1, 0), (1, 1))
"""Orders (p, q) of what is left around the level."""

START = (0.3, -0.1)
"""Where the search starts: AR, MA."""

LEVEL_HALF_LIFE_DAYS = 28.0
LEVEL_PRIOR = 4.0
"""Half-life of the level's weights, and the buckets after which it counts half."""

N_AR, N_MA = 2, 1
RIDGE = 2.0
"""Penalty on every effect, in buckets: an effect seen in two buckets is halved."""

MAX_BUCKETS = 400
"""Latest buckets that the ARMA part is estimated on."""

MAX_ITERATIONS = 30
SMEAR_BOUNDS = (0.5, 3.0)
"""The smearing factor lies within these bounds; beyond them the logarithms did not fit the series at all."""


@dataclass(frozen=True)
class ArimaParams:
    """Settings of ARIMA. ``max_local_fits``: series and aggregates fitted at most, the most valuable first."""

    max_local_fits: int = 200


@dataclass(frozen=True)
class Arima:
    """Regression with ARIMA errors for the most valuable series; season and level for the others."""

    params: ArimaParams = field(default_factory=ArimaParams)
    executor: Executor = field(default_factory=Serial)
    name: str = "arima"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Fit series and aggregates before a hold-out, and learn the errors there."""
        return fit_local(panel, ArimaModel(), self.params.max_local_fits, self.executor)

    def from_state(self, state: FittedState) -> PooledForecast:
        return local_from_state(state, ArimaModel())


@dataclass(frozen=True)
class ArimaModel:
    """Parameters of a fit: [mean, smear, constant, AR..., MA..., effects...]."""

    name: str = "arima"

    def learn(self, task: LocalTask) -> Learnt:
        """Estimate one series; warnings are caught and handed back."""
        demand = task.demand
        known = np.isfinite(demand)
        mean = float(demand[known].mean())
        logs = np.log1p(demand / mean)
        columns = np.column_stack([np.ones(len(demand)), task.columns])
        effects = _ridge(columns[known], logs[known])
        rest = logs - columns @ effects
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            around, _ = _around_level(rest[None], _keep(task.days))
            ar, ma = _estimate(around[0, -MAX_BUCKETS:])
        one_step = rest - around[0] + _recursion(around, ar[None], ma[None], 0)[0]
        fitted = mean * np.expm1(columns @ effects + one_step)
        smear = float(demand[known].sum() / max(fitted[known].clip(0).sum(), 1e-9))
        head = [mean, float(np.clip(smear, *SMEAR_BOUNDS)), effects[0]]
        return Learnt(np.concatenate([head, ar, ma, effects[1:]]), tuple(sorted({str(w.message) for w in caught})))

    def curve(self, params: Doubles, columns: Design) -> Doubles:
        """Return what the date and the regressors alone say of every bucket, shape (n, n_buckets), > 0."""
        logs = params[:, 2, None] + columns.effect(params[:, 3 + N_AR + N_MA :])
        return params[:, :1] * params[:, 1:2] * np.maximum(np.expm1(logs), 0.01)

    def mean(self, params: Doubles, columns: Design, demand: Doubles, horizon: int) -> Doubles:
        """Return the mean forecast of the buckets after ``demand`` (n, n_history); shape (n, horizon)."""
        n_history = demand.shape[1]
        logs = params[:, 2, None] + columns.effect(params[:, 3 + N_AR + N_MA :])
        rest = np.log1p(demand / params[:, :1]) - logs[:, :n_history]
        around, level = _around_level(rest, _keep(columns.days))
        ar, ma = params[:, 3 : 3 + N_AR], params[:, 3 + N_AR : 3 + N_AR + N_MA]
        ahead = level[:, None] + _recursion(around, ar, ma, horizon)[:, n_history:]
        units = np.expm1(logs[:, n_history : n_history + horizon] + ahead)
        return params[:, :1] * params[:, 1:2] * np.maximum(units, 0)


def _keep(days: Doubles) -> float:
    """Return the share of a weight that is left one bucket later, for buckets that begin on ``days``."""
    bucket_days = float(np.median(np.diff(days))) if len(days) > 1 else 1.0
    return float(0.5 ** (bucket_days / LEVEL_HALF_LIFE_DAYS))


def _ridge(columns: Doubles, logs: Doubles) -> Doubles:
    penalty = np.full(columns.shape[1], RIDGE)
    penalty[0] = 1e-6
    return np.asarray(np.linalg.solve(columns.T @ columns + np.diag(penalty), columns.T @ logs), np.float64)


def _estimate(rest: Doubles) -> tuple[Doubles, Doubles]:
    """Return coefficients of past values and past errors, by lowest AICc."""
    n = int(np.isfinite(rest).sum())
    best, chosen = np.inf, (np.zeros(N_AR), np.zeros(N_MA))
    for p, q in ORDERS:
        model = SARIMAX(rest, order=(p, 0, q), concentrate_scale=True)
        if p + q:
            fit = model.fit(START[: p + q], disp=0, maxiter=MAX_ITERATIONS, cov_type="none")
            llf, coefficients = float(fit.llf), np.asarray(fit.params)
        else:
            llf, coefficients = float(model.loglike(np.zeros(0))), np.zeros(0)
        k = p + q + 1
        aicc = -2 * llf + 2 * k + 2 * k * (k + 1) / max(n - k - 1, 1)
        if np.isfinite(aicc) and aicc < best:
            ar, ma = np.zeros(N_AR), np.zeros(N_MA)
            ar[:p], ma[:q] = coefficients[:p], coefficients[p : p + q]
            best, chosen = aicc, (ar, ma)
    return chosen


def _around_level(rest: Doubles, keep: float) -> tuple[Doubles, Doubles]:
    """Return ``rest`` (n, n_history) less its level before each bucket, and the level after the last, shape (n,).

    The level is the exponentially weighted mean of what was seen, drawn to 0 while little was.
    """
    n, n_history = rest.shape
    out = np.full((n, n_history), np.nan)
    above, below = np.zeros(n), np.full(n, LEVEL_PRIOR)
    for t in range(n_history):
        out[:, t] = rest[:, t] - above / below
        known = np.isfinite(rest[:, t])
        # A bucket unseen leaves the level, and the trust in it, as they are.
        above = np.where(known, keep * above + np.where(known, rest[:, t], 0.0), above)
        below = np.where(known, keep * (below - LEVEL_PRIOR) + 1.0 + LEVEL_PRIOR, below)
    return out, above / below


def _recursion(rest: Doubles, ar: Doubles, ma: Doubles, horizon: int) -> Doubles:
    """Return one-step forecasts of the history and forecasts of the ``horizon`` after it, (n, n_history + horizon).

    ``rest`` (n, n_history) may hold NaN: such a bucket takes its forecast and has no error.
    """
    n, n_history = rest.shape
    out = np.zeros((n, n_history + horizon))
    values, error = np.zeros((n, N_AR)), np.zeros(n)
    for t in range(n_history + horizon):
        forecast = ar[:, 0] * values[:, 0] + ar[:, 1] * values[:, 1] + ma[:, 0] * error
        out[:, t] = forecast
        seen = rest[:, t] if t < n_history else np.full(n, np.nan)
        known = np.isfinite(seen)
        value = np.where(known, seen, forecast)
        error = np.where(known, value - forecast, 0.0)
        values = np.stack([value, values[:, 0]], axis=1)
    return out
