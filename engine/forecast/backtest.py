"""Rolling-origin scoring: how well paths made at past cutoffs met the demand that followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.censoring import observed
from engine.demand.panel import DemandPanel
from engine.forecast.backcast import SEASON
from engine.forecast.types import SamplePaths

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MIN_SEEN = 0.5
"""An interval is scored if at least this share of its buckets was on offer and seen in full."""


@dataclass(frozen=True)
class Actuals:
    """Demand after a cutoff.

    Parameters
    ----------
    units
        Shape (n, horizon); 0 where ``seen`` is false.
    seen
        Whether the bucket was on offer and on sale all the time, shape (n, horizon). Where it was not, sales are
        only a lower bound; such buckets are left out of the actuals and of the paths alike, which favours
        neither high nor low forecasts.
    """

    units: Doubles
    seen: Bools


@dataclass(frozen=True)
class IntervalScores:
    """Scores of the demand summed over each series' protection interval, shape (n,) each, NaN where not scored.

    Parameters
    ----------
    pinball
        Mean over the quantiles of the pinball loss, units.
    actual, error
        Units that were demanded, and mean of the paths minus them.
    below, at_most
        Shares of the paths below the actual sum, and at most it: the ends of its randomised PIT.
    """

    pinball: Doubles
    actual: Doubles
    error: Doubles
    below: Doubles
    at_most: Doubles


def cutoffs(panel: DemandPanel, n_cutoffs: int, horizon: int) -> npt.NDArray[np.int64]:
    """Return up to ``n_cutoffs`` cutoffs in buckets back from the panel's own, latest first, each >= ``horizon``.

    They lie a horizon apart (whole weeks for days) and keep at least half of the history, or two horizons if
    that is more, before the earliest; where only less is left there are fewer, or closer ones, or none.
    """
    unit = 7 if panel.calendar.bucket == "D" else 1
    n_history = panel.calendar.n_history
    keep = max(2 * horizon, n_history // 2)
    room = n_history - keep - horizon
    if room < 0:
        room = n_history - 2 * horizon - horizon
    if room < 0 or n_cutoffs < 1 or horizon < 1:
        return np.zeros(0, np.int64)
    step = -(-horizon // unit) * unit
    if n_cutoffs > 1 and room // step < n_cutoffs - 1:
        step = max(unit, room // (n_cutoffs - 1) // unit * unit)
    count = min(n_cutoffs, room // step + 1)
    return horizon + np.arange(count, dtype=np.int64) * step


def actuals_after(panel: DemandPanel, n_back: int, horizon: int) -> Actuals:
    """Return the demand of the ``horizon`` buckets after a cutoff ``n_back`` buckets before the panel's own."""
    if not horizon <= n_back <= panel.calendar.n_history:
        raise ValueError(f"n_back must lie in [{horizon}, {panel.calendar.n_history}]. Got {n_back} instead.")
    start = panel.calendar.n_history - n_back
    units = observed(panel)[:, start : start + horizon].astype(np.float64)
    seen = np.isfinite(units)
    return Actuals(np.where(seen, units, 0.0), seen)


def score_intervals(
    paths: SamplePaths, actuals: Actuals, interval: npt.NDArray[np.int32], quantiles: tuple[float, ...]
) -> IntervalScores:
    """Score paths made at a cutoff on demand summed over the protection interval, buckets [0, interval[:, 1]).

    A series is not scored (NaN) where its interval is empty or less than `MIN_SEEN` of it was seen.
    """
    horizon = min(paths.horizon, actuals.seen.shape[1])
    inside = np.arange(horizon) < interval[:, 1:2]
    counted = inside & actuals.seen[:, :horizon]
    scored = (counted.sum(axis=1) >= MIN_SEEN * interval[:, 1]) & (interval[:, 1] > 0)
    total = _ordered_sum(np.where(counted, actuals.units[:, :horizon], 0))
    sums = np.zeros(paths.units.shape[:2])
    for t in range(horizon):
        sums += np.where(counted[:, t, None], paths.units[:, :, t], 0)
    loss = pinball(total, quantiles_of(sums, quantiles), quantiles).mean(axis=1)
    below = (sums < total[:, None]).mean(axis=1)
    at_most = (sums <= total[:, None]).mean(axis=1)
    scores = (loss, total, sums.mean(axis=1) - total, below, at_most)
    return IntervalScores(*(np.where(scored, score, np.nan) for score in scores))


