"""The count model: its chain against brute force, its sizes by hand, and the calibration of its sums on a known law."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from engine.demand.censoring import expected_demand
from engine.forecast.backtest import Actuals, coverage, score_intervals
from engine.forecast.conformance import check_forecaster
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from models.count import Counts
from models.count_choice import choose_weights, shared_spread
from models.count_paths import Ahead, Urns, UrnWeights, draw_paths
from models.sale_chain import Evidence, SaleChain, learn_chain
from models.sale_sizes import N_OWN, learn_sizes, own_sizes

TWO = SaleChain(np.array([0.1, 0.7]), np.array([0.6, 0.4]), np.array([[0.9, 0.1], [0.3, 0.7]]))


def weeks(units, available=None, price=None, n_future=20, interval=(7, 8)):
    units = np.array(units, np.float32)
    n, n_history = units.shape
    panel = synthetic_panel(n_items=-(-n // 2), n_history=n_history, n_future=n_future, bucket="W").take(np.arange(n))
    static = pd.DataFrame({"divisible": np.zeros(n, np.bool_)})
    return replace(
        panel,
        units=units,
        available=np.ones_like(units) if available is None else np.array(available, np.float32),
        offered=np.ones((n, n_history + n_future), np.bool_),
        interval=np.tile(np.array([interval], np.int32), (n, 1)),
        static=static if price is None else static.assign(unit_price=price),
    )


def evidence(sold, share=None, exposure=None):
    sold = np.array(sold, np.bool_)
    share = np.ones(sold.shape, np.float32) if share is None else np.array(share, np.float32)
    return Evidence(sold, share, np.ones(sold.shape) if exposure is None else np.array(exposure))


def brute_force(chain, sold, share, exposure):
    """The chance of each state after the history, over every sequence of states."""
    weight = np.zeros(2)
    for states in product(range(2), repeat=len(sold) + 1):
        chance = chain.start[states[0]]
        for t, state in enumerate(states[:-1]):
            rate = 1 - (1 - chain.rate[state]) ** exposure[t]
            chance *= rate if sold[t] else 1 - share[t] * rate
            chance *= chain.move[state, states[t + 1]]
        weight[states[-1]] += chance
    return weight / weight.sum()


def one_series(rate, own, new_weight, keep=1.0, value=(3.0,), whole=True):
    """A chain that always sells, or sells with ``rate``, and the urn of one series."""
    chain = SaleChain(np.array([rate]), np.ones(1), np.ones((1, 1)))
    sizes = np.zeros((1, N_OWN))
    sizes[0, : len(own)] = own
    weights = UrnWeights(new_weight, keep)
    low, high = np.zeros(1, np.int64), np.full(1, len(value), np.int64)
    return chain, Urns(weights, sizes, low, high, np.ones(1), np.array(value), np.full(1, whole))


def drawn(chain, urns, n_paths, horizon, factor=1.0, exposure=1.0):
    out = np.zeros((1, n_paths, horizon), np.float32)
    ahead = Ahead(np.ones((1, 1)), np.full((1, horizon), exposure), np.full(n_paths, factor, np.float32))
    draw_paths(chain, urns, ahead, [np.random.default_rng(5)], out)
    return out[0]


def test_counts_conform():
    check_forecaster(Counts)


def test_states_are_those_of_brute_force():
    sold = [False, True, False, False, True, False]
    share = [1.0, 1.0, 0.25, 0.0, 0.5, 1.0]
    for exposure in (np.ones(6), np.array([0.5, 1.0, 3.0, 2.0, 1.2, 0.8])):
        found = TWO.ahead(evidence([sold], [share], [exposure]))
        assert found[:, 0] == pytest.approx(brute_force(TWO, sold, share, exposure), rel=1e-6)


def test_a_learnt_chain_foretells_as_well_as_the_true_one():
    generator = np.random.default_rng(1)
    truth = SaleChain(np.array([0.02, 0.5]), np.array([0.7, 0.3]), np.array([[0.97, 0.03], [0.05, 0.95]]))
    state = (generator.random(600) < 0.3).astype(int)
    sold = np.zeros((600, 90), np.bool_)
    for t in range(90):
        sold[:, t] = generator.random(600) < truth.rate[state]
        state = (generator.random(600) < truth.move[state, 1]).astype(int)

    def loss(chain):
        seen = [(evidence(sold[:, :t]), sold[:, t]) for t in range(60, 90, 5)]
        chance = [((chain.ahead(past) * chain.rate[:, None]).sum(axis=0), came) for past, came in seen]
        return -np.mean([np.where(came, np.log(p), np.log(1 - p)) for p, came in chance])

    learnt = learn_chain(evidence(sold[:, :60]))
    assert loss(learnt) < 1.01 * loss(truth)
    rate = sold[:, :60].mean()
    assert loss(learnt) < 0.8 * -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))


def test_own_sizes_are_the_latest_first_with_their_weighted_mean():
    own = own_sizes(np.array([[4.0, 0, 10, 0], [0, 0, 0, 0]]))
    assert own.size[0, :3].tolist() == [10, 4, 0]
    assert own.count.tolist() == [2, 0]
    assert own.mean == pytest.approx([(10 + 0.9 * 4) / 1.9, 0])


def test_new_sizes_are_what_followed_elsewhere_at_the_mean_at_hand():
    # After one sale of 10 came 20, after one of 100 came 50: twice and half of what was known.
    size = np.repeat([[10.0, 20], [100, 50]], 100, axis=0)
    pool = learn_sizes(size, np.ones(200))
    own = own_sizes(np.array([[10.0], [100.0]]))
    low, high, factor = pool.window(own, np.ones(2))
    assert [set(pool.value[a:b]) for a, b in zip(low, high, strict=True)] == [{2.0}, {0.5}]
    assert factor.tolist() == [10, 100]
    assert not pool.assumed


def test_a_part_that_never_sold_takes_first_sales_of_parts_of_about_its_price():
    generator = np.random.default_rng(2)
    sells = generator.random((400, 60)) < 0.1
    price = np.repeat([1.0, 500.0], 200)
    units = np.where(sells, np.where(price > 1, 2, 1000)[:, None], 0)
    units[[0, 399]] = 0
    panel = weeks(units, price=price)
    paths = Counts().fit(panel).sample(panel, 20, 2000, Streams(1)).units
    cheap, dear = paths[0][paths[0] > 0], paths[399][paths[399] > 0]
    assert set(cheap[:50]) == {1000}
    assert set(dear[:50]) == {2}


def test_the_first_size_on_a_path_is_drawn_by_weight():
    # Weights: 1 for the latest size, 0.5 for the one before, 1 for a new one.
    chain, urns = one_series(1 - 1e-9, [10, 20], 1.0, keep=0.5)
    first = drawn(chain, urns, 40_000, 1)[:, 0]
    assert [(first == size).mean() for size in (10, 20, 3)] == pytest.approx([0.4, 0.2, 0.4], abs=0.01)


def test_a_size_drawn_on_a_path_is_likelier_to_come_again_on_it():
    # Polya urn: the second is the first again with probability (1 + 1) / (2 + 1), or a new one that equals none.
    chain, urns = one_series(1 - 1e-9, [10], 1.0, value=tuple(range(1000, 1500)))
    paths = drawn(chain, urns, 40_000, 2)
    new = paths[:, 0] >= 1000
    assert (paths[~new, 1] == 10).mean() == pytest.approx(2 / 3, abs=0.01)
    assert (paths[new, 1] == paths[new, 0]).mean() == pytest.approx(1 / 3, abs=0.01)


def test_fractions_are_rounded_without_bias_and_kept_where_divisible():
    chain, urns = one_series(0.5, [2.25], 1e-9)
    units = drawn(chain, urns, 20_000, 1)
    assert set(np.unique(units)) == {0, 2, 3}
    assert units.mean() == pytest.approx(0.5 * 2.25, rel=0.03)
    chain, urns = one_series(0.5, [2.25], 1e-9, whole=False)
    assert set(np.unique(drawn(chain, urns, 1000, 1))) == {0, 2.25}


def test_the_factor_of_a_path_multiplies_the_odds_of_a_sale():
    chain, urns = one_series(0.2, [1], 1e-9)
    assert drawn(chain, urns, 20_000, 1, factor=3.0).mean() == pytest.approx(0.75 / 1.75, abs=0.01)


@pytest.mark.parametrize("rate", [0.05, 0.6, 0.97])
@pytest.mark.parametrize("exposure", [0.4, 2.5])
def test_a_bucket_worth_several_has_as_much_more_demand_and_as_likely_a_sale(rate, exposure):
    chain, urns = one_series(rate, [6], 1e-9)
    units = drawn(chain, urns, 60_000, 1, exposure=exposure)
    assert (units > 0).mean() == pytest.approx(1 - (1 - rate) ** exposure, abs=0.01)
    assert units.mean() == pytest.approx(exposure * rate * 6, rel=0.03)


def test_a_longer_horizon_only_adds_to_the_end():
    panel = synthetic_panel(bucket="W")
    fitted = Counts().fit(panel)
    short, long = (fitted.sample(panel, horizon, 30, Streams(1)).units for horizon in (3, 9))
    assert (long[:, :, :3] == short).all()


def test_packs_stay_packs_and_other_sizes_are_possible():
    generator = np.random.default_rng(4)
    units = np.where(generator.random((60, 80)) < 0.3, generator.poisson(9, (60, 80)) + 1, 0)
    units[0] = np.where(units[0] > 0, 50, 0)
    panel = weeks(units)
    paths = Counts().fit(panel).sample(panel, 8, 500, Streams(1)).units[0]
    sold = paths[paths > 0]
    assert 0.5 < (sold % 50 == 0).mean() < 0.99


def test_an_empty_bucket_out_of_stock_does_not_count_as_no_demand():
    generator = np.random.default_rng(5)
    units = np.where(generator.random((80, 60)) < 0.4, 5, 0)
    units[:2, 40:] = 0
    share = np.ones(units.shape)
    share[0, 40:] = 0
    panel = weeks(units, share)
    mean = Counts().fit(panel).sample(panel, 8, 1000, Streams(1)).units[:2].sum(axis=2).mean(axis=1)
    assert mean[0] > 3 * mean[1]


def test_a_sale_cut_short_counts_as_expected_demand():
    units = np.tile([0.0, 6, 0, 6], (30, 10))
    share = np.ones(units.shape)
    units[0, -1], share[0, -1] = 4, 0.5
    panel = weeks(units, share)
    fitted = Counts().fit(panel)
    _, urns = fitted.start(panel, fitted.exposure(panel))
    assert urns.own[0, :2] == pytest.approx([expected_demand(panel)[0, -1], 6])


def test_too_few_sales_are_noted_and_still_forecast():
    units = np.zeros((6, 40))
    units[0, 30], units[1, 10] = 4, 7
    panel = weeks(units)
    fitted = Counts().fit(panel)
    assert "residuals-assumed" in [note.code for note in fitted.notes]
    assert fitted.sample(panel, 20, 400, Streams(1)).units[0].any()


def test_new_sizes_weigh_more_where_they_foretell_better_than_own_ones():
    generator = np.random.default_rng(6)
    units = np.where(generator.random((300, 90)) < 0.3, generator.integers(20, 40, (300, 1)), 0)
    doubled = np.where(np.arange(90) >= 66, 2 * units, units)
    backs = np.array([8, 16, 24])
    fitted = Counts().fit(weeks(units).cut(24))
    twice = replace(fitted, pool=replace(fitted.pool, value=np.full_like(fitted.pool.value, 2.0)))
    assert choose_weights(twice, weeks(units), backs).new == 1.0
    assert choose_weights(twice, weeks(doubled), backs).new == 5.0


def test_series_that_die_after_a_cutoff_were_still_expected_to_sell_there():
    chain = SaleChain(np.array([0.5]), np.ones(1), np.ones((1, 1)))
    sold = np.random.default_rng(8).random((400, 60)) < 0.5
    sold[:200, 40:] = False
    dying = replace(weeks(sold), dormant_buckets=20)
    # At week 40 none was dormant: half of what is expected comes, so the log odds are off by log(2).
    expected = np.sqrt((np.log(2) ** 2 + 2 * 0.05**2) / 3)
    fitted = replace(Counts().fit(dying.cut(20)), chain=chain)
    assert shared_spread(fitted, dying, np.array([20]), 20) == pytest.approx(expected, rel=0.05)


def test_a_shock_that_all_series_shared_widens_all_paths_together():
    chain = SaleChain(np.array([0.2]), np.ones(1), np.ones((1, 1)))
    generator = np.random.default_rng(7)
    sold = generator.random((500, 40)) < 0.2
    calm = weeks(sold)
    sold[:, 32:] |= generator.random((500, 8)) < 0.25
    shocked = weeks(sold)
    backs = np.array([8])
    earlier = replace(Counts().fit(calm.cut(8)), chain=chain)
    # The chance doubles to 0.4: (log(2) ** 2 + 2 * 0.05 ** 2) / 3 is the variance, less what chance explains.
    assert shared_spread(earlier, shocked, backs, 8) == pytest.approx(
        np.sqrt((np.log(2) ** 2 + 2 * 0.05**2) / 3), rel=0.05
    )
    assert shared_spread(earlier, calm, backs, 8) < 0.06
    fitted, total = Counts().fit(calm), {}
    for spread in (0.0, 0.4):
        paths = replace(fitted, spread=spread).sample(calm, 8, 300, Streams(1))
        total[spread] = paths.units.sum(axis=(0, 2), dtype=float)
    assert total[0.4].std() > 3 * total[0.0].std()


def test_weights_out_of_range_are_refused():
    with pytest.raises(ValueError, match="new must be > 0"):
        UrnWeights(0.0, 0.9)
    with pytest.raises(ValueError, match="keep must lie in"):
        UrnWeights(1.0, 1.1)


def test_sums_over_a_lead_time_are_calibrated_on_a_known_law():
    """Each part has its own chance of a sale (beta) and its own mean size (lognormal), sizes are geometric."""
    generator = np.random.default_rng(8)
    n, n_history, horizon = 900, 70, 17
    chance = generator.beta(0.6, 4, (n, 1))
    mean = np.exp(generator.normal(1, 1, (n, 1))) + 1
    sold = generator.random((n, n_history + horizon)) < chance
    units = np.where(sold, generator.geometric(np.broadcast_to(1 / mean, sold.shape)), 0)
    panel = weeks(units[:, :n_history], interval=(16, 17))
    paths = Counts().fit(panel).sample(panel, horizon, 400, Streams(1))
    actuals = Actuals(units[:, n_history:].astype(float), np.ones((n, horizon), np.bool_))
    scores = score_intervals(paths, actuals, panel.interval, (0.5, 0.9))
    for share, tolerance in ((0.5, 0.05), (0.8, 0.04), (0.9, 0.03), (0.95, 0.025), (0.99, 0.015)):
        assert np.mean(coverage(scores, share)) == pytest.approx(share, abs=tolerance)
    assert paths.units.sum(axis=2).mean() == pytest.approx(scores.actual.mean(), rel=0.1)
