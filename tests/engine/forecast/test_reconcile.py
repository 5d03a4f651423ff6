"""Reconciled means agree with the dense formula of minimum trace, add up, and lean on the more certain level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.forecast.reconcile import (
    ErrorCovariance,
    Level,
    diagonal_covariance,
    reconciled_means,
    shrunk_covariance,
    structural_covariance,
)

REGION = np.array([0, 0, 1, 1, 1, 2])
CATEGORY = np.array([0, 1, 0, 1, 1, 0])
TOTAL = np.zeros(6, np.int64)


def adding(groups):
    """The dense matrix that sums series to the groups of each grouping."""
    return np.concatenate([np.equal.outer(np.arange(group.max() + 1), group) for group in groups]).astype(float)


def world(seed, gap=0.2, groups=(TOTAL, REGION, CATEGORY), n_errors=12):
    """Base means of six series over three buckets, their errors, and levels that are off by about ``gap``."""
    rng = np.random.default_rng(seed)
    mean = rng.gamma(5, 2, (6, 3))
    error = rng.normal(0, 2, (6, n_errors)) + rng.normal(0, 1, n_errors)
    levels = []
    for group in groups:
        summing = adding([group])
        off = np.exp(gap * rng.normal(size=(len(summing), 1)))
        levels.append(Level(group, summing @ mean * off, summing @ error * 0.8 + rng.normal(0, 1, (1, n_errors))))
    return mean, error, levels


def dense(mean, levels, covariance):
    """The projection S (S' W^-1 S)^-1 S' W^-1 of Wickramasuriya et al. (2019), series part; W is filled."""
    summing = np.concatenate([np.eye(len(mean)), adding([level.group for level in levels])])
    inverse = np.linalg.inv(np.diag(covariance.own) + covariance.shared @ covariance.shared.T)
    base = np.concatenate([mean, *(level.mean for level in levels)])
    return np.linalg.solve(summing.T @ inverse @ summing, summing.T @ inverse @ base)


def test_a_gap_is_shared_in_proportion_to_the_variances():
    # Total 13 over series of 4 and 6: a gap of 3, variances 1 and 2, of the total 3; each unit of variance takes 3 / 6.
    level = Level(np.array([0, 0]), np.array([[13.0]]), np.zeros((1, 0)))
    covariance = ErrorCovariance(np.array([1.0, 2.0, 3.0]), np.zeros((3, 0)))
    got = reconciled_means(np.array([[4.0], [6.0]]), [level], covariance)
    assert got[:, 0] == pytest.approx([4.5, 7.0])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["structural", "diagonal", "shrunk"])
def test_the_means_are_those_of_the_dense_formula(seed, kind):
    mean, error, levels = world(seed)
    covariance = {
        "structural": structural_covariance(6, levels),
        "diagonal": diagonal_covariance(mean, error, levels),
        "shrunk": shrunk_covariance(mean, error, levels),
    }[kind]
    wanted = dense(mean, levels, covariance)
    assert wanted.min() > 0, "bounds must not bind here"
    np.testing.assert_allclose(reconciled_means(mean, levels, covariance, np.inf), wanted, rtol=1e-6)


def test_a_shrunk_covariance_keeps_the_variances_and_some_of_the_correlation():
    mean, error, levels = world(3, n_errors=60)
    found = shrunk_covariance(mean, error, levels)
    every = np.concatenate([error, *(level.error for level in levels)])
    matrix = np.diag(found.own) + found.shared @ found.shared.T
    np.testing.assert_allclose(np.diagonal(matrix), (every**2).mean(axis=1))
    plain = every @ every.T / 60
    off = ~np.eye(len(plain), dtype=bool)
    share = 1 - matrix[off] / plain[off]
    np.testing.assert_allclose(share, share[0], atol=1e-9)
    assert 0 < share[0] < 1


def test_the_share_of_shrinkage_is_that_of_the_sum_over_all_pairs():
    rng = np.random.default_rng(0)
    error = rng.normal(size=(5, 9)) + rng.normal(size=9)
    scaled = error / np.sqrt((error**2).mean(axis=1, keepdims=True))
    above = below = 0.0
    for i in range(5):
        for j in range(5):
            if i != j:
                product = scaled[i] * scaled[j]
                above += 9 / 8**3 * ((product - product.mean()) ** 2).sum()
                below += product.mean() ** 2
    level = Level(np.zeros(4, np.int64), np.ones((1, 1)), error[4:])
    found = shrunk_covariance(np.ones((4, 1)), error[:4], [level])
    matrix = found.shared @ found.shared.T
    plain = error @ error.T / 9
    assert 1 - matrix[0, 1] / plain[0, 1] == pytest.approx(above / below)


def test_forecasts_that_agree_come_back_as_they_are():
    mean, error, levels = world(1)
    agreed = [Level(level.group, adding([level.group]) @ mean, level.error) for level in levels]
    got = reconciled_means(mean, agreed, shrunk_covariance(mean, error, agreed))
    np.testing.assert_allclose(got, mean, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), gap=st.floats(0, 2))
def test_means_stay_within_reach_and_none_is_negative(seed, gap):
    mean, error, levels = world(seed, gap)
    mean[2, 1] = 0.0
    got = reconciled_means(mean, levels, diagonal_covariance(mean, error, levels), 3.0)
    assert (got >= mean / 3 * (1 - 1e-12)).all()
    assert (got <= mean * 3 * (1 + 1e-12)).all()
    assert got[2, 1] == 0


def test_what_a_held_series_cannot_take_goes_to_the_others():
    # The first is held at 4 x 1; the level is certain, so the second takes the rest of 20.
    level = Level(np.array([0, 0]), np.array([[20.0]]), np.zeros((1, 0)))
    covariance = ErrorCovariance(np.array([9.0, 1.0, 0.0]), np.zeros((3, 0)))
    got = reconciled_means(np.array([[1.0], [8.0]]), [level], covariance, 4.0)
    assert got[:, 0] == pytest.approx([4.0, 16.0])


def test_a_certain_level_is_met_and_an_uncertain_one_ignored():
    mean, _, levels = world(4)
    own = structural_covariance(6, levels).own
    groups = [level.group for level in levels]
    first = 6 + np.cumsum([0, *(len(level.mean) for level in levels)])
    for certain, level in enumerate(levels):
        variance = np.where(np.arange(len(own)) < 6, own, 1e9)
        variance[first[certain] : first[certain + 1]] = 1e-9
        got = reconciled_means(mean, levels, ErrorCovariance(variance, np.zeros((len(own), 0))), np.inf)
        np.testing.assert_allclose(adding([groups[certain]]) @ got, level.mean, rtol=1e-6)
    variance = np.where(np.arange(len(own)) < 6, own, 1e12)
    ignored = reconciled_means(mean, levels, ErrorCovariance(variance, np.zeros((len(own), 0))))
    np.testing.assert_allclose(ignored, mean, rtol=1e-6)


def test_the_more_certain_a_level_the_nearer_its_sums_come():
    mean, _, levels = world(5, groups=(TOTAL,))
    own = structural_covariance(6, levels).own
    apart = []
    for variance in (100.0, 10.0, 1.0, 0.1):
        own[-1] = variance
        got = reconciled_means(mean, levels, ErrorCovariance(own, np.zeros((7, 0))), np.inf)
        apart.append(np.abs(got.sum(axis=0) - levels[0].mean[0]).max())
    assert apart == sorted(apart, reverse=True)
    assert apart[0] > 5 * apart[-1]


def test_two_levels_with_the_same_groups_and_no_doubt_do_no_harm():
    level = Level(np.array([0, 0]), np.array([[13.0]]), np.zeros((1, 0)))
    covariance = ErrorCovariance(np.array([1.0, 2.0, 0.0, 0.0]), np.zeros((4, 0)))
    got = reconciled_means(np.array([[4.0], [6.0]]), [level, level], covariance)
    assert got[:, 0] == pytest.approx([5.0, 8.0])


def test_series_that_never_err_keep_their_means():
    mean, error, levels = world(6)
    error[1] = 0.0
    got = reconciled_means(mean, levels, diagonal_covariance(mean, error, levels), np.inf)
    np.testing.assert_array_equal(got[1], mean[1])
    assert (got[0] != mean[0]).all()


def test_unknown_errors_are_left_out_and_too_few_take_the_variance_of_the_level_by_mean():
    error = np.array([[1.0, -1.0, np.nan, 1.0, 1.0], [2.0, 2.0, 2.0, -2.0, -2.0], [9.0, np.nan, np.nan, np.nan, 9.0]])
    mean = np.array([[1.0], [4.0], [2.0]])
    # Known variances 1 and 4 for means 1 and 4: one per unit of mean.
    assert diagonal_covariance(mean, error, []).own == pytest.approx([1.0, 4.0, 2.0])
    assert diagonal_covariance(mean, np.zeros((3, 0)), []).own == pytest.approx([1.0, 4.0, 2.0])


def test_buckets_stand_alone():
    mean, error, levels = world(7)
    covariance = shrunk_covariance(mean, error, levels)
    whole = reconciled_means(mean, levels, covariance)
    for t in range(3):
        one = [Level(level.group, level.mean[:, t : t + 1], level.error) for level in levels]
        np.testing.assert_array_equal(reconciled_means(mean[:, t : t + 1], one, covariance)[:, 0], whole[:, t])


def test_without_levels_or_series_the_means_come_back():
    mean = np.ones((2, 3))
    assert (reconciled_means(mean, [], structural_covariance(2, [])) == 1).all()
    none = Level(np.zeros(0, np.int64), np.zeros((1, 3)), np.zeros((1, 0)))
    assert reconciled_means(mean[:0], [none], structural_covariance(0, [none])).shape == (0, 3)


def test_what_does_not_fit_is_refused():
    level = Level(np.array([0, 0]), np.ones((1, 3)), np.zeros((1, 0)))
    fits = structural_covariance(2, [level])
    with pytest.raises(ValueError, match="2 group numbers and 4 buckets"):
        reconciled_means(np.ones((2, 4)), [level], fits)
    with pytest.raises(ValueError, match=r"3 rows\. Got 2"):
        reconciled_means(np.ones((2, 3)), [level], structural_covariance(2, []))
    with pytest.raises(ValueError, match="reach must be >= 1"):
        reconciled_means(np.ones((2, 3)), [level], fits, 0.5)
    with pytest.raises(ValueError, match=r"group must lie in \[0, 0\]"):
        Level(np.array([0, 1]), np.ones((1, 3)), np.zeros((1, 0)))
    with pytest.raises(ValueError, match="a row per group"):
        Level(np.array([0, 0]), np.ones((1, 3)), np.zeros((2, 0)))
