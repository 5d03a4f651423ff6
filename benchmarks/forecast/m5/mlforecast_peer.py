"""mlforecast with LightGBM: one recursive model of all series, mean forecasts only."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean

from benchmarks.forecast.m5.blocks import Truth
from benchmarks.forecast.m5.panels import KIND
from benchmarks.forecast.m5.peers import PeerForecast
from engine.demand.panel import DemandPanel, Floats

STATIC = ("store", "state", "category", "department")


def forecast(truth: Truth, n_workers: int) -> PeerForecast:
    """Return Tweedie boosting of 600 trees on lags, rolling means, price, events and SNAP days."""
    panel, (n, horizon) = truth.panel, truth.actual.shape
    h = panel.calendar.n_history
    rows = _rows(panel, 0, h)
    rows.insert(2, "y", panel.units[panel.offered[:, :h]])
    future = _rows(panel, h, h + horizon).drop(columns=list(STATIC))
    trees = LGBMRegressor(
        objective="tweedie", tweedie_variance_power=1.1, n_estimators=600, learning_rate=0.05, num_leaves=63,
        min_child_samples=100, subsample=0.7, subsample_freq=1, colsample_bytree=0.7, n_jobs=n_workers,
        random_state=0, verbosity=-1,
    )  # fmt: skip
    model = MLForecast(
        models={"trees": trees},
        freq="D",
        lags=[1, 7, 14, 28],
        lag_transforms={1: [RollingMean(7), RollingMean(28)], 7: [RollingMean(7), RollingMean(28)]},
        date_features=["dayofweek", "day", "month"],
        num_threads=n_workers,
    )
    started = time.perf_counter()
    model.fit(rows, static_features=list(STATIC), as_numpy=False)
    found = model.predict(horizon, X_df=future)
    seconds = time.perf_counter() - started
    mean = np.zeros((n, horizon), np.float32)
    found = found.sort_values(["unique_id", "ds"])
    mean[found["unique_id"].unique()] = np.maximum(found["trees"].to_numpy(np.float32), 0).reshape(-1, horizon)
    return PeerForecast(seconds, mean)


def _rows(panel: DemandPanel, start: int, stop: int) -> pd.DataFrame:
    """Return one row a series and day in [start, stop): id, date and all that is known of it.

    Of the history only days on sale, of the days to come all, of series that have been on sale.
    """
    offered = panel.offered[:, : panel.calendar.n_history]
    is_future = start >= offered.shape[1]
    begun = np.repeat(offered.any(axis=1)[:, None], stop - start, axis=1)
    row, day = np.nonzero(begun if is_future else offered[:, start:stop])
    static = panel.static.assign(location=panel.location_id)
    frame = pd.DataFrame(
        {
            "unique_id": row.astype(np.int32),
            "ds": panel.calendar.starts[start + day].astype("datetime64[ns]"),
            "price_relative": panel.regressors["price_relative"][row, start + day],
            "snap": panel.regressors["event_snap"][row, start + day].astype(np.int8),
            "event": _event(panel, is_kind=False)[start + day],
            "event_kind": _event(panel, is_kind=True)[start + day],
            "price": _price(panel)[row, start + day],
        }
    )
    for name, column in zip(STATIC, ("location", "region", "category", "subcategory"), strict=True):
        codes = pd.Categorical(static[column])
        frame[name] = pd.Categorical.from_codes(codes.codes[row], categories=codes.categories)
    return frame


def _event(panel: DemandPanel, is_kind: bool) -> pd.Categorical:
    """Return the name or kind of the event of each day, "none" where there is none."""
    texts = np.full(panel.calendar.n_buckets, "none", object)
    for name, values in panel.regressors.items():
        if values.ndim == 1 and name.startswith(KIND) == is_kind:
            texts[values > 0] = name
    return pd.Categorical(texts)


def _price(panel: DemandPanel) -> Floats:
    """Return planned prices, (n, n_buckets)."""
    usual = panel.static["unit_price"].to_numpy(np.float32)
    planned: Floats = panel.regressors["price_relative"] * usual[:, None]
    return planned
