"""What a mean forecast is made of, whichever model gives it: a level, and factors that multiply to the forecast."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from engine.demand.keys import SeriesKeys
from engine.demand.panel import DemandPanel
from engine.forecast.backcast import MeanAt
from engine.forecast.factors import Doubles, Factors
from engine.forecast.overrides import Overridden
from engine.forecast.pooled import offered_ahead
from engine.forecast.succession import RunDown
from engine.forecast.types import Fitted
from models.best_of import Chosen
from models.tree_contributions import tree_factors
from models.tree_mean import TreeMean
from models.what_if import lifts, multiply_into, ordered_sum

LEAST = 1e-6
"""Units per bucket: a mean forecast below it is nothing, and is not divided by."""

WORDS = (
    "weekday",
    "price",
    "price-above",
    "price-below",
    "recent",
    "season",
    "age",
    "attributes",
    "events",
    "profile",
    "override",
)
"""Names of factors besides those of regressors.

``weekday``: weekdays and waves of the month. ``recent``: how the series' latest demand moves around the level, how
often and how evenly it sells. ``season``: the date, and demand a year ago. ``events``: what trees read off events that
are not there. ``profile``: weekday and season of a model that has them in one.
"""


@runtime_checkable
class TellsMean(Protocol):
    """A fitted model with a mean forecast, such as `engine.forecast.pooled.PooledForecast`."""

    @property
    def mean_at(self) -> MeanAt: ...


def forecast_factors(fitted: Fitted, panel: DemandPanel, horizon: int) -> Factors:
    """Return what the mean forecast of every series is made of, from the model that serves it.

    Forecast overrides are a factor, ``override``. Where a model tells no mean forecast, and for items that follow each
    other while both are on sale, the level is NaN: what stock decides is no factor.
    """
    if not panel.n_series or not horizon:
        return Factors(np.zeros(panel.n_series), {})
    if isinstance(fitted, Overridden):
        return _with_overrides(forecast_factors(fitted.fitted, panel, horizon), fitted, panel, horizon)
    if isinstance(fitted, RunDown):
        return _without_run_downs(forecast_factors(fitted.fitted, panel, horizon), fitted, panel)
    if isinstance(fitted, Chosen):
        return _of_the_chosen(fitted, panel, horizon)
    if not isinstance(fitted, TellsMean):
        return Factors(np.full(panel.n_series, np.nan), {})
    if isinstance(fitted.mean_at, TreeMean):
        return tree_factors(fitted.mean_at, panel, horizon)
    return what_if_factors(fitted.mean_at, panel, horizon)


def factor_table(factors: Factors, panel: DemandPanel, horizon: int) -> pd.DataFrame:
    """Return factors as rows: item_id, location_id, date, factor (its name) and value; the level is one of them."""
    dates = panel.calendar.starts[panel.calendar.n_history :][:horizon].astype("datetime64[ns]")
    values = {"level": np.repeat(factors.level[:, None], horizon, axis=1), **factors.by_name}
    return pd.DataFrame(
        {
            "item_id": np.tile(np.repeat(panel.item_id, horizon), len(values)),
            "location_id": np.tile(np.repeat(panel.location_id, horizon), len(values)),
            "date": np.tile(dates, panel.n_series * len(values)),
            "factor": np.repeat(np.array(list(values), object), panel.n_series * horizon),
            "value": np.concatenate([each.reshape(-1) for each in values.values()]),
        }
    )


def what_if_factors(mean_at: MeanAt, panel: DemandPanel, horizon: int) -> Factors:
    """Return the factors of any mean forecast: of each regressor that is there ahead, and the rest as ``profile``.

    The level is the mean per bucket over the protection interval without regressors.
    """
    bare, found = lifts(lambda each: np.maximum(mean_at(each, horizon).astype(np.float64), LEAST), panel, horizon)
    level = _mean_in_interval(bare, panel)
    multiply_into(found, {"profile": bare / level[:, None]})
    return Factors(level, found)


def _mean_in_interval(units: Doubles, panel: DemandPanel) -> Doubles:
    """Return the mean over each series' protection interval where on offer, or over all if it is never; shape (n,)."""
    horizon = units.shape[1]
    counted = (np.arange(horizon) < panel.interval[:, 1:]) & offered_ahead(panel, horizon)
    counted |= ~counted.any(axis=1, keepdims=True)
    mean: Doubles = ordered_sum(np.where(counted, units, 0.0)) / counted.sum(axis=1)
    return mean


def _without_run_downs(inner: Factors, fitted: RunDown, panel: DemandPanel) -> Factors:
    place = SeriesKeys(fitted.panel.item_id, fitted.panel.location_id).rows_of(panel.item_id, panel.location_id)
    return Factors(np.where(place >= 0, np.nan, inner.level), inner.by_name)


def _of_the_chosen(fitted: Chosen, panel: DemandPanel, horizon: int) -> Factors:
    model = fitted.model_of(panel.item_id, panel.location_id)
    level = np.zeros(panel.n_series)
    by_name: dict[str, Doubles] = {}
    for name, one in fitted.fitted.items():
        rows = np.flatnonzero(model == name)
        own = forecast_factors(one, panel.take(rows), horizon)
        level[rows] = own.level
        for factor, values in own.by_name.items():
            by_name.setdefault(factor, np.ones((panel.n_series, horizon)))[rows] = values
    return Factors(level, by_name)


def _with_overrides(inner: Factors, fitted: Overridden, panel: DemandPanel, horizon: int) -> Factors:
    place = fitted.keys.rows_of(panel.item_id, panel.location_id)
    covered = place >= 0
    factor, added = (each[place[covered], :horizon] for each in (fitted.settled.factor, fitted.settled.added))
    before = np.maximum(inner.mean(horizon)[covered], LEAST)
    values = np.ones((panel.n_series, horizon))
    # An override to nothing leaves next to nothing, so that it is still a factor.
    values[covered] = np.maximum(before * factor + added, LEAST) / before
    return Factors(inner.level, {**inner.by_name, "override": values})
