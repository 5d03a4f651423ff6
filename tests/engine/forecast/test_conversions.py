from dataclasses import replace

import numpy as np
import pytest

from engine.forecast.conversions import (
    Dependence,
    paths_from_mean_independent_negative_binomial,
    paths_from_quantiles_gaussian_copula,
)
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel

LEVELS = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
N_PATHS = 4000


def converted(dependence, divisible=True):
    panel = synthetic_panel(n_items=2, n_future=6)
    panel = replace(panel, static=panel.static.assign(divisible=divisible))
    quantiles = np.tile(np.array([1.0, 4.0, 10.0, 18.0, 30.0], np.float32), (4, 6, 1))
    return quantiles, paths_from_quantiles_gaussian_copula(quantiles, LEVELS, panel, N_PATHS, Streams(1), dependence)


def test_the_quantiles_of_every_bucket_are_kept():
    quantiles, paths = converted(Dependence(0.6, 0.3))
    found = np.quantile(paths.units, LEVELS, axis=1)
    assert found == pytest.approx(np.moveaxis(quantiles, 2, 0), rel=0.15)


def test_dependence_is_the_one_that_was_stated():
    _, paths = converted(Dependence(0.7, 0.4))
    rank = paths.units.argsort(1).argsort(1)
    over_time = np.corrcoef(rank[0, :, 2], rank[0, :, 3])[0, 1]
    over_series = np.corrcoef(rank[0, :, 2], rank[3, :, 2])[0, 1]
    # Rank correlation of a Gaussian copula: 6 / pi * arcsin(rho / 2).
    assert over_time == pytest.approx(6 / np.pi * np.arcsin(0.35), abs=0.05)
    assert over_series == pytest.approx(6 / np.pi * np.arcsin(0.2), abs=0.05)


def test_units_are_whole_unless_divisible():
    _, paths = converted(Dependence(), divisible=False)
    assert (paths.units == np.rint(paths.units)).all()


@pytest.mark.parametrize("levels", [LEVELS[::-1], np.array([0.0, 0.2, 0.3, 0.4, 0.5]), LEVELS[:4]])
def test_levels_out_of_order_or_range_are_refused(levels):
    panel = synthetic_panel(n_items=2, n_future=6)
    with pytest.raises(ValueError, match="ascending probabilities"):
        paths_from_quantiles_gaussian_copula(np.ones((4, 6, 5), np.float32), levels, panel, 5, Streams(1), Dependence())


def test_dependence_out_of_range_is_refused():
    with pytest.raises(ValueError, match="autocorrelation must lie"):
        Dependence(autocorrelation=1.0)


def test_negative_binomial_paths_have_the_mean_and_variance_stated():
    panel = synthetic_panel(n_items=2, n_future=6)
    mean = np.full((4, 6), 4, np.float32)
    paths = paths_from_mean_independent_negative_binomial(mean, np.array([0, 0.25, 0.5, 1]), panel, N_PATHS, Streams(1))
    assert paths.units.mean((1, 2)) == pytest.approx(np.full(4, 4), rel=0.05)
    assert paths.units.var((1, 2)) == pytest.approx([4, 8, 12, 20], rel=0.1)
