from dataclasses import replace

import numpy as np
import pytest

from engine.demand.censoring import censored, expected_demand, observed
from engine.forecast.synthetic import synthetic_panel


def panel_of(units, available):
    """Two series with these units and shares on sale."""
    panel = synthetic_panel(n_items=1, n_history=len(units[0]), n_future=3)
    offered = np.ones((2, len(units[0]) + 3), bool)
    return replace(panel, units=np.array(units, np.float32), available=np.array(available, np.float32), offered=offered)


def test_a_stock_out_is_estimated_and_never_zero():
    """Seven a day: half a day with 3 sold lies between the 6 that it shows and what is usual; an empty day is 7."""
    units = [[7] * 20 + [3, 0], [7] * 22]
    available = [[1] * 20 + [0.5, 0], [1] * 22]
    demand = expected_demand(panel_of(units, available))
    assert 6 < demand[0, 20] < 3 + 7 / 2
    assert demand[0, 21] == pytest.approx(7, rel=0.02)
    assert (demand[1] == 7).all()


def test_the_estimate_follows_the_weekday():
    week = [100, 10, 10, 10, 10, 10, 10]
    units, available = week * 9, [1] * 63
    units[56], available[56] = 0, 0
    demand = expected_demand(panel_of([units, units], [available, available]))
    assert demand[0, 56] > 70


def test_full_buckets_keep_their_sales_and_no_estimate_is_below_them():
    panel = synthetic_panel()
    demand = expected_demand(panel)
    known, short = np.isfinite(demand), censored(panel)
    assert np.array_equal(demand[known & ~short], panel.units[known & ~short])
    assert (demand[known & short] > panel.units[known & short]).mean() > 0.9
    assert (demand[known] >= panel.units[known]).all()
    assert np.isnan(observed(panel)[short]).all()


def test_a_series_never_on_sale_keeps_its_sales_and_one_never_full_is_estimated():
    """Two units in a tenth of each day are twenty a day."""
    panel = panel_of([[2] * 10, [3] * 10], [[0.1] * 10, [0] * 10])
    demand = expected_demand(panel)
    assert demand[0] == pytest.approx([20] * 10)
    assert (demand[1] == 3).all()


def test_buckets_off_offer_are_unknown_and_tell_nothing():
    """Before the launch nothing sold, which is no demand of nothing."""
    units, available = [[0] * 20 + [6] * 10 + [0]] * 2, [[0.3] * 20 + [1] * 10 + [0]] * 2
    panel = panel_of(units, available)
    offered = np.ones((2, 34), bool)
    offered[:, :20] = False
    demand = expected_demand(replace(panel, offered=offered))
    assert np.isnan(demand[:, :20]).all()
    assert demand[0, 30] == pytest.approx(6, rel=0.02)


def test_rows_are_independent_of_each_other():
    panel = synthetic_panel()
    rows = np.array([7, 2])
    assert np.array_equal(expected_demand(panel)[rows], expected_demand(panel.take(rows)), equal_nan=True)


def test_what_comes_later_changes_no_estimate():
    panel = synthetic_panel(n_history=140)
    panel = replace(panel, units=np.where(panel.units > 0, panel.units, 0))
    cut = panel.cut(50)
    later = expected_demand(panel)[:, :90]
    changed = replace(panel, units=np.concatenate([panel.units[:, :90], 5 * panel.units[:, 90:]], axis=1))
    started = np.cumsum(np.isfinite(later), axis=1) > 10
    for other in (expected_demand(cut), expected_demand(changed)[:, :90]):
        assert np.array_equal(later[started], other[started], equal_nan=True)
