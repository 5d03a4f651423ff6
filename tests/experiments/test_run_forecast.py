"""A forecast run applies overrides and writes what it assumed."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.errors import ConfigError
from engine.forecast.sampling import series_blocks
from experiments.run_forecast import ForecastRequest, run_forecast

CONFIG = """
[forecast]
models = ["moving_average"]
n_paths = 50
[run]
workers = 1
"""


@pytest.fixture
def request_of(tmp_path: Path):
    """Requests of a forecast of two items, 80 weeks, with the given overrides."""
    rng = np.random.default_rng(2)
    weeks = pd.date_range("2023-01-02", periods=80, freq="W-MON")
    sales = [
        pd.DataFrame({"item_id": item, "location_id": "UK", "date": weeks, "units": rng.poisson(level, 80)})
        for item, level in (("001", 20), ("002", 5))
    ]
    (tmp_path / "mine.toml").write_text(CONFIG)

    def make(name: str, *overrides: dict[str, str]) -> ForecastRequest:
        folder = tmp_path / name
        folder.mkdir()
        pd.concat(sales).to_csv(folder / "sales.csv", index=False)
        if overrides:
            pd.DataFrame(overrides).to_csv(folder / "overrides.csv", index=False)
        by = (("total",),)
        return ForecastRequest(
            str(folder), tmp_path, tmp_path / "mine.toml", horizon=4, out=tmp_path / "out" / name, by=by
        )

    return make


def test_overrides_scale_the_forecast_and_its_sums_alike(request_of) -> None:
    plain = run_forecast(request_of("plain")).tables
    row = {"override_id": "fair", "item_id": "001", "operation": "multiply", "value": "3", "author": "Ann"}
    changed = run_forecast(request_of("changed", {**row, "start_date": "2024-07-15", "end_date": "2024-07-28"})).tables
    before, after = (tables["forecast"].set_index("item_id")["mean"] for tables in (plain, changed))
    np.testing.assert_allclose(after["001"], before["001"] * np.array([3, 3, 1, 1]), rtol=1e-12)
    np.testing.assert_array_equal(after["002"], before["002"])
    total = changed["forecast_by_total"]["mean"]
    np.testing.assert_allclose(total, after["001"].to_numpy() + after["002"].to_numpy(), rtol=1e-6)


def test_what_was_assumed_is_written_in_words(request_of) -> None:
    row = {"override_id": "fair", "operation": "multiply", "value": "1.5", "author": "Ann", "reason": "trade fair"}
    request = request_of("told", row)
    run_forecast(request)
    told = pd.read_csv(request.out / "assumptions.csv").set_index("assumption_code")["assumption"]
    assert told["override-applied"].startswith("Override fair by Ann (trade fair): multiply 1.5, from ")


@pytest.fixture
def grouped(tmp_path: Path) -> ForecastRequest:
    """A request of six items in three places, some without a category or a region, by several groupings."""
    rng = np.random.default_rng(5)
    weeks = pd.date_range("2023-01-02", periods=40, freq="W-MON")
    items, places = [f"{i:03d}" for i in range(6)], ["A", "B", "C"]
    pairs = [(item, place) for item in items for place in places]
    sales = [
        pd.DataFrame({"item_id": item, "location_id": place, "date": weeks, "units": rng.poisson(3 + k, 40)})
        for k, (item, place) in enumerate(pairs)
    ]
    folder = tmp_path / "grouped"
    folder.mkdir()
    pd.concat(sales).to_csv(folder / "sales.csv", index=False)
    categories = ["toys", "tools", "toys", None, "tools", None]
    pd.DataFrame({"item_id": items, "category": categories}).to_csv(folder / "items.csv", index=False)
    regions = ["north", None, "north"]
    pd.DataFrame({"location_id": places, "region": regions}).to_csv(folder / "locations.csv", index=False)
    (tmp_path / "mine.toml").write_text(CONFIG)
    by = (("region", "category"), ("total",), ("category",), ("item_id", "region"), ("total",))
    return ForecastRequest(
        str(folder), tmp_path, tmp_path / "mine.toml", horizon=3, out=tmp_path / "out", overwrite=True, by=by
    )


def test_groups_add_up_over_every_level_and_none_is_dropped(grouped: ForecastRequest) -> None:
    tables = run_forecast(grouped).tables
    total = tables["forecast_by_total"]["mean"].to_numpy()
    sizes = {"region_category": 2 * 3, "category": 3, "item_id_region": 6 * 2, "total": 1}
    for name, n_groups in sizes.items():
        table = tables[f"forecast_by_{name}"]
        assert len(table) == 3 * n_groups
        np.testing.assert_allclose(table.groupby("date")["mean"].sum(), total, rtol=1e-12)
    np.testing.assert_allclose(tables["forecast"].groupby("date")["mean"].sum(), total, rtol=1e-12)
    by_category = tables["forecast_by_category"].groupby(["category", "date"], dropna=False)["mean"].sum()
    above = tables["forecast_by_region_category"].groupby(["category", "date"], dropna=False)["mean"].sum()
    np.testing.assert_allclose(by_category, above, rtol=1e-12)
    assert tables["forecast_by_region_category"]["region"].isna().sum() == 3 * 3


def test_groups_do_not_depend_on_the_blocks_of_series(
    grouped: ForecastRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_forecast(grouped).tables
    monkeypatch.setattr("experiments.run_forecast.series_blocks", partial(series_blocks, n_series=1))
    for name, table in run_forecast(grouped).tables.items():
        pd.testing.assert_frame_equal(table, whole[name])


def test_a_grouping_by_an_unknown_column_is_refused_and_writes_nothing(grouped: ForecastRequest) -> None:
    with pytest.raises(ConfigError, match="colour"):
        run_forecast(replace(grouped, by=(("colour",),)))
    assert not Path(str(grouped.out)).exists()


def test_odd_series_and_a_regressor_missing_ahead_have_their_lines_in_the_report(grouped: ForecastRequest) -> None:
    folder = Path(grouped.data)
    sales = pd.read_csv(folder / "sales.csv", dtype={"item_id": str})
    sales.loc[sales["item_id"] == "001", "units"] = 0
    sales.loc[(sales["item_id"] == "002") & (sales["location_id"] == "B"), "units"] = 4
    sales.to_csv(folder / "sales.csv", index=False)
    warmth = {"name": "warmth", "date": sales["date"].unique(), "value": 20, "known_future": True}
    pd.DataFrame(warmth).to_csv(folder / "regressors.csv", index=False)
    run_forecast(grouped)
    told = pd.read_csv(Path(str(grouped.out)) / "assumptions.csv").set_index("assumption_code")["assumption"]
    assert told["series-all-zero"].startswith("3 items and places were on sale and never sold")
    assert told["series-all-zero"].endswith("(first: 001 at A; 001 at B; 001 at C).")
    assert told["series-constant"].startswith("1 items and places sold the same units")
    assert told["regressor-not-given-ahead"].startswith("Regressor user_warmth is not used")
