"""Seasonal factors: exact without noise, near 1 where there is nothing else. Slopes: by least squares."""

from __future__ import annotations

import numpy as np
import pytest

from models.seasonal_factors import season_factors, slope

FOREVER = 1e9
"""A half-life that weighs all buckets alike."""


def test_a_season_without_noise_is_found_exactly():
    pattern = np.array([0.5, 1.5, 1.0, 0.4, 1.6, 0.7, 1.3])
    demand = np.tile(40 * pattern, 10)[3:]
    # The bucket after the last one has the place 0 and the pattern's first factor.
    np.testing.assert_allclose(season_factors(demand[:, None], 7, FOREVER)[:, 0], pattern, rtol=1e-9)


def test_an_even_season_is_read_off_a_centred_mean():
    pattern = 1 + 0.5 * np.sin(2 * np.pi * np.arange(12) / 12)
    demand = np.tile(40 * pattern, 4)
    np.testing.assert_allclose(season_factors(demand[:, None], 12, FOREVER)[:, 0], pattern, rtol=1e-9)


def test_chance_is_not_taken_for_a_season():
    noise = np.random.default_rng(3).gamma(4, 5, (84, 400))
    factor = season_factors(noise, 12, FOREVER)
    raw = noise.reshape(7, 12, 400).mean(axis=0) / noise.mean(axis=0)
    assert (factor == 1).all(axis=0).mean() > 0.75
    assert ((factor - 1) ** 2).mean() < 0.1 * ((raw - 1) ** 2).mean()


def test_a_noisy_season_is_drawn_towards_1_and_less_so_the_longer_it_was_seen():
    pattern = 1 + 0.3 * np.sin(2 * np.pi * np.arange(12) / 12)
    generator = np.random.default_rng(5)
    noise = generator.gamma(10, 1 / 10, (240, 300))
    demand = 40 * np.tile(pattern, 20)[:, None] * noise
    off = {years: np.abs(season_factors(demand[-12 * years :], 12, FOREVER) - pattern[:, None]) for years in (5, 20)}
    spread = {years: season_factors(demand[-12 * years :], 12, FOREVER).std(axis=0).mean() for years in (5, 20)}
    assert off[20].mean() < 0.7 * off[5].mean()
    assert spread[5] < spread[20] < pattern.std() * 1.02


def test_the_latest_years_weigh_more():
    early = np.array([0.5, 1.5, 1.0])
    late = np.array([1.5, 0.5, 1.0])
    demand = np.concatenate([np.tile(early, 40), np.tile(late, 40)]) * 30
    even, recent = (season_factors(demand[:, None], 3, half_life)[:, 0] for half_life in (FOREVER, 6.0))
    np.testing.assert_allclose(recent, late, atol=0.03)
    np.testing.assert_allclose(even, 1, atol=0.03)


@pytest.mark.parametrize("n_buckets", [0, 5, 23])
def test_a_season_seen_less_than_twice_is_left_alone(n_buckets):
    demand = np.tile(np.arange(1.0, 13), 2)[:n_buckets]
    assert (season_factors(demand[:, None], 12, FOREVER) == 1).all()


def test_a_series_of_nothing_has_no_season():
    assert (season_factors(np.zeros((60, 1)), 12, FOREVER) == 1).all()


def test_the_slope_is_that_of_weighted_least_squares():
    demand = np.random.default_rng(4).normal(20, 5, 30)
    demand[[0, 11]] = np.nan
    known = np.isfinite(demand)
    weights = 0.5 ** (np.arange(30, 0, -1) / 9)
    wanted = np.polyfit(np.arange(30)[known], demand[known], 1, w=np.sqrt(weights[known]))[0]
    assert slope(demand[:, None], 9)[0] == pytest.approx(wanted)
    assert slope(demand[:, None][:1], 9).tolist() == [0.0]
