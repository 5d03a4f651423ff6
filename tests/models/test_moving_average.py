from dataclasses import replace

import numpy as np
import pytest

from engine.forecast.conformance import check_forecaster
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from models.moving_average import MovingAverage, thirteen_weeks


def of(units, bucket="D", n_future=14):
    n_history = len(units)
    panel = synthetic_panel(n_items=1, n_history=n_history, n_future=n_future, bucket=bucket)
    units = np.tile(np.array(units, np.float32), (2, 1))
    return replace(panel, units=units, available=np.ones_like(units), offered=np.ones((2, n_history + n_future), bool))


def test_moving_average_conforms():
    check_forecaster(MovingAverage)


def test_the_last_thirteen_weeks_are_averaged():
    mean = thirteen_weeks(of([100] * 50 + list(range(13)), "W"), 5)
    assert mean[0] == pytest.approx([6] * 5)


def test_days_follow_their_weekday_and_add_up_to_the_week():
    week = [0, 100, 100, 100, 100, 100, 200]
    mean = thirteen_weeks(of(week * 20), 7)
    assert mean[0].sum() == pytest.approx(700, rel=1e-3)
    assert mean[0] == pytest.approx(week, abs=5)


def test_a_slow_mover_is_not_forecast_as_nothing():
    mean = thirteen_weeks(of([0, 0, 0, 4] + [0] * 16, "W"), 3)
    assert mean[0] == pytest.approx([0.2] * 3)


def test_stock_outs_do_not_lower_the_forecast():
    panel = of([6] * 20, "W")
    units, available = np.array(panel.units), np.array(panel.available)
    units[0, -4:], available[0, -4:] = 0, 0
    mean = thirteen_weeks(replace(panel, units=units, available=available), 2)
    assert mean[0] == pytest.approx(mean[1], rel=1e-5)


def test_an_item_that_ends_is_forecast_until_its_end_only():
    panel = of([6] * 60, "W")
    offered = np.array(panel.offered)
    offered[0, 63:] = False
    panel = replace(panel, offered=offered)
    units = MovingAverage().fit(panel).sample(panel, 6, 20, Streams(1)).units
    assert units[0, :, :3].any()
    assert not units[0, :, 3:].any()
