"""The scores of the spare-parts benchmark, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.forecast.spare_parts_scores import Forecast, changes, score, summary


def test_changes_count_from_the_first_sale_on():
    past = np.array([[0.0, 0, 4, 0, 2], [0, 0, 0, 0, 0], [0, 0, 0, 0, 3], [5, 5, 5, 5, 5]])
    squared, absolute = changes(past)
    assert squared == pytest.approx([(16 + 4) / 2, np.nan, np.nan, np.nan], nan_ok=True)
    assert absolute == pytest.approx([(4 + 2) / 2, np.nan, np.nan, np.nan], nan_ok=True)


def test_a_part_is_scored_over_its_own_interval():
    past = np.array([[0.0, 4, 0, 4]])
    actual = np.array([[3.0, 1, 100]])
    sums = np.array([[0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9]])
    rows = score(Forecast(np.array([[1.0, 2, 0]]), sums), past, actual, np.array([2]))
    # Changes of 4: squared 16, absolute 4. Errors 2 and -1; the sum is 4; quantiles 8, 9 and 9.
    assert rows.loc[0, "square"] == pytest.approx((4 + 1) / 2 / 16)
    assert rows.loc[0, "scale"] == 8
    assert [rows.loc[0, f"loss_{q}"] for q in (0.9, 0.95, 0.99)] == pytest.approx([0.1 * 4, 0.05 * 5, 0.01 * 5])
    # The PIT lies between 0.4 and 0.5, within every central share but for nothing.
    assert rows.loc[0, "inside_0.5"] == 1


def test_the_summary_takes_roots_by_part_and_pooled_and_leaves_unscaled_parts_out():
    past = np.array([[0.0, 4, 0, 4], [0, 1, 0, 1], [0, 0, 0, 0]])
    actual = np.array([[4.0], [0.0], [10.0]])
    forecast = Forecast(np.zeros((3, 1)), np.zeros((3, 5)))
    found = summary([score(forecast, past, actual, np.ones(3, np.int64))], np.array([2.0, 1.0, 1.0]))
    assert found["RMSSE"] == pytest.approx((1 + 0) / 2)
    assert found["pooled"] == pytest.approx(np.sqrt((1 + 0) / 2))
    assert found["pinball 0.9"] == pytest.approx(100 * 0.9 * (4 / 4 + 0) / 2)
    assert found["value 0.9"] == pytest.approx(90)
