"""Estimates of cut-short demand against worlds in which the demand, or its exact expectation, is known."""

import numpy as np
import pytest

from engine.demand.credibility import Usual, demand_behind, mean_beyond, smallest_unit

DAYS = 240
WEEKDAY = np.arange(DAYS) % 7


def world(rate: float, between: float, clump: int = 1) -> tuple[np.random.Generator, np.ndarray]:
    """Sales of 120 series in 48 half-hours a day, at a gamma rate for each day; (120, days, 48)."""
    generator = np.random.default_rng(4)
    today = generator.gamma(1 / between, between * rate / clump, (120, DAYS, 1))
    return generator, clump * generator.poisson(today / 48, (120, DAYS, 48))


def sold_until(sales: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Units and share of the day up to and with half-hour ``last``."""
    on_sale = np.arange(48) <= last[:, :, None]
    return np.where(on_sale, sales, 0).sum(axis=2).astype(float), on_sale.mean(axis=2)


def depleted(generator: np.random.Generator, sales: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Every other day starts with a stock around its usual sales, and ends when it is sold."""
    stock = np.where(np.arange(DAYS) % 2, 1 + generator.poisson(0.8 * rate, sales.shape[:2]), 10**6)
    gone = np.cumsum(sales, axis=2) >= stock[:, :, None]
    return sold_until(sales, np.where(gone.any(axis=2), gone.argmax(axis=2), 47))


def bias(estimate: np.ndarray, truth: np.ndarray, short: np.ndarray) -> float:
    return estimate[short].sum() / truth[short].sum() - 1


@pytest.mark.parametrize(("rate", "between"), [(2, 0.01), (8, 0.04), (25, 0.04)])
def test_days_that_end_by_selling_out_are_recovered_where_others_fail(rate, between):
    generator, sales = world(rate, between)
    truth = sales.sum(axis=2)
    units, share = depleted(generator, sales, rate)
    short = (share < 1) & (np.arange(DAYS) >= 60)
    estimate = demand_behind(units, share, "D", WEEKDAY)
    others = np.where(share < 1, np.nan, units)
    assert abs(bias(estimate, truth, short)) < 0.02
    assert bias(units / share, truth, short) > 0.03
    assert bias(np.broadcast_to(np.nanmean(others, axis=1, keepdims=True), truth.shape), truth, short) < -0.05


@pytest.mark.parametrize("clump", [1, 6])
def test_days_cut_at_any_time_are_recovered_with_less_error_than_by_scaling(clump):
    generator, sales = world(12, 0.05, clump)
    truth = sales.sum(axis=2)
    last = np.where(generator.random(truth.shape) < 0.4, generator.integers(0, 47, truth.shape), 47)
    units, share = sold_until(sales, last)
    short = (share < 1) & (np.arange(DAYS) >= 60)
    estimate = demand_behind(units, share, "D", WEEKDAY)
    assert abs(bias(estimate, truth, short)) < 0.02
    error, scaled = (np.abs(x - truth)[short].sum() for x in (estimate, units / share))
    assert error < 0.65 * scaled


def test_lost_days_are_recovered_without_bias():
    """Of Poisson(6) demand a tenth of the days is lost at random; the estimate restores the mean."""
    generator = np.random.default_rng(1)
    demand = generator.poisson(6, (2, 4000)).astype(float)
    out = generator.random(demand.shape) < 0.1
    units = np.where(out, 0, demand)
    estimate = demand_behind(units, np.where(out, 0.0, 1.0), "D", np.arange(4000) % 7)
    assert estimate.mean() == pytest.approx(6, rel=0.02)
    assert units.mean() == pytest.approx(5.4, rel=0.02)


def test_a_cut_bucket_is_the_credibility_mean_worked_by_hand():
    """32 units in four weeks on sale: level 8, clumps of 1 + 0.5 * 0.08 * 8 = 1.32 units.

    Within a week 1.32 * 8 = 10.56, between weeks 0.5 * 0.08 * 64 + 10.56 / 4 = 5.2: the level weighs 2.0308 weeks. The
    rate is (2.0308 * 8 + 6) / (2.0308 + 0.5) = 8.7903, and half a week of it joins the 6 that sold.
    """
    units, share = np.array([[6.0, 10, 8, 6, 2]]), np.array([[0.5, 1, 1, 1, 0.5]])
    got = demand_behind(units, share, "W", np.zeros(5, np.int64))
    assert got[0, :4] == pytest.approx([6 + 8.7903 / 2, 10, 8, 6], abs=1e-3)


@pytest.mark.parametrize("least", [0, 1, 4, 7, 12])
def test_sales_without_time_on_sale_are_a_lower_bound(least):
    """Beside draws of a Poisson of 4 that are at least the bound, to within 8 %."""
    draws = np.random.default_rng(2).poisson(4, 400_000)
    exact = draws[draws >= least].mean()
    one = np.ones(1)
    usual = Usual(factor=one, mean=4 * one, within=4 * one, between=0 * one, weight=one)
    assert mean_beyond(least * one, usual)[0] == pytest.approx(exact, rel=0.08)


def test_a_bound_far_above_all_that_is_usual_stays_finite():
    one = np.ones(1)
    usual = Usual(factor=one, mean=0.1 * one, within=0.1 * one, between=0.01 * one, weight=one)
    assert 5000 <= mean_beyond(5000 * one, usual)[0] < 5010
    assert mean_beyond(3 * one, Usual(one, 0 * one, 0 * one, 0 * one, one))[0] == 3


def test_a_flagged_day_with_sales_does_not_raise_the_level():
    """Ten days of 4, then a day with 9 sold and no time on sale: the days after it are as without it."""
    units, share = np.full((1, 30), 4.0), np.ones((1, 30))
    share[0, 20] = 0
    plain = demand_behind(units, share, "D", np.arange(30) % 7)
    units[0, 10], share[0, 10] = 9, 0
    flagged = demand_behind(units, share, "D", np.arange(30) % 7)
    assert 9 <= flagged[0, 10] < 12
    assert flagged[0, 20] == pytest.approx(plain[0, 20], rel=0.01)


def test_series_are_counted_in_their_own_unit():
    tenths = np.array([[0.3, 1.2, 0.7, 0.8], [3, 12, 7, 8], [0, 0, 0, 0], [2.5, 2.5, 0, 2.5]])
    assert smallest_unit(tenths) == pytest.approx([0.3, 1, 1, 2.5])


def test_estimates_do_not_depend_on_the_unit_of_measure():
    generator, sales = world(5, 0.05)
    units, share = depleted(generator, sales, 5)
    pieces = demand_behind(units, share, "D", WEEKDAY)
    kilos = demand_behind(units * 0.1, share, "D", WEEKDAY)
    assert kilos == pytest.approx(0.1 * pieces, rel=1e-6)


def test_no_history_gives_no_estimates():
    assert demand_behind(np.zeros((3, 0)), np.zeros((3, 0)), "D", np.zeros(0, np.int64)).shape == (3, 0)
    assert demand_behind(np.zeros((0, 5)), np.zeros((0, 5)), "W", np.zeros(5, np.int64)).shape == (0, 5)
