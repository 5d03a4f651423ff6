from dataclasses import replace

import numpy as np
import pytest

from engine.forecast.conformance import check_forecaster
from engine.forecast.synthetic import synthetic_panel
from models.seasonal_naive import SeasonalNaive, season_again


def repeated(pattern, n_history, bucket="D", n_future=14):
    panel = synthetic_panel(n_items=1, n_history=n_history, n_future=n_future, bucket=bucket)
    units = np.tile(np.resize(pattern, n_history), (2, 1)).astype(np.float32)
    return replace(panel, units=units, available=np.ones_like(units), offered=np.ones((2, n_history + n_future), bool))


def test_seasonal_naive_conforms():
    check_forecaster(SeasonalNaive)


def test_the_last_week_comes_again():
    week = np.array([900, 100, 200, 300, 400, 500, 600])
    panel = repeated(week, 70)
    mean = season_again(panel, 14, 7)
    assert mean[0] == pytest.approx(np.tile(week, 2), rel=0.04)


def test_a_year_of_weeks_comes_again_at_half_of_the_growth():
    year = 100 + 50 * np.sin(np.arange(52) / 52 * 2 * np.pi)
    panel = repeated(year, 156, "W")
    grown = replace(panel, units=(panel.units * np.where(np.arange(156) < 104, 1, 1.44)).astype(np.float32))
    flat, up = season_again(panel, 8, 52), season_again(grown, 8, 52)
    assert flat[0] == pytest.approx(year[:8], rel=0.03)
    # Last year is in the grown level already, and the level is 1.44 times last year's: half of that is 1.2.
    assert up[0] == pytest.approx(flat[0] * 1.44 * 1.2, rel=0.1)


def test_small_counts_are_drawn_to_the_level():
    panel = repeated([3, 0, 0, 0, 0, 0, 0], 70)
    mean = season_again(panel, 7, 7)
    assert mean[0].sum() == pytest.approx(3, rel=0.01)
    assert (mean[0] > 0.3).all()


def test_a_short_history_repeats_one_bucket():
    assert SeasonalNaive().fit(repeated([5], 60, "W")).text["season"] == "1"
    assert SeasonalNaive().fit(repeated([5], 110, "W")).text["season"] == "52"
