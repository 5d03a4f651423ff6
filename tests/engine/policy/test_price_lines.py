"""Prices by quantity, with sums worked out by hand."""

from __future__ import annotations

import numpy as np

from engine.policy.price_lines import price_lines


def lines(incremental):
    # 4 a unit, 3 from 10 units on, 2.5 from 20 on; the second option has no breaks.
    return price_lines(
        np.array([4.0, 7.0]), np.array([0, 0]), np.array([20.0, 10.0]), np.array([2.5, 3.0]),
        np.array([incremental, incremental]),
    )  # fmt: skip


def test_all_units_cost_the_price_of_the_highest_break_reached():
    paid = lines(False).paid(np.array([[0, 9, 10, 19, 20, 30.0], [0, 1, 2, 3, 20, 30.0]]))
    assert paid[0].tolist() == [0, 36, 30, 57, 50, 75]
    assert paid[1].tolist() == [0, 7, 14, 21, 140, 210]


def test_an_incremental_break_changes_the_price_of_the_units_above_it():
    paid = lines(True).paid(np.array([[0, 9, 10, 11, 20, 22.0], [0, 1, 2, 3, 20, 30.0]]))
    assert paid[0].tolist() == [0, 36, 40, 43, 70, 75]
    assert lines(True).stepped.tolist() == [True, False]


def test_a_break_at_no_units_sets_the_price_from_the_first_unit_on():
    found = price_lines(np.array([4.0]), np.array([0]), np.array([0.0]), np.array([3.5]), np.array([False]))
    assert found.paid(np.array([0.0])).tolist() == [0.0]
    assert found.paid(np.array([6.0])).tolist() == [21.0]


def test_prices_without_breaks_are_one_line_each():
    none = np.zeros(0)
    found = price_lines(np.array([2.0, 3.0]), none.astype(int), none, none, none.astype(bool))
    assert found.paid(np.array([5.0, 5.0])).tolist() == [10.0, 15.0]
    assert not found.stepped.any()
