"""A fit of exponential smoothing as a vector of numbers, and what newer buckets and forecasts make of many at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.seasonal_factors import Doubles

MULTIPLICATIVE, ALPHA, BETA, GAMMA, PHI, LEVEL, TREND, FIRST_SEASON = range(8)
"""Places in the vector: whether the season multiplies, smoothing constants of level, trend and season, damping, and the
states. The season's states follow, that of the next bucket first; without a season they are 0, and all is additive."""

Form = tuple[str, bool | None]
"""Error, trend and season as statsforecast writes them, Z for what is to be chosen; whether a trend is damped."""

ANY_FORM: Form = ("ZZZ", None)


def form_of(fit: Doubles) -> Form:
    """Return the form of a fit, that of the error left open; a season that is not smoothed counts as none."""
    seasonal = "N" if fit[GAMMA] == 0 else "M" if fit[MULTIPLICATIVE] else "A"
    return f"Z{'A' if fit[BETA] > 0 else 'N'}{seasonal}", bool(fit[PHI] < 1)


def fit_vector(fit: Mapping[str, Any], season: int) -> Doubles:
    """Return statsforecast's fit as a vector of `FIRST_SEASON` + ``season`` numbers, its states those at the end."""
    _, trend, seasonal, damped = fit["components"]
    alpha, beta, gamma, phi = fit["par"][:4]
    states = list(fit["states"][-1])
    out = np.zeros(FIRST_SEASON + season)
    out[[MULTIPLICATIVE, ALPHA, PHI, LEVEL]] = seasonal == "M", alpha, 1.0, states.pop(0)
    if trend != "N":
        out[[BETA, PHI, TREND]] = beta, phi if damped == "D" else 1.0, states.pop(0)
    if seasonal != "N":
        # statsforecast keeps the newest season's state first, that of the next bucket last.
        out[GAMMA], out[FIRST_SEASON:] = gamma, states[::-1]
    return out


def advance(fits: Doubles, demand: Doubles) -> Doubles:
    """Return fits (n, places) with their states updated by ``demand`` (n, n_buckets).

    The recursions of point forecasts, the same for additive and multiplicative errors (Hyndman et al., 2008, table
    2.1). An unseen bucket (NaN) leaves level and trend as they are and moves the season on.
    """
    fits = np.array(fits)
    alpha, gamma, phi = fits[:, ALPHA], fits[:, GAMMA], fits[:, PHI]
    share = fits[:, BETA] / np.maximum(alpha, 1e-12)
    times = fits[:, MULTIPLICATIVE] > 0
    for t in range(demand.shape[1]):
        known = np.isfinite(demand[:, t])
        level, trend, season = fits[:, LEVEL], phi * fits[:, TREND], np.array(fits[:, FIRST_SEASON])
        value = np.where(known, demand[:, t], 0.0)
        expected = level + trend
        adjusted = np.where(times, value / _not_zero(season), value - season)
        new_level = expected + alpha * (adjusted - expected)
        new_trend = trend + share * (new_level - level - trend)
        apart = np.where(times, value / _not_zero(expected), value - expected)
        new_season = season + gamma * (apart - season)
        fits[:, FIRST_SEASON:-1] = fits[:, FIRST_SEASON + 1 :]
        fits[:, -1] = np.where(known, new_season, season)
        fits[:, LEVEL] = np.where(known, new_level, level)
        fits[:, TREND] = np.where(known, new_trend, fits[:, TREND])
    return fits


def ahead(fits: Doubles, horizon: int) -> Doubles:
    """Return the point forecasts of the next ``horizon`` buckets, shape (n, horizon)."""
    n_season = fits.shape[1] - FIRST_SEASON
    out = np.zeros((len(fits), horizon))
    trend, weight = np.zeros(len(fits)), np.ones(len(fits))
    for t in range(horizon):
        weight = weight * fits[:, PHI]
        trend = trend + weight * fits[:, TREND]
        level, season = fits[:, LEVEL] + trend, fits[:, FIRST_SEASON + t % n_season]
        out[:, t] = np.where(fits[:, MULTIPLICATIVE] > 0, level * season, level + season)
    return out


def _not_zero(values: Doubles) -> Doubles:
    return np.where(np.abs(values) > 1e-8, values, 1e-8)
