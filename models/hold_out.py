"""The end of the history on which a model that was fitted before it shows its errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from engine.demand.calendar import Calendar
from engine.demand.panel import DemandPanel
from engine.execution import Executor
from engine.forecast.backcast import Backcast, MeanAt, backcast

N_ORIGINS = 8
MAX_SHARE = 0.3
"""Origins of a hold-out, and the share of the history that it may take."""

FAR_FACTOR = 20
FAR_UNITS = 50

CHUNK_SERIES = 512
"""Series whose errors are computed together; fixed, so that results do not depend on the number of workers."""


def hold_out_origins(calendar: Calendar, length: int) -> npt.NDArray[np.int64]:
    """Return up to `N_ORIGINS` origins in buckets back from the cutoff, latest first; the last one starts the hold-out.

    Each leaves ``length`` buckets after it to compare with. Days step by one or two whole weeks, so that a lead
    falls on the weekday of the forecast it will be used for; the history before the hold-out keeps at least
    the share 1 - `MAX_SHARE`. Empty if not even one origin fits.
    """
    unit = 7 if calendar.bucket == "D" else 1
    first = -(-length // unit) * unit
    room = int(MAX_SHARE * calendar.n_history) - first
    if room < 0:
        return np.zeros(0, np.int64)
    possible = room // unit + 1
    step = 2 if possible >= 2 * N_ORIGINS else 1
    return first + np.arange(min(N_ORIGINS, -(-possible // step)), dtype=np.int64) * step * unit


def errors_at(
    origins: npt.NDArray[np.int64], length: int, panel: DemandPanel, mean_at: MeanAt, executor: Executor
) -> Backcast:
    """Return what ``mean_at`` forecast at the origins beside what came true; the executor spreads it over series."""
    look: Callable[[DemandPanel], Backcast] = partial(_look, mean_at=mean_at, origins=origins, length=length)
    rows = (np.arange(s, min(s + CHUNK_SERIES, panel.n_series)) for s in range(0, panel.n_series, CHUNK_SERIES))
    parts = list(executor.map(look, (panel.take(chunk) for chunk in rows)))
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _BY_ROW}
    return Backcast(**joined, origins=origins)


_BY_ROW = ("item_id", "location_id", "mean", "actual", "censored", "group")


def _look(panel: DemandPanel, mean_at: MeanAt, origins: npt.NDArray[np.int64], length: int) -> Backcast:
    return backcast(panel, mean_at, origins, length)


def within_reach(past: Backcast) -> Backcast:
    """Return the backcast without the series whose demand was far beyond the forecast at some origin.

    Far is more than `FAR_FACTOR` times the forecast and `FAR_UNITS` units on top, summed over a stretch. Such a
    series says that the model cannot see it, not how far off the model usually is; a pool is levelled
    to mean 1, so one of them would scale down everyone else.
    """
    known = np.isfinite(past.actual)
    actual = np.where(known, past.actual, 0).astype(np.float64).sum(axis=2)
    expected = np.where(known, past.mean, 0).astype(np.float64).sum(axis=2)
    near = (actual <= FAR_FACTOR * expected + FAR_UNITS).all(axis=1)
    return Backcast(
        past.item_id[near], past.location_id[near], past.mean[near], past.actual[near], past.censored[near],
        past.group[near], past.origins,
    )  # fmt: skip