def interval_pinball(
    paths: SamplePaths, actuals: Actuals, interval: npt.NDArray[np.int32], quantiles: tuple[float, ...]
) -> Doubles:
    """Return the mean pinball loss of demand summed over the protection interval, shape (n,), NaN = not scored."""
    return score_intervals(paths, actuals, interval, quantiles).pinball


def pinball(actual: Doubles, forecast: Doubles, quantiles: tuple[float, ...]) -> Doubles:
    """Return the pinball loss of quantile forecasts (n, n_quantiles) of ``actual`` (n,), shaped as the forecasts."""
    share = np.array(quantiles)
    gap = actual[:, None] - forecast
    return np.maximum(share * gap, (share - 1) * gap)


def quantiles_of(draws: Doubles, quantiles: tuple[float, ...]) -> Doubles:
    """Return quantiles of draws (n, n_draws), each a value that was drawn; shape (n, n_quantiles)."""
    ordered = np.sort(draws, axis=1)
    place = np.ceil(np.array(quantiles) * draws.shape[1] - 1e-9).astype(np.int64) - 1
    return ordered[:, np.clip(place, 0, draws.shape[1] - 1)]


def coverage(scores: IntervalScores, share: float) -> Doubles:
    """Return the chance that each series' randomised PIT lies in the central ``share``, shape (n,); NaN = not scored.

    Whole units make central intervals cover more than their name; the mean of this is ``share`` for a
    calibrated forecast (Czado, Gneiting and Held 2009, Biometrics 65).
    """
    low, high = (1 - share) / 2, (1 + share) / 2
    width = np.maximum(scores.at_most - scores.below, 1e-12)
    inside = np.minimum(scores.at_most, high) - np.maximum(scores.below, low)
    point = (scores.below >= low) & (scores.below <= high)
    chance = np.where(scores.at_most > scores.below, np.clip(inside / width, 0, 1), point)
    return np.where(np.isnan(scores.below), np.nan, chance)


def wape(scores: IntervalScores) -> float:
    """Return the sum of absolute errors over the sum of actuals, on interval sums; NaN without demand."""
    total = float(np.nansum(scores.actual))
    return float(np.nansum(np.abs(scores.error))) / total if total > 0 else float("nan")


def bias(scores: IntervalScores) -> float:
    """Return the sum of errors over the sum of actuals, on interval sums; NaN without demand."""
    total = float(np.nansum(scores.actual))
    return float(np.nansum(scores.error)) / total if total > 0 else float("nan")


def mase(paths: SamplePaths, actuals: Actuals, past: DemandPanel) -> Doubles:
    """Return the mean absolute scaled error of the paths' mean by bucket, shape (n,); NaN without a scale.

    The scale is the mean absolute change over one season (one bucket where the history holds no two) in the
    panel cut at the cutoff (Hyndman and Koehler 2006, eq. 8).
    """
    season = SEASON[past.calendar.bucket]
    season = season if past.calendar.n_history >= 2 * season else 1
    seen = observed(past).astype(np.float64)
    change = np.abs(seen[:, season:] - seen[:, : max(0, past.calendar.n_history - season)])
    scale = _known_mean(change, np.isfinite(change))
    horizon = min(paths.horizon, actuals.seen.shape[1])
    mean = paths.units[:, :, :horizon].mean(axis=1, dtype=np.float64)
    error = np.abs(mean - actuals.units[:, :horizon])
    return _known_mean(error, actuals.seen[:, :horizon]) / np.where(scale > 0, scale, np.nan)


def _known_mean(values: Doubles, known: Bools) -> Doubles:
    count = known.sum(axis=1)
    total = _ordered_sum(np.where(known, values, 0))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ordered_sum(values: Doubles) -> Doubles:
    return np.cumsum(values, axis=1)[:, -1] if values.shape[1] else np.zeros(len(values))
