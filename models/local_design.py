"""What the per-series models explain demand with: the season by date, and regressors known in advance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.calendar import Calendar
from engine.demand.oddities import filled_ahead
from engine.demand.panel import DemandPanel
from models.features import PRICE

Doubles = npt.NDArray[np.float64]

YEAR_DAYS = 365.25
YEARLY_ORDER = 3
"""Pairs of sine and cosine in a year."""

YEARLY_FROM = 1.25
"""Years of history from which on a yearly season can be told from a trend."""

WEEKLY_ORDER = 3
"""Pairs in a week: six columns tell seven days apart."""

MAX_REGRESSORS = 16
"""Regressors at most; those that are not zero in most cells of the history come first."""


@dataclass(frozen=True)
class Design:
    """Columns that explain demand, over all buckets of a panel.

    Parameters
    ----------
    season
        Shape (n_buckets, n_season): yearly pairs, then weekly pairs.
    regressors
        Shape (n, n_buckets, n_regressors); 0 where not given.
    days
        Days from 1970 to the first day of every bucket, shape (n_buckets,).
    """

    season: Doubles
    regressors: Doubles
    days: Doubles

    def effect(self, weights: Doubles) -> Doubles:
        """Return the weighted sum of the columns, shape (n, n_buckets); ``weights`` has a row per series."""
        n_season = self.season.shape[1]
        out = np.zeros(self.regressors.shape[:2])
        for column in range(n_season):
            out += weights[:, column, None] * self.season[:, column]
        # Column by column, not as one matrix product: a row then has the same bits alone and in any batch.
        for column in range(self.regressors.shape[2]):
            out += weights[:, n_season + column, None] * self.regressors[:, :, column]
        return out


def season_orders(calendar: Calendar) -> tuple[int, int]:
    """Return the pairs of sine and cosine for the year and for the week that a history can tell."""
    edges = calendar.edges
    years = float((calendar.as_of - edges[0]).astype(np.float64)) / YEAR_DAYS
    return (YEARLY_ORDER if years >= YEARLY_FROM else 0), (WEEKLY_ORDER if calendar.bucket == "D" else 0)


def days_since_1970(calendar: Calendar) -> Doubles:
    """Return the first day of every bucket as a number, shape (n_buckets,)."""
    return calendar.starts.astype("datetime64[D]").astype(np.float64)


def season_columns(calendar: Calendar, orders: tuple[int, int]) -> Doubles:
    """Return sines and cosines of the day since 1970, in Prophet's order; shape (n_buckets, columns)."""
    day = days_since_1970(calendar)
    columns = []
    for period, order in zip((YEAR_DAYS, 7.0), orders, strict=True):
        for k in range(1, order + 1):
            columns += [np.sin(2 * np.pi * k * day / period), np.cos(2 * np.pi * k * day / period)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(day), 0))


def choose_regressors(panel: DemandPanel) -> tuple[str, ...]:
    """Return the names of up to `MAX_REGRESSORS` regressors that vary in the history."""
    filled: dict[str, float] = {}
    for name in sorted(panel.regressors):
        past = regressor_values(panel, name)[..., : panel.calendar.n_history]
        if past.size and past.max() > past.min():
            filled[name] = float(np.mean(past != 0))
    return tuple(sorted(sorted(filled, key=lambda name: (-filled[name], name))[:MAX_REGRESSORS]))


def design(panel: DemandPanel, orders: tuple[int, int], names: tuple[str, ...]) -> Design:
    """Return the columns for every series of a panel; a regressor that it lacks is 0."""
    n, b = panel.n_series, panel.calendar.n_buckets
    values = np.zeros((n, b, len(names)))
    for column, name in enumerate(names):
        if name in panel.regressors:
            values[:, :, column] = regressor_values(panel, name)
    return Design(season_columns(panel.calendar, orders), values, days_since_1970(panel.calendar))


def common_design(panel: DemandPanel, orders: tuple[int, int], names: tuple[str, ...]) -> Design:
    """Return the columns for one aggregate: only what is the same for every series."""
    values = np.zeros((1, panel.calendar.n_buckets, len(names)))
    for column, name in enumerate(names):
        if name in panel.regressors and panel.regressors[name].ndim == 1:
            values[0, :, column] = regressor_values(panel, name)
    return Design(season_columns(panel.calendar, orders), values, days_since_1970(panel.calendar))


def regressor_values(panel: DemandPanel, name: str) -> Doubles:
    """Return a regressor with 0 where not given; a relative price as its logarithm, so that 0 is the list price.

    What is given of most of a series' history and missing ahead is the mean of that history.
    """
    values = filled_ahead(panel, name).astype(np.float64)
    if name == PRICE:
        values = np.log(np.where(values > 0, values, np.nan))
    return np.nan_to_num(values)
