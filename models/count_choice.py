"""What a count model chooses at earlier cutoffs: how sizes are mixed, and how far all series are off together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel
from engine.forecast.backtest import actuals_after, score_intervals
from engine.forecast.streams import Streams
from models.count_forecast import CountForecast
from models.count_paths import UrnWeights
from models.sale_chain import Doubles, evenly, rate_over, read_evidence
from models.sale_sizes import own_sizes, read_sizes

Ints = npt.NDArray[np.int64]

USUAL = UrnWeights(new=5.0, keep=0.9)
"""Taken where no earlier cutoff leaves enough history."""

CANDIDATES = (
    USUAL,
    *(UrnWeights(new, keep) for new, keep in ((5.0, 1.0), (2.0, 0.9), (2.0, 1.0), (1.0, 0.9), (1.0, 1.0))),
)

QUANTILES = (0.5, 0.8, 0.9, 0.95, 0.99)
"""Quantiles of the loss: a stock is held for the upper ones."""

N_SERIES, N_PATHS = 400, 200
"""Series and paths that the choice is made on, at most."""

SPREAD_SERIES = 2_000
"""Series that are set against their expectation together, at most."""

SPREAD_USUAL, SPREAD_CUTOFFS = 0.05, 2
"""Standard deviation of the log odds that all series share where nothing is known, and the cutoffs this counts for."""

SPREAD_MOST = 1.0


def choose_weights(earlier: CountForecast, panel: DemandPanel, backs: Ints) -> UrnWeights:
    """Return the weights of the lowest pinball loss of demand over the protection interval.

    ``earlier`` was fitted before the first of the cutoffs, ``backs`` buckets back from the panel's own. A loss counts
    relative to the larger of the series' mean size and its mean demand over the interval; who never sold is left out.
    """
    sold = np.flatnonzero((read_sizes(panel.cut(int(backs.max()))) > 0).any(axis=1))
    if len(sold) == 0:
        return USUAL
    part = panel.take(sold[evenly(len(sold), N_SERIES)])
    loss = [_loss(replace(earlier, weights=weights), part, backs) for weights in CANDIDATES]
    return CANDIDATES[int(np.argmin(loss))] if np.isfinite(loss).all() else USUAL


def _loss(fitted: CountForecast, panel: DemandPanel, backs: Ints) -> float:
    horizon = int(panel.interval[:, 1].max())
    losses = []
    for back in backs:
        past = panel.cut(int(back))
        paths = fitted.sample(past, horizon, N_PATHS, Streams(0))
        loss = score_intervals(paths, actuals_after(panel, int(back), horizon), panel.interval, QUANTILES).pinball
        losses.append(loss / _scale(past))
    known = np.concatenate(losses)
    return float(np.nanmean(known)) if np.isfinite(known).any() else float("nan")


def _scale(past: DemandPanel) -> Doubles:
    """Return the larger of mean size and mean demand over the interval of each series, shape (n,)."""
    size = read_sizes(past)
    mean = np.cumsum(size, axis=1)[:, -1] / size.shape[1]
    return np.asarray(np.maximum(own_sizes(size).mean, mean * past.interval[:, 1]), np.float64)


def shared_spread(earlier: CountForecast, panel: DemandPanel, backs: Ints, horizon: int) -> float:
    """Return the standard deviation of the log odds of a sale that all series share over an interval.

    ``earlier`` was fitted before the first of the cutoffs, ``backs`` buckets back from the panel's own. At each cutoff
    all sales that came are set against all that were expected; what chance explains is taken off, and what is left is
    drawn towards `SPREAD_USUAL`.
    """
    part = panel.take(evenly(panel.n_series, SPREAD_SERIES))
    chain, exposure = earlier.chain, earlier.exposure(part)
    seen = []
    for back in backs:
        first = panel.calendar.n_history - int(back)
        past = part.cut(int(back))
        state, offer = chain.ahead(read_evidence(past, exposure)), on_offer(past)
        expected, came = np.zeros(part.n_series), np.zeros(part.n_series)
        for t in range(first, first + horizon):
            full = offer[:, t] & (part.available[:, t] >= 1)
            rate = rate_over(chain.rate[:, None], exposure[:, t])
            expected += np.where(full, (state * rate).sum(axis=0), 0)
            came += full & (part.units[:, t] > 0)
            state = chain.next(state)
        off = np.log((came.sum() + 0.5) / (expected.sum() + 0.5))
        seen.append(off**2 - ((came - expected) ** 2).sum() / (expected.sum() + 0.5) ** 2)
    variance = len(seen) * max(float(np.mean(seen)), 0.0) + SPREAD_CUTOFFS * SPREAD_USUAL**2
    return min(SPREAD_MOST, float(np.sqrt(variance / (len(seen) + SPREAD_CUTOFFS))))
