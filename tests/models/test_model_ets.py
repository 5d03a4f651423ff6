"""Exponential smoothing: conformance, its recursions against statsforecast's, gaps by hand, and its fall-backs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from statsforecast.models import AutoETS

import models.ets
from engine.execution import Serial
from engine.forecast.conformance import check_forecaster
from engine.forecast.synthetic import synthetic_panel
from models.ets import Ets, EtsModel, EtsParams
from models.ets_states import FIRST_SEASON, LEVEL, TREND, advance, ahead, fit_vector, form_of
from models.local import LARGEST
from models.local_choice import yearly_value
from models.local_learning import Learnt
from models.moving_average import thirteen_weeks
from models.series_fits import SeriesTask, choose_series, learn_series, learn_twice

make = partial(Ets, EtsParams(max_local_fits=3))
MODEL = EtsModel()


@pytest.mark.parametrize("bucket", ["D", "W"])
def test_it_holds_to_the_protocol(bucket: str) -> None:
    check_forecaster(make, synthetic_panel(n_items=10, n_history=112, bucket=bucket))


def months(n_months: int) -> np.ndarray:
    generator = np.random.default_rng(2)
    time = np.arange(n_months)
    season = 1 + 0.4 * np.sin(2 * np.pi * time / 12)
    return (50 + 0.5 * time) * season * generator.gamma(60, 1 / 60, n_months)


FORMS = ("ANN", "MNN", "AAN", "ANA", "AAA", "MNM", "MAM", "MAA")
DAMPED = ("AAN", "AAA", "MAM")


@pytest.mark.parametrize("form", FORMS)
def test_newer_buckets_update_a_fit_as_statsforecast_does(form: str) -> None:
    demand = months(85)
    model = AutoETS(season_length=12, model=form, damped=False).fit(demand[:60])
    fit = fit_vector(model.model_, 12)[None]
    np.testing.assert_allclose(ahead(fit, 30)[0], model.predict(30)["mean"], rtol=1e-9)
    newer = advance(fit, demand[None, 60:])
    np.testing.assert_allclose(ahead(newer, 30)[0], model.forward(demand, 30)["mean"], rtol=1e-9)


@pytest.mark.parametrize("form", DAMPED)
def test_a_damped_trend_is_updated_as_by_statsforecast_and_fades_by_the_book(form: str) -> None:
    # Beyond one bucket ahead statsforecast 2.1.1 counts the first step of a damped trend twice.
    demand = months(85)
    model = AutoETS(season_length=12, model=form, damped=True).fit(demand[:60])
    fit = fit_vector(model.model_, 12)[None]
    for known in range(60, 86):
        newer = advance(fit, demand[None, 60:known])
        np.testing.assert_allclose(ahead(newer, 1)[0], model.forward(demand[:known], 1)["mean"], rtol=1e-9)
    # A bucket that sells what was expected changes no forecast of the later ones.
    expected = ahead(fit, 30)
    np.testing.assert_allclose(ahead(advance(fit, expected[:, :10]), 20)[0], expected[0, 10:], rtol=1e-9)


def test_a_chosen_fit_forecasts_as_statsforecast_does() -> None:
    demand = months(60)
    learnt = MODEL.learn(SeriesTask("trial", demand, "M"))
    np.testing.assert_allclose(ahead(learnt.params[None], 18)[0], AutoETS(12).forecast(demand, 18)["mean"], rtol=1e-9)


def test_an_unseen_bucket_leaves_level_and_trend_and_moves_the_season_on() -> None:
    # No season, alpha 0.5, beta 0.1, phi 0.9, level 10, trend 2; then a season of two, added.
    fit = np.array([[0, 0.5, 0.1, 0.0, 0.9, 10.0, 2.0, 3.0, -3.0]])
    after = advance(fit, np.array([[np.nan]]))
    assert after[0, [LEVEL, TREND]].tolist() == [10.0, 2.0]
    assert after[0, FIRST_SEASON:].tolist() == [-3.0, 3.0]


def test_a_bucket_updates_the_states_as_by_hand() -> None:
    fit = np.array([[0, 0.5, 0.1, 0.2, 0.9, 10.0, 2.0, 3.0, -3.0]])
    after = advance(fit, np.array([[18.8]]))
    # Expected 10 + 0.9 * 2 = 11.8, and 3 of the season: an error of 4, shared out by 0.5, 0.1 and 0.2.
    np.testing.assert_allclose(after[0, [LEVEL, TREND]], [13.8, 2.2])
    np.testing.assert_allclose(after[0, FIRST_SEASON:], [-3.0, 3.0 + 0.2 * (18.8 - 11.8 - 3)])
    np.testing.assert_allclose(ahead(after, 2)[0], [13.8 + 0.9 * 2.2 - 3.0, 13.8 + (0.9 + 0.81) * 2.2 + 3.8])


def test_unseen_buckets_at_either_end_do_not_reach_the_fit() -> None:
    demand = months(60)
    padded = np.concatenate([np.full(7, np.nan), demand, np.full(5, np.nan)])
    learnt, alone = (
        MODEL.learn(SeriesTask("padded", padded, "M")).params,
        MODEL.learn(SeriesTask("alone", demand, "M")).params,
    )
    assert learnt[LEVEL] == alone[LEVEL]
    np.testing.assert_array_equal(learnt[FIRST_SEASON:], np.roll(alone[FIRST_SEASON:], -5))


def test_a_gap_takes_the_mean_of_its_place_in_the_season() -> None:
    demand = np.tile([1.0, 2.0, 9.0], 30)
    demand[[5, 40]] = np.nan
    filled = models.ets._filled(demand, 3)
    np.testing.assert_array_equal(filled, np.tile([1.0, 2.0, 9.0], 30))


def test_weeks_are_fitted_out_of_their_yearly_season() -> None:
    generator = np.random.default_rng(3)
    season = 1 + 0.5 * np.sin(2 * np.pi * np.arange(260) / 52)
    demand = 100 * season * generator.gamma(400, 1 / 400, 260)
    learnt = MODEL.learn(SeriesTask("trial", demand[:208], "W"))
    np.testing.assert_allclose(ahead(learnt.params[None], 52)[0], 100 * season[208:], rtol=0.15)


@pytest.mark.parametrize("form", [*FORMS, "AAdN", "AAdA", "MAdM"])
def test_the_form_of_a_fit_is_told_from_its_numbers(form: str) -> None:
    letters, damped = form.replace("d", ""), "d" in form
    fit = fit_vector(AutoETS(12, model=letters, damped=damped).fit(months(70)).model_, 12)
    assert form_of(fit) == ("Z" + letters[1:], damped)


def test_the_fit_before_the_hold_out_takes_the_form_of_the_later_one() -> None:
    panel = synthetic_panel(n_history=90, bucket="M").take(np.arange(20))
    early, late, _ = learn_twice(panel, 20, MODEL, 4, Serial())
    assert early.as_of == panel.cut(20).calendar.as_of
    assert len(early.own) == len(late.own) == 4
    assert all(form_of(early.own[key]) == form_of(late.own[key]) for key in late.own)
    assert any((early.own[key] != late.own[key]).any() for key in late.own)


def test_the_most_valuable_series_that_sell_often_enough_are_fitted() -> None:
    panel = synthetic_panel(bucket="W")
    chosen = choose_series(panel, 4)
    value = yearly_value(panel)
    assert value[chosen].min() >= np.sort(value)[-8]
    order = np.arange(panel.n_series)[::-1]
    mirrored = choose_series(panel.take(order), 4)
    assert set(panel.item_id[chosen]) == set(panel.take(order).item_id[mirrored])
    assert not (panel.units[choose_series(panel, 99)] > 0).sum(axis=1).min() < 12


def test_other_series_and_a_panel_older_than_the_fit_take_the_moving_average() -> None:
    panel = synthetic_panel(bucket="W")
    mean, _ = learn_series(panel, choose_series(panel, 2), MODEL, Serial())
    fitted = np.array([key in mean.own for key in zip(panel.item_id, panel.location_id, strict=True)])
    assert fitted.sum() == 2
    plain = thirteen_weeks(panel, 6)
    got = mean(panel, 6)
    np.testing.assert_array_equal(got[~fitted], plain[~fitted])
    assert (got[fitted] != plain[fitted]).any()
    older = panel.cut(1)
    np.testing.assert_array_equal(mean(older, 6), thirteen_weeks(older, 6))


def test_a_series_that_cannot_be_fitted_is_listed_and_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = synthetic_panel(bucket="W")
    first = choose_series(panel, 3)[0]
    label = f"{panel.item_id[first]} at {panel.location_id[first]}"

    def stubborn(self: EtsModel, task: SeriesTask) -> Learnt:
        if task.label == label:
            raise ValueError("does not like this one")
        return learn(self, task)

    learn = EtsModel.learn
    monkeypatch.setattr(EtsModel, "learn", stubborn)
    mean, notes = learn_series(panel, choose_series(panel, 3), MODEL, Serial())
    assert len(mean.own) == 2
    values = {note.code: note.values for note in notes}
    assert values["local-fits-alone"] == {"model": "ets", "n_series": 2, "n_others": panel.n_series - 2}
    assert values["local-fit-failed"]["reason"] == "ValueError: does not like this one"
    assert values["local-fit-failed"]["first"] == label
    np.testing.assert_array_equal(mean(panel, 4)[first], thirteen_weeks(panel, 4)[first])


def test_forecasts_are_never_negative_nor_far_above_what_was_ever_sold() -> None:
    panel = synthetic_panel(n_items=1, n_history=60, n_future=28, bucket="W")
    steps = np.arange(60)
    units = np.stack([np.maximum(100 - 3 * steps, 1), 1.2 ** np.minimum(steps, 40)]).astype(np.float32)
    panel = replace(panel, units=units, available=np.ones_like(units), offered=np.ones((2, 88), bool))
    past = panel.cut(20)
    mean, _ = learn_series(past, np.arange(2), MODEL, Serial())
    assert len(mean.own) == 2
    forecast = mean(past, 28)
    assert forecast.min() >= 0
    assert (forecast <= LARGEST * past.units.max(axis=1)[:, None]).all()


def test_a_history_too_short_is_told_and_takes_the_moving_average() -> None:
    panel = synthetic_panel(n_history=20, bucket="W")
    fitted = make().fit(panel)
    assert fitted.notes[-1].code == "local-too-short"
    np.testing.assert_array_equal(fitted.mean_at(panel, 3), thirteen_weeks(panel, 3))
