"""Automatic ARIMA: conformance, statsforecast's own forecasts and updates, gaps, stock-outs and failures."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from statsforecast.models import ARIMA, AutoARIMA

from engine.demand.censoring import expected_demand
from engine.execution import Serial
from engine.forecast.conformance import check_forecaster
from engine.forecast.synthetic import synthetic_panel
from models.arima_111 import arima_111_mean
from models.arima_auto import ArimaModel, AutoArima, AutoArimaParams
from models.arima_states import advance, ahead, fit_vector
from models.local import LARGEST
from models.series_fits import SeriesTask, learn_series

make = partial(AutoArima, AutoArimaParams(max_local_fits=2))
MODEL = ArimaModel()


@pytest.mark.parametrize("bucket", ["W", "M"])
def test_it_holds_to_the_protocol(bucket: str) -> None:
    check_forecaster(make, synthetic_panel(n_items=12, bucket=bucket))


def growing(n_buckets: int) -> np.ndarray:
    """Return demand whose changes follow an ARMA(1, 1) process around a drift of 2."""
    noise = np.random.default_rng(4).normal(0, 5, n_buckets)
    changes = np.zeros(n_buckets)
    for t in range(1, n_buckets):
        changes[t] = 0.6 * changes[t - 1] + noise[t] - 0.2 * noise[t - 1]
    return 300 + np.cumsum(2 + changes)


@pytest.mark.parametrize("orders", [(1, 1, True), (2, 0, False), (0, 3, True), (0, 0, True)])
def test_a_fit_forecasts_as_statsforecast_does(orders: tuple[int, int, bool]) -> None:
    demand, (p, q, drift) = growing(120), orders
    model = ARIMA(order=(p, 1, q), include_drift=drift).fit(demand)
    fit = fit_vector(model.model_, demand, np.ones(1))
    np.testing.assert_allclose(ahead(fit[None], 9)[0], model.predict(9)["mean"], rtol=1e-6)
    assert MODEL.form(fit) == orders


def test_newer_buckets_update_a_fit_as_statsforecast_does() -> None:
    demand = growing(160)
    model = ARIMA(order=(1, 1, 1), include_drift=True).fit(demand[:120])
    fit = fit_vector(model.model_, demand[:120], np.ones(1))
    ours = ahead(advance(fit[None], demand[None, 120:]), 6)[0]
    np.testing.assert_allclose(ours, model.forward(demand, 6)["mean"], rtol=1e-4)


def test_an_unseen_bucket_takes_its_forecast_and_its_place_of_the_season() -> None:
    demand, factor = growing(120), np.array([0.5, 1.0, 1.5])
    fit = fit_vector(ARIMA(order=(1, 1, 1)).fit(demand).model_, demand, factor)[None]
    later = ahead(advance(fit, np.full((1, 2), np.nan)), 4)
    np.testing.assert_allclose(later, ahead(fit, 6)[:, 2:])
    plain = fit_vector(ARIMA(order=(1, 1, 1)).fit(demand).model_, demand, np.ones(1))[None]
    np.testing.assert_allclose(ahead(fit, 6), ahead(plain, 6) * np.tile(factor, 2))


def test_the_orders_are_those_of_auto_arima_after_one_difference() -> None:
    demand = growing(120)
    learnt = MODEL.learn(SeriesTask("trial", demand, "D"))
    fixed = MODEL.learn(SeriesTask("trial", demand, "D", MODEL.form(learnt.params)))
    assert MODEL.form(learnt.params)[:2] == AutoARIMA(season_length=1, d=1).fit(demand).model_["arma"][:2]
    np.testing.assert_allclose(ahead(fixed.params[None], 5), ahead(learnt.params[None], 5), rtol=0.01)


def test_a_bucket_not_on_offer_takes_the_one_before_it_and_one_at_the_end_is_forecast() -> None:
    demand = growing(120)
    gaps = np.array(demand)
    gaps[[50, 51]] = np.nan
    filled = np.where(np.isnan(gaps), demand[49], demand)
    for series in (gaps, filled):
        series[-3:] = np.nan
    first, second = (MODEL.learn(SeriesTask("trial", series, "D")).params for series in (gaps, filled))
    np.testing.assert_array_equal(first[1:], second[1:])
    until = MODEL.learn(SeriesTask("trial", filled[:-3], "D")).params
    np.testing.assert_allclose(ahead(first[None], 4), ahead(until[None], 7)[:, 3:])


def test_a_stock_out_enters_as_the_demand_to_be_expected() -> None:
    panel = synthetic_panel(n_items=12, bucket="W")
    available = np.array(panel.available)
    available[:4, 40:43] = 0.2
    censored = replace(panel, available=available)
    whole = replace(panel, units=np.nan_to_num(expected_demand(censored)), available=np.ones_like(available))
    rows = np.arange(4)
    fits = [learn_series(each, rows, MODEL, Serial())[0].own for each in (censored, whole)]
    assert fits[0].keys() == fits[1].keys()
    assert fits[0]
    for key, fit in fits[0].items():
        np.testing.assert_array_equal(fit, fits[1][key])


def test_a_constant_series_goes_on_as_it_is() -> None:
    fit = MODEL.learn(SeriesTask("flat", np.full(60, 7.0), "W")).params
    np.testing.assert_allclose(ahead(fit[None], 5), 7.0)


def test_a_series_that_cannot_be_fitted_is_told_and_served_as_the_others_are() -> None:
    panel = synthetic_panel(n_items=12, bucket="W")
    offered, units = np.array(panel.offered), np.array(panel.units)
    offered[1], units[1] = False, 0
    panel = replace(panel, offered=offered, units=units)
    mean, notes = learn_series(panel, np.arange(3), MODEL, Serial())
    failed = [dict(note.values) for note in notes if note.code == "local-fit-failed"]
    assert [told["n_series"] for told in failed] == [1]
    assert len(mean.own) == 2
    np.testing.assert_array_equal(mean(panel, 4)[3:], arima_111_mean(panel, 4)[3:])


def test_no_forecast_runs_away() -> None:
    panel = synthetic_panel(n_items=12, bucket="W")
    mean, _ = learn_series(panel, np.arange(3), MODEL, Serial())
    steep = replace(mean, own={key: np.where(np.arange(len(fit)) == 3, 1e6, fit) for key, fit in mean.own.items()})
    top = np.nanmax(expected_demand(panel)[:3], axis=1)
    np.testing.assert_allclose(steep(panel, 8)[:3, -1], LARGEST * top, rtol=1e-6)
