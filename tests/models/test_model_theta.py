"""Theta: conformance, its level against brute force and statsforecast, hand-computed lines, odd series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsforecast.models import AutoTheta

from engine.forecast.conformance import check_forecaster
from engine.forecast.synthetic import synthetic_panel
from models.drifting import last_states
from models.local import LARGEST
from models.seasonal_factors import slope
from models.theta import GRID, SMOOTHING, Theta, theta_mean


def panel_of(units, bucket="W", n_future=14):
    rows = np.atleast_2d(np.array(units, np.float32))
    panel = synthetic_panel(n_items=len(rows), n_history=rows.shape[1], n_future=n_future, bucket=bucket)
    panel = panel.take(np.arange(0, 2 * len(rows), 2))
    offered = np.ones((len(rows), rows.shape[1] + n_future), bool)
    return replace(panel, units=rows, available=np.ones_like(rows), offered=offered)


@pytest.mark.parametrize("bucket", ["D", "W", "M"])
def test_it_holds_to_the_protocol(bucket):
    check_forecaster(Theta, synthetic_panel(bucket=bucket))


def test_the_level_is_that_of_the_smoothing_constant_and_first_level_of_least_squared_errors():
    demand = np.random.default_rng(1).gamma(2, 5, 25)
    demand[[3, 4]] = np.nan
    drift, best = 0.3, (np.inf, 0.0)
    for alpha in SMOOTHING:
        for first in np.linspace(0, np.nanmax(demand), 4001):
            level, squares = first, 0.0
            for value in demand[np.isfinite(demand)]:
                error = value - level - drift
                squares += error**2
                level += drift + alpha * error
            best = min(best, (squares, level))
    assert last_states(demand[:, None], np.array([drift]), GRID)[0][0] == pytest.approx(best[1], abs=0.01)


def test_a_straight_line_is_forecast_with_half_its_slope():
    line = 10 + 2.0 * np.arange(40)
    # The last value, 88, with an error of 1 a bucket: no other smoothing constant is nearer. One bucket of 41 is drawn
    # to the mean, 49.
    level = (40 * 88 + 49) / 41
    np.testing.assert_allclose(theta_mean(panel_of(line), 3)[0], level + np.array([1.0, 2.0, 3.0]), rtol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_level_and_drift_forecast_as_the_standard_theta_model_of_statsforecast(seed):
    steps = np.random.default_rng(seed).normal(0.5, 2, 90)
    demand = 100 + np.cumsum(steps) + np.random.default_rng(seed + 9).normal(0, 3, 90)
    drift = slope(demand[:, None], 1e9) / 2
    ours = last_states(demand[:, None], drift, GRID)[0] + np.arange(1, 13) * drift
    theirs = AutoTheta(season_length=1, model="STM").forecast(demand, 12)["mean"]
    np.testing.assert_allclose(ours, theirs, rtol=0.01)


def test_weekdays_are_forecast_as_they_were_sold():
    week = np.array([10, 100, 100, 100, 100, 100, 190])
    np.testing.assert_allclose(theta_mean(panel_of(np.tile(week, 20), "D"), 14)[0], np.tile(week, 2), rtol=1e-3)


def test_buckets_not_on_offer_are_skipped():
    sold = np.random.default_rng(8).poisson(30, 60)
    panel = panel_of(np.stack([np.concatenate([np.zeros(44), sold])] * 2))
    offered = np.array(panel.offered)
    offered[:, :44] = False
    late = theta_mean(replace(panel, offered=offered), 6)
    np.testing.assert_allclose(late[0], theta_mean(panel_of(sold), 6)[0], rtol=1e-6)


def test_stock_outs_do_not_lower_the_forecast():
    panel = panel_of([[6] * 30] * 2)
    units, available = np.array(panel.units), np.array(panel.available)
    units[0, -4:], available[0, -4:] = 0, 0
    mean = theta_mean(replace(panel, units=units, available=available), 2)
    np.testing.assert_allclose(mean[0], mean[1], rtol=1e-5)


@pytest.mark.parametrize("n_buckets", [1, 2, 5, 60])
def test_constant_demand_goes_on_and_no_demand_stays_none(n_buckets):
    mean = theta_mean(panel_of([[7] * n_buckets, [0] * n_buckets]), 10)
    np.testing.assert_allclose(mean[0], 7, rtol=1e-6)
    assert not mean[1].any()


def test_an_item_that_sold_once_is_not_forecast_as_nothing():
    assert (theta_mean(panel_of([0] * 5 + [9] + [0] * 50), 4) > 0).all()


def test_a_trend_ends_at_three_times_the_largest_bucket_or_a_third_of_the_level():
    steps = np.arange(60.0)
    rows = np.stack([np.maximum(200 - 4 * steps, 2), 1 + steps**3])
    mean = theta_mean(panel_of(rows, n_future=400), 400)
    level = (60 * 2 + rows[0].mean()) / 61
    assert mean[0, -1] == pytest.approx(level / LARGEST, rel=0.05)
    assert mean[1, -1] == pytest.approx(LARGEST * rows[1].max())
