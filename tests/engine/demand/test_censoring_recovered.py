from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.demand.recovered import recovered_notes, recovered_units
from engine.forecast.synthetic import synthetic_panel
from experiments.exchange.catalogue import read_catalogue, render


def panel_of(units, available, bucket="D"):
    panel = synthetic_panel(n_items=1, n_history=len(units[0]), n_future=3, bucket=bucket)
    offered = np.ones((2, len(units[0]) + 3), bool)
    return replace(panel, units=np.array(units, np.float32), available=np.array(available, np.float32), offered=offered)


def test_units_before_and_after_are_told_with_the_series_that_lost_most():
    """Eight a day and two a day: a lost day of each hides 8 and 2 units of the 190 that sold."""
    panel = panel_of([[8] * 19 + [0], [2] * 19 + [0]], [[1] * 19 + [0]] * 2)
    found = recovered_units(panel)
    assert found.sold.tolist() == [152, 38]
    assert found.sold_short.tolist() == [0, 0]
    assert found.added == pytest.approx([8, 2], rel=0.02)
    assert found.n_buckets.tolist() == [1, 1]
    (note,) = recovered_notes(panel)
    assert note.values["share"] == pytest.approx(10 / 190, rel=0.02)
    said = render(note, read_catalogue("en"))
    assert "hid about 10 units of demand (+5.26% of sales) in 2 buckets of 2 items and places" in said
    assert "0 units sold there, 10 expected" in said
    assert "Most: item-000 at north (+8), item-000 at south (+2)." in said


def test_a_history_without_stock_outs_has_nothing_to_tell():
    assert recovered_notes(panel_of([[5] * 8, [0] * 8], np.ones((2, 8)))) == ()


def test_stock_outs_of_what_never_sold_are_told_without_a_share():
    (note,) = recovered_notes(panel_of([[0] * 8, [0] * 8], [[1] * 7 + [0.5], [1] * 8]))
    assert note.values["share"] is None
    assert "hid about 0 units of demand in 1 buckets of 1 items" in render(note, read_catalogue("en"))


def test_weeks_cut_by_a_launch_or_an_end_hid_nothing():
    """A launch leaves the first week three days, an end the last one five; the week in between ran out."""
    panel = panel_of([[3, 7, 4, 7, 5]] * 2, [[3 / 7, 1, 0.5, 1, 5 / 7]] * 2, bucket="W")
    monday = panel.calendar.starts.astype(np.int64)
    static = pd.DataFrame({"launch_day": [monday[0] + 4.0] * 2, "end_day": [monday[4] + 4.0, monday[4] + 6.0]})
    found = recovered_units(replace(panel, static=static))
    assert found.n_buckets.tolist() == [1, 2]
    assert found.sold_short.tolist() == [4, 9]
