"""Seasonal naive: the last season again, at today's level. A baseline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.demand.censoring import expected_demand
from engine.demand.panel import DemandPanel, Floats
from engine.forecast.backcast import SEASON
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled, mean_of_known
from engine.forecast.types import FittedState

LEVEL_BUCKETS = {"D": 28, "W": 8, "M": 3}
"""Buckets whose mean is the level: a zero of the last season is drawn towards it, an unknown one takes it."""

CREDIBILITY = 4.0
"""A season's bucket counts level / (level + CREDIBILITY), the level the rest: one small count says little (Buhlmann's
credibility, for Poisson noise around a season that moves demand by half)."""


@dataclass(frozen=True)
class SeasonalNaive:
    """Repeats the last season: a week of days, a year of weeks or months where two years are known, else a bucket."""

    name: str = "seasonal_naive"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Choose the season and learn the errors that repeating it made."""
        season = SEASON[panel.calendar.bucket]
        season = season if panel.calendar.n_history >= 2 * season else 1
        return fit_pooled(panel, partial(season_again, season=season), {"season": str(season)})

    def from_state(self, state: FittedState) -> PooledForecast:
        season = state.text["season"]
        mean_at = partial(season_again, season=int(season))
        return PooledForecast(mean_at, ResidualPool.from_state(state), text={"season": season})


def season_again(panel: DemandPanel, horizon: int, season: int) -> Floats:
    """Return the last season's demand, repeated, drawn to the recent level where counts are small; shape (n, horizon).

    A year-long season is moved to today's level by the ratio of the last `LEVEL_BUCKETS` to the same buckets a
    season before, drawn half-way to 1. Stock-outs enter as `expected_demand`; without any history it is 0.
    """
    n_level = LEVEL_BUCKETS[panel.calendar.bucket]
    demand = expected_demand(panel)
    level = np.nan_to_num(_latest(demand, n_level))
    n_history = panel.calendar.n_history
    if n_history < season:
        return np.repeat(level[:, None], horizon, axis=1)
    last = demand[:, n_history - season :]
    if season > n_level and n_history >= season + n_level:
        before = mean_of_known(demand[:, n_history - season - n_level : n_history - season])
        growth = np.where(before > 0, np.sqrt(level / np.where(before > 0, before, 1)), 1)
        last = last * np.clip(np.nan_to_num(growth, nan=1.0), 0.5, 2.0)[:, None]
    again = last[:, np.arange(horizon) % season]
    again = np.where(np.isfinite(again), again, level[:, None])
    weight = (level / (level + CREDIBILITY))[:, None]
    return (weight * again + (1 - weight) * level[:, None]).astype(np.float32)


def _latest(demand: Floats, n_level: int) -> Floats:
    """Mean of the last ``n_level`` buckets, or of all the history where they hold nothing known or only zeros."""
    recent = mean_of_known(demand[:, -n_level:])
    return np.where(recent > 0, recent, mean_of_known(demand))
