"""Forecast value added by class, and the loss of a forecast that is read bucket by bucket."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.demand.calendar import Calendar
from engine.demand.panel import DemandPanel
from engine.forecast.backtest import Actuals, score_intervals
from engine.forecast.types import SamplePaths
from models.bucket_scores import score_buckets
from models.contest import table_of
from models.value_added import COLUMNS, class_rows, forecast_value_added


def row(model: str, segment: str, loss: float, wape: float) -> dict[str, object]:
    score = {"n_series": 4.0, "loss": loss, "wape": wape, "bias": 0.0, "coverage": 0.8}
    return {"model": model, "segment": segment, **score, "chosen": False}


def test_value_added_is_the_share_of_the_baselines_loss_that_the_choice_saves() -> None:
    scores = table_of(
        [
            row("seasonal_naive", "all", 4.0, 0.5), row("seasonal_naive", "A-smooth", 7.0, 0.9),
            row("seasonal_naive", "AX", 8.0, 0.4), row("boosting", "all", 2.5, 0.1),
            row("best_of", "all", 3.0, 0.3), row("best_of", "AX", 10.0, 0.6),
        ]
    )  # fmt: skip
    added = forecast_value_added(scores)
    assert tuple(added.columns) == COLUMNS
    expected = [
        ("A", "X", 4.0, "seasonal_naive", 8.0, 10.0, -0.25, 0.4, 0.6),
        ("all", "all", 4.0, "seasonal_naive", 4.0, 3.0, 0.25, 0.5, 0.3),
    ]
    assert list(added.itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize("scores", [pd.DataFrame(), table_of([]), table_of([row("ets", "all", 1.0, 0.1)])])
def test_without_a_choice_there_is_no_value_added(scores: pd.DataFrame) -> None:
    added = forecast_value_added(scores)
    assert added.empty
    assert tuple(added.columns) == COLUMNS


def panel_of(units: np.ndarray, price: list[float]) -> DemandPanel:
    n, n_history = units.shape
    return DemandPanel(
        calendar=Calendar("M", np.datetime64("2024-01-01"), n_history, 2),
        item_id=np.array([f"item-{r}" for r in range(n)], object),
        location_id=np.full(n, "here", object),
        units=units.astype(np.float32),
        available=np.ones(units.shape, np.float32),
        offered=np.ones((n, n_history + 2), np.bool_),
        price=np.full(units.shape, np.nan, np.float32),
        interval=np.tile(np.array([[0, 2]], np.int32), (n, 1)),
        static=pd.DataFrame({"unit_price": price}),
        regressors={},
    )


def test_months_are_classed_by_revenue_and_by_what_the_season_leaves() -> None:
    season = 100 * (1 + 0.9 * np.sin(2 * np.pi * np.arange(48) / 12))
    lumpy = np.where(np.arange(48) % 5 == 0, 500.0, 0.0)
    uneven = np.where(np.arange(48) % 7 < 3, 200.0, 25.0)
    units = np.stack([season, lumpy, uneven])
    assert season.std(ddof=1) / season.mean() > 0.5  # Y, were the season left in
    rows = class_rows(panel_of(units, [100.0, 10.0, 1.0]))
    told = {name: np.flatnonzero(found).tolist() for name, found in rows.items()}
    # Of 120,000 + 15,000 + about 1,200 the first holds more than 80 %, the first two more than 95 %.
    assert told == {"AX": [0], "BZ": [1], "CY": [2], "A": [0], "B": [1], "C": [2], "X": [0], "Z": [1], "Y": [2]}


PATHS = SamplePaths(
    np.array(["a", "b"], object), np.array(["x", "x"], object),
    np.array([[[4, 0], [4, 0]], [[2, 2], [2, 2]]], np.float32),
)  # fmt: skip
ACTUALS = Actuals(np.array([[0.0, 4.0], [2.0, 6.0]]), np.ones((2, 2), np.bool_))
INTERVAL = np.array([[0, 2], [0, 2]], np.int32)


def test_errors_that_cancel_in_the_sum_count_bucket_by_bucket() -> None:
    # At the median: |4 - 0| / 2 and |0 - 4| / 2; then 0 and |2 - 6| / 2.
    found = score_buckets(PATHS, ACTUALS, INTERVAL, (0.5,))
    assert found.pinball.tolist() == [2.0, 1.0]
    whole = score_intervals(PATHS, ACTUALS, INTERVAL, (0.5,))
    assert whole.pinball.tolist() == [0.0, 2.0]
    assert found.error.tolist() == whole.error.tolist()


def test_buckets_beyond_the_interval_or_unseen_do_not_count() -> None:
    short = score_buckets(PATHS, ACTUALS, np.array([[0, 1], [0, 0]], np.int32), (0.5,))
    assert short.pinball[0] == 2.0
    assert np.isnan(short.pinball[1])
    half_seen = replace(ACTUALS, units=np.array([[0.0, 4.0], [2.0, 0.0]]), seen=np.array([[True, True], [True, False]]))
    assert score_buckets(PATHS, half_seen, INTERVAL, (0.5,)).pinball.tolist() == [2.0, pytest.approx(0.0)]
