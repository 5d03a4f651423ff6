"""Features against a slow reading of the same panel, and their two promises: no look ahead, no siblings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel
from engine.forecast.synthetic import synthetic_panel
from models.features import (
    CYCLES,
    RHYTHMS,
    START_BUCKETS,
    feature_rows,
    n_features,
    read_history,
    read_known,
)

CODES = {"category": {"tools": 0, "toys": 1}}
NAMES = ("promotion",)
START = 4.0
WEEKEND = 1.5
"""Known effect of Saturdays and Sundays."""


@pytest.fixture(scope="module")
def panel() -> DemandPanel:
    return synthetic_panel(n_items=6, n_history=120, n_future=28)


def rows_of(panel: DemandPanel, rows: list[int], origins: list[int], steps: list[int]) -> np.ndarray:
    history = read_history(panel, START * np.ones(panel.n_series), effect_of(panel))
    known = read_known(panel, CODES, NAMES)
    rhythm = RHYTHMS[panel.calendar.bucket]
    return feature_rows(history, known, rhythm, np.array(rows), np.array(origins), np.array(steps))


def effect_of(panel: DemandPanel) -> np.ndarray:
    weekend = (panel.calendar.starts.astype(np.int64) + 3) % 7 >= 5
    return np.broadcast_to(np.where(weekend, WEEKEND, 1.0), (panel.n_series, panel.calendar.n_buckets))


def slow_mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float((values * weights).sum() / weights.sum()) if weights.sum() > 0 else float("nan")


@pytest.mark.parametrize(("row", "origin", "step"), [(0, 60, 0), (5, 100, 9), (9, 119, 27), (11, 120, 3)])
def test_window_and_weekday_means_equal_a_slow_reading(panel: DemandPanel, row: int, origin: int, step: int) -> None:
    seen = np.where(on_offer(panel)[row, :120], panel.available[row].astype(float), 0.0) * effect_of(panel)[row, :120]
    demand = np.where(seen > 0, panel.units[row], 0) / np.where(seen > 0, seen, 1.0)
    keep = 0.5 ** (1 / RHYTHMS["D"].half_lives[-1])
    age = origin - 1 - np.arange(origin)
    # What was expected at first counts as three buckets just before the first one on sale, and fades as they do.
    first = START_BUCKETS["D"] * keep ** max(0, origin - int(np.argmax(seen > 0)))
    # One bucket more at the long-run level.
    usual = ((demand * seen)[:origin].sum() + START_BUCKETS["D"] * START) / (seen[:origin].sum() + START_BUCKETS["D"])
    scale = ((demand * seen)[:origin] * keep**age).sum() + usual + first * START
    scale /= (seen[:origin] * keep**age).sum() + 1 + first
    got = rows_of(panel, [row], [origin], [step])[0]
    assert got[0] == step
    for column, window in enumerate(RHYTHMS["D"].windows, start=1):
        span = slice(max(0, origin - window), origin)
        np.testing.assert_allclose(got[column], slow_mean(demand[span], seen[span]) / scale, rtol=1e-5)
    first_cycle = 1 + len(RHYTHMS["D"].windows) + 2 + RHYTHMS["D"].n_lags
    for column, n_cycles in enumerate(CYCLES, start=first_cycle):
        same = [t for t in range(origin) if (origin + step - t) % 7 == 0][-n_cycles:]
        np.testing.assert_allclose(got[column], slow_mean(demand[same], seen[same]) / scale, rtol=1e-5)


def test_the_scale_of_steady_demand_is_that_demand(panel: DemandPanel) -> None:
    steady = replace(panel, units=np.full_like(panel.units, 8), available=np.ones_like(panel.available))
    ones = np.ones((panel.n_series, panel.calendar.n_buckets))
    history = read_history(steady, 8 * np.ones(panel.n_series), ones)
    np.testing.assert_allclose(history.scale, 8)


@pytest.mark.parametrize("bucket", ["D", "W", "M"])
def test_the_number_of_columns_is_the_stated_one(bucket: str) -> None:
    panel = synthetic_panel(n_items=2, n_history=60, n_future=14, bucket=bucket)
    assert rows_of(panel, [0], [30], [2]).shape == (1, n_features(RHYTHMS[bucket], NAMES, 1))


def test_what_happens_after_the_origin_changes_nothing_but_known_regressors(panel: DemandPanel) -> None:
    units = np.array(panel.units)
    units[:, 80:] = 77
    price = np.array(panel.price)
    price[:, 80:] = 1
    changed = replace(panel, units=units, price=price, dormant_buckets=0)
    plain = replace(panel, dormant_buckets=0)
    rows, origins, steps = [0, 3, 8], [80, 80, 80], [0, 6, 20]
    np.testing.assert_array_equal(rows_of(plain, rows, origins, steps), rows_of(changed, rows, origins, steps))


def test_a_series_has_the_same_features_alone(panel: DemandPanel) -> None:
    together = rows_of(panel, [7], [100], [5])
    np.testing.assert_array_equal(rows_of(panel.take(np.array([7])), [0], [100], [5]), together)


def test_an_unknown_attribute_and_a_missing_regressor_are_unknown(panel: DemandPanel) -> None:
    bare = replace(panel, static=panel.static.drop(columns="category"), regressors={})
    got = rows_of(bare, [0], [100], [1])[0]
    assert np.isnan(got[-1])
    assert np.isnan(got[-2])
