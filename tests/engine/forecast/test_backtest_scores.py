from dataclasses import replace

import numpy as np
import pytest

from engine.forecast.backtest import (
    actuals_after,
    bias,
    coverage,
    cutoffs,
    interval_pinball,
    mase,
    pinball,
    quantiles_of,
    score_intervals,
    wape,
)
from engine.forecast.synthetic import synthetic_panel
from engine.forecast.types import SamplePaths

QUANTILES = (0.05, 0.5, 0.95)


def paths_of(panel, horizon=10, n_paths=60, seed=0):
    units = np.random.default_rng(seed).poisson(5, (panel.n_series, n_paths, horizon)).astype(np.float32)
    return SamplePaths(panel.item_id, panel.location_id, units)


def test_interval_pinball_equals_a_loop_over_series_and_quantiles():
    panel = synthetic_panel()
    paths, actuals = paths_of(panel), actuals_after(panel, 20, 10)
    loss = interval_pinball(paths, actuals, panel.interval, QUANTILES)
    start = panel.calendar.n_history - 20
    for r in range(panel.n_series):
        end = panel.interval[r, 1]
        seen = [t for t in range(end) if panel.available[r, start + t] == 1 and panel.offered[r, start + t]]
        if len(seen) < end / 2:
            assert np.isnan(loss[r])
            continue
        actual = sum(panel.units[r, start + t] for t in seen)
        draws = sorted(paths.units[r, k, seen].sum() for k in range(60))
        losses = []
        for q in QUANTILES:
            forecast = next(x for i, x in enumerate(draws, 1) if i / 60 >= q)
            losses.append(q * (actual - forecast) if actual >= forecast else (1 - q) * (forecast - actual))
        assert loss[r] == pytest.approx(np.mean(losses))
    assert np.isfinite(loss).sum() > 10


def test_censored_buckets_change_no_score():
    panel = synthetic_panel()
    actuals = actuals_after(panel, 20, 10)
    units = np.array(panel.units)
    units[panel.available < 1] += 7
    other = actuals_after(replace(panel, units=units), 20, 10)
    scores = [score_intervals(paths_of(panel), a, panel.interval, QUANTILES) for a in (actuals, other)]
    assert np.array_equal(scores[0].pinball, scores[1].pinball, equal_nan=True)


def test_pinball_of_the_median_is_half_the_absolute_error():
    loss = pinball(np.array([3.0, 8.0]), np.array([[5.0], [5.0]]), (0.5,))
    assert loss.tolist() == [[1.0], [1.5]]


def test_quantiles_are_values_that_were_drawn():
    draws = np.arange(1.0, 21.0)[None, :]
    assert quantiles_of(draws, (0.05, 0.5, 0.95, 0.999)).tolist() == [[1.0, 10.0, 19.0, 20.0]]


def test_the_true_law_is_covered_as_its_intervals_say_whole_units_or_not():
    """Poisson(0.7) demand against paths of the same law: central 50, 80 and 90 % cover that share."""
    panel = synthetic_panel(n_items=1000, n_history=30, n_future=3)
    rng = np.random.default_rng(0)
    panel = replace(
        panel, units=rng.poisson(0.7, (2000, 30)).astype(np.float32), available=np.ones((2000, 30), np.float32),
        offered=np.ones((2000, 33), bool), interval=np.tile(np.array([[0, 1]], np.int32), (2000, 1)),
    )  # fmt: skip
    paths = SamplePaths(panel.item_id, panel.location_id, rng.poisson(0.7, (2000, 400, 1)).astype(np.float32))
    scores = score_intervals(paths, actuals_after(panel, 1, 1), panel.interval, QUANTILES)
    for share in (0.5, 0.8, 0.9):
        assert np.mean(coverage(scores, share)) == pytest.approx(share, abs=0.02)
    assert bias(scores) == pytest.approx(0, abs=0.05)
    assert wape(scores) > 0.5


def test_mase_of_the_seasonal_naive_change_is_one_by_construction():
    """Demand alternates 0, 7 by week; a forecast off by seven everywhere has exactly the scale's error."""
    panel = synthetic_panel(n_items=1, n_history=56, n_future=7)
    weeks = np.repeat(np.arange(8) % 2 * 7, 7)
    panel = replace(
        panel, units=np.tile(weeks, (2, 1)).astype(np.float32), available=np.ones((2, 56), np.float32),
        offered=np.ones((2, 63), bool),
    )  # fmt: skip
    paths = SamplePaths(panel.item_id, panel.location_id, np.zeros((2, 3, 7), np.float32))
    assert mase(paths, actuals_after(panel, 7, 7), panel.cut(7)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("n_history", "horizon", "wanted"), [(447, 14, [14, 28, 42]), (157, 3, [3, 10, 17]), (60, 14, [14])]
)
def test_cutoffs_keep_history_and_fall_on_whole_weeks_of_days(n_history, horizon, wanted):
    found = cutoffs(synthetic_panel(n_history=n_history), 3, horizon)
    assert found[0] == horizon
    assert (np.diff(found) % 7 == 0).all()
    assert n_history - found.max() >= 2 * horizon
    assert found.tolist()[: len(wanted)] == wanted


def test_too_short_a_history_has_no_cutoff():
    assert len(cutoffs(synthetic_panel(n_history=20), 3, 10)) == 0
    assert len(cutoffs(synthetic_panel(n_history=30), 3, 10)) >= 1
