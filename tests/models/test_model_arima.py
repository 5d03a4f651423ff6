"""ARIMA: conformance, its recursion against statsmodels, and recovery of known parameters."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from statsmodels.tsa.statespace.sarimax import SARIMAX

from engine.forecast.conformance import check_forecaster
from engine.forecast.synthetic import synthetic_panel
from models.arima import Arima, ArimaModel, ArimaParams, _around_level, _recursion
from models.local_design import Design
from models.local_learning import LocalTask

make = partial(Arima, ArimaParams(max_local_fits=5))


@pytest.mark.parametrize("bucket", ["D", "W"])
def test_it_holds_to_the_protocol(bucket: str) -> None:
    check_forecaster(make, synthetic_panel(bucket=bucket))


def test_the_recursion_forecasts_as_the_state_space_model_does_with_gaps() -> None:
    generator = np.random.default_rng(3)
    noise = generator.normal(size=300)
    series = np.zeros(300)
    for t in range(1, 300):
        series[t] = 0.8 * series[t - 1] + noise[t] - 0.4 * noise[t - 1]
    series[[100, 101, 150]] = np.nan
    model = SARIMAX(series, order=(1, 0, 1))
    oracle = model.filter(np.array([0.8, -0.4, 1.0])).forecast(6)
    ours = _recursion(series[None], np.array([[0.8, 0.0]]), np.array([[-0.4]]), 6)[0, 300:]
    np.testing.assert_allclose(ours, oracle, rtol=1e-4)


def test_the_level_is_an_exponentially_weighted_mean_of_what_was_seen() -> None:
    rest = np.array([[1.0, np.nan, 3.0]])
    around, level = _around_level(rest, 0.5)
    # Nothing seen: level 0. Then 1 / (1 + 4), kept over the gap; then (0.5 + 3) / (1.5 + 4).
    np.testing.assert_allclose(around[0, [0, 2]], [1.0, 3.0 - 0.2])
    assert np.isnan(around[0, 1])
    np.testing.assert_allclose(level, [3.5 / 5.5])


def _task(columns: np.ndarray, demand: np.ndarray) -> LocalTask:
    return LocalTask("trial", demand, columns, 19000.0 + np.arange(len(demand)), (0, 0))


def test_a_known_effect_is_found_and_applied_ahead() -> None:
    generator = np.random.default_rng(5)
    event = (generator.random(400) < 0.1).astype(float)
    demand = generator.poisson(20 * np.exp(0.5 * event)).astype(float)
    demand[50:60] = np.nan
    model = ArimaModel()
    learnt = model.learn(_task(event[:390, None], demand[:390]))
    ahead = np.concatenate([event[:390], np.tile([0.0, 1.0], 5)])
    columns = Design(np.zeros((400, 0)), ahead[None, :, None], 19000.0 + np.arange(400))
    mean = model.mean(learnt.params[None], columns, demand[None, :390], 10)[0]
    assert mean[0::2].mean() == pytest.approx(20, rel=0.08)
    assert mean[1::2].mean() / mean[0::2].mean() == pytest.approx(np.exp(0.5), rel=0.1)


def test_the_forecast_follows_a_new_level_with_frozen_parameters() -> None:
    generator = np.random.default_rng(6)
    demand = np.concatenate([generator.poisson(10, 300), generator.poisson(30, 100)]).astype(float)
    model = ArimaModel()
    learnt = model.learn(_task(np.zeros((300, 0)), demand[:300]))
    columns = Design(np.zeros((407, 0)), np.zeros((1, 407, 0)), 19000.0 + np.arange(407))
    mean = model.mean(learnt.params[None], columns, demand[None], 7)
    assert 24 < mean.mean() < 33


def test_an_odd_series_raises_or_gives_finite_numbers() -> None:
    spikes = np.zeros(200)
    spikes[::50] = 1e6
    learnt = ArimaModel().learn(_task(np.zeros((200, 0)), spikes))
    assert np.isfinite(learnt.params).all()
