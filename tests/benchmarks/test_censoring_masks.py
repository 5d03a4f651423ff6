import numpy as np
import pytest

from benchmarks.forecast.censoring import cases, errors, mean_of_other_days
from benchmarks.forecast.censoring_data import HourlySales, hour_profile, panel_of
from benchmarks.forecast.censoring_masks import depleted, transplanted

MORNING = np.repeat([0.0, 0.1, 0.0], [8, 4, 12])
"""Four sales of 0.1 from eight to noon."""


def small_world(n: int = 40, n_days: int = 70) -> HourlySales:
    """Poisson sales by hour, more by day; every third day of all but the first series runs out in the evening."""
    generator = np.random.default_rng(3)
    usual = np.repeat([0.05, 0.6, 0.3], [7, 9, 8])
    sold = generator.poisson(usual, (n, n_days, 24)).astype(np.float32)
    out = np.zeros(sold.shape, np.bool_)
    out[1:, ::3, 17:] = True
    days = np.datetime64("2024-03-28") + np.arange(n_days)
    return HourlySales(np.arange(n), np.arange(n) % 5, days, np.where(out, 0, sold).astype(np.float32), out)


def test_a_transplanted_mask_is_that_of_a_day_that_ran_out_laid_on_days_that_did_not():
    sales = small_world()
    laid = transplanted(sales, np.random.default_rng(1))
    masked = laid.any(axis=2)
    assert not masked[~sales.stocked].any()
    assert masked[sales.stocked].mean() == pytest.approx(0.4, abs=0.04)
    assert (laid[masked] == (np.arange(24) >= 17)).all()
    assert masked[0].any()


def test_a_depleted_day_ends_with_the_hour_in_which_its_stock_is_gone():
    """Each day of this series sells 0.4 by noon, and so is its stock: nothing is left from noon on."""
    sold = np.tile(MORNING, (1, 50, 1)).astype(np.float32)
    sales = HourlySales(np.zeros(1, int), np.zeros(1, int), np.arange(50).astype("datetime64[D]"), sold, sold < 0)
    laid = depleted(sales, np.random.default_rng(1))
    masked = laid.any(axis=2)[0]
    assert 10 < masked.sum() < 30
    assert (laid[0, masked] == (np.arange(24) >= 12)).all()


def test_what_is_sold_before_depletion_reaches_a_stock_and_no_earlier_hour_does():
    sales = small_world()
    laid = depleted(sales, np.random.default_rng(2))
    masked = laid.any(axis=2)
    total = sales.sold.sum(axis=2)
    sold = np.where(laid, 0, sales.sold).sum(axis=2)
    assert 0.1 < masked[sales.stocked].mean() < 0.4
    assert total[masked].mean() > 1.05 * total[sales.stocked].mean()
    assert (sold[masked] <= total[masked]).all()
    assert (np.diff(laid.astype(int), axis=2) >= 0).all()


def test_the_share_on_sale_is_that_of_the_days_demand_not_of_its_hours():
    """All demand comes from eight to noon, by days 0 and 1; out from ten is half of it, out from noon nothing."""
    sold = np.tile(MORNING, (1, 4, 1)).astype(np.float32)
    none = np.zeros(sold.shape, np.bool_)
    sales = HourlySales(np.zeros(1, int), np.zeros(1, int), np.arange(4).astype("datetime64[D]"), sold, none)
    profile = hour_profile(sales, 2)
    assert profile[0, 8:12] == pytest.approx([0.25] * 4)
    out = none.copy()
    out[0, 1, 10:], out[0, 2, 12:] = True, True
    panel = panel_of(sales, out, profile, np.ones((1, 4), np.bool_))
    assert panel.available[0] == pytest.approx([1, 0.5, 1, 1])
    assert panel.units[0] == pytest.approx([0.4, 0.2, 0.4, 0.4])
    assert mean_of_other_days(panel)[0] == pytest.approx([0, 0.4, 0.4, 0.4])


def test_the_profile_reads_nothing_after_its_days():
    sales = small_world()
    later = sales.sold.copy()
    later[:, 40:] *= np.arange(24)
    other = HourlySales(sales.store, sales.product, sales.days, later, sales.out)
    assert np.array_equal(hour_profile(sales, 40), hour_profile(other, 40))
    assert not np.array_equal(hour_profile(sales, 60), hour_profile(other, 60))


def test_only_masked_days_of_the_last_stretch_are_scored_against_what_they_sold():
    sales = small_world()
    for case in cases(sales, 60):
        assert not case.scored[:, :30].any()
        assert not case.scored[:, 60:].any()
        assert (case.scored <= sales.stocked).all()
        assert (case.panel.units[case.scored] <= case.truth[case.scored]).all()
        assert case.scored.any()


def test_bias_and_wape_are_of_the_true_demand():
    assert errors(np.array([3.0, 1.0]), np.array([2.0, 2.0])) == pytest.approx((0, 50))
    assert errors(np.array([3.0, 3.0]), np.array([2.0, 2.0])) == pytest.approx((50, 50))
