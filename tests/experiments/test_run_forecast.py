"""A forecast run applies overrides and writes what it assumed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

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
