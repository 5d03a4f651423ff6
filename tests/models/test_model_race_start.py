"""A race is between models, not between what stands in for them while their history is too short."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pytest

from engine.demand.panel import DemandPanel, Floats
from engine.execution import Run
from engine.forecast.backtest import cutoffs
from engine.forecast.params import ForecastParams
from engine.forecast.pooled import PooledForecast, fit_pooled
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from engine.forecast.types import FittedState
from models.best_of import BestOf
from models.boosting import Boosting
from models.moving_average import MovingAverage, thirteen_weeks
from models.race_start import start_race
from models.registry import create

PARAMS = ForecastParams(n_paths=40)
PANEL = synthetic_panel(n_items=20, n_history=200)
HORIZON = int(PANEL.interval[:, 1].max())
BACKS = cutoffs(PANEL, 3, HORIZON)


@dataclass(frozen=True)
class Late:
    """The moving average times ``factor``; below ``least`` buckets of history the moving average stands in."""

    name: str
    least: int = 0
    factor: float = 1.0
    seen: list[int] = field(default_factory=list)

    def fit(self, panel: DemandPanel) -> PooledForecast:
        self.seen.append(panel.calendar.n_history)
        is_short = panel.calendar.n_history < self.least
        fitted = fit_pooled(panel, partial(scaled, factor=1.0 if is_short else self.factor))
        return replace(fitted, stands_in=is_short)

    def from_state(self, state: FittedState) -> PooledForecast:
        raise NotImplementedError


def scaled(panel: DemandPanel, horizon: int, factor: float) -> Floats:
    return thirteen_weeks(panel, horizon) * np.float32(factor)


def test_with_history_enough_every_candidate_is_fitted_once_at_the_earliest_cutoff() -> None:
    one, other = Late("one"), Late("other", least=200 - int(BACKS.max()))
    start = start_race((one, other), PANEL, BACKS, Run())
    assert start.backs.tolist() == BACKS.tolist()
    assert (one.seen, other.seen) == ([200 - BACKS.max()], [200 - BACKS.max()])
    assert (start.untried, start.notes) == ((), ())


def test_the_earliest_cutoffs_are_left_out_until_a_candidate_has_enough_to_learn_from() -> None:
    assert len(BACKS) == 3
    start = start_race((Late("one"), Late("late", least=200 - int(BACKS[1]))), PANEL, BACKS, Run())
    assert start.backs.tolist() == BACKS[:2].tolist()
    assert list(start.fitted) == ["one", "late"]
    assert [(n.code, dict(n.values)) for n in start.notes] == [
        ("backtest-shortened", {"n_cutoffs": 2, "n_possible": 3})
    ]


def test_no_cutoff_is_left_out_for_a_candidate_that_would_still_stand_in_and_it_does_not_race() -> None:
    start = start_race((Late("one"), Late("never", least=10**6)), PANEL, BACKS, Run())
    assert start.backs.tolist() == BACKS.tolist()
    assert list(start.fitted) == ["one", "moving_average"]
    assert start.untried == ("never",)
    assert [(n.code, dict(n.values)) for n in start.notes] == [
        ("candidates-untried", {"models": "never", "model": "moving_average"})
    ]


@pytest.mark.parametrize("name", ["boosting", "arima", "prophet", "ets", "auto_arima"])
def test_a_model_says_that_a_month_is_too_short_for_it_and_a_baseline_never_does(name: str) -> None:
    month = PANEL.cut(170)
    assert create(name).fit(month).stands_in
    assert not MovingAverage().fit(month).stands_in


def test_a_model_does_not_win_with_the_loss_of_what_stood_in_for_it() -> None:
    """Where it stands in it is good, on all the history it is hopeless: the moving average serves instead."""
    late = Late("late", least=200, factor=9.0)
    forecaster = BestOf((Late("seasonal_naive", factor=3.0), late), PARAMS)
    fitted = forecaster.fit(PANEL)
    assert set(fitted.model_of(PANEL.item_id, PANEL.location_id)) == {"moving_average"}
    assert set(fitted.backtest["model"]) == {"seasonal_naive", "moving_average", "best_of"}
    alone = MovingAverage().fit(PANEL).sample(PANEL, 7, 20, Streams(1)).units
    np.testing.assert_array_equal(fitted.sample(PANEL, 7, 20, Streams(1)).units, alone)


def test_a_stored_choice_of_the_stand_in_comes_back() -> None:
    fitted = BestOf((MovingAverage(), Late("late", least=10**6)), PARAMS).fit(PANEL)
    assert set(fitted.fitted) == {"moving_average"}
    forecaster = BestOf((Boosting(),), PARAMS)
    short = PANEL.cut(200 - 60)
    chosen = forecaster.fit(short)
    again = forecaster.from_state(chosen.state())
    assert again.model_by_key == chosen.model_by_key
    paths = [one.sample(short, 7, 20, Streams(2)).units for one in (chosen, again)]
    np.testing.assert_array_equal(*paths)
    assert "moving_average" in chosen.backtest["model"].tolist()
