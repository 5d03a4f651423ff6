"""ABC and XYZ classes."""

import numpy as np
import pytest

from engine.policy.classes import abc_classes, xyz_classes


def test_abc_cuts_at_80_and_95_percent_of_revenue():
    classes = abc_classes(np.array([50.0, 29.0, 12.0, 5.0, 4.0, 0.0]))
    # Before the third row 79 % are reached, so it still belongs to A; before the fourth, 91 %; the fifth, 96 %.
    assert classes.tolist() == ["A", "A", "A", "B", "C", "C"]


def test_equal_revenue_shares_a_class_and_order_is_irrelevant():
    revenue = np.array([10.0] * 10)
    assert set(abc_classes(revenue)) == {"A"}
    rng = np.random.default_rng(0)
    revenue = rng.choice([0.0, 1.0, 5.0, 80.0, 300.0], 200)
    mixed = rng.permutation(200)
    np.testing.assert_array_equal(abc_classes(revenue[mixed]), abc_classes(revenue)[mixed])


def test_without_revenue_all_are_c():
    assert abc_classes(np.zeros(3)).tolist() == ["C", "C", "C"]
    assert abc_classes(np.zeros(0)).tolist() == []


def test_xyz_reads_the_coefficient_of_variation():
    rng = np.random.default_rng(1)
    steady, uneven, lumpy = rng.poisson(50, 60), rng.gamma(2.0, 10, 60), np.where(rng.random(60) < 0.1, 40, 0)
    units = np.stack([steady, uneven, lumpy]).astype(float)
    assert xyz_classes(units, np.ones(units.shape, dtype=bool)).tolist() == ["X", "Y", "Z"]
    for row in range(3):
        variation = units[row].std(ddof=1) / units[row].mean()
        assert "XYZ"[int(variation >= 0.5) + int(variation >= 1)] == "XYZ"[row]


@pytest.mark.parametrize("n_weeks", [104, 130])
def test_a_yearly_season_is_not_uneven_demand(n_weeks):
    week = np.arange(n_weeks)
    units = np.where(week % 52 < 8, 300.0, 20.0)[None] + np.random.default_rng(2).poisson(5, (1, n_weeks))
    observed = np.ones(units.shape, dtype=bool)
    assert xyz_classes(units, observed).tolist() == ["X"]
    # One year cannot tell a season from a single surge.
    assert xyz_classes(units[:, -52:], observed[:, -52:]).tolist() == ["Z"]


def test_weeks_off_sale_do_not_count():
    units = np.full((2, 40), 10.0)
    units[:, ::2] = 0.0
    observed = np.ones(units.shape, dtype=bool)
    observed[0, ::2] = False
    assert xyz_classes(units, observed).tolist() == ["X", "Z"]
    assert xyz_classes(units[:, :6], observed[:, :6]).tolist() == ["Z", "Z"]
