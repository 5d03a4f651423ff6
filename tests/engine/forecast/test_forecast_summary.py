import numpy as np
import pandas as pd
import pytest

from engine.errors import ConfigError
from engine.forecast.summary import (
    FIXED_SCALE,
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


def test_an_unknown_column_is_refused(panel, tables):
    with pytest.raises(ConfigError, match="colour"):
        group_series(tables, (panel.item_id, panel.location_id), ("colour",))


def test_quantile_columns_are_named_by_their_shortest_decimal():
    assert [quantile_column(q) for q in (0.05, 0.5, 0.975, 0.1, 0.9999)] == [
        "q0.05", "q0.5", "q0.975", "q0.1", "q0.9999",
    ]  # fmt: skip


def test_a_calendar_shorter_than_the_paths_is_refused(panel, paths):
    short = type(panel.calendar)("D", panel.calendar.as_of, 10, 3)
    with pytest.raises(ValueError, match="9 future buckets"):
        forecast_table(paths, short, QUANTILES)
