import numpy as np
import pandas as pd
import pytest

from engine.errors import ConfigError
from engine.forecast.summary import (
    FIXED_SCALE,
    GroupSums,
    aggregate_paths,
    forecast_by,
    forecast_table,
    group_series,
    quantile_column,
)
from engine.forecast.synthetic import synthetic_panel
from engine.forecast.types import SamplePaths
from engine.tables.tables import Tables

QUANTILES = (0.05, 0.5, 0.975)


@pytest.fixture
def panel():
    return synthetic_panel(n_items=6, n_future=9)


@pytest.fixture
def paths(panel):
    units = np.random.default_rng(0).gamma(1, 5, (panel.n_series, 40, 9)).astype(np.float32)
    return SamplePaths(panel.item_id, panel.location_id, units)


@pytest.fixture
def tables():
    items = pd.DataFrame({"item_id": [f"item-{i:03d}" for i in range(6)], "category": ["b", "a", "b", None, "a", "b"]})
    places = pd.DataFrame({"location_id": ["north", "south"], "region": ["N", "S"]})
    return Tables.of({"items": items, "locations": places})


def test_the_table_has_a_row_per_series_and_bucket_with_means_and_drawn_quantiles(panel, paths):
    table = forecast_table(paths, panel.calendar, QUANTILES)
    assert list(table.columns) == ["item_id", "location_id", "date", "mean", "q0.05", "q0.5", "q0.975"]
    assert len(table) == 12 * 9
    row = table.iloc[3 * 9 + 4]
    assert (row["item_id"], row["location_id"]) == (panel.item_id[3], panel.location_id[3])
    assert row["date"] == pd.Timestamp(panel.calendar.as_of + 4)
    draws = np.sort(paths.units[3, :, 4])
    assert row["mean"] == pytest.approx(draws.mean())
    assert [row["q0.05"], row["q0.5"], row["q0.975"]] == pytest.approx([draws[1], draws[19], draws[38]])


@pytest.mark.parametrize("columns", [("category",), ("region",), ("item_id",), ("category", "location_id"), ("total",)])
def test_groups_add_up_to_the_series_below_path_by_path(panel, paths, tables, columns):
    codes, keys = group_series(tables, (panel.item_id, panel.location_id), columns)
    totals = aggregate_paths(paths, codes, len(keys))
    table = forecast_by(totals, keys, panel.calendar, QUANTILES)
    expected = [] if columns == ("total",) else list(columns)
    assert list(table.columns) == [*expected, "date", "mean", "q0.05", "q0.5", "q0.975"]
    below = forecast_table(paths, panel.calendar, QUANTILES)
    assert table.groupby("date")["mean"].sum().to_numpy() == pytest.approx(
        below.groupby("date")["mean"].sum().to_numpy(), abs=12 / FIXED_SCALE
    )
    for group in range(len(keys)):
        wanted = paths.units[codes == group].astype(np.float64).sum(0)
        assert totals[group] / FIXED_SCALE == pytest.approx(wanted, abs=12 / FIXED_SCALE)


@pytest.mark.parametrize("columns", [("category",), ("region", "category"), ("location_id",), ("total",)])
def test_means_of_series_add_up_to_those_of_groups_to_the_last_digit(panel, paths, tables, columns):
    codes, keys = group_series(tables, (panel.item_id, panel.location_id), columns)
    above = forecast_by(aggregate_paths(paths, codes, len(keys)), keys, panel.calendar, QUANTILES)["mean"]
    below = forecast_table(paths, panel.calendar, QUANTILES)["mean"]
    # A mean times the number of paths is a whole multiple of the fixed point's unit.
    above, below = (
        np.rint(mean.to_numpy() * FIXED_SCALE * 40).astype(np.int64).reshape(-1, 9) for mean in (above, below)
    )
    for group in range(len(keys)):
        assert (above[group] == below[codes == group].sum(axis=0)).all()


