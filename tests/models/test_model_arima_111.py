"""ARIMA(1, 1, 1): conformance, brute force over first levels, statsmodels' forecasts, momentum that fades."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.arima.model import ARIMA

from engine.forecast.conformance import check_forecaster
from engine.forecast.synthetic import synthetic_panel
from models.arima_111 import GRID, Arima111
from models.drifting import last_states


@pytest.mark.parametrize("bucket", ["D", "W", "M"])
def test_it_holds_to_the_protocol(bucket):
    check_forecaster(Arima111, synthetic_panel(bucket=bucket))


def squares_and_next(demand, drift, pair, first):
    """Return the sum of squared one-step errors and the next level and change, from the textbook's recursion."""
    ar, ma = pair
    last, change, squares, begun = first, 0.0, 0.0, False
    for value in demand[np.isfinite(demand)]:
        error = value - last - drift - change
        squares += error**2
        change = (ar * (value - last - drift) if begun else 0.0) + ma * error
        last, begun = value, True
    return squares, last + change, change


def test_coefficients_and_first_level_are_those_of_least_squared_errors():
    demand = np.random.default_rng(1).gamma(2, 5, 25)
    demand[[3, 4]] = np.nan
    tried = [
        (*squares_and_next(demand, 0.3, pair, first), pair[0])
        for pair in GRID
        for first in np.linspace(0, np.nanmax(demand), 2001)
    ]
    _, level, change, ar = min(tried)
    found = [float(values[0]) for values in last_states(demand[:, None], np.array([0.3]), GRID)]
    assert found == pytest.approx([level, change, ar], abs=0.02)


@pytest.mark.parametrize("pair", [(0.6, -0.3), (0.3, 0.3), (0.9, -0.6)])
def test_known_coefficients_forecast_as_statsmodels_does(pair):
    demand = 200 + np.cumsum(np.random.default_rng(2).normal(0, 3, 150))
    level, change, ar = (float(v[0]) for v in last_states(demand[:, None], np.zeros(1), (pair,)))
    ahead = level + np.concatenate([[0.0], np.cumsum(change * ar ** np.arange(1, 12))])
    model = ARIMA(demand, order=(1, 1, 1)).filter(np.array([*pair, 9.0]))
    np.testing.assert_allclose(ahead, model.forecast(12), rtol=1e-6)


def test_a_growth_that_gathers_speed_goes_on_for_a_while():
    # After one jump each change is 0.6 of the one before, without noise.
    demand = 10 + np.cumsum(np.concatenate([np.zeros(10), 64 * 0.6 ** np.arange(8)]))
    level, change, ar = (float(v[0]) for v in last_states(demand[:, None], np.zeros(1), GRID))
    assert ar == 0.6
    assert change == pytest.approx(64 * 0.6**8)
    assert level == pytest.approx(demand[-1] + change)
