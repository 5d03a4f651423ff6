"""Tests of the paired bootstrap: what is certain has no interval, what is chance contains zero."""

from __future__ import annotations

import numpy as np
import pytest

from engine.simulation.bootstrap import Redraw, _block_counts, differences

MEASURES = {
    "cost": lambda sums: sums["cost"],
    "rate": lambda sums: sums["short"] / np.maximum(sums["demand"], 1e-9),
}


def quantities(rng: np.random.Generator, n_items: int = 30, n_weeks: int = 24) -> dict[str, np.ndarray]:
    demand = rng.gamma(2.0, 3.0, (n_items, n_weeks))
    return {
        "demand": demand,
        "short": demand * rng.uniform(0, 0.2, demand.shape),
        "cost": rng.gamma(2.0, 1.0, demand.shape),
    }


def test_equal_policies_differ_by_nothing_for_sure():
    base = quantities(np.random.default_rng(1))
    for found in differences(base, base, MEASURES, Redraw(50), np.random.default_rng(0)).values():
        assert (found.difference, found.low, found.high) == (0, 0, 0)


def test_a_difference_that_every_item_and_week_shares_is_certain():
    base = quantities(np.random.default_rng(1))
    other = {**base, "cost": base["cost"] + 2.0}
    found = differences(base, other, MEASURES, Redraw(50), np.random.default_rng(0))["cost"]
    assert (found.difference, found.low, found.high) == pytest.approx((1440, 1440, 1440))


def test_the_interval_of_a_mean_of_items_is_close_to_the_normal_one():
    rng = np.random.default_rng(2)
    of_item = rng.normal(0.3, 1.0, 400)
    base = {"cost": np.zeros((400, 8))}
    other = {"cost": np.repeat(of_item[:, None], 8, axis=1)}
    found = differences(base, other, {"cost": MEASURES["cost"]}, Redraw(2000), np.random.default_rng(0))["cost"]
    half = 1.645 * of_item.std() * np.sqrt(400) * 8
    assert found.difference == pytest.approx(of_item.sum() * 8)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)


def test_weeks_are_drawn_in_blocks_that_go_round():
    counts = _block_counts(200, 12, 4, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 12).all()
    assert (_block_counts(20, 5, 9, np.random.default_rng(0)) == 1).all(), "one block of all weeks draws each once"
    # Neighbours are drawn together: their counts go along, those of distant weeks do not.
    together = np.corrcoef(counts[:, 5], counts[:, 6])[0, 1]
    apart = np.corrcoef(counts[:, 1], counts[:, 7])[0, 1]
    assert together > 0.4 > apart


def test_quantities_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        differences({"cost": np.zeros((2, 3))}, {"cost": np.zeros((2, 4))}, {}, Redraw(), np.random.default_rng(0))
