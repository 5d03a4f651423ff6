"""Prophet on the fixed sample: trend, week, the calendar's events and SNAP days; deciles of its own draws."""

from __future__ import annotations

import logging
import time
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from prophet import Prophet

from benchmarks.forecast.m5.blocks import N_PATHS, Truth
from benchmarks.forecast.m5.panels import KIND
from benchmarks.forecast.m5.peers import PeerForecast
from benchmarks.forecast.m5.score import DECILES
from engine.demand.panel import DemandPanel, Floats
from engine.execution import processes

CHUNK = 20
"""Series that a process forecasts at once."""


def forecast(truth: Truth, n_workers: int) -> PeerForecast:
    """Return Prophet's deciles of the sampled series."""
    horizon = truth.actual.shape[1]
    started = time.perf_counter()
    rows = np.flatnonzero(truth.sampled)
    parts = (truth.panel.take(rows[start : start + CHUNK]) for start in range(0, len(rows), CHUNK))
    with processes(n_workers) as executor:
        deciles = list(executor.map(partial(_deciles, horizon=horizon), parts))
    return PeerForecast(time.perf_counter() - started, deciles=np.concatenate(deciles) if deciles else None)


def _deciles(panel: DemandPanel, horizon: int) -> Floats:
    logging.getLogger("cmdstanpy").disabled = True
    return np.stack([_of_series(panel, row, horizon) for row in range(panel.n_series)])


def _of_series(panel: DemandPanel, row: int, horizon: int) -> Floats:
    """Return deciles of one series, shape (n_deciles, horizon)."""
    h = panel.calendar.n_history
    seen = panel.offered[row, :h]
    if not panel.units[row, seen].any():
        return np.zeros((len(DECILES), horizon), np.float32)
    np.random.seed(0)  # noqa: NPY002 - Prophet draws from the global generator
    days = panel.calendar.starts.astype("datetime64[ns]")
    snap = panel.regressors["event_snap"][row]
    model = Prophet(
        weekly_seasonality=True, yearly_seasonality=False, daily_seasonality=False, uncertainty_samples=N_PATHS,
        holidays=_events(panel, days),
    )  # fmt: skip
    model.add_regressor("snap")
    model.fit(pd.DataFrame({"ds": days[:h][seen], "y": panel.units[row, seen], "snap": snap[:h][seen]}))
    future = pd.DataFrame({"ds": days[h : h + horizon], "snap": snap[h : h + horizon]})
    draws = np.maximum(model.predictive_samples(future)["yhat"], 0)
    return np.quantile(draws, DECILES, axis=1).astype(np.float32)


def _events(panel: DemandPanel, days: npt.NDArray[np.datetime64]) -> pd.DataFrame:
    """Return the days of every event of the calendar, by name."""
    named = {k: v > 0 for k, v in panel.regressors.items() if v.ndim == 1 and not k.startswith(KIND)}
    return pd.concat([pd.DataFrame({"holiday": name, "ds": days[on]}) for name, on in named.items()])
