"""Shocks that series share: estimated without taking chance for them, and drawn alike for all that share them."""

from itertools import combinations

import numpy as np
import pytest

from engine.forecast.backcast import Backcast
from engine.forecast.shocks import (
    ALL,
    BOTH,
    GROUP,
    KINDS,
    LOCATION,
    USUAL,
    Shocks,
    even_factors,
    labels,
    learn_shocks,
    pairs_by_kind,
)
from engine.forecast.streams import Streams

LENGTH = 10
DAY = np.datetime64("2025-03-03")


def shop(seed, spreads, n_places=6, n_groups=8, n_each=12, n_origins=12, level=8.0):
    """Poisson demand around a level with a lognormal shock of each kind at each origin; the true factors beside it."""
    rng = np.random.default_rng(seed)
    place, group, _ = (axis.reshape(-1) for axis in np.indices((n_places, n_groups, n_each)))
    both = place * n_groups + group
    factor = np.ones((len(place), n_origins))
    for row, spread in zip((np.zeros_like(place), place, group, both), spreads, strict=True):
        factor *= np.exp(rng.normal(0, spread, (row.max() + 1, n_origins)))[row]
    mean = np.full((len(place), n_origins, LENGTH), level, np.float32)
    actual = rng.poisson(mean * factor[:, :, None]).astype(np.float32)
    items, places, groups = (
        np.array([f"{name}{number:03d}" for number in numbers], np.object_)
        for name, numbers in (("item", np.arange(len(place))), ("place", place), ("group", group))
    )
    past = Backcast(items, places, mean, actual, np.zeros(mean.shape, np.bool_), groups)
    return past, factor


def test_pairs_are_those_that_have_nothing_finer_in_common():
    """Against a loop over all pairs of series."""
    past, _ = shop(1, (0.1, 0.1, 0.1, 0.1), n_places=3, n_groups=2, n_each=2, n_origins=2)
    said = past.mean.sum(axis=2, dtype=np.float64)
    error = past.actual.sum(axis=2, dtype=np.float64) - said
    found = pairs_by_kind(error, said, labels(past.location_id, past.group))
    products, forecasts = dict.fromkeys(KINDS, 0.0), dict.fromkeys(KINDS, 0.0)
    for i, j in combinations(range(len(said)), 2):
        same_place, same_group = past.location_id[i] == past.location_id[j], past.group[i] == past.group[j]
        kind = {(0, 0): ALL, (1, 0): LOCATION, (0, 1): GROUP, (1, 1): BOTH}[int(same_place), int(same_group)]
        products[kind] += 2 * (error[i] * error[j]).sum()
        forecasts[kind] += 2 * (said[i] * said[j]).sum()
    for kind in KINDS:
        assert found[kind].error.sum() == pytest.approx(products[kind])
        assert found[kind].forecast.sum() == pytest.approx(forecasts[kind])


@pytest.mark.parametrize("kind", [LOCATION, GROUP, BOTH])
def test_the_kind_that_moves_is_told_from_the_others(kind):
    spreads = [0.2 if one == kind else 0.0 for one in KINDS]
    usual = dict(zip(KINDS, learn_shocks(shop(2, spreads)[0]).usual, strict=True))
    assert usual[kind] == pytest.approx(0.2, rel=0.3)
    assert max(usual[other] for other in KINDS[1:] if other != kind) < 0.06


def test_independent_demand_is_not_taken_for_shocks():
    """Rare sales: sums over a group are off by a quarter, all of it chance."""
    shocks = learn_shocks(shop(3, (0, 0, 0, 0), level=0.1)[0])
    assert shocks.usual.max() < 0.06
    assert shocks.spread.max() < 0.1


def test_a_shock_that_differs_between_origins_is_left_to_the_origins():
    """Paths draw it with their origin; what is off at all origins alike is drawn on top."""
    differs, _ = shop(4, (0.2, 0, 0, 0))
    assert learn_shocks(differs).usual[0] < 0.12
    steady = Backcast(
        differs.item_id, differs.location_id, np.full_like(differs.mean, 8), np.full_like(differs.mean, 10),
        differs.censored, differs.group,
    )  # fmt: skip
    assert learn_shocks(steady).usual[0] == pytest.approx(0.25, rel=0.1)


def test_origins_that_overlap_count_as_fewer():
    """Eight origins within one stretch are little more than one, so the usual shock counts for more."""
    past, _ = shop(5, (0, 0, 0, 0), n_origins=8)
    steady = {"mean": np.full_like(past.mean, 8), "actual": np.full_like(past.mean, 10), "censored": past.censored}
    keys = {"item_id": past.item_id, "location_id": past.location_id, "group": past.group}
    near = learn_shocks(Backcast(**keys, **steady, origins=10 + np.arange(8)))
    apart = learn_shocks(Backcast(**keys, **steady, origins=10 + 10 * np.arange(8)))
    assert USUAL < near.usual[0] < apart.usual[0] < 0.25


def test_few_series_take_the_usual_shock():
    past, _ = shop(6, (0.3, 0, 0, 0), n_places=2, n_groups=1, n_each=5)
    assert learn_shocks(past).usual.tolist() == [USUAL, 0, 0, 0]


def test_series_of_one_name_share_their_factors_in_any_batch():
    shocks = Shocks(np.array([GROUP]), np.array(["tea"]), np.array([0.3]), np.array([0.1, 0.05, 0.2, 0.1]))
    place, group = np.array(["n", "n", "s", "s"], object), np.array(["tea", "toys", "tea", "toys"], object)
    whole, part = (product(shocks, place[rows], group[rows]) for rows in ([0, 1, 2, 3], [3, 0]))
    assert (part == whole[[3, 0]]).all()
    assert np.log(whole[0] / whole[2]).std() < np.log(whole[0] / whole[1]).std()
    assert whole.mean(axis=1) == pytest.approx(1, abs=0.05)


def product(shocks, place, group):
    out = np.ones((len(place), 400))
    for factor, row in shocks.factors(place, group, 400, DAY, Streams(3)):
        out *= factor[row]
    return out


def test_even_factors_have_mean_one_and_the_spread_they_are_asked_for():
    factor = even_factors(0.3, 500)
    assert factor.mean() == pytest.approx(1)
    assert np.log(factor).std() == pytest.approx(0.3, rel=0.03)
    assert (np.diff(factor) > 0).all()


def test_factors_of_a_share_of_the_paths_leave_the_others_alike():
    factor = even_factors(0.5, 200, share=0.1)
    assert factor.mean() == pytest.approx(1)
    assert len(np.unique(factor)) == 21
    assert (factor == factor[-1]).sum() == 180
