"""Odd series, for every forecaster without an extra: what is forecast of each is stated in docs/odd-series.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from engine.demand.oddities import odd_series, usual_ahead
from engine.demand.panel import DemandPanel
from engine.forecast.params import ForecastParams
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from engine.forecast.types import Fitted, Forecaster
from models.registry import CLASSES, create

NEEDS_AN_EXTRA = {"lstm"}
NAMES = [name for name in CLASSES if name not in NEEDS_AN_EXTRA]

H, F, N_PATHS = 112, 14, 60
STREAMS = Streams(3)

ZERO, CONSTANT, ONE_SALE, NEWCOMER, GAPS, EXPLODING, LAST = range(20, 27)
LARGEST_MULTIPLE = 3
"""No mean forecast goes beyond this multiple of the largest bucket ever sold."""

SHARED_TREES = {"boosting": 0.3}
"""Relative tolerance of a forecaster whose trees all series share: one that explodes among so few bends them."""


def create_small(name: str) -> Forecaster:
    """The forecaster, with few fits of its own where it is fitted series by series."""
    return create(name, None, ForecastParams(max_local_fits=4))


@cache
def odd_panel() -> DemandPanel:
    """Forty-eight series of which six are odd, each on sale all the time unless that is what is odd."""
    base = synthetic_panel(n_items=24, n_history=H, n_future=F)
    rng = np.random.default_rng(1)
    units, available, offered = np.array(base.units), np.array(base.available), np.array(base.offered)
    odd = slice(ZERO, LAST)
    available[odd], offered[odd] = 1, True
    units[ZERO], units[CONSTANT] = 0, 6
    units[ONE_SALE] = np.where(np.arange(H) == H // 2, 50, 0)
    units[NEWCOMER] = np.where(np.arange(H) == H - 1, 30, 0)
    offered[NEWCOMER, : H - 1] = False
    out = rng.random(H) < 0.7
    units[GAPS], available[GAPS] = np.where(out, 0, rng.poisson(12, H)), ~out
    units[EXPLODING] = rng.poisson(3, H)
    units[EXPLODING, -10:] = 3 * 2.0 ** np.arange(1, 11)
    return replace(base, units=units, available=available.astype(np.float32), offered=offered)


@dataclass(frozen=True)
class Forecast:
    """A fit to the odd panel and its paths."""

    name: str
    fitted: Fitted
    units: np.ndarray

    def within(self, tolerance: float) -> float:
        """The relative tolerance for a mean."""
        return SHARED_TREES.get(self.name, tolerance)


@cache
def forecast_of(name: str) -> Forecast:
    panel = odd_panel()
    fitted = create_small(name).fit(panel)
    return Forecast(name, fitted, fitted.sample(panel, F, N_PATHS, STREAMS).units)


@pytest.fixture(params=NAMES)
def forecast(request: pytest.FixtureRequest) -> Forecast:
    return forecast_of(request.param)


def test_the_panel_is_odd_in_the_ways_that_are_told() -> None:
    told = {message.code: message.values["n_series"] for message in odd_series(odd_panel())}
    wanted = ("series-all-zero", "series-one-sale", "series-constant", "series-gap-ridden", "series-exploding")
    assert [told[code] for code in wanted] == [1, 2, 1, 1, 1]


def test_every_path_is_finite_whole_and_not_negative(forecast: Forecast) -> None:
    assert np.isfinite(forecast.units).all()
    assert (forecast.units >= 0).all()
    assert (forecast.units == np.rint(forecast.units)).all()


def test_what_never_sold_is_forecast_to_sell_rarely(forecast: Forecast) -> None:
    units = forecast.units[ZERO]
    assert (units > 0).mean() <= 0.05
    assert units.mean() <= 0.25


def test_a_constant_series_keeps_its_level(forecast: Forecast) -> None:
    units = forecast.units[CONSTANT]
    assert units.mean() == pytest.approx(6, rel=forecast.within(0.2))
    assert np.quantile(units, 0.25) >= 2
    assert np.quantile(units, 0.75) <= 9


def test_a_single_sale_is_not_taken_for_a_level(forecast: Forecast) -> None:
    # 50 units in 112 days are 0.45 a day.
    assert forecast.units[ONE_SALE].mean() <= 2.5


def test_a_single_observation_is_the_level_until_more_is_known(forecast: Forecast) -> None:
    # The only day may have been one of low demand, by its weekday.
    assert 0 < forecast.units[NEWCOMER].mean() <= 1.3 * 30


def test_a_series_full_of_gaps_has_the_level_of_the_buckets_seen(forecast: Forecast) -> None:
    panel = odd_panel()
    seen = panel.units[GAPS][panel.available[GAPS] > 0].mean()
    assert forecast.units[GAPS].mean() == pytest.approx(seen, rel=forecast.within(0.25))


def test_an_exploding_series_is_bounded_by_a_multiple_of_its_largest_bucket(forecast: Forecast) -> None:
    largest = odd_panel().units[EXPLODING].max()
    units = forecast.units[EXPLODING]
    assert units.mean() <= LARGEST_MULTIPLE * largest
    assert np.quantile(units, 0.9) <= 10 * largest


def test_the_others_keep_their_bits_beside_odd_series(forecast: Forecast) -> None:
    others = np.delete(np.arange(odd_panel().n_series), np.arange(ZERO, LAST))
    alone = forecast.fitted.sample(odd_panel().take(others), F, N_PATHS, STREAMS).units
    np.testing.assert_array_equal(alone, forecast.units[others])


@cache
def ordinary_of(name: str) -> np.ndarray:
    panel = synthetic_panel(n_items=24, n_history=H, n_future=F)
    return create_small(name).fit(panel).sample(panel, F, N_PATHS, STREAMS).units


@pytest.mark.parametrize("name", NAMES)
def test_odd_series_in_the_fit_do_not_move_the_forecasts_of_the_others(name: str) -> None:
    others = np.delete(np.arange(odd_panel().n_series), np.arange(ZERO, LAST))
    beside_odd, alone = forecast_of(name), ordinary_of(name)[others]
    assert beside_odd.units[others].mean() == pytest.approx(alone.mean(), rel=beside_odd.within(0.1))


def test_an_unknown_category_is_like_a_missing_one(forecast: Forecast) -> None:
    panel = odd_panel()
    paths = [
        forecast.fitted.sample(replace(panel, static=panel.static.assign(category=category)), F, N_PATHS, STREAMS).units
        for category in ("never seen", None)
    ]
    np.testing.assert_array_equal(*paths)


def heated(ahead: bool) -> DemandPanel:
    """Demand that grows with the warmth of the day; that of the days to come is given or not."""
    base = synthetic_panel(n_items=12, n_history=H, n_future=F)
    heat = (20 + 10 * np.sin(np.arange(H + F) / 5)).astype(np.float32)
    units = np.floor(base.units * heat[:H] / 20)
    heat[H:] = heat[H:] if ahead else np.nan
    return replace(base, units=units, regressors={**base.regressors, "heat": heat})


def test_a_regressor_missing_ahead_is_as_if_it_had_never_been_given() -> None:
    panel = heated(ahead=False)
    assert "regressor-not-given-ahead" in {message.code for message in odd_series(panel)}
    # What forecasters are given, then, does not hold it.
    assert set(usual_ahead(panel).regressors) == {"promotion"}


@pytest.mark.parametrize("name", NAMES)
def test_a_forecaster_that_is_not_told_takes_a_regressor_missing_ahead_for_usual(name: str) -> None:
    fitted = create_small(name).fit(heated(ahead=True))
    missing = heated(ahead=False)
    heat = missing.regressors["heat"]
    usual = {**missing.regressors, "heat": np.nan_to_num(heat, nan=float(heat[:H].mean(dtype=np.float64)))}
    paths = [fitted.sample(p, F, N_PATHS, STREAMS).units for p in (missing, replace(missing, regressors=usual))]
    assert np.isfinite(paths[0]).all()
    assert paths[0].mean() == pytest.approx(paths[1].mean(), rel=0.05)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_history", [3, 20])
def test_a_horizon_beyond_the_history_stays_bounded(name: str, n_history: int) -> None:
    panel = synthetic_panel(n_items=8, n_history=n_history, n_future=2 * F)
    assert "horizon-beyond-history" in {message.code for message in odd_series(panel)}
    units = create_small(name).fit(panel).sample(panel, 2 * F, N_PATHS, STREAMS).units
    assert np.isfinite(units).all()
    late = units[:, :, F:].mean(axis=(1, 2))
    assert (late <= np.maximum(LARGEST_MULTIPLE * panel.units.max(axis=1), 2)).all()
    assert 0.5 <= late.mean() / panel.units.mean() <= 2
