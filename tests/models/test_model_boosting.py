"""Gradient boosting: conformance, what it learns, and the same bits however it is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest

from engine.execution import Serial
from engine.forecast.conformance import check_forecaster
from engine.forecast.streams import Streams
from engine.forecast.synthetic import synthetic_panel
from models.boosting import Boosting, BoostingParams, TreeMean
from models.moving_average import thirteen_weeks

QUICK = BoostingParams(n_trees=40, n_leaves=15)
make = partial(Boosting, QUICK)


@pytest.mark.parametrize("bucket", ["D", "W"])
def test_it_holds_to_the_protocol(bucket: str) -> None:
    check_forecaster(make, synthetic_panel(bucket=bucket))


def test_the_order_of_series_changes_nothing() -> None:
    panel = synthetic_panel(n_history=120)
    rows = np.random.default_rng(0).permutation(panel.n_series)
    straight = make().fit(panel).sample(panel, 7, 20, Streams(1)).units
    shuffled = make().fit(panel.take(rows)).sample(panel, 7, 20, Streams(1)).units
    np.testing.assert_array_equal(straight, shuffled)


def test_a_promotion_known_ahead_raises_the_forecast() -> None:
    panel = synthetic_panel(n_items=30, n_history=300)
    fitted = make().fit(panel)
    past, ahead = np.split(np.array(panel.regressors["promotion"]), [panel.calendar.n_history], axis=-1)
    on, off = (
        replace(panel, regressors={"promotion": np.concatenate([past, np.full_like(ahead, value)], axis=-1)})
        for value in (1, 0)
    )
    lift = fitted.mean_at(on, 14).sum() / fitted.mean_at(off, 14).sum()
    assert 1.3 < lift < 2.5


def test_stock_outs_do_not_pull_the_forecast_down() -> None:
    panel = synthetic_panel(n_items=20, n_history=300)
    units, available = np.array(panel.units), np.array(panel.available)
    units[:, -10:], available[:, -10:] = 0, 0
    emptied = replace(panel, units=units, available=available)
    fitted = make().fit(panel)
    seen, masked = fitted.mean_at(panel, 14).sum(), fitted.mean_at(emptied, 14).sum()
    assert 0.75 < masked / seen < 1.33


def test_too_little_history_falls_back_to_the_moving_average_and_says_so() -> None:
    panel = synthetic_panel(n_items=2, n_history=40)
    fitted = make().fit(panel)
    assert "boosting-too-short" in [note.code for note in fitted.notes]
    np.testing.assert_array_equal(fitted.mean_at(panel, 7), thirteen_weeks(panel, 7))


def test_rows_are_capped() -> None:
    panel = synthetic_panel(n_items=10, n_history=200)
    few = Boosting(replace(QUICK, max_rows=2_000)).fit(panel)
    many = make().fit(panel)
    assert isinstance(few.mean_at, TreeMean)
    leaves = [int(line.split("=")[1]) for line in few.text["trees"].splitlines() if line.startswith("num_leaves=")]
    counts = [line for line in few.text["trees"].splitlines() if line.startswith("leaf_count=")]
    assert max(leaves) <= QUICK.n_leaves
    assert sum(int(c) for c in counts[0].split("=")[1].split()) <= 2_000
    assert few.text["trees"] != many.text["trees"]


def test_one_thread_and_two_give_the_same_trees() -> None:
    @dataclass(frozen=True)
    class Workers:
        n_workers: int
        map = Serial.map

    panel = synthetic_panel(n_items=30, n_history=200)
    few = replace(QUICK, n_trees=5)
    trees = [Boosting(few, Workers(n)).fit(panel).text["trees"].split("\nparameters:")[0] for n in (2, 4)]
    assert trees[0] == trees[1]


def test_a_series_that_never_sold_is_expected_to_sell_as_its_like_do() -> None:
    panel = synthetic_panel(n_items=60, n_history=200)
    fitted = make().fit(panel)
    one = panel.take(np.array([0]))
    offered = np.array(one.offered)
    offered[:, : panel.calendar.n_history] = False
    new = replace(one, units=np.zeros_like(one.units), offered=offered)
    start = fitted.mean_at.inputs.start(new)[0]
    assert fitted.mean_at(new, 14).mean() > 0.3 * start > 0
