"""Whether planners' changes helped: errors by hand, and what cannot be judged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.demand.calendar import Calendar
from engine.demand.panel import DemandPanel
from engine.forecast.override_scores import OVERTAKEN, RUNNING, SCORED, UNSEEN, by_author, score_overrides

CHANGE = {
    "override_id": "fair", "author": "Ann", "reason": "trade fair", "operation": "multiply", "value": 2.0,
    "item_id": None, "category": "tea", "location_id": None, "region": None, "first_day": "2025-03-03",
    "last_day": "2025-03-05", "before": 30.0, "after": 60.0, "overtaken": 0.0,
}  # fmt: skip


def panel(bucket: str = "D", as_of: str = "2025-03-10") -> DemandPanel:
    """Tea at x and y and a pot at x; tea at x sells 7 a bucket, at y 4, the pot 100."""
    n_history = 7 if bucket == "D" else 2
    units = np.repeat(np.array([[7], [4], [100]], np.float32), n_history, axis=1)
    static = pd.DataFrame({"category": pd.array(["tea", "tea", "pots"], dtype="string[pyarrow]")})
    return DemandPanel(
        Calendar(bucket, np.datetime64(as_of), n_history, 1), np.array(["a", "a", "b"], object),
        np.array(["x", "y", "x"], object), units, np.ones_like(units), np.ones((3, n_history + 1), bool),
        np.full_like(units, np.nan), np.tile(np.array([[0, 1]], np.int32), (3, 1)), static, {},
    )  # fmt: skip


def test_the_gain_is_the_error_without_the_change_less_the_error_with_it() -> None:
    scores = score_overrides([CHANGE, {**CHANGE, "override_id": "down", "after": 20.0, "author": None}], panel())
    # Three days of 7 + 4: 33 units. Without the change 3 too few; with it 27 too many, or 13 too few.
    assert scores["demand"].tolist() == [33, 33]
    assert scores["error_before"].tolist() == [3, 3]
    assert scores["error_after"].tolist() == [27, 13]
    assert scores["gain"].tolist() == [-24, -10]
    assert set(scores["status"]) == {SCORED}


def test_part_of_a_week_counts_by_its_days() -> None:
    found = score_overrides([{**CHANGE, "item_id": "a", "location_id": "x", "category": None}], panel("W"))
    assert found["demand"].tolist() == pytest.approx([7 * 3 / 7])


def test_units_that_a_stock_out_hid_count_as_demand() -> None:
    whole = panel()
    units, available = np.array(whole.units), np.array(whole.available)
    units[0, 1], available[0, 1] = 0, 0
    emptied = DemandPanel(**{**vars(whole), "units": units, "available": available})
    found = score_overrides([{**CHANGE, "item_id": "a", "location_id": "x", "category": None}], emptied)
    assert found["demand"].tolist() == pytest.approx([21], rel=0.1)


def test_days_to_come_parts_overtaken_and_unknown_items_are_told_and_not_scored() -> None:
    told = [
        {**CHANGE, "last_day": "2025-03-10"},
        {**CHANGE, "overtaken": 0.25},
        {**CHANGE, "category": None, "item_id": "gone"},
    ]
    scores = score_overrides(told, panel())
    assert scores["status"].tolist() == [RUNNING, OVERTAKEN, UNSEEN]
    assert scores[["demand", "error_before", "error_after", "gain"]].isna().all(axis=None)
    assert by_author(scores).empty


def test_authors_are_summed_up_over_what_was_scored() -> None:
    told = [CHANGE, {**CHANGE, "override_id": "up", "after": 33.0}, {**CHANGE, "author": "Bo", "overtaken": 0.5}]
    found = by_author(score_overrides(told, panel()))
    assert found.to_dict("records") == [
        {"author": "Ann", "overrides": 2, "helped": 1, "error_before": 6.0, "error_after": 27.0, "gain": -21.0}
    ]


def test_without_overrides_the_table_has_its_columns_and_no_row() -> None:
    scores = score_overrides([], panel())
    assert scores.empty
    assert {"override_id", "gain", "status"} <= set(scores.columns)
    assert by_author(scores).empty
