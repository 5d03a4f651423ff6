"""Effects learnt across series: events, promotions, weekdays, and what a history cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.demand.panel import DemandPanel
from engine.forecast.synthetic import synthetic_panel
from models.effect_errors import PRICE_CHANGE
from models.features import PRICE
from models.known_effects import BOUND, KnownEffects, learn_known_effects

N_HISTORY, N_FUTURE = 560, 28
LIFT, PROMOTED, SATURDAY = {1 / 3: 0.2, 2 / 3: -0.3, 1.0: 0.9}, 0.5, 0.4


def world(seed: int = 0) -> DemandPanel:
    """Thirty items that sell on and off promotion, on Saturdays, and before and on a yearly festival."""
    panel = synthetic_panel(n_items=30, n_history=N_HISTORY, n_future=N_FUTURE)
    rng = np.random.default_rng(seed)
    days = np.arange(panel.calendar.n_buckets)
    festival = np.zeros(len(days), np.float32)
    # The last one lies ahead.
    for first in (100, 330, N_HISTORY + 5):
        festival[first : first + 3] = [1 / 3, 2 / 3, 1.0]
    promotion = np.zeros((panel.n_series, len(days)), np.float32)
    for row in range(panel.n_series):
        for first in rng.integers(0, N_HISTORY - 10, 5):
            promotion[row, first : first + 7] = 1
    promotion[:, N_HISTORY:] = 0
    log = PROMOTED * promotion + sum(effect * (festival == np.float32(value)) for value, effect in LIFT.items())
    log = log + SATURDAY * ((panel.calendar.starts.astype(np.int64) + 3) % 7 == 5)
    level = np.exp(rng.normal(1.5, 0.8, (panel.n_series, 1)))
    units = rng.poisson((level * np.exp(log))[:, :N_HISTORY]).astype(np.float32)
    regressors = {"event": festival, "promotion": promotion}
    return replace(panel, units=units, available=np.ones_like(units), regressors=regressors, dormant_buckets=0)


@pytest.fixture(scope="module")
def panel() -> DemandPanel:
    return world()


@pytest.fixture(scope="module")
def effects(panel: DemandPanel) -> KnownEffects:
    return learn_known_effects(panel)


def test_each_day_about_a_festival_has_its_own_effect_and_comes_again(
    panel: DemandPanel, effects: KnownEffects
) -> None:
    found = np.log(effects(panel))
    # Days of a week apart share the weekday, so its effect falls out.
    for day, expected in enumerate(LIFT.values()):
        ahead = N_HISTORY + 5 + day
        assert found[0, ahead] - found[0, ahead + 7] == pytest.approx(expected, abs=0.12)


def test_a_promotion_and_a_saturday_lift_demand(panel: DemandPanel, effects: KnownEffects) -> None:
    on = replace(panel, regressors={**panel.regressors, "promotion": np.ones_like(panel.regressors["promotion"])})
    off = replace(panel, regressors={**panel.regressors, "promotion": np.zeros_like(panel.regressors["promotion"])})
    assert np.log(effects(on) / effects(off)).mean() == pytest.approx(PROMOTED, abs=0.05)
    weekday = (panel.calendar.starts.astype(np.int64) + 3) % 7
    plain = np.log(effects(off))[0, 150:325]
    days = weekday[150:325]
    assert plain[days == 5].mean() - plain[days == 1].mean() == pytest.approx(SATURDAY, abs=0.05)


def test_noise_has_next_to_no_effect() -> None:
    panel = world()
    noise = np.random.default_rng(1).integers(0, 2, panel.calendar.n_buckets).astype(np.float32)
    found = learn_known_effects(replace(panel, regressors={**panel.regressors, "event_of_nothing": noise}))
    effect = next(column.effect for column in found.columns if column.name == "event_of_nothing")
    assert abs(effect) < 0.03


def test_a_common_regressor_of_many_values_counts_by_its_value() -> None:
    panel = world()
    warmth = np.random.default_rng(2).normal(0, 1, panel.calendar.n_buckets).astype(np.float32)
    found = learn_known_effects(replace(panel, regressors={**panel.regressors, "warmth": warmth}))
    assert [column.value for column in found.columns if column.name == "warmth"] == [None]


def test_sold_out_days_do_not_hide_a_festival() -> None:
    panel = world()
    units, available = np.array(panel.units), np.array(panel.available)
    units[:, 330:333], available[:, 330:333] = np.floor(units[:, 330:333] / 2), 0.5
    found = learn_known_effects(replace(panel, units=units, available=available))
    lift = next(column.effect for column in found.columns if column.name == "event" and column.value == 1.0)
    assert lift == pytest.approx(LIFT[1.0], abs=0.12)


def test_effects_are_bounded_and_a_missing_regressor_has_none(panel: DemandPanel, effects: KnownEffects) -> None:
    wild = KnownEffects(tuple(replace(column, effect=9.0) for column in effects.columns))
    assert np.log(wild(panel)).max() == pytest.approx(BOUND)
    bare = replace(panel, regressors={})
    assert np.unique(effects(bare)[0]).size <= 7


def priced(of_price: float, sold_off: float) -> DemandPanel:
    """The world with a cut price at times: demand answers with a power of it, and is sold off at it."""
    panel = world()
    price = np.ones((panel.n_series, panel.calendar.n_buckets), np.float32)
    level = np.ones(panel.units.shape)
    for row in range(panel.n_series):
        first = 20 + 15 * row
        price[row, first : first + 14] = 0.8
        level[row, first : first + 14] = 0.8**of_price * sold_off
    units = np.random.default_rng(3).poisson(np.maximum(panel.units, 1) * level).astype(np.float32)
    return replace(panel, units=units, regressors={**panel.regressors, PRICE: price})


def test_a_lower_price_sells_more() -> None:
    found = learn_known_effects(priced(of_price=-2.0, sold_off=1.0))
    effect = next(column.effect / column.scale for column in found.columns if column.name == PRICE)
    assert effect == pytest.approx(-2.0, abs=0.2)
    assert found.perverse == ()


def test_prices_that_fall_with_demand_are_told_but_have_no_effect() -> None:
    panel = priced(of_price=0.0, sold_off=0.5)
    found = learn_known_effects(panel)
    assert PRICE not in [column.name for column in found.columns]
    (told,) = found.perverse
    assert told.name == PRICE
    assert told.share == PRICE_CHANGE
    assert told.high < 1
    cheaper = replace(panel, regressors={**panel.regressors, PRICE: panel.regressors[PRICE] / 2})
    np.testing.assert_array_equal(found(cheaper), found(panel))
    without = learn_known_effects(replace(panel, regressors={k: v for k, v in panel.regressors.items() if k != PRICE}))
    assert found.columns == without.columns
    assert KnownEffects.from_text(found.text()) == found


def test_an_empty_panel_or_sales_in_one_stretch_alone_tell_nothing() -> None:
    panel = world()
    assert learn_known_effects(panel.take(np.zeros(0, np.int64))).columns == ()
    units = np.array(panel.units)
    units[:, :-40] = 0
    assert learn_known_effects(replace(panel, units=units)).columns == ()


def test_a_temperature_does_not_hide_what_a_festival_does() -> None:
    panel = world()
    warmth = np.random.default_rng(2).normal(15, 1, panel.calendar.n_buckets).astype(np.float32)
    found = learn_known_effects(replace(panel, regressors={**panel.regressors, "warmth": warmth}))
    lift = next(column.effect for column in found.columns if column.name == "event" and column.value == 1.0)
    assert lift == pytest.approx(LIFT[1.0], abs=0.12)


def test_too_short_a_history_tells_nothing() -> None:
    short = synthetic_panel(n_items=2, n_history=30)
    assert learn_known_effects(short).columns == ()
    assert (learn_known_effects(short)(short) == 1).all()


def test_they_survive_being_written_down(panel: DemandPanel, effects: KnownEffects) -> None:
    again = KnownEffects.from_text(effects.text())
    assert again == effects
    np.testing.assert_array_equal(again(panel), effects(panel))


def test_an_effect_learnt_at_a_sliver_of_a_festival_does_not_grow_with_a_whole_one(panel: DemandPanel) -> None:
    """Weeks: the history caught a fiftieth of the festival, 40 times less than what lies ahead."""
    weekly = synthetic_panel(n_items=30, n_history=80, n_future=8, bucket="W")
    festival = np.zeros(88, np.float32)
    festival[[20, 84]] = [0.02, 0.8]
    units = np.random.default_rng(3).poisson(np.where(np.arange(80) == 20, 24.0, 20.0), (weekly.n_series, 80))
    weekly = replace(
        weekly, units=units.astype(np.float32), available=np.ones(units.shape, np.float32),
        regressors={"event": festival}, dormant_buckets=0,
    )  # fmt: skip
    factor = learn_known_effects(weekly)(weekly)[0]
    assert factor[20] == pytest.approx(1.2, abs=0.05)
    assert factor[84] == pytest.approx(factor[20])
