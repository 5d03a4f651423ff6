"""Per-series peers of statsforecast: seasonal naive, AutoETS and AutoARIMA, with the intervals that they state.

A group is forecast from its own summed history, as the contest's benchmarks were; series are not made to add up.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import AutoARIMA, AutoETS
from statsforecast.models import SeasonalNaive as PeerNaive

from benchmarks.forecast.m5.blocks import Truth
from benchmarks.forecast.m5.peers import PeerForecast, part_at
from benchmarks.forecast.m5.score import DECILES, QUANTILES, Numbers
from engine.demand.calendar import Dates, Ints
from engine.demand.panel import Floats

SEASON = 7
LEAST_DAYS = 28
"""Days kept at least of a series that has hardly sold."""

CHUNK = 256
"""Series forecast in one call, and kept then, so that a run of an hour goes on where it was stopped."""


def seasonal_naive(truth: Truth, n_workers: int) -> PeerForecast:
    """Return the last week again, with normal intervals."""
    return _of_groups(PeerNaive(SEASON), truth, n_workers)


def auto_ets(truth: Truth, n_workers: int) -> PeerForecast:
    """Return exponential smoothing, its form chosen by AICc for each group."""
    return _of_groups(AutoETS(season_length=SEASON), truth, n_workers)


def auto_ets_sample(truth: Truth, n_workers: int) -> PeerForecast:
    """Return exponential smoothing of the sampled series alone: minutes, where every group takes hours."""
    return _of_sample(AutoETS(season_length=SEASON), truth, n_workers)


def auto_arima(truth: Truth, n_workers: int) -> PeerForecast:
    """Return seasonal ARIMA of the sampled series, its orders chosen by AICc.

    The search approximates the likelihood by conditional sums of squares, as R's auto.arima does for series longer
    than 150; the chosen orders are fitted exactly.
    """
    model = AutoARIMA(season_length=SEASON, approximation=True, alias="AutoARIMA-approximate")
    return _of_sample(model, truth, n_workers)


def _of_sample(model: Any, truth: Truth, n_workers: int) -> PeerForecast:
    found = _forecasts(model, truth.panel.units[truth.sampled], truth, DECILES, n_workers)
    return PeerForecast(found.seconds, deciles=found.quantiles)


def _of_groups(model: Any, truth: Truth, n_workers: int) -> PeerForecast:
    quantiles = QUANTILES + tuple(share for share in DECILES if share not in QUANTILES)
    found = _forecasts(model, truth.hierarchy.sums(truth.panel.units), truth, quantiles, n_workers)
    series = truth.hierarchy.group[-1]
    mean, values = required(found.mean), required(found.quantiles)
    deciles = values[series[truth.sampled]][:, [quantiles.index(share) for share in DECILES]]
    return PeerForecast(found.seconds, mean[series], values[:, : len(QUANTILES)], deciles)


def _forecasts(model: Any, history: Numbers, truth: Truth, quantiles: Sequence[float], n_workers: int) -> PeerForecast:
    """Return means (n, horizon) and quantiles (n, n_quantiles, horizon) after ``history`` (n, n_days), none below 0.

    The time is that of all parts, whenever they were run.
    """
    horizon = truth.actual.shape[1]
    mean = np.zeros((len(history), horizon), np.float32)
    values = np.zeros((len(history), len(quantiles), horizon), np.float32)
    levels = sorted({_level(share) for share in quantiles if share != 0.5})
    names = [_column(str(model), share) for share in quantiles]
    sold = np.flatnonzero(history.any(axis=1))
    days = truth.panel.calendar.starts[: history.shape[1]]
    seconds = 0.0
    for start in range(0, len(sold), CHUNK):
        rows = sold[start : start + CHUNK]
        path = part_at(str(model), history[rows], (str(days[-1]), horizon, quantiles))
        if path.exists():
            part = PeerForecast.load(path)
            mean[rows], values[rows] = required(part.mean), required(part.quantiles)
            seconds += part.seconds
            continue
        started = time.perf_counter()
        forecaster = StatsForecast([model], "D", n_jobs=n_workers, fallback_model=PeerNaive(SEASON))
        found = forecaster.forecast(h=horizon, df=_frame(rows, history[rows], days), level=levels)
        table = found.sort_values(["unique_id", "ds"])[[str(model), *names]].to_numpy(np.float64)
        table = np.nan_to_num(np.maximum(table, 0)).reshape(len(rows), horizon, -1)
        mean[rows] = table[:, :, 0]
        values[rows] = table[:, :, 1:].transpose(0, 2, 1)
        spent = time.perf_counter() - started
        PeerForecast(spent, mean[rows], values[rows]).save(path)
        seconds += spent
        print(f"{model}: {min(start + CHUNK, len(sold))} of {len(sold)}", flush=True)
    return PeerForecast(seconds, mean, values)


def required(values: Floats | None) -> Floats:
    """Return what a forecast must have.

    Raises
    ------
    ValueError
        If it has not.
    """
    if values is None:
        raise ValueError(
            "a kept part must hold means and quantiles. Found one without. Delete benchmarks/results/cache."
        )
    return values


def _frame(ids: Ints, history: Numbers, days: Dates) -> pd.DataFrame:
    """Return ``unique_id, ds, y``, each series from its first sale on."""
    h = history.shape[1]
    first = np.minimum(np.argmax(history > 0, axis=1), h - LEAST_DAYS)
    kept = np.arange(h) >= first[:, None]
    row, day = np.nonzero(kept)
    return pd.DataFrame({"unique_id": ids[row], "ds": days[day].astype("datetime64[ns]"), "y": history[row, day]})


def _level(share: float) -> int:
    """Return the central interval, in per cent, that a quantile is an end of."""
    return round(100 * abs(1 - 2 * share))


def _column(model: str, share: float) -> str:
    return model if share == 0.5 else f"{model}-{'lo' if share < 0.5 else 'hi'}-{_level(share)}"
