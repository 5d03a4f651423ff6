"""The choice among forecasters: the baseline stays in the race, failures are listed, and rows come back in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest

from engine.demand.panel import DemandPanel, Floats
from engine.errors import Cancelled, ConfigError
from engine.execution import Run
from engine.forecast.backtest import actuals_after, cutoffs, interval_pinball, score_intervals
from engine.forecast.conformance import check_forecaster
from engine.forecast.empirical import ResidualPool
from engine.forecast.params import ForecastParams
from engine.forecast.pooled import PooledForecast, fit_pooled
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from engine.forecast.types import FittedState
from engine.messages import Message
from models.best_of import QUANTILES, STREAMS, BestOf
from models.contest import COLUMNS
from models.moving_average import MovingAverage, thirteen_weeks
from models.seasonal_naive import SeasonalNaive
from models.segments import segment
from models.value_added import NAMES, forecast_value_added

PARAMS = ForecastParams(n_paths=40)
PANEL = synthetic_panel(n_items=20, n_history=200)


@dataclass(frozen=True)
class Stub:
    """A forecaster whose mean is the moving average times ``factor``, or that fails."""

    name: str
    factor: float = 1.0
    fails_from: int = 10**9
    cold_start: bool = False

    def fit(self, panel: DemandPanel) -> PooledForecast:
        if panel.calendar.n_history >= self.fails_from:
            raise RuntimeError("no fit today")
        return fit_pooled(panel, partial(scaled, factor=self.factor))

    def from_state(self, state: FittedState) -> PooledForecast:
        return PooledForecast(partial(scaled, factor=self.factor), ResidualPool.from_state(state))


class Noting(Stub):
    """A stub that tells something of the history it is fitted to."""

    def fit(self, panel: DemandPanel) -> PooledForecast:
        return replace(super().fit(panel), notes=(Message("residuals-assumed", {"n_series": 2}),))


def scaled(panel: DemandPanel, horizon: int, factor: float) -> Floats:
    return thirteen_weeks(panel, horizon) * np.float32(factor)


def best(*candidates: object, run: Run | None = None) -> BestOf:
    return BestOf(candidates, PARAMS, run or Run())


def models_used(fitted: object) -> set[str]:
    return set(fitted.model_of(PANEL.item_id, PANEL.location_id))


def test_it_holds_to_the_protocol() -> None:
    check_forecaster(lambda: best(SeasonalNaive(), MovingAverage()))


def test_a_hopeless_challenger_never_wins() -> None:
    fitted = best(MovingAverage(), Stub("hopeless", 9.0)).fit(PANEL)
    assert models_used(fitted) == {"moving_average"}
    assert list(fitted.fitted) == ["moving_average"]


def test_a_challenger_that_is_no_better_by_the_margin_does_not_take_over() -> None:
    fitted = best(MovingAverage(), Stub("twin", 1.0)).fit(PANEL)
    assert models_used(fitted) == {"moving_average"}


def test_a_challenger_that_is_clearly_better_takes_the_segments() -> None:
    fitted = best(Stub("seasonal_naive", 3.0), Stub("good", 1.0)).fit(PANEL)
    assert "good" in models_used(fitted)
    chosen = fitted.backtest[fitted.backtest["chosen"]]
    assert set(chosen["model"]) == {"good"}


def test_a_baseline_is_added_where_none_is_given() -> None:
    assert best(Stub("only")).candidates[0].name == "seasonal_naive"


def test_the_backtest_has_its_columns_and_one_choice_a_segment() -> None:
    table = best(SeasonalNaive(), MovingAverage()).fit(PANEL).backtest
    assert tuple(table.columns) == COLUMNS
    by_segment = table[~table["segment"].isin(NAMES)].groupby("segment")["chosen"].sum()
    assert (by_segment == 1).all()
    assert set(table.loc[table["segment"] == "all", "model"]) == {"seasonal_naive", "moving_average", "best_of"}


def test_the_pooled_loss_is_the_mean_of_interval_pinballs_in_money_of_those_that_were_in_the_race() -> None:
    units, offered = np.array(PANEL.units), np.array(PANEL.offered)
    offered[4, :170], units[4, :170] = False, 0
    panel = replace(PANEL, units=units, offered=offered)
    horizon = int(panel.interval[:, 1].max())
    backs = cutoffs(panel, PARAMS.n_cutoffs, horizon)
    assert backs.max() > 16  # at the earliest cutoff the fifth series had been on sale for less than 14 days
    fitted = SeasonalNaive().fit(panel.cut(int(backs.max())))
    segments = segment(panel)
    losses, everyone = [], []
    for back in backs:
        past = panel.cut(int(back))
        paths = fitted.sample(past, horizon, PARAMS.n_paths, STREAMS)
        loss = interval_pinball(paths, actuals_after(panel, int(back), horizon), panel.interval, QUANTILES)
        money = loss * segments.value_per_unit
        everyone.append(money)
        losses.append(money[segment(past).chosen_for & segments.chosen_for])
    table = best(SeasonalNaive()).fit(panel).backtest
    row = (table["segment"] == "all") & (table["model"] == "seasonal_naive")
    assert table.loc[row, "loss"].item() == pytest.approx(np.nanmean(np.concatenate(losses)))
    assert np.nanmean(np.concatenate(losses)) != pytest.approx(np.nanmean(everyone))


def test_the_choice_stands_beside_the_baseline_over_all_and_in_each_class() -> None:
    table = best(Stub("seasonal_naive", 3.0), Stub("good", 1.0)).fit(PANEL).backtest
    losses = table.set_index(["segment", "model"])["loss"]
    own = table[table["model"] == "best_of"]
    assert "all" in set(own["segment"])
    assert set(own["segment"]) <= set(NAMES)
    assert losses["all", "best_of"] < losses["all", "seasonal_naive"]
    for name in own["segment"]:
        assert losses[name, "best_of"] <= losses[name, "seasonal_naive"]
    added = forecast_value_added(table)
    assert len(added) == len(own)
    assert (added["value_added"] >= 0).all()


def test_another_score_decides_by_its_own_loss() -> None:
    def favours_many(paths, actuals, interval, quantiles):
        found = score_intervals(paths, actuals, interval, quantiles)
        return replace(found, pinball=np.where(np.isfinite(found.pinball), 1 / paths.units.mean(axis=(1, 2)), np.nan))

    candidates = (Stub("seasonal_naive", 1.0), Stub("many", 9.0))
    assert models_used(BestOf(candidates, PARAMS).fit(PANEL)) == {"seasonal_naive"}
    assert "many" in models_used(BestOf(candidates, PARAMS, score=favours_many).fit(PANEL))


@pytest.mark.parametrize(("fails_from", "stage"), [(0, "backtest"), (200, "fit")])
def test_a_candidate_that_raises_is_listed_and_left_out(fails_from: int, stage: str) -> None:
    fitted = best(Stub("seasonal_naive", 3.0), Stub("good", 1.0, fails_from)).fit(PANEL)
    failed = [dict(note.values) for note in fitted.notes if note.code == "candidate-failed"]
    assert failed == [{"model": "good", "stage": stage, "reason": "RuntimeError: no fit today"}]
    assert models_used(fitted) == {"seasonal_naive"}
    table = fitted.backtest
    assert set(table.loc[table["chosen"], "model"]) == {"seasonal_naive"}
    assert (forecast_value_added(table)["value_added"] == 0).all()


def test_new_and_odd_series_are_left_to_the_baseline_and_listed() -> None:
    units, offered = np.array(PANEL.units), np.array(PANEL.offered)
    units[0] = 0
    units[0, 10] = 5
    offered[3, : PANEL.calendar.n_history - 9] = False
    units[3, : PANEL.calendar.n_history - 9] = 0
    panel = replace(PANEL, units=units, offered=offered)
    fitted = best(Stub("seasonal_naive", 3.0), Stub("good")).fit(panel)
    notes = {note.code: dict(note.values) for note in fitted.notes}
    assert "item-000 at north" in str(notes["series-too-odd"]["first"])
    assert "item-001 at south" in str(notes["series-too-short"]["first"])
    assert fitted.model_of(panel.item_id[[0, 3]], panel.location_id[[0, 3]]).tolist() == ["seasonal_naive"] * 2


def test_a_new_series_goes_to_the_candidate_that_can_start_cold() -> None:
    units, offered = np.array(PANEL.units), np.array(PANEL.offered)
    offered[3, : PANEL.calendar.n_history - 9] = False
    units[3, : PANEL.calendar.n_history - 9] = 0
    panel = replace(PANEL, units=units, offered=offered)
    fitted = best(Stub("seasonal_naive"), Stub("other", 2.0), Stub("cold", 2.0, cold_start=True)).fit(panel)
    assert models_used(fitted) == {"seasonal_naive", "cold"}
    assert fitted.model_of(panel.item_id[[3]], panel.location_id[[3]]).tolist() == ["cold"]
    unknown = np.array(["never seen"], object)
    assert fitted.model_of(unknown, panel.location_id[:1]).tolist() == ["cold"]
    fails = best(Stub("seasonal_naive"), Stub("cold", 2.0, fails_from=200, cold_start=True)).fit(panel)
    assert fails.model_of(unknown, panel.location_id[:1]).tolist() == ["seasonal_naive"]


def test_a_history_too_short_for_a_backtest_is_left_to_the_baseline() -> None:
    fitted = best(SeasonalNaive(), MovingAverage()).fit(PANEL.cut(188))
    assert "backtest-too-short" in [note.code for note in fitted.notes]
    assert set(fitted.fitted) == {"seasonal_naive"}
    assert fitted.backtest.empty
    assert tuple(fitted.backtest.columns) == COLUMNS


def test_each_series_gets_the_paths_of_its_own_model() -> None:
    fitted = best(Stub("seasonal_naive", 1.2), Stub("good")).fit(PANEL)
    paths = fitted.sample(PANEL, 7, 20, Streams(2)).units
    names = fitted.model_of(PANEL.item_id, PANEL.location_id)
    for name, one in fitted.fitted.items():
        rows = np.flatnonzero(names == name)
        np.testing.assert_array_equal(paths[rows], one.sample(PANEL.take(rows), 7, 20, Streams(2)).units)


def test_the_state_gives_backtest_and_assignment_back() -> None:
    make = best(Stub("seasonal_naive", 3.0), Stub("good"))
    fitted = make.fit(PANEL)
    again = make.from_state(fitted.state())
    assert again.backtest.equals(fitted.backtest)
    assert again.model_by_key == fitted.model_by_key


def test_a_stored_choice_without_its_candidate_is_refused() -> None:
    fitted = best(Stub("seasonal_naive", 3.0), Stub("good")).fit(PANEL)
    with pytest.raises(ConfigError, match="Found good"):
        best(Stub("seasonal_naive")).from_state(fitted.state())


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="different names"):
        best(Stub("one"), Stub("one", 2.0))


def test_progress_is_told_and_a_request_to_stop_is_heard() -> None:
    told: list[str] = []
    best(SeasonalNaive(), run=Run(progress=lambda stage, done, total: told.append(f"{stage} {done}/{total}"))).fit(
        PANEL
    )
    assert told[0] == "backtest fit 0/1"
    assert told[-1] == "fit 1/1"
    stopping: Callable[[], bool] = iter([False, True, True]).__next__
    with pytest.raises(Cancelled):
        best(SeasonalNaive(), run=Run(cancelled=stopping)).fit(PANEL)


def test_a_refit_keeps_the_choice_and_learns_from_the_newer_panel() -> None:
    forecaster = best(MovingAverage(), Stub("better", 1.0), Stub("hopeless", 9.0))
    before = forecaster.fit(PANEL.cut(28))
    after = forecaster.refit(PANEL, before)
    np.testing.assert_array_equal(
        after.model_of(PANEL.item_id, PANEL.location_id), before.model_of(PANEL.item_id, PANEL.location_id)
    )
    assert after.backtest.equals(before.backtest)
    name = before.model_of(PANEL.item_id, PANEL.location_id)[0]
    alone = next(c for c in forecaster.candidates if c.name == name).fit(PANEL)
    first = PANEL.take(np.array([0]))
    paths = [fitted.sample(first, 7, 20, Streams(0)).units for fitted in (after, alone)]
    np.testing.assert_array_equal(*paths)


def test_what_several_models_tell_alike_is_told_once() -> None:
    forecaster = best(Noting("seasonal_naive"), Noting("other"))
    before = replace(forecaster.fit(PANEL.cut(28)), newcomer="other")
    keys = dict(zip(before.model_by_key, ["seasonal_naive", "other"] * PANEL.n_series, strict=False))
    after = forecaster.refit(PANEL, replace(before, model_by_key=keys))
    assert models_used(after) == {"seasonal_naive", "other"}
    assert [note.code for note in after.notes].count("residuals-assumed") == 1


def test_a_refit_that_fails_leaves_its_series_to_the_baseline() -> None:
    forecaster = best(MovingAverage(), Stub("later", 1.0, fails_from=200))
    before = replace(forecaster.fit(PANEL.cut(28)), newcomer="later")
    keys = dict.fromkeys(before.model_by_key, "later")
    after = forecaster.refit(PANEL, replace(before, model_by_key=keys))
    assert models_used(after) == {"moving_average"}
    assert after.newcomer == "moving_average"
    assert "candidate-failed" in {note.code for note in after.notes}
