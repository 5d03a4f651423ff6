"""How all forecasts follow the sum of the levels: shares by hand, factors by date."""

from __future__ import annotations

import numpy as np
import pytest

from models.alignment import (
    BOUND,
    LARGE,
    USUAL_GAP,
    USUAL_ORIGINS,
    USUAL_SHARE,
    Alignment,
    Totals,
    aligned,
    learn_share,
    sample_rows,
    weights_of,
)


def totals(trees: list[float], levels: list[float], actual: list[float]) -> Totals:
    return Totals(*(np.array(values, np.float64) for values in (trees, levels, actual)))


def test_without_a_gap_between_the_two_the_share_is_the_usual_one() -> None:
    assert learn_share(totals([10, 10], [10, 10], [8, 12]), 1) == pytest.approx(USUAL_SHARE)


def test_many_origins_at_which_the_levels_were_right_give_them_nearly_all() -> None:
    n = 1000
    share = learn_share(totals([100] * n, [90] * n, [90] * n), 1)
    gap = np.log(0.9) ** 2
    prior = USUAL_ORIGINS * USUAL_GAP**2
    assert share == pytest.approx((n * gap + prior * USUAL_SHARE) / (n * gap + prior))
    assert share > 0.99


def test_levels_that_were_further_off_than_trees_get_nothing() -> None:
    assert learn_share(totals([100] * 50, [90] * 50, [105] * 50), 1) == 0


def test_a_total_far_off_counts_as_the_bound_and_one_of_nothing_not_at_all() -> None:
    told = totals([100, 100, 0], [90, 90, 5], [95, 95, 5])
    assert learn_share(told, 1) == learn_share(totals([100, 100], [90, 90], [95, 95]), 1)
    wild = learn_share(totals([1], [1e9], [1e9]), 1)
    assert wild == learn_share(totals([1], [np.exp(BOUND)], [np.exp(BOUND)]), 1)


def test_origins_a_quarter_of_their_length_apart_count_a_quarter_each() -> None:
    dense = learn_share(totals([100] * 40, [90] * 40, [90] * 40), 0.25)
    assert dense == pytest.approx(learn_share(totals([100] * 10, [90] * 10, [90] * 10), 1))
    assert learn_share(totals([100], [90], [90]), 4) == learn_share(totals([100], [90], [90]), 1)


def test_factors_are_the_ratio_to_the_share_and_count_from_their_date_on() -> None:
    dates = [np.datetime64("2024-03-08"), np.datetime64("2024-03-01")]
    found = aligned(dates, totals([100, 100], [81, 121], [0, 0]), 0.5)
    # The logarithm of 0.81 is -0.21, beyond the bound; that of 1.21 is 0.19.
    assert found(np.datetime64("2024-03-01")) == pytest.approx(1.1)
    assert found(np.datetime64("2024-03-07")) == pytest.approx(1.1)
    assert found(np.datetime64("2024-03-08")) == pytest.approx(np.exp(-0.5 * BOUND))
    assert found(np.datetime64("2025-01-01")) == found(np.datetime64("2024-03-08"))
    assert found(np.datetime64("2020-01-01")) == pytest.approx(1.1)
    assert Alignment()(np.datetime64("2024-01-01")) == 1


def test_a_giant_counts_as_the_largest_that_is_allowed() -> None:
    level = np.array([0.0, 1.0, 1.0, 1.0, 1e6])
    np.testing.assert_allclose(weights_of(level) * level, [0, 1, 1, 1, LARGE])
    np.testing.assert_array_equal(weights_of(np.zeros(3)), np.ones(3))


def test_a_sample_is_even_and_holds_every_series_of_a_small_panel() -> None:
    np.testing.assert_array_equal(sample_rows(5), np.arange(5))
    rows = sample_rows(100_000)
    assert len(rows) == 4096
    assert rows[0] == 0
    assert rows[-1] == 99_999
    assert set(np.diff(rows)) <= {24, 25}
