"""The textbook's series: how they are aligned and scored, by hand."""

from __future__ import annotations

import numpy as np

from benchmarks.forecast.textbook import CONFIG
from benchmarks.forecast.textbook_data import Textbook
from engine.execution import Run
from experiments.forecasters import build_forecaster
from experiments.settings import read_settings

SMALL = Textbook(
    "trial", "M", 2, ("a", "b"), (np.array([1.0, 2, 4, 5, 9]), np.array([3.0, 8, 3, 10])), np.array([[8.0], [4]])
)


def test_series_end_together_and_are_not_on_offer_before_they_begin():
    panel = SMALL.panel()
    np.testing.assert_array_equal(panel.units, [[1, 2, 4, 5, 9], [0, 3, 8, 3, 10]])
    np.testing.assert_array_equal(panel.offered[:, 0], [True, False])
    assert panel.offered[:, 1:].all()
    assert panel.calendar.n_future == 1
    np.testing.assert_array_equal(panel.interval, [[0, 1], [0, 1]])


def test_errors_are_scaled_by_the_mean_change_over_a_season():
    # Changes over two buckets: 3, 3, 5 and 0, 2. Errors: 3 and 2.
    np.testing.assert_allclose(SMALL.mase(np.array([[11.0], [6.0]])), [3 / (11 / 3), 2 / 1])


def test_development_holds_out_the_end_of_what_is_known():
    part = SMALL.development()
    assert [y.tolist() for y in part.train] == [[1, 2, 4, 5], [3, 8, 3]]
    np.testing.assert_array_equal(part.test, [[9], [10]])


def test_the_automatic_choice_is_among_the_candidates_of_the_shipped_settings():
    settings = read_settings(CONFIG)
    names = [candidate.name for candidate in build_forecaster(settings, Run()).candidates]
    assert names == ["seasonal_naive", "blend", "theta", "arima_111"]
    assert settings.forecast.max_local_fits > 1428  # the series of M3 by month: each has a fit of its own
