"""A forecaster made of a mean forecast and the residual pool of that very forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel, Floats
from engine.forecast.backcast import MeanAt, backcast, residual_origins
from engine.forecast.empirical import ResidualPool
from engine.forecast.streams import Streams
from engine.forecast.types import FittedState, SamplePaths
from engine.messages import Message

STRETCH_MIN = {"D": 28, "W": 8, "M": 3}
"""Buckets of a stretch at least, so that a pool also serves a longer interval than it was learnt for."""

MIN_HISTORY = {"D": 28, "W": 8, "M": 3}
"""Buckets that an origin leaves before it, for a mean to be made of."""

STRETCHES = 20_000
MIN_ORIGINS, MAX_ORIGINS = 8, 26
"""Origins of a cheap mean forecast: enough for about STRETCHES stretches, within bounds."""


@dataclass(frozen=True)
class PooledForecast:
    """A fitted mean forecast with the distribution of its own past errors; see `ResidualPool`.

    Parameters
    ----------
    mean_at
        The mean forecast, a function of the panel to sample alone.
    pool
        Its out-of-sample errors.
    text
        What `from_state` of the forecaster needs besides the pool.
    stands_in
        True if the history was too short for the forecaster, so that ``mean_at`` is a simpler one's.
    """

    mean_at: MeanAt
    pool: ResidualPool
    notes: tuple[Message, ...] = ()
    text: Mapping[str, str] = field(default_factory=dict)
    stands_in: bool = False

    def sample(self, panel: DemandPanel, horizon: int, n_paths: int, streams: Streams) -> SamplePaths:
        """Return paths over the ``horizon`` buckets from the panel's ``as_of`` on; zero where not on offer."""
        mean = np.where(offered_ahead(panel, horizon), self.mean_at(panel, horizon), np.float32(0))
        return self.pool.sample(mean, panel, n_paths, streams)

    def state(self) -> FittedState:
        pool = self.pool.state()
        return FittedState(pool.arrays, {**pool.text, **self.text})


def fit_pooled(panel: DemandPanel, mean_at: MeanAt, text: Mapping[str, str] | None = None) -> PooledForecast:
    """Return ``mean_at`` with the pool of its errors at several origins of the panel's history."""
    length = stretch_length(panel)
    n_origins = int(np.clip(-(-STRETCHES // max(1, panel.n_series)), MIN_ORIGINS, MAX_ORIGINS))
    origins = residual_origins(panel, length, n_origins, MIN_HISTORY[panel.calendar.bucket])
    pool = ResidualPool.learn(backcast(panel, mean_at, origins, length))
    notes = (Message("residuals-assumed", {"n_series": panel.n_series}),) if pool.assumed else ()
    return PooledForecast(mean_at, pool, notes, dict(text or {}))


def stretch_length(panel: DemandPanel) -> int:
    """Return the buckets of a stretch: the longest protection interval, if a third of the history allows it."""
    longest = int(panel.interval[:, 1].max()) if panel.n_series else 0
    wanted = max(longest, STRETCH_MIN[panel.calendar.bucket])
    return max(1, min(wanted, panel.calendar.n_history // 3))


def offered_ahead(panel: DemandPanel, horizon: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return whether each series is on offer in the ``horizon`` buckets to come, shape (n, horizon).

    Raises
    ------
    ValueError
        If the panel's calendar ends before the horizon.
    """
    n_history, n_future = panel.calendar.n_history, panel.calendar.n_future
    if not 0 <= horizon <= n_future:
        raise ValueError(f"horizon must lie in [0, {n_future}], the panel's known future. Got {horizon} instead.")
    return on_offer(panel)[:, n_history : n_history + horizon]


def mean_of_known(values: Floats) -> Floats:
    """Return the mean of each row's known values, shape (n,); NaN where none is known."""
    if values.shape[1] == 0:
        return np.full(len(values), np.nan, np.float32)
    known = np.isfinite(values)
    total = np.cumsum(np.where(known, values, 0), axis=1, dtype=np.float64)[:, -1]
    count = known.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
