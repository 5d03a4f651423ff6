"""Scores of forecasts for spare parts: of the mean by bucket, and of quantiles of the sum over an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.forecast.backtest import IntervalScores, coverage, pinball, quantiles_of

Doubles = npt.NDArray[np.float64]

QUANTILES = (0.9, 0.95, 0.99)
SHARES = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Forecast:
    """What a forecaster says at a cutoff.

    Parameters
    ----------
    mean
        Mean of each bucket, shape (n, horizon).
    sums
        Draws of the demand summed over each part's interval, shape (n, n_draws).
    """

    mean: Doubles
    sums: Doubles


def changes(past: Doubles) -> tuple[Doubles, Doubles]:
    """Return the mean squared and the mean absolute change from bucket to bucket since the first sale, shape (n,) each.

    These scale errors (Hyndman and Koehler 2006; from the first sale on as in M5). NaN where there is none.
    """
    started = np.cumsum(past > 0, axis=1)[:, :-1] > 0
    change = np.where(started, np.diff(past, axis=1), 0)
    count = np.where((change != 0).any(axis=1), started.sum(axis=1), np.nan)
    return (change**2).sum(axis=1) / count, np.abs(change).sum(axis=1) / count


def score(forecast: Forecast, past: Doubles, actual: Doubles, length: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return one row a part.

    Parameters
    ----------
    past, actual
        Units before and after the cutoff, shape (n, n_history) and (n, horizon).
    length
        Buckets of each part's interval, shape (n,), at most the horizon.

    Returns
    -------
    Columns ``square`` (mean squared error of the mean over the interval, over the mean squared change), ``loss_<q>``
    (pinball loss of the sum, units), ``scale`` (mean absolute change times the buckets of the interval),
    ``actual`` (sum, units), and ``inside_<share>`` (chance that the randomised PIT lies in the central share).
    ``square`` and ``scale`` are NaN for a part without a change before the cutoff.
    """
    inside = np.arange(actual.shape[1]) < length[:, None]
    total = np.where(inside, actual, 0).sum(axis=1)
    squared, absolute = changes(past)
    square = np.where(inside, (actual - forecast.mean) ** 2, 0).sum(axis=1) / length
    loss = pinball(total, quantiles_of(forecast.sums, QUANTILES), QUANTILES)
    below = (forecast.sums < total[:, None]).mean(axis=1)
    at_most = (forecast.sums <= total[:, None]).mean(axis=1)
    place = IntervalScores(total, total, total, below, at_most)
    return pd.DataFrame(
        {
            "square": square / squared,
            "scale": absolute * length,
            "actual": total,
            **{f"loss_{q}": loss[:, i] for i, q in enumerate(QUANTILES)},
            **{f"inside_{share}": coverage(place, share) for share in SHARES},
        }
    )


def summary(by_cutoff: Sequence[pd.DataFrame], value: Doubles) -> dict[str, float]:
    """Return the figures of the table from the rows of each cutoff.

    RMSSE is the mean over parts and cutoffs of each root; "pooled" the root of the mean square over all of them.
    Pinball is relative to the parts' scale, times 100; "value" in per cent of the value demanded. Coverage in per cent.
    """
    rows = pd.concat(by_cutoff, ignore_index=True)
    worth = np.tile(value, len(by_cutoff))
    scaled = rows.dropna(subset=["scale"])
    demanded = (rows["actual"] * worth).sum()
    return {
        "RMSSE": float(np.sqrt(scaled["square"]).mean()),
        "pooled": float(np.sqrt(scaled["square"].mean())),
        **{f"pinball {q}": 100 * float((scaled[f"loss_{q}"] / scaled["scale"]).mean()) for q in QUANTILES},
        **{f"value {q}": 100 * float((rows[f"loss_{q}"] * worth).sum() / demanded) for q in QUANTILES},
        **{f"in {share:.0%}": 100 * float(scaled[f"inside_{share}"].mean()) for share in SHARES},
    }
