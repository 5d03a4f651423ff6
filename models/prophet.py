"""Prophet, one series at a time, with events and other regressors known in advance.

Prophet (Taylor & Letham, 2018, The American Statistician 72) is fitted without its own sampling: a piecewise linear
trend times yearly and weekly seasons, events and regressors. Its parameters are kept as numbers and its mean is
computed from them here, then moved to the series' newest level; the residual pool of a hold-out makes it into
whole sample paths.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from engine.demand.panel import DemandPanel
from engine.execution import Executor, Serial
from engine.forecast.pooled import PooledForecast
from engine.forecast.types import FittedState
from models.local import fit_local, local_from_state
from models.local_design import Design, Doubles
from models.local_learning import Learnt, LocalTask

# Prophet tells of a missing plotly while it is imported.
logging.getLogger("prophet.plot").setLevel(logging.CRITICAL)
from prophet import Prophet as ProphetModel  # noqa: E402

LOGGERS = ("prophet", "prophet.models", "cmdstanpy")
"""A filter holds for one logger and not for those below it."""

N_CHANGEPOINTS = 12
REGRESSOR_PRIOR_SCALE = 1.0
N_HEAD = 5 + 2 * N_CHANGEPOINTS
"""Numbers before the effects: scale, start and length of the trend's time, slope, offset, changepoints, changes."""

CORRECTION_HALF_LIFE_DAYS = 28.0
CORRECTION_PRIOR_UNITS = 10.0
"""The newest level counts as much as the fit once about this many units were sold lately."""


@dataclass(frozen=True)
class ProphetParams:
    """Settings of Prophet. ``max_local_fits``: series and aggregates fitted at most, the most valuable first."""

    max_local_fits: int = 200


@dataclass(frozen=True)
class Prophet:
    """Prophet for the most valuable series; season and level of an aggregate for the others."""

    params: ProphetParams = field(default_factory=ProphetParams)
    executor: Executor = field(default_factory=Serial)
    name: str = "prophet"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Fit series and aggregates before a hold-out, and learn the errors there."""
        return fit_local(panel, ProphetCurve(), self.params.max_local_fits, self.executor)

    def from_state(self, state: FittedState) -> PooledForecast:
        return local_from_state(state, ProphetCurve())


@dataclass(frozen=True)
class ProphetCurve:
    """Prophet's mean from its parameters."""

    name: str = "prophet"

    def learn(self, task: LocalTask) -> Learnt:
        """Fit one series; warnings are caught and handed back."""
        n_yearly, n_weekly = task.orders
        n_season = 2 * (n_yearly + n_weekly)
        names = [f"x{i}" for i in range(task.columns.shape[1] - n_season)]
        rows = pd.DataFrame(task.columns[:, n_season:], columns=names)
        rows["ds"] = task.days.astype("datetime64[D]").astype("datetime64[ns]")
        rows["y"] = task.demand
        rows = rows[np.isfinite(task.demand)]
        with _collected() as logged, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = ProphetModel(
                n_changepoints=min(N_CHANGEPOINTS, max(1, len(rows) // 10)),
                yearly_seasonality=n_yearly or False,
                weekly_seasonality=n_weekly or False,
                daily_seasonality=False,
                seasonality_mode="multiplicative",
                uncertainty_samples=0,
            )
            for name in names:
                model.add_regressor(name, prior_scale=REGRESSOR_PRIOR_SCALE, standardize=False)
            model.fit(rows)
        return Learnt(
            _numbers(model, task.columns.shape[1]), tuple(sorted(logged.warned | {str(w.message) for w in caught}))
        )

    def curve(self, params: Doubles, columns: Design) -> Doubles:
        """Return Prophet's mean of every bucket, shape (n, n_buckets), at least 1 % of the largest demand fitted."""
        scale, start, length, slope, offset = (params[:, i, None] for i in range(5))
        # The trend is held from the end of the fit on: the newest level says more than an old slope.
        time = np.minimum((columns.days - start) / length, 1.0)
        trend = slope * time + offset
        for i in range(N_CHANGEPOINTS):
            at, change = params[:, 5 + i, None], params[:, 5 + N_CHANGEPOINTS + i, None]
            trend = trend + np.where(at <= time, change * (time - at), 0.0)
        return scale * np.maximum(trend * (1 + columns.effect(params[:, N_HEAD:])), 0.01)

    def mean(self, params: Doubles, columns: Design, demand: Doubles, horizon: int) -> Doubles:
        """Return the curve after ``demand`` (n, n_history), moved to the newest level; shape (n, horizon)."""
        n_history = demand.shape[1]
        curve = self.curve(params, columns)
        bucket_days = float(np.median(np.diff(columns.days))) if len(columns.days) > 1 else 1.0
        keep = 0.5 ** (bucket_days / CORRECTION_HALF_LIFE_DAYS)
        above, below = np.zeros(len(params)), np.zeros(len(params))
        for t in range(n_history):
            known = np.isfinite(demand[:, t])
            above = keep * above + np.where(known, demand[:, t], 0.0)
            below = keep * below + np.where(known, curve[:, t], 0.0)
        ratio = (above + CORRECTION_PRIOR_UNITS) / (below + CORRECTION_PRIOR_UNITS)
        return ratio[:, None] * curve[:, n_history : n_history + horizon]


class _Collect(logging.Filter):
    """Keeps log records from being shown, and what they warned of."""

    def __init__(self) -> None:
        super().__init__()
        self.warned: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        # Stan's own words name files of this run, and Prophet tells what follows from them.
        if record.levelno >= logging.WARNING and record.name.startswith("prophet"):
            self.warned.add(record.getMessage())
        return False


@contextmanager
def _collected() -> Iterator[_Collect]:
    """Keep Prophet and Stan from logging every run, and collect what they warn of."""
    collect = _Collect()
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addFilter(collect)
    try:
        yield collect
    finally:
        for logger in loggers:
            logger.removeFilter(collect)


def _numbers(model: ProphetModel, n_effects: int) -> Doubles:
    """Return [scale, start, length, slope, offset, changepoints..., changes..., effects...]."""
    fitted = {name: np.asarray(values, np.float64)[0] for name, values in model.params.items() if name != "trend"}
    at, change = np.full(N_CHANGEPOINTS, np.inf), np.zeros(N_CHANGEPOINTS)
    n = len(model.changepoints_t)
    at[:n], change[:n] = model.changepoints_t, fitted["delta"]
    at[n:] = 2.0
    start = (model.start - pd.Timestamp(0)) / pd.Timedelta(days=1)
    head = [model.y_scale, start, model.t_scale / pd.Timedelta(days=1), fitted["k"].item(), fitted["m"].item()]
    return np.concatenate([head, at, change, fitted["beta"][:n_effects]])
