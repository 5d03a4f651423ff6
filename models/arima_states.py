"""A fit of ARIMA(p, 1, q) with a drift as a vector of numbers, and what newer buckets and forecasts make of many.

Changes from bucket to bucket, less the drift, follow an ARMA(p, q) process; demand is taken out of its season before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.seasonal_factors import Doubles

MOST = 5
"""Autoregressive terms, and moving-average terms, at most."""

N_P, N_Q, N_DRIFT, DRIFT, LAST = range(5)
AR, MA, CHANGES, ERRORS = (slice(5 + MOST * place, 5 + MOST * (place + 1)) for place in range(4))
FIRST_SEASON = ERRORS.stop
"""Places in the vector: p, q, whether there is a drift; the drift, the last bucket; coefficients, and the changes and
errors of the last buckets, newest first. The season's factors follow, that of the next bucket first."""


def fit_vector(fit: Mapping[str, Any], demand: Doubles, factor: Doubles) -> Doubles:
    """Return statsforecast's fit to ``demand`` (n_buckets,), out of its season, as a vector.

    ``factor`` holds the season's factors, that of the next bucket first.
    """
    out = np.zeros(FIRST_SEASON + len(factor))
    out[FIRST_SEASON:] = factor
    out[LAST] = demand[-1]
    p, q, _, _, _, n_differences, _ = fit["arma"]
    if not n_differences:  # a constant, which is not differenced
        return out
    coefficients = fit["coef"]
    out[[N_P, N_Q, N_DRIFT, DRIFT]] = p, q, "drift" in coefficients, coefficients.get("drift", 0.0)
    out[AR][:p] = [coefficients[f"ar{lag}"] for lag in range(1, p + 1)]
    out[MA][:q] = [coefficients[f"ma{lag}"] for lag in range(1, q + 1)]
    changes, errors = (np.diff(demand) - out[DRIFT])[::-1][:MOST], np.asarray(fit["residuals"])[::-1][:MOST]
    out[CHANGES][: len(changes)] = changes
    out[ERRORS][: len(errors)] = errors
    return out


def advance(fits: Doubles, demand: Doubles) -> Doubles:
    """Return fits (n, places) after the newer ``demand`` (n, n_buckets); an unseen bucket (NaN) takes its forecast."""
    for t in range(demand.shape[1]):
        fits = _step(fits, demand[:, t])[0]
    return fits


def ahead(fits: Doubles, horizon: int) -> Doubles:
    """Return the point forecasts of the next ``horizon`` buckets, shape (n, horizon)."""
    out = np.zeros((len(fits), horizon))
    unseen = np.full(len(fits), np.nan)
    for t in range(horizon):
        fits, out[:, t] = _step(fits, unseen)
    return out


def _step(fits: Doubles, demand: Doubles) -> tuple[Doubles, Doubles]:
    """Return the fits after one bucket, and what they forecast of it (Hyndman et al., 2008, ch. 11)."""
    moved = fits[:, AR] * fits[:, CHANGES] + fits[:, MA] * fits[:, ERRORS]
    # A running sum adds in one fixed order, so a series gets the same bits alone and in any batch.
    forecast = fits[:, LAST] + fits[:, DRIFT] + np.cumsum(moved, axis=1)[:, -1]
    factor, known = fits[:, FIRST_SEASON], np.isfinite(demand)
    value = np.where(known, demand / factor, forecast)
    out = np.array(fits)
    out[:, LAST] = value
    for places, newest in ((CHANGES, value - fits[:, LAST] - fits[:, DRIFT]), (ERRORS, value - forecast)):
        out[:, places.start + 1 : places.stop] = fits[:, places.start : places.stop - 1]
        out[:, places.start] = newest
    out[:, FIRST_SEASON:] = np.roll(fits[:, FIRST_SEASON:], -1, axis=1)
    return out, forecast * factor
