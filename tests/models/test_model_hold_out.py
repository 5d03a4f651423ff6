"""Where a hold-out lies, and which series its errors are learnt from."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.demand.calendar import Calendar
from engine.forecast.backcast import Backcast
from models.hold_out import MAX_SHARE, N_ORIGINS, hold_out_origins, within_reach


@given(bucket=st.sampled_from(["D", "W", "M"]), n_history=st.integers(0, 1200), length=st.integers(1, 90))
def test_origins_leave_their_stretch_and_most_of_the_history(bucket: str, n_history: int, length: int) -> None:
    as_of = {"D": "2025-03-03", "W": "2025-03-03", "M": "2025-03-01"}[bucket]
    origins = hold_out_origins(Calendar(bucket, np.datetime64(as_of), n_history, 0), length)
    assert len(origins) <= N_ORIGINS
    assert (np.diff(origins) > 0).all()
    if len(origins):
        assert origins[0] >= length
        assert origins[-1] <= MAX_SHARE * n_history
    if bucket == "D":
        assert not (origins % 7).any()


def test_a_year_of_days_gives_eight_weekly_origins_after_four_weeks() -> None:
    calendar = Calendar("D", np.datetime64("2025-03-03"), 364, 0)
    assert hold_out_origins(calendar, 28).tolist() == [28, 35, 42, 49, 56, 63, 70, 77]


def test_a_series_far_beyond_its_forecast_teaches_nothing() -> None:
    ids = np.array(["a", "b", "c"], dtype=object)
    mean = np.ones((3, 2, 4), np.float32)
    actual = np.ones((3, 2, 4), np.float32)
    actual[1, 1] = 100  # 400 units where 20 x 4 + 50 is the limit
    actual[2, 0, 0] = np.nan
    kept = within_reach(Backcast(ids, ids, mean, actual, np.zeros(mean.shape, np.bool_)))
    assert kept.item_id.tolist() == ["a", "c"]
