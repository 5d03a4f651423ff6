"""M5 as a panel: what lies after the cutoff stays unknown, but for planned prices, events and SNAP days."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.forecast.m5.hierarchy import read_hierarchy
from benchmarks.forecast.m5.panels import FIRST_DAY, FOLDER, HORIZON, panel_after, read_sales, wide
from benchmarks.forecast.m5.score import mean_of_levels, wrmsse
from benchmarks.forecast.m5.slices import sample_ids, sliced, velocity_classes
from tests.benchmarks.m5_world import N_DAYS, tiny_sales

LAST_DAY = FIRST_DAY + 59


def arrays(panel):
    fields = ("units", "available", "offered", "price", "interval", "item_id", "location_id")
    found = {name: getattr(panel, name) for name in fields}
    return found | dict(panel.regressors) | {name: panel.static[name].to_numpy() for name in panel.static}


def test_units_after_the_cutoff_reach_the_actuals_and_nothing_of_the_panel():
    sales = tiny_sales()
    spiked = sales.units.copy()
    spiked[:, 60:] += 1000
    panel, actual = panel_after(sales, LAST_DAY)
    other, other_actual = panel_after(replace(sales, units=spiked), LAST_DAY)
    for name, values in arrays(panel).items():
        np.testing.assert_array_equal(values, arrays(other)[name], err_msg=name)
    np.testing.assert_array_equal(other_actual, actual + 1000)


def test_a_spike_on_the_last_training_day_is_history_and_the_next_day_is_the_first_actual():
    sales = tiny_sales()
    panel, actual = panel_after(sales, LAST_DAY)
    np.testing.assert_array_equal(panel.units, sales.units[:, :60])
    np.testing.assert_array_equal(actual, sales.units[:, 60 : 60 + HORIZON])
    assert panel.calendar.as_of == np.datetime64("2015-03-03") + 60
    assert panel.calendar.n_future == HORIZON


def test_prices_after_the_cutoff_are_planned_ones_and_leave_the_usual_price_alone():
    sales = tiny_sales()
    cheaper = sales.price.copy()
    cheaper[0, 60:] /= 2
    panel, _ = panel_after(replace(sales, price=cheaper), LAST_DAY)
    np.testing.assert_allclose(panel.regressors["price_relative"][0], [1.0] * 60 + [0.5] * 28)
    assert panel.static["unit_price"][0] == pytest.approx(sales.price[0, 0])


def test_a_day_without_a_price_is_not_on_offer():
    panel, _ = panel_after(tiny_sales(), LAST_DAY)
    assert not panel.offered[1, :20].any()
    assert panel.offered[1, 20:].all()
    assert panel.offered[[0, 2]].all()


def test_a_series_first_on_sale_after_the_cutoff_is_priced_by_its_plan():
    sales = tiny_sales()
    late = sales.price.copy()
    late[0, :70] = np.nan
    panel, _ = panel_after(replace(sales, price=late), LAST_DAY)
    assert not panel.offered[0, :70].any()
    np.testing.assert_allclose(panel.regressors["price_relative"][0, 70:], 1)


def test_events_have_their_names_and_kinds_and_snap_days_are_those_of_the_state():
    panel, _ = panel_after(tiny_sales(), LAST_DAY)
    assert np.flatnonzero(panel.regressors["event_father_s_day"]).tolist() == [30, 75]
    assert np.flatnonzero(panel.regressors["event_easter"]).tolist() == [75]
    assert np.flatnonzero(panel.regressors["event_kind_cultural"]).tolist() == [30, 75]
    assert np.flatnonzero(panel.regressors["event_kind_sporting"]).tolist() == [80]
    snap = panel.regressors["event_snap"]
    for row, place in enumerate(panel.location_id):
        np.testing.assert_array_equal(snap[row], np.arange(88) % (10 if place.startswith("CA") else 7) == 0)


def test_a_cutoff_without_28_days_after_it_is_refused():
    with pytest.raises(ValueError, match=rf"\[{FIRST_DAY}, {FIRST_DAY + N_DAYS - HORIZON - 1}\]"):
        panel_after(tiny_sales(), FIRST_DAY + N_DAYS - HORIZON)


def long_table(n_days=5):
    first = date(2015, 3, 3)
    rows = [(name, first + timedelta(days=t), t, 1.5 if t else None) for name in ("b", "a") for t in range(n_days)]
    names = ("id", "date", "units", "sell_price")
    types = (pa.string(), pa.date32(), pa.int16(), pa.float32())
    return pa.table(
        {n: pa.array(column, t) for n, column, t in zip(names, zip(*rows, strict=True), types, strict=True)}
    )


def test_rows_become_one_array_in_the_order_of_the_file():
    ids, units, price = wide(long_table())
    assert ids == ["b", "a"]
    assert units.tolist() == [[0, 1, 2, 3, 4]] * 2
    assert np.isnan(price[:, 0]).all()
    assert (price[:, 1:] == 1.5).all()


@pytest.mark.parametrize(
    ("rows", "finding"),
    [([0, 1, 2, 3, 4, 5, 6, 7, 8], "5 days. Found 1"), ([0, 1, 2, 4, 3, 5, 6, 7, 8, 9], "sorted by series")],
)
def test_a_missing_day_or_another_order_is_refused(rows, finding):
    with pytest.raises(ValueError, match=finding):
        wide(long_table().take(rows))


def test_the_sample_is_the_same_whatever_comes_after_and_takes_as_many_of_every_tenth():
    rng = np.random.default_rng(0)
    sales = tiny_sales()
    many = sales.take(np.resize(np.arange(12), 3000))
    many = replace(
        many,
        items=many.items.assign(id=[f"s{i:04d}" for i in range(3000)]),
        units=rng.poisson(rng.lognormal(0, 2, (3000, 1)), (3000, 500)).astype(np.float32),
    )
    chosen = sample_ids(many)
    later = many.units.copy()
    later[:, 419:] = 1000
    assert len(chosen) == 1000
    assert sample_ids(replace(many, units=later)) == chosen
    rank = np.argsort(np.argsort(many.units[:, :419].sum(axis=1), kind="stable"), kind="stable")
    tenth = rank[many.items["id"].isin(chosen).to_numpy()] // 300
    assert np.bincount(tenth).tolist() == [100] * 10


def test_slices_keep_the_order_and_an_unknown_store_is_refused():
    sales = tiny_sales()
    assert sliced(sales, "TX_1,CA_2").items["store_id"].tolist() == ["CA_2", "TX_1"] * 4
    assert len(sliced(sales, n_series=5).items) == 5
    with pytest.raises(ValueError, match="NY_1"):
        sliced(sales, "NY_1")


def test_velocity_counts_days_on_sale_only():
    units = np.array([[0, 0, 0, 4], [1, 0, 0, 0], [4, 4, 4, 4]], np.float32)
    on_sale = np.array([[0, 0, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]], bool)
    assert velocity_classes(units, on_sale).tolist() == [3, 1, 3]


@pytest.mark.data
def test_a_seasonal_naive_forecast_scores_what_is_published():
    if not FOLDER.exists():
        pytest.skip(f"no data at {FOLDER}")
    sales = read_sales()
    panel, actual = panel_after(sales)
    assert panel.units.shape == (30_490, 419)
    hierarchy = read_hierarchy(sales.items, sales.items)
    assert hierarchy.n_groups == 42_840
    levels = wrmsse(hierarchy, np.tile(panel.units[:, -7:], (1, 4)), actual)
    assert len(levels) == 12
    assert mean_of_levels(levels) == pytest.approx(0.8697, abs=5e-5)