def test_quantiles_of_a_group_are_those_of_its_sums_not_sums_of_quantiles(panel, paths, tables):
    codes, keys = group_series(tables, (panel.item_id, panel.location_id), ("total",))
    total = forecast_by(aggregate_paths(paths, codes, 1), keys, panel.calendar, QUANTILES)
    sums = np.sort(paths.units.astype(np.float64).sum(axis=0), axis=0)
    assert total["q0.05"].to_numpy() == pytest.approx(sums[1], abs=12 / FIXED_SCALE)
    assert total["q0.975"].to_numpy() == pytest.approx(sums[38], abs=12 / FIXED_SCALE)
    below = forecast_table(paths, panel.calendar, QUANTILES).groupby("date")["q0.975"].sum()
    assert (total["q0.975"].to_numpy() < below.to_numpy()).all()


def test_groups_are_complete_with_their_last_series_and_only_open_ones_are_held(paths):
    groups = np.array([0, 0, 1, 1, 2, 0, 3, 3, 3, 2, 4, 4])
    whole = aggregate_paths(paths, groups, 5)
    sums, done = GroupSums.start(groups, 5, 40, 9), {}
    held = []
    for start in range(0, 12, 4):
        rows = np.arange(start, start + 4)
        block = SamplePaths(paths.item_id[rows], paths.location_id[rows], paths.units[rows])
        complete, sums = sums.plus(block, groups[rows]).split()
        done |= dict(zip(complete.group.tolist(), complete.total, strict=True))
        held.append(sums.group.tolist())
    assert held == [[0], [2, 3], []]
    assert sorted(done) == [0, 1, 2, 3, 4]
    for group, total in done.items():
        assert (total == whole[group]).all()


def test_sums_are_the_same_bits_in_any_order_and_blocks(paths):
    groups = np.arange(12) % 3
    whole = aggregate_paths(paths, groups, 3)
    order = np.random.default_rng(1).permutation(12)
    parts = [
        aggregate_paths(SamplePaths(paths.item_id[rows], paths.location_id[rows], paths.units[rows]), groups[rows], 3)
        for rows in np.array_split(order, 4)
    ]
    assert (sum(parts) == whole).all()


def test_series_without_the_attribute_are_a_group_of_their_own(panel, tables):
    codes, keys = group_series(tables, (panel.item_id, panel.location_id), ("category",))
    assert keys["category"].fillna("-").tolist() == ["a", "b", "-"]
    assert codes.tolist() == [1, 1, 0, 0, 1, 1, 2, 2, 0, 0, 1, 1]


def test_missing_values_of_two_attributes_are_groups_too(panel, tables):
    codes, keys = group_series(tables, (panel.item_id, panel.location_id), ("region", "category"))
    names = keys.astype(object).where(keys.notna(), None).values.tolist()
    assert names == [["N", "a"], ["N", "b"], ["N", None], ["S", "a"], ["S", "b"], ["S", None]]
    assert codes.tolist() == [1, 4, 0, 3, 1, 4, 2, 5, 0, 3, 1, 4]


def test_a_table_that_was_not_given_is_one_group_without_a_name(panel):
    codes, keys = group_series(Tables.of({}), (panel.item_id, panel.location_id), ("category",))
    assert not codes.any()
    assert keys["category"].isna().tolist() == [True]


@pytest.mark.parametrize("columns", [("colour",), ("region", "colour"), ("total", "region"), (), ("region", "region")])
def test_columns_that_make_no_grouping_are_refused(panel, tables, columns):
    with pytest.raises(ConfigError) as refused:
        group_series(tables, (panel.item_id, panel.location_id), columns)
    error = refused.value
    assert error.rule.startswith("--by names")
    assert error.finding in ("colour", "total", "nothing", "region,region")
    assert error.remedy.startswith(("Use some of item_id, name, category", "Write --by region,category"))


def test_quantile_columns_are_named_by_their_shortest_decimal():
    assert [quantile_column(q) for q in (0.05, 0.5, 0.975, 0.1, 0.9999)] == [
        "q0.05", "q0.5", "q0.975", "q0.1", "q0.9999",
    ]  # fmt: skip


def test_a_calendar_shorter_than_the_paths_is_refused(panel, paths):
    short = type(panel.calendar)("D", panel.calendar.as_of, 10, 3)
    with pytest.raises(ValueError, match="9 future buckets"):
        forecast_table(paths, short, QUANTILES)
