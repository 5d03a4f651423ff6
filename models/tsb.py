"""The method of Teunter, Syntetos and Babai for intermittent demand that may end. A baseline.

The chance of a sale is smoothed in every bucket, so that the forecast falls while nothing sells; the size of a sale
when there is one (Teunter, Syntetos and Babai 2011, European Journal of Operational Research 214, 606-615).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from engine.demand.panel import DemandPanel, Floats
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled
from engine.forecast.types import FittedState
from models.smoothing import Doubles, smoothed

SIZE_ALPHAS = (0.1, 0.05, 0.2)
CHANCE_ALPHAS = (0.05, 0.02, 0.1, 0.2)
"""Smoothing constants of the size and of the chance to choose from, the usual ones first."""


@dataclass(frozen=True)
class Tsb:
    """Chance of a sale times its size, with the errors that the method made."""

    name: str = "tsb"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Learn the errors that the method made."""
        return fit_pooled(panel, tsb_mean)

    def from_state(self, state: FittedState) -> PooledForecast:
        return PooledForecast(tsb_mean, ResidualPool.from_state(state))


def tsb_mean(panel: DemandPanel, horizon: int) -> Floats:
    """Return chance times size, the same for every bucket, shape (n, horizon); 0 for a series without a sale."""
    choices = np.array(list(product(SIZE_ALPHAS, CHANCE_ALPHAS)))
    return smoothed(panel, horizon, partial(tsb_forecasts, alphas=choices))


def tsb_forecasts(demand: Doubles, alphas: Doubles) -> Doubles:
    """Return forecasts as `models.smoothing.Recursion` states, one choice a row of ``alphas`` (size, chance).

    The first sale sets the size; the first bucket on offer the chance, to 1 or 0.
    """
    n, n_history = demand.shape
    size_alpha, chance_alpha = alphas[:, :1], alphas[:, 1:]
    forecast = np.full((len(alphas), n, n_history + 1), np.nan)
    size, chance = np.full((len(alphas), n), np.nan), np.full((len(alphas), n), np.nan)
    for t in range(n_history):
        units = demand[:, t]
        sold = units > 0
        size = np.where(sold, np.where(np.isnan(size), units, size + size_alpha * (units - size)), size)
        stepped = np.where(np.isnan(chance), sold, chance + chance_alpha * (sold - chance))
        chance = np.where(np.isfinite(units), stepped, chance)
        forecast[:, :, t + 1] = chance * size
    return forecast
