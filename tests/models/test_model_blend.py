"""Blend: conformance, and which members it is the mean of."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from engine.execution import Serial
from engine.forecast.conformance import check_forecaster
from engine.forecast.synthetic import synthetic_panel
from models.arima_111 import arima_111_mean
from models.blend import Blend, BlendMean, BlendParams
from models.ets import EtsModel
from models.series_fits import choose_series, learn_series
from models.theta import theta_mean

make = partial(Blend, BlendParams(max_local_fits=2))


@pytest.mark.parametrize("bucket", ["D", "M"])
def test_it_holds_to_the_protocol(bucket: str) -> None:
    check_forecaster(make, synthetic_panel(n_items=10, n_history=112, bucket=bucket))


def test_it_is_the_mean_of_three_where_exponential_smoothing_is_fitted_and_of_two_elsewhere() -> None:
    panel = synthetic_panel(bucket="W")
    ets, _ = learn_series(panel, choose_series(panel, 2), EtsModel(), Serial())
    blend = BlendMean(ets)(panel, 5)
    two = theta_mean(panel, 5) + arima_111_mean(panel, 5)
    fitted = ets.serves(panel)
    assert fitted.sum() == 2
    np.testing.assert_allclose(blend[fitted], (two + ets(panel, 5))[fitted] / 3, rtol=1e-6)
    np.testing.assert_allclose(blend[~fitted], two[~fitted] / 2, rtol=1e-6)


def test_a_history_too_short_for_a_hold_out_needs_no_fit() -> None:
    panel = synthetic_panel(n_history=6, bucket="W")
    fitted = make().fit(panel)
    two = theta_mean(panel, 3) + arima_111_mean(panel, 3)
    np.testing.assert_allclose(fitted.mean_at(panel, 3), two / 2, rtol=1e-6)
