"""A forecast's overrides are compared with sales that came later, as a user would."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from api.cli import restock
from engine.errors import ConfigError
from experiments.review_overrides import review_overrides
from experiments.run_forecast import ForecastRequest, run_forecast
from experiments.settings import read_settings

CONFIG = '[forecast]\nmodels = ["moving_average"]\nn_paths = 50\n[run]\nworkers = 1\n'
OVERRIDE = {
    "override_id": "fair", "item_id": "001", "kind": "forecast", "operation": "multiply", "value": "2", "author": "Ann",
    "reason": "trade fair", "start_date": "2024-07-15", "end_date": "2024-07-28",
}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Eighty weeks of ten a week, a forecast with an override that doubles two weeks, and those weeks: twenty each."""
    weeks = pd.date_range("2023-01-02", periods=84, freq="W-MON")
    units = np.where(np.arange(84) >= 80, 20, 10)
    sales = pd.DataFrame({"item_id": "001", "location_id": "UK", "date": weeks, "units": units})
    for name, known in (("then", sales[:80]), ("now", sales)):
        (tmp_path / name).mkdir()
        known.to_csv(tmp_path / name / "sales.csv", index=False)
    pd.DataFrame([OVERRIDE]).to_csv(tmp_path / "then" / "overrides.csv", index=False)
    (tmp_path / "mine.toml").write_text(CONFIG)
    run_forecast(
        ForecastRequest(str(tmp_path / "then"), tmp_path, tmp_path / "mine.toml", horizon=4, out=tmp_path / "made")
    )
    return tmp_path


def test_a_change_that_came_true_is_worth_what_it_brought_the_forecast_nearer(shop: Path) -> None:
    found = review_overrides(
        shop / "made", str(shop / "now"), read_settings(shop / "mine.toml"), None, (), shop / "home"
    )
    row = found.scores.iloc[0]
    assert row["status"] == "scored"
    assert row["demand"] == 40
    assert row["before"] == pytest.approx(20, rel=0.1)
    assert row["gain"] == pytest.approx(abs(row["before"] - 40) - abs(row["after"] - 40))
    assert row["gain"] > 15
    assert found.authors["helped"].tolist() == [1]


def test_the_command_prints_scores_and_authors_and_gives_json(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_HOME", str(shop / "home"))
    asked = ["review", str(shop / "made"), str(shop / "now"), "--config", str(shop / "mine.toml")]
    told = CliRunner().invoke(restock, asked)
    assert "trade fair" in told.output
    assert "By author" in told.output
    rows = json.loads(CliRunner().invoke(restock, [*asked, "--json"]).output)
    assert [row["override_id"] for row in rows] == ["fair"]


def test_a_folder_without_a_plan_is_refused(shop: Path) -> None:
    with pytest.raises(ConfigError, match="needs the folder of a plan or a forecast"):
        review_overrides(shop / "then", str(shop / "now"), read_settings(shop / "mine.toml"), None, (), shop / "home")
