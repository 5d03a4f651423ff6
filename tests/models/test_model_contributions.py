"""What a mean forecast is made of: factors that multiply to it, each where its cause is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import lightgbm as lgb
import numpy as np
import pytest

from engine.demand.keys import SeriesKeys
from engine.demand.panel import DemandPanel
from engine.demand.succession import Pairs
from engine.forecast.choice import models_of
from engine.forecast.overrides import Overridden
from engine.forecast.overrides_settle import Settled
from engine.forecast.pooled import PooledForecast, fit_pooled
from engine.forecast.run_down import PooledStock
from engine.forecast.streams import Streams
from engine.forecast.succession import RunDown
from engine.forecast.synthetic import synthetic_panel
from engine.forecast.types import FittedState, SamplePaths
from engine.messages import Message
from experiments.exchange.catalogue import read_catalogue
from models.best_of import BestOf
from models.boosting import Boosting, BoostingParams
from models.contributions import WORDS, factor_table, forecast_factors, what_if_factors
from models.features import PRICE, RHYTHMS, feature_rows, n_features
from models.moving_average import MovingAverage
from models.seasonal_naive import SeasonalNaive
from models.tree_contributions import feature_groups
from models.tree_paths import path_steps

HORIZON = 14
QUICK = BoostingParams(n_trees=40, n_leaves=15)


def world(bucket: str = "D") -> DemandPanel:
    """The made-up panel with prices that move, and an event before and in the forecast."""
    panel = synthetic_panel(n_items=20, n_history=300, bucket=bucket)
    rng = np.random.default_rng(3)
    price = np.repeat(rng.choice([0.8, 0.9, 1.0, 1.1], (panel.n_series, 41)), 8, axis=1)[:, : panel.calendar.n_buckets]
    event = np.zeros(panel.calendar.n_buckets, np.float32)
    event[[60, 61, 180, 181, 303, 304]] = 1
    regressors = {**panel.regressors, PRICE: price.astype(np.float32), "event_fair": event}
    return replace(panel, regressors=regressors)


@pytest.fixture(scope="module")
def panel() -> DemandPanel:
    return world()


@pytest.fixture(scope="module")
def fitted(panel: DemandPanel) -> PooledForecast:
    return Boosting(QUICK).fit(panel)


@pytest.mark.parametrize("bucket", ["D", "W"])
def test_the_level_times_all_factors_is_the_forecast_of_the_global_model(bucket: str) -> None:
    panel = world(bucket)
    fitted = Boosting(QUICK).fit(panel)
    factors = forecast_factors(fitted, panel, HORIZON)
    np.testing.assert_allclose(factors.mean(HORIZON), fitted.mean_at(panel, HORIZON), rtol=1e-5)
    assert {"recent", "season", "promotion", "event_fair"} <= set(factors.by_name)


def test_a_cause_has_a_factor_only_where_it_is(panel: DemandPanel, fitted: PooledForecast) -> None:
    factors = forecast_factors(fitted, panel, HORIZON)
    fair = factors.by_name["event_fair"]
    assert (fair[:, [0, 1, 2, 5, 6]] == 1).all()
    assert (fair[:, [3, 4]] != 1).any()
    promoted = panel.regressors["promotion"][:, 300 : 300 + HORIZON] > 0
    assert promoted.any()
    assert (factors.by_name["promotion"][~promoted] == 1).all()
    # The made-up demand doubles on promotion.
    assert 1.3 < np.median(factors.by_name["promotion"][promoted]) < 2.5


def test_a_price_counts_from_its_mean_and_says_on_which_side_it_is(panel: DemandPanel, fitted: PooledForecast) -> None:
    price = panel.regressors[PRICE]
    usual = np.exp(np.log(price[:, :300].astype(np.float64)).mean(axis=1))
    factors = forecast_factors(fitted, panel, HORIZON)
    above = price[:, 300 : 300 + HORIZON] > usual[:, None] * 1.01
    assert (factors.by_name["price-above"] != 1).any()
    assert (factors.by_name["price-above"][~above] == 1).all()
    assert (factors.by_name["price-below"][above] == 1).all()


def test_factors_of_a_series_are_the_same_bits_alone(panel: DemandPanel, fitted: PooledForecast) -> None:
    together = forecast_factors(fitted, panel, HORIZON)
    for row in (0, 17):
        alone = forecast_factors(fitted, panel.take(np.array([row])), HORIZON)
        assert alone.level[0] == together.level[row]
        for name, values in together.by_name.items():
            np.testing.assert_array_equal(alone.by_name.get(name, np.ones((1, HORIZON)))[0], values[row])


def test_every_feature_has_a_group_and_prices_move_only_those_of_price(
    panel: DemandPanel, fitted: PooledForecast
) -> None:
    inputs, rhythm = fitted.mean_at.inputs, RHYTHMS["D"]
    rows = np.arange(panel.n_series)

    def features(of: DemandPanel) -> np.ndarray:
        history, known = inputs.read(of)
        # What is not known (a year ago, here) is no difference.
        return np.nan_to_num(feature_rows(history, known, rhythm, rows, np.full(len(rows), 300), np.full(len(rows), 3)))

    groups = feature_groups(inputs, inputs.read(panel)[1], panel.calendar)
    assert len(groups) == n_features(rhythm, inputs.regressors, len(inputs.codes)) == features(panel).shape[1]
    paid = panel.price * np.where(np.arange(300) > 280, 1.5, 1).astype(np.float32)
    planned = np.array(panel.regressors[PRICE])
    planned[:, 303] *= 1.5
    other = replace(panel, price=paid, regressors={**panel.regressors, PRICE: planned})
    moved = (features(panel) != features(other)).any(axis=0)
    assert set(groups[moved]) == {"price"}
    assert moved.sum() == (groups == "price").sum() == 3


def test_steps_of_one_tree_are_those_from_its_mean_to_its_leaves() -> None:
    asked, idle = np.tile([0.0, 1.0, 1.0, 1.0], 50), np.zeros(200)
    labels = np.where(asked == 1, 3.0, 1.0)
    data = lgb.Dataset(np.column_stack([idle, asked]), labels)
    settings = {"objective": "regression", "learning_rate": 1.0, "min_data_in_leaf": 5, "verbosity": -1}
    trees = lgb.train(settings, data, 1)
    steps, mean = path_steps(trees, np.array([[0, 0], [0, 1]], np.float32), np.array(["idle", "asked"], object))
    assert mean == pytest.approx(2.5)
    np.testing.assert_allclose(steps["asked"], [-1.5, 0.5])
    np.testing.assert_array_equal(steps["idle"], [0, 0])


def test_steps_add_up_to_the_answer_and_are_close_to_shapley_values(fitted: PooledForecast) -> None:
    trees = fitted.mean_at.trees
    rows = np.random.default_rng(0).normal(1, 0.5, (200, trees.num_feature())).astype(np.float32)
    groups = np.array(["even" if i % 2 else "odd" for i in range(rows.shape[1])], object)
    steps, mean = path_steps(trees, rows, groups)
    np.testing.assert_allclose(steps["even"] + steps["odd"] + mean, trees.predict(rows, raw_score=True), atol=1e-12)
    shapley = np.asarray(trees.predict(rows, pred_contrib=True))
    assert mean == pytest.approx(shapley[0, -1])
    assert np.corrcoef(steps["odd"], shapley[:, :-1][:, groups == "odd"].sum(axis=1))[0, 1] > 0.8


def test_features_that_are_not_those_of_the_fit_are_refused(fitted: PooledForecast) -> None:
    with pytest.raises(ValueError, match="as at the fit"):
        path_steps(fitted.mean_at.trees, np.zeros((1, 3), np.float32), np.array(["a", "b", "c"], object))


def test_of_a_model_that_multiplies_the_factors_are_its_own(panel: DemandPanel) -> None:
    pattern = np.tile([0.5, 1.5], HORIZON)

    def mean_at(of: DemandPanel, horizon: int) -> np.ndarray:
        ahead = slice(of.calendar.n_history, of.calendar.n_history + horizon)
        event, promotion = of.regressors["event_fair"][ahead], of.regressors["promotion"][:, ahead]
        return (5 * pattern[:horizon] * 2.0**event * 3.0**promotion).astype(np.float32)

    even = replace(panel, interval=np.tile(np.array([[2, 8]], np.int32), (panel.n_series, 1)))
    factors = what_if_factors(mean_at, even, HORIZON)
    offered = panel.offered[:, 300:308].all(axis=1)
    np.testing.assert_allclose(factors.level[offered], 5)
    np.testing.assert_allclose(factors.by_name["event_fair"][0, 2:6], [1, 2, 2, 1])
    promotion = panel.regressors["promotion"][:, 300 : 300 + HORIZON]
    np.testing.assert_allclose(factors.by_name["promotion"], 3.0**promotion, rtol=1e-6)
    np.testing.assert_allclose(factors.by_name["profile"][offered], np.tile(pattern[:HORIZON], (offered.sum(), 1)))
    assert PRICE not in "".join(factors.by_name)


def test_a_model_that_reads_no_regressor_has_a_level_and_a_profile(panel: DemandPanel) -> None:
    fitted = MovingAverage().fit(panel)
    factors = forecast_factors(fitted, panel, HORIZON)
    assert set(factors.by_name) == {"profile"}
    np.testing.assert_allclose(factors.mean(HORIZON), np.maximum(fitted.mean_at(panel, HORIZON), 1e-6), rtol=1e-6)


def test_each_series_is_explained_by_the_model_chosen_for_it(panel: DemandPanel) -> None:
    chosen = BestOf([SeasonalNaive(), Boosting(QUICK)]).fit(panel)
    factors = forecast_factors(chosen, panel, HORIZON)
    model = models_of(chosen, panel)
    for name in set(model):
        rows = np.flatnonzero(model == name)
        expected = chosen.fitted[name].mean_at(panel.take(rows), HORIZON)
        np.testing.assert_allclose(factors.mean(HORIZON)[rows], np.maximum(expected, 1e-6), rtol=1e-5)


def test_an_override_is_a_factor_of_its_own(panel: DemandPanel) -> None:
    inner = MovingAverage().fit(panel)
    covered = SeriesKeys(panel.item_id[:1], panel.location_id[:1])
    settled = Settled(np.full((1, HORIZON), 2, np.float32), np.full((1, HORIZON), 1, np.float32))
    over = Overridden(inner, panel.calendar.as_of, covered, settled)
    factors = forecast_factors(over, panel, HORIZON)
    before = forecast_factors(inner, panel, HORIZON).mean(HORIZON)
    np.testing.assert_allclose(factors.mean(HORIZON)[0], before[0] * 2 + 1)
    np.testing.assert_array_equal(factors.mean(HORIZON)[1:], before[1:])


def test_a_model_without_a_mean_forecast_has_no_level_and_an_empty_panel_nothing(panel: DemandPanel) -> None:
    @dataclass(frozen=True)
    class Sampler:
        notes: tuple[Message, ...] = ()

        def sample(self, panel: DemandPanel, horizon: int, n_paths: int, streams: Streams) -> SamplePaths:
            units = np.ones((panel.n_series, n_paths, horizon), np.float32)
            return SamplePaths(panel.item_id, panel.location_id, units)

        def state(self) -> FittedState:
            return FittedState()

    factors = forecast_factors(Sampler(), panel, HORIZON)
    assert np.isnan(factors.level).all()
    assert factors.by_name == {}
    nothing = forecast_factors(fit_pooled(panel, lambda p, h: np.ones((p.n_series, h))), panel.take(np.arange(0)), 7)
    assert nothing.level.shape == (0,)


def test_the_table_of_factors_multiplies_to_the_forecast(panel: DemandPanel, fitted: PooledForecast) -> None:
    few = panel.take(np.arange(3))
    table = factor_table(forecast_factors(fitted, few, 5), few, 5)
    product = table.groupby(["item_id", "location_id", "date"])["value"].prod().to_numpy().reshape(3, 5)
    np.testing.assert_allclose(product, fitted.mean_at(few, 5), rtol=1e-5)
    assert set(table.columns) == {"item_id", "location_id", "date", "factor", "value"}


def test_every_name_of_a_factor_has_a_word() -> None:
    words = read_catalogue().words
    assert [name for name in WORDS if f"factor-{name}" not in words] == []


def test_items_that_follow_each_other_are_left_out_and_others_keep_their_factors(
    panel: DemandPanel, fitted: PooledForecast
) -> None:
    family = panel.take(np.array([3, 5]))
    pairs = Pairs(np.array([1]), np.array([0]), np.ones(1))
    stock = PooledStock.unlimited(2, panel.calendar.n_future)
    wrapped = RunDown(fitted, family, np.zeros(2, np.int64), pairs, stock)
    plain, found = (forecast_factors(one, panel, HORIZON) for one in (fitted, wrapped))
    assert np.flatnonzero(np.isnan(found.level)).tolist() == [3, 5]
    others = np.setdiff1d(np.arange(panel.n_series), [3, 5])
    np.testing.assert_array_equal(found.mean(HORIZON)[others], plain.mean(HORIZON)[others])
