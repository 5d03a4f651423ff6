"""Croston's method and that of Teunter, Syntetos and Babai, against hand-computed numbers and statsforecast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsforecast.models import TSB, CrostonSBA

from engine.forecast.conformance import check_forecaster
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from models.croston import CrostonSba, sba_forecasts, sba_mean
from models.tsb import Tsb, tsb_forecasts, tsb_mean


def lumpy(n: int, n_history: int) -> np.ndarray:
    generator = np.random.default_rng(3)
    chance = generator.uniform(0.05, 0.9, (n, 1))
    return np.where(generator.random((n, n_history)) < chance, generator.integers(1, 30, (n, n_history)), 0).astype(
        float
    )


def weeks(rows, available=None, offered=None):
    units = np.array(rows, np.float32)
    n, n_history = units.shape
    panel = synthetic_panel(n_items=-(-n // 2), n_history=n_history, n_future=14, bucket="W").take(np.arange(n))
    return replace(
        panel,
        units=units,
        available=np.ones_like(units) if available is None else np.array(available, np.float32),
        offered=np.ones((n, n_history + 14), bool) if offered is None else np.array(offered),
    )


@pytest.mark.parametrize("make", [CrostonSba, Tsb])
def test_both_conform(make):
    check_forecaster(make)


def test_croston_by_hand():
    # Sizes 6, then 6 + 0.5 (2 - 6) = 4; intervals 2, then 2 + 0.5 (3 - 2) = 2.5; corrected by 1 - 0.5 / 2.
    forecast = sba_forecasts(np.array([[0.0, 6, 0, 0, 2, 0]]), np.array([0.5]))[0, 0]
    assert forecast == pytest.approx([np.nan, np.nan, 2.25, 2.25, 2.25, 1.2, 1.2], nan_ok=True)


def test_tsb_by_hand():
    # Chances 0, 0.5, 0.25, 0.125, 0.5625, 0.28125; sizes 6 and then 6 + 0.25 (2 - 6) = 5.
    forecast = tsb_forecasts(np.array([[0.0, 6, 0, 0, 2, 0]]), np.array([[0.25, 0.5]]))[0, 0]
    assert forecast == pytest.approx([np.nan, np.nan, 3, 1.5, 0.75, 2.8125, 1.40625], nan_ok=True)


def test_buckets_not_on_offer_leave_a_forecast_as_it_is():
    demand = np.array([[0.0, 6, 0, 0, 2, 0]])
    with_gaps = np.insert(demand, [1, 3, 3, 6], np.nan, axis=1)
    for forecasts, alphas in ((sba_forecasts, np.array([0.3])), (tsb_forecasts, np.array([[0.2, 0.3]]))):
        assert forecasts(with_gaps, alphas)[0, 0, -1] == forecasts(demand, alphas)[0, 0, -1]


def test_croston_is_that_of_statsforecast():
    demand = lumpy(40, 60)
    expected = [CrostonSBA().forecast(y, 1)["mean"][0] for y in demand]
    assert sba_forecasts(demand, np.array([0.1]))[0, :, -1] == pytest.approx(expected, rel=1e-12)


def test_tsb_is_that_of_statsforecast():
    demand = lumpy(40, 60)
    constants = [(0.1, 0.05), (0.4, 0.2)]
    ours = tsb_forecasts(demand, np.array(constants))[:, :, -1]
    for row, (size, chance) in zip(ours, constants, strict=True):
        assert row == pytest.approx([TSB(size, chance).forecast(y, 1)["mean"][0] for y in demand], rel=1e-12)


def test_the_constants_with_the_least_squared_error_one_bucket_ahead_are_taken():
    demand = lumpy(30, 60)
    forecasts = sba_forecasts(demand, np.array([0.05, 0.1, 0.2, 0.3]))
    error = np.nansum((demand - forecasts[:, :, :-1]) ** 2, axis=2)
    expected = forecasts[error.argmin(axis=0), np.arange(30), -1]
    assert len(set(error.argmin(axis=0))) > 1
    assert sba_mean(weeks(demand), 3) == pytest.approx(np.repeat(expected[:, None], 3, axis=1), rel=1e-6)


@pytest.mark.parametrize("mean", [sba_mean, tsb_mean])
def test_a_stock_out_counts_as_the_demand_around_it(mean):
    row = [0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4]
    short, share = list(row), [1.0] * 12
    short[9], share[9] = 2, 0.5
    panel = weeks([row, short], [[1.0] * 12, share])
    # Two in half a week at a level of two speaks for somewhat less than four.
    assert mean(panel, 1)[1] == pytest.approx(mean(panel, 1)[0], rel=0.06)


@pytest.mark.parametrize("make", [CrostonSba, Tsb])
def test_who_never_sold_is_forecast_as_nothing_and_who_sold_once_is_not(make):
    rows = np.zeros((40, 60))
    rows[1:, ::7] = 3
    rows[1, :] = 0
    rows[1, 50] = 5
    panel = weeks(rows)
    units = make().fit(panel).sample(panel, 8, 50, Streams(1)).units
    assert not units[0].any()
    assert units[1].any()


def test_tsb_falls_while_nothing_sells_and_croston_stays():
    row = [3, 0] * 20 + [0] * 20
    panel = weeks([row, row])
    assert tsb_mean(panel, 1)[0] < tsb_mean(panel.cut(20), 1)[0] / 2
    assert sba_mean(panel, 1)[0] == pytest.approx(sba_mean(panel.cut(20), 1)[0], rel=0.2)
