"""What the per-series models share: which series are fitted, levels, shares, failures, and the columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from engine.demand.calendar import Calendar
from engine.execution import Serial, processes
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from models.local import LocalMean, fit_local, local_from_state, recent_level
from models.local_choice import TOTAL, choose_local, group_keys
from models.local_design import Design, Doubles, choose_regressors, common_design, design, season_columns
from models.local_learning import Learnt, LocalTask


@dataclass(frozen=True)
class Constant:
    """A model whose forecast is the mean of the last 28 buckets, and whose curve is flat."""

    name: str = "constant"
    fails_on: str = "none"

    def learn(self, task: LocalTask) -> Learnt:
        if self.fails_on in task.label:
            raise ValueError("does not like this one")
        warned = ("be careful",) if "item-009" in task.label else ()
        return Learnt(np.array([np.nanmean(task.demand[-28:])]), warned)

    def curve(self, params: Doubles, columns: Design) -> Doubles:
        return np.ones((len(params), len(columns.days)))

    def mean(self, params: Doubles, columns: Design, demand: Doubles, horizon: int) -> Doubles:
        return np.repeat(params, horizon, axis=1)


PANEL = synthetic_panel(n_items=12, n_history=200)


def test_the_most_valuable_series_are_fitted_within_the_budget() -> None:
    choice = choose_local(PANEL, 12, 56)
    assert len(choice.series) + len(choice.groups) == 12
    assert TOTAL in choice.groups
    value = (np.array(PANEL.units) * PANEL.price).sum(axis=1)
    left_out = np.setdiff1d(np.arange(PANEL.n_series - 2), choice.series)
    assert value[choice.series].min() > value[left_out].max()


def test_a_budget_of_nothing_fits_nothing() -> None:
    choice = choose_local(PANEL, 0, 56)
    assert not len(choice.series)
    assert not choice.groups


def test_series_that_sell_too_seldom_are_left_to_their_group() -> None:
    choice = choose_local(PANEL, 100, 56)
    share = (PANEL.units > 0).mean(axis=1)
    assert share[choice.series].min() >= 0.25
    assert 0 not in choice.series


def test_groups_are_categories_at_locations() -> None:
    assert group_keys(PANEL)[:3] == ["tools at north", "tools at south", "toys at north"]
    assert set(group_keys(replace(PANEL, static=PANEL.static.drop(columns="category")))) == {TOTAL}


def test_the_notes_list_what_was_fitted_and_what_failed() -> None:
    fitted = fit_local(PANEL, Constant(fails_on="item-010"), 12, Serial())
    notes = {note.code: dict(note.values) for note in fitted.notes}
    assert notes["local-fits"]["n_series"] + notes["local-fits"]["n_others"] == PANEL.n_series
    assert "item-009 at north" in str(notes["local-fits"]["series"])
    assert "item-010 at north" not in str(notes["local-fits"]["series"])
    assert notes["local-fit-failed"]["reason"] == "ValueError: does not like this one"
    assert notes["local-fit-failed"]["n_series"] == 2
    assert notes["local-fit-warned"]["reason"] == "be careful"


def test_a_failing_series_takes_the_level_and_curve_of_its_group() -> None:
    fitted = fit_local(PANEL, Constant(fails_on="item-010"), 12, Serial())
    row = list(PANEL.item_id).index("item-010")
    mean = fitted.mean_at(PANEL, 7)[row]
    assert np.ptp(mean) == 0
    assert 0.5 < mean[0] / PANEL.units[row, -56:].mean() < 2


def test_failing_everywhere_falls_back_to_the_moving_average() -> None:
    fitted = fit_local(PANEL, Constant(fails_on=""), 12, Serial())
    assert fitted.notes[-1].code == "local-fit-failed"
    assert fitted.sample(PANEL, 5, 10, Streams(1)).units.sum() > 0


def test_too_little_history_falls_back_and_says_so() -> None:
    fitted = fit_local(synthetic_panel(n_history=60), Constant(), 12, Serial())
    assert [note.code for note in fitted.notes][-1] == "local-too-short"


def test_two_processes_give_what_one_gives() -> None:
    alone = fit_local(PANEL, Constant(), 12, Serial())
    with processes(2) as executor:
        spread = fit_local(PANEL, Constant(), 12, executor)
    assert spread.text == alone.text
    assert spread.notes == alone.notes


def test_parameters_keep_every_bit_in_the_state() -> None:
    fitted = fit_local(PANEL, Constant(), 12, Serial())
    again = local_from_state(fitted.state(), Constant())
    assert isinstance(again.mean_at, LocalMean)
    np.testing.assert_array_equal(again.mean_at(PANEL, 9), fitted.mean_at(PANEL, 9))


def test_the_recent_level_is_weighted_demand_over_the_weighted_curve() -> None:
    demand = np.array([[4.0, np.nan, 8.0]])
    curve = np.array([[1.0, 5.0, 2.0]])
    # Half-life 1: weights 1/4, 1/2 (unseen), 1. (4/4 + 8 + u) / (1/4 + 2 + 1), u = (4 + 8 + 0.5) / (1 + 2 + 1)
    assert recent_level(demand, curve, 1.0)[0] == pytest.approx((9 + 12.5 / 4) / 3.25)


def test_seasons_are_sines_and_cosines_of_the_day_since_1970() -> None:
    calendar = Calendar("D", np.datetime64("1970-01-05"), 4, 3)
    columns = season_columns(calendar, (1, 1))
    day = np.arange(7.0)
    np.testing.assert_allclose(columns[:, 0], np.sin(2 * np.pi * day / 365.25))
    np.testing.assert_allclose(columns[:, 3], np.cos(2 * np.pi * day / 7))


def test_a_relative_price_enters_as_its_logarithm_and_absence_as_the_list_price() -> None:
    price = np.full((PANEL.n_series, PANEL.calendar.n_buckets), np.nan, np.float32)
    price[:, 10] = 0.5
    panel = replace(PANEL, regressors={"price_relative": price})
    assert choose_regressors(panel) == ("price_relative",)
    values = design(panel, (0, 0), ("price_relative",)).regressors[3, :, 0]
    assert values[10] == pytest.approx(np.log(0.5))
    assert not values[:10].any()


def test_an_aggregate_knows_only_what_is_common() -> None:
    common = np.ones(PANEL.calendar.n_buckets, np.float32)
    panel = replace(PANEL, regressors={**PANEL.regressors, "event": common})
    columns = common_design(panel, (0, 0), ("event", "promotion"))
    assert columns.regressors[0, :, 0].all()
    assert not columns.regressors[0, :, 1].any()
