"""What all series shared on a few dates is no property of a distance from the forecast; a weekday is."""

import numpy as np
import pytest

from engine.forecast.backcast import Backcast
from engine.forecast.empirical import ResidualPool
from engine.forecast.ratios import ratio_table
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel

LENGTH = 14


def past_of(factor, n=2000, n_origins=2, cycle=1, seed=1):
    """Forecasts that know the level of Poisson demand but not its ``factor`` (LENGTH,), the same at every origin."""
    panel = synthetic_panel(n_items=n // 2, n_history=LENGTH, n_future=LENGTH)
    mean = np.broadcast_to(np.geomspace(0.5, 50, n)[:, None, None], (n, n_origins, LENGTH)).astype(np.float32)
    demand = np.random.default_rng(seed).poisson(mean * factor).astype(np.float32)
    none = np.zeros(mean.shape, bool)
    return Backcast(panel.item_id, panel.location_id, mean, demand, none, cycle=cycle), panel


def units_by_lead(past, panel):
    """Units of all paths over those of a flat forecast of every series, by lead."""
    wanted = past.mean[:, 0]
    return ResidualPool.learn(past).sample(wanted, panel, 100, Streams(3)).units.mean(axis=(0, 1)) / wanted.mean(axis=0)


def test_a_slump_that_all_series_had_on_a_date_does_not_come_again_at_the_same_lead():
    factor = np.ones(LENGTH)
    factor[4] = 0.6
    np.testing.assert_allclose(units_by_lead(*past_of(factor)), 1, rtol=0.03)


def test_growth_in_the_hold_out_is_not_forecast_to_begin_anew():
    np.testing.assert_allclose(units_by_lead(*past_of(np.linspace(0.8, 1.2, LENGTH))), 1, rtol=0.03)


def test_a_weekday_that_the_forecast_does_not_know_stays_while_a_slump_on_one_date_goes():
    weekday = np.tile([1.4, 1.0, 1.0, 1.0, 1.0, 1.0, 0.6], 2)
    np.testing.assert_allclose(units_by_lead(*past_of(weekday, cycle=7)), weekday, rtol=0.03)
    slump = weekday.copy()
    slump[3] = 0.5
    after = units_by_lead(*past_of(slump, cycle=7))
    # The two leads of that weekday share what is left of the slump; the mean of all leads is 1.
    np.testing.assert_allclose(after[[3, 10]], 0.75 / (1 - 0.5 / LENGTH), rtol=0.03)


def test_what_chance_explains_is_left_alone():
    """A shock of a fifth among 24 stretches of rare sales is lost in their noise; among 24,000 it is not."""
    factor = np.ones(LENGTH)
    factor[4] = 0.8
    spreads = []
    for n in (12, 12_000):
        rng = np.random.default_rng(5)
        ids = np.array([f"{i:05d}" for i in range(n)], object)
        mean = np.full((n, 2, LENGTH), 0.3, np.float32)
        demand = rng.poisson(mean * factor).astype(np.float32)
        ratio = ratio_table(Backcast(ids, ids, mean, demand, np.zeros(mean.shape, bool))).ratio
        shares = ratio.mean(axis=(0, 1)) / ratio.mean()
        raw = demand.mean(axis=(0, 1)) / demand.mean()
        spreads.append((np.abs(shares - 1).mean(), np.abs(raw - 1).mean()))
    (few, few_raw), (many, many_raw) = spreads
    assert few == pytest.approx(few_raw, rel=0.2)
    assert many < 0.5 * many_raw
