"""Paths from past errors: do they keep the mean, and are sums over buckets and items calibrated?"""

from dataclasses import replace

import numpy as np
import pytest

from engine.demand.calendar import Calendar
from engine.forecast.backcast import Backcast, backcast, beside_actuals, residual_origins
from engine.forecast.empirical import ResidualPool
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from engine.forecast.types import FittedState
from models.moving_average import thirteen_weeks

LENGTH = 14


def world(seed, n, n_buckets, shock_sd=0.0, persistence=0.0, level=(0.2, 60)):
    """Negative binomial demand (n, n_buckets) around known means, with slow levels of series and shared shocks."""
    rng = np.random.default_rng(seed)
    base = np.geomspace(*level, n)
    slow = np.zeros((n, n_buckets))
    for t in range(1, n_buckets):
        slow[:, t] = persistence * slow[:, t - 1] + rng.normal(0, 0.25, n) * np.sqrt(1 - persistence**2)
    shock = np.exp(rng.normal(0, shock_sd, n_buckets) - shock_sd**2 / 2) if shock_sd else np.ones(n_buckets)
    rate = base[:, None] * np.exp(slow - 0.25**2 / 2) * shock * rng.gamma(4, 1 / 4, (n, n_buckets))
    return np.broadcast_to(base[:, None], rate.shape).astype(np.float32), rng.poisson(rate).astype(np.float32)


