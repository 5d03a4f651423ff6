"""Fair share, worked out by hand and by its properties."""

from __future__ import annotations

import numpy as np
import pytest

from engine.network.problem import Limits
from engine.network.sharing import fair_share
from engine.policy.lots import Lots


def limit(bound, n, weight=1.0):
    return Limits(np.zeros(n, int), np.arange(n), np.full(n, weight), np.array([float(bound)]))


def whole(n, size=1.0, least=1):
    return Lots(np.full(n, size), np.full(n, least), np.full(n, 1000))


def test_enough_for_all_is_given_to_all():
    asked = np.array([4.0, 6.0])
    assert fair_share(asked, whole(2), limit(10, 2)).tolist() == [4.0, 6.0]


def test_scarce_stock_is_shared_in_proportion_to_what_was_asked():
    # Ten for 10 + 30 asked: a quarter each, 2 and 7; the last one goes to the smaller share, 2 of 10.
    assert fair_share(np.array([10.0, 30.0]), whole(2), limit(10, 2)).tolist() == [3.0, 7.0]


def test_a_share_below_the_least_lot_is_dealt_again():
    # 5 of 6 + 6 would be 2 each, below the least lot of 4: the first of equals gets a lot, one is left for it.
    assert fair_share(np.array([6.0, 6.0]), whole(2, least=4), limit(5, 2)).tolist() == [5.0, 0.0]


def test_volume_counts_and_what_a_trip_cannot_carry_leaves_the_stock_to_others():
    # Options 0 and 1 ride a trip of volume 8 at 2 a unit; all three draw on a stock of 9.
    limits = Limits(
        np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 2]), np.array([2.0, 2.0, 1.0, 1.0, 1.0]), np.array([8.0, 9.0])
    )
    assert fair_share(np.array([4.0, 4.0, 5.0]), whole(3), limits).tolist() == [2.0, 2.0, 5.0]


@pytest.mark.parametrize("seed", range(30))
def test_shares_keep_limits_and_lots_and_leave_no_lot_that_fits(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    size, least = rng.choice([1.0, 3.0, 0.5], n), rng.integers(1, 4, n)
    asked = size * np.where(rng.random(n) < 0.2, 0, least + rng.integers(0, 20, n))
    bound = float(rng.integers(0, 40))
    granted = fair_share(asked, Lots(size, least, np.full(n, 1000)), limit(bound, n))
    count = granted / size
    assert granted.sum() <= bound + 1e-6
    assert (granted <= asked + 1e-9).all()
    assert np.allclose(count, np.rint(count))
    assert ((count == 0) | (count >= least)).all()
    step = np.where(count == 0, least, 1) * size
    assert not ((granted + step <= asked + 1e-9) & (step <= bound - granted.sum() + 1e-9)).any()
