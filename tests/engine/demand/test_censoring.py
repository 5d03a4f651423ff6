from dataclasses import replace

import numpy as np
import pytest

from engine.demand.censoring import censored, expected_demand, observed
from engine.forecast.synthetic import synthetic_panel


def panel_of(units, available):
    panel = synthetic_panel(n_items=1, n_history=len(units[0]), n_future=3)
    offered = np.ones((2, len(units[0]) + 3), bool)
    return replace(panel, units=np.array(units, np.float32), available=np.array(available, np.float32), offered=offered)


def test_a_stock_out_is_estimated_and_never_zero():
    """Seven a day; half a day on sale with 3 sold is 6, a day without stock is the level of 7."""
    units = [[7] * 20 + [3, 0], [7] * 22]
    available = [[1] * 20 + [0.5, 0], [1] * 22]
    demand = expected_demand(panel_of(units, available))
    assert demand[0, 20] == pytest.approx(6)
    assert demand[0, 21] == pytest.approx(7, rel=1e-6)
    assert (demand[1] == 7).all()


def test_the_estimate_follows_the_weekday():
    week = [100, 10, 10, 10, 10, 10, 10]
    units, available = week * 9, [1] * 63
    units[56], available[56] = 0, 0
    demand = expected_demand(panel_of([units, units], [available, available]))
    assert demand[0, 56] > 70


def test_the_estimate_is_never_below_the_sales():
    panel = synthetic_panel()
    demand = expected_demand(panel)
    known = np.isfinite(demand)
    assert (demand[known] >= panel.units[known]).all()
    assert np.isnan(observed(panel)[censored(panel)]).all()


def test_a_series_without_a_full_bucket_keeps_its_sales():
    panel = panel_of([[2] * 10, [0] * 10], [[0.1] * 10, [0] * 10])
    assert (expected_demand(panel) == panel.units).all()


def test_lost_days_are_recovered_without_bias():
    """Of Poisson(6) demand a tenth of the days is censored at random; the estimate restores its mean within 2 %."""
    rng = np.random.default_rng(1)
    demand = rng.poisson(6, (2, 4000))
    out = rng.random(demand.shape) < 0.1
    panel = panel_of(np.where(out, 0, demand), np.where(out, 0.0, 1.0))
    assert expected_demand(panel).mean() == pytest.approx(6, rel=0.02)
    assert panel.units.mean() == pytest.approx(5.4, rel=0.02)


def test_rows_are_independent_of_each_other():
    panel = synthetic_panel()
    rows = np.array([7, 2])
    assert np.array_equal(expected_demand(panel)[rows], expected_demand(panel.take(rows)), equal_nan=True)