def learnt(mean, demand, n_origins):
    """The pool of forecasts that know the mean, and a panel of the series."""
    n = len(mean)
    panel = synthetic_panel(n_items=n // 2, n_history=LENGTH, n_future=LENGTH)
    shape = (n, n_origins, LENGTH)
    cut = slice(0, n_origins * LENGTH)
    past = Backcast(
        panel.item_id, panel.location_id, mean[:, cut].reshape(shape), demand[:, cut].reshape(shape),
        np.zeros(shape, bool),
    )  # fmt: skip
    return ResidualPool.learn(past), panel


def pit(sums, actual, rng):
    """Randomised probability integral transform of each actual in its draws (n, n_paths)."""
    below, at_most = (sums < actual[:, None]).mean(1), (sums <= actual[:, None]).mean(1)
    return below + rng.random(len(actual)) * (at_most - below)


def test_the_mean_of_the_forecast_is_kept_at_every_level():
    mean, demand = world(1, 400, 12 * LENGTH, persistence=0.9)
    pool, panel = learnt(mean, demand, 12)
    wanted = mean[:, :LENGTH] * np.linspace(0.5, 1.5, LENGTH, dtype=np.float32)
    units = pool.sample(wanted, panel, 200, Streams(3)).units
    for rows in np.array_split(np.arange(400), 5):
        assert units[rows].mean() == pytest.approx(wanted[rows].mean(), rel=0.03)


@pytest.mark.parametrize("persistence", [0.0, 0.95])
def test_sums_over_an_interval_are_calibrated_whether_errors_persist_or_not(persistence):
    """Deciles of the randomised PIT of 8-bucket sums of held-out demand stay within 3.5 points of uniform."""
    mean, demand = world(2, 600, 25 * LENGTH, persistence=persistence)
    pool, panel = learnt(mean, demand, 20)
    rng = np.random.default_rng(0)
    values = []
    for k in range(20, 25):
        start = k * LENGTH
        units = pool.sample(mean[:, start : start + LENGTH], panel, 200, Streams(k)).units
        values.append(pit(units[:, :, :8].sum(2), demand[:, start : start + 8].sum(1), rng))
    share = np.histogram(np.concatenate(values), np.linspace(0, 1, 11))[0] / (5 * 600)
    assert np.abs(share - 0.1).max() < 0.035


def test_sums_over_items_are_calibrated_under_a_shared_shock():
    """With a shared daily factor of 8 %, independent draws cover about 40 % of 90 % intervals of 500-item sums."""
    mean, demand = world(3, 500, 42 * LENGTH, shock_sd=0.08, level=(2, 6))
    pool, panel = learnt(mean, demand, 26)
    covered, alone = [], []
    for k in range(26, 42):
        start = k * LENGTH
        units = pool.sample(mean[:, start : start + LENGTH], panel, 200, Streams(k)).units
        total = demand[:, start : start + LENGTH].sum(0)
        low, high = np.quantile(units.sum(0), [0.05, 0.95], axis=0)
        covered.append((total >= low) & (total <= high))
        rng = np.random.default_rng(k)
        shuffled = np.stack([rng.permutation(rows) for rows in units]).sum(0)
        low, high = np.quantile(shuffled, [0.05, 0.95], axis=0)
        alone.append((total >= low) & (total <= high))
    assert 0.82 <= np.mean(covered) <= 0.97
    assert np.mean(alone) < 0.65


def test_a_series_gets_the_same_paths_in_any_batch_and_order():
    mean, demand = world(4, 300, 10 * LENGTH)
    pool, panel = learnt(mean, demand, 10)
    units = pool.sample(mean[:, :LENGTH], panel, 30, Streams(5)).units
    rows = np.array([299, 3, 257])
    assert (pool.sample(mean[rows, :LENGTH], panel.take(rows), 30, Streams(5)).units == units[rows]).all()


def test_the_pool_does_not_depend_on_the_order_of_rows():
    mean, demand = world(5, 100, 10 * LENGTH)
    pool, panel = learnt(np.full_like(mean, 3), demand, 10)
    shape = (100, 10, LENGTH)
    order = np.random.default_rng(0).permutation(100)
    past = Backcast(
        panel.item_id[order], panel.location_id[order], np.full(shape, 3, np.float32),
        demand[order].reshape(shape), np.zeros(shape, bool),
    )  # fmt: skip
    again = ResidualPool.learn(past)
    future = mean[:, :LENGTH]
    assert (again.sample(future, panel, 20, Streams(1)).units == pool.sample(future, panel, 20, Streams(1)).units).all()


def test_a_longer_horizon_than_was_learnt_goes_on_with_further_stretches():
    mean, demand = world(6, 200, 10 * LENGTH)
    pool, _ = learnt(mean, demand, 10)
    panel = synthetic_panel(n_items=100, n_history=LENGTH, n_future=50)
    future = np.repeat(mean[:, :1], 50, axis=1)
    units = pool.sample(future, panel, 100, Streams(2)).units
    for part in np.array_split(np.arange(50), 5):
        assert units[:, :, part].mean() == pytest.approx(mean[:, 0].mean(), rel=0.1)


def test_fractions_are_kept_for_divisible_items_only():
    mean, demand = world(7, 50, 10 * LENGTH)
    pool, panel = learnt(mean, demand, 10)
    static = panel.static.assign(divisible=np.arange(50) % 2 == 0)
    units = pool.sample(mean[:, :LENGTH], replace(panel, static=static), 20, Streams(2)).units
    whole = units == np.rint(units)
    assert whole[1::2].all()
    assert not whole[::2].all(axis=(1, 2)).any()


def test_stock_outs_among_the_actuals_do_not_pull_the_demand_down():
    """A tenth of the buckets shows half its demand; counted as bounds, the upper tail stays where it was."""
    mean, demand = world(8, 400, 12 * LENGTH)
    pool, panel = learnt(mean, demand, 12)
    shape = (400, 12, LENGTH)
    out = np.random.default_rng(1).random(shape) < 0.1
    sold = np.where(out, np.floor(demand.reshape(shape) / 2), demand.reshape(shape)).astype(np.float32)
    past = Backcast(panel.item_id, panel.location_id, mean.reshape(shape), sold, out)
    censored = ResidualPool.learn(past)
    sums = [p.sample(mean[:, :LENGTH], panel, 200, Streams(1)).units.sum(2) for p in (pool, censored)]
    ratio = np.quantile(sums[1], 0.95, axis=1).sum() / np.quantile(sums[0], 0.95, axis=1).sum()
    assert ratio == pytest.approx(1, abs=0.03)


def test_too_little_history_gives_an_assumed_pool_that_still_keeps_the_mean():
    mean, demand = world(9, 4, LENGTH)
    pool, panel = learnt(mean, demand, 1)
    assert pool.assumed
    future = np.full((4, LENGTH), 5, np.float32)
    assert pool.sample(future, panel, 2000, Streams(1)).units.mean() == pytest.approx(5, rel=0.06)


def test_the_state_gives_the_same_pool():
    mean, demand = world(10, 60, 10 * LENGTH)
    pool, panel = learnt(mean, demand, 10)
    state = pool.state()
    again = ResidualPool.from_state(FittedState({k: v.copy() for k, v in state.arrays.items()}, state.text))
    future = mean[:, :LENGTH]
    assert (again.sample(future, panel, 20, Streams(1)).units == pool.sample(future, panel, 20, Streams(1)).units).all()


def test_a_backcast_forecasts_each_origin_from_its_own_past():
    panel = synthetic_panel()
    origins = residual_origins(panel, 14, 4, min_history=28)
    seen = []

    def mean_at(past, horizon):
        seen.append(past.calendar.as_of)
        return thirteen_weeks(past, horizon)

    past = backcast(panel, mean_at, origins, 14)
    assert seen == [panel.calendar.as_of - int(back) for back in origins]
    start = panel.calendar.n_history - origins[1]
    actual = past.actual[:, 1]
    known = np.isfinite(actual)
    assert (actual[known] == panel.units[:, start : start + 14][known]).all()
    assert past.censored.any()


def test_origins_fall_on_the_same_weekday_and_leave_history():
    panel = synthetic_panel(n_history=140)
    origins = residual_origins(panel, 10, 26, min_history=28)
    assert (origins % 7 == 0).all()
    assert origins.min() >= 10
    assert origins.max() <= 140 - 28
    assert len(residual_origins(panel, 140, 5)) == 0


def test_origins_nearer_than_the_stretch_are_refused():
    panel = synthetic_panel()
    with pytest.raises(ValueError, match="origins must lie in"):
        beside_actuals(panel, np.ones((panel.n_series, 1, 14), np.float32), np.array([13]))


def test_paths_of_one_date_share_their_origin_across_calls():
    mean, demand = world(11, 40, 10 * LENGTH)
    pool, panel = learnt(mean, demand, 10)
    later = replace(panel, calendar=Calendar("D", panel.calendar.as_of + 1, LENGTH, LENGTH))
    one = pool.sample(mean[:, :LENGTH], panel, 20, Streams(1)).units
    assert not (pool.sample(mean[:, :LENGTH], later, 20, Streams(1)).units == one).all()
