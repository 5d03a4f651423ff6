"""What sets groups of series apart: weekdays and events by attribute, and what a history cannot tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.demand.panel import DemandPanel
from engine.forecast.synthetic import synthetic_panel
from models.features import Codes
from models.group_design import MONTH, WEEKDAY, Term, crossings_of, group_terms, term_values
from models.group_effects import BOUND, GroupEffects, learn_group_effects
from models.known_effects import KnownEffects

N_HISTORY, N_FUTURE = 420, 28
SUNDAY, PAYDAY = 0.5, 0.3
CODES: Codes = {"category": {"food": 0, "toys": 1}, "location_id": {"east": 0, "west": 1}}


def world(seed: int = 0) -> DemandPanel:
    """Eighty series: food sells on paydays, toys on Sundays, and more so in the west."""
    panel = synthetic_panel(n_items=80, n_history=N_HISTORY, n_future=N_FUTURE)
    panel = panel.take(np.arange(80))
    rng = np.random.default_rng(seed)
    category = np.where(np.arange(80) % 2 == 0, "food", "toys").astype(object)
    place = np.where(np.arange(80) < 40, "east", "west").astype(object)
    days = np.arange(panel.calendar.n_buckets)
    payday = (days % 14 < 2).astype(np.float32)
    sunday = (panel.calendar.starts.astype(np.int64) + 3) % 7 == 6
    toys = (category == "toys")[:, None]
    log = PAYDAY * np.where(toys, 0, 1) * payday
    log = log + SUNDAY * toys * sunday * np.where(place == "west", 1.5, 0.5)[:, None]
    level = np.exp(rng.normal(1.5, 0.5, (80, 1)))
    units = rng.poisson(level * np.exp(log))[:, :N_HISTORY].astype(np.float32)
    item = np.array([f"item-{r:02d}" for r in range(80)], object)
    return replace(
        panel, item_id=item, location_id=place, units=units, available=np.ones_like(units),
        static=panel.static.assign(category=category), regressors={"payday": payday}, dormant_buckets=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def panel() -> DemandPanel:
    return world()


@pytest.fixture(scope="module")
def effects(panel: DemandPanel) -> GroupEffects:
    return learn_group_effects(panel, CODES, KnownEffects())


def lift(effects: GroupEffects, panel: DemandPanel, days: np.ndarray, category: str, place: str) -> float:
    """Mean log factor of a group's first series on some future days over that on the others."""
    row = int(np.flatnonzero((panel.static["category"] == category) & (panel.location_id == place))[0])
    ahead = np.arange(panel.calendar.n_buckets) >= N_HISTORY
    log = np.log(effects(panel.take(np.array([row])))[0])
    return float(log[ahead & days].mean() - log[ahead & ~days].mean())


def test_a_weekday_counts_where_it_did_and_more_at_one_place(panel: DemandPanel, effects: GroupEffects) -> None:
    sunday = (panel.calendar.starts.astype(np.int64) + 3) % 7 == 6
    assert lift(effects, panel, sunday, "toys", "west") == pytest.approx(1.5 * SUNDAY, abs=0.12)
    assert lift(effects, panel, sunday, "toys", "east") == pytest.approx(0.5 * SUNDAY, abs=0.12)
    assert lift(effects, panel, sunday, "food", "west") == pytest.approx(0, abs=0.12)


def test_a_payday_counts_for_the_category_that_it_lifts(panel: DemandPanel, effects: GroupEffects) -> None:
    payday = np.asarray(panel.regressors["payday"]) > 0
    assert lift(effects, panel, payday, "food", "east") == pytest.approx(PAYDAY, abs=0.1)
    assert lift(effects, panel, payday, "toys", "east") == pytest.approx(0, abs=0.1)


def test_a_series_alone_has_the_bits_of_the_batch_and_text_keeps_them(
    panel: DemandPanel, effects: GroupEffects
) -> None:
    every = effects(panel)
    np.testing.assert_array_equal(effects(panel.take(np.array([7])))[0], every[7])
    np.testing.assert_array_equal(GroupEffects.from_text(effects.text())(panel), every)


def test_an_unknown_text_and_a_regressor_that_is_not_given_have_no_effect_of_their_own(
    panel: DemandPanel, effects: GroupEffects
) -> None:
    stranger = replace(panel.take(np.array([0])), static=panel.static.iloc[:1].assign(category="books"), regressors={})
    found = np.log(effects(stranger)[0])
    assert np.abs(found).max() < np.log(effects(panel.take(np.array([0])))[0]).max()
    assert np.isfinite(found).all()


def test_too_few_series_for_groups_or_weeks_teach_nothing(panel: DemandPanel) -> None:
    few = panel.take(np.arange(8))
    np.testing.assert_array_equal(learn_group_effects(few, CODES, KnownEffects())(few), 1)
    weeks = synthetic_panel(bucket="W")
    np.testing.assert_array_equal(learn_group_effects(weeks, CODES, KnownEffects())(weeks), 1)


def test_one_absurd_series_does_not_set_its_groups_weekdays(panel: DemandPanel, effects: GroupEffects) -> None:
    units = np.array(panel.units)
    units[1, (panel.calendar.starts[:N_HISTORY].astype(np.int64) + 3) % 7 == 2] = 1e6
    found = learn_group_effects(replace(panel, units=units), CODES, KnownEffects())(panel)
    others = (panel.static["category"] == "food").to_numpy()
    np.testing.assert_allclose(np.log(found[others]), np.log(effects(panel)[others]), atol=0.25)
    assert np.abs(np.log(found)).max() <= BOUND


def test_columns_are_weekdays_waves_and_the_values_of_common_regressors(panel: DemandPanel) -> None:
    countdown = np.zeros(panel.calendar.n_buckets, np.float32)
    countdown[10:13] = [0.5, 1.0, 0.5]
    own = np.zeros((panel.n_series, panel.calendar.n_buckets), np.float32)
    own[:, 5] = 1
    told = replace(panel, regressors={"festival": countdown, "food_stamps": own, "depth": own * 0.3})
    terms = group_terms(told)
    assert sum(term.kind == WEEKDAY for term in terms) == 7
    assert sum(term.kind == MONTH for term in terms) == 6
    named = [(term.name, term.value, term.is_rare) for term in terms if term.name]
    assert named == [("festival", 0.5, True), ("festival", 1.0, True), ("food_stamps", 1.0, False)]
    np.testing.assert_array_equal(np.flatnonzero(term_values(told, Term("regressor", 0, "festival", 0.5))), [10, 12])


def test_crossings_hold_all_each_attribute_each_pair_and_the_groups() -> None:
    members = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1]])
    found = crossings_of(("a", "b", "c"), members)
    assert [one.names for one in found] == [
        (), ("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c"),
    ]  # fmt: skip
    assert found[1].members == ("0", "1")
    assert found[5].of_group == ("0\t0", "0\t1", "1\t1")
