"""The example in docs/forecasters.md is a forecaster that keeps the rules and runs by config."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.forecast.conformance import check_forecaster
from engine.forecast.synthetic import synthetic_panel
from experiments.backtest import BacktestRequest, run_backtest
from experiments.run_forecast import ForecastRequest, run_forecast
from models.registry import CLASSES

DOC = (Path(__file__).parents[2] / "docs" / "forecasters.md").read_text(encoding="utf-8")

CONFIG = """
[forecast]
models = ["fading_mean:FadingMean", "moving_average"]
n_paths = 50
margin = 0.0
[models."fading_mean:FadingMean"]
half_life = 4.0
[supply]
lead_time_days = 7
[run]
workers = 1
"""


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The module of the document, importable; its name."""
    (code,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "fading_mean.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "own")
    # Registered as absent before the test, so that what the test imports is forgotten after it.
    monkeypatch.setitem(sys.modules, "fading_mean", None)
    del sys.modules["fading_mean"]
    return "fading_mean"


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Eighty weeks of four items whose demand jumped twenty weeks ago, and a config that names the example."""
    rng = np.random.default_rng(2)
    weeks = pd.date_range("2023-01-02", periods=80, freq="W-MON")
    sales = [
        pd.DataFrame(
            {"item_id": item, "location_id": "UK", "date": weeks, "units": rng.poisson([5] * 60 + [level] * 20)}
        )
        for item, level in (("001", 60), ("002", 40), ("003", 50), ("004", 70))
    ]
    (tmp_path / "data").mkdir()
    pd.concat(sales).to_csv(tmp_path / "data" / "sales.csv", index=False)
    (tmp_path / "mine.toml").write_text(CONFIG, encoding="utf-8")
    return str(tmp_path / "data")


def test_it_keeps_the_rules(example: str) -> None:
    check_forecaster(importlib.import_module(example).FadingMean)


def test_its_mean_counts_a_bucket_a_half_life_back_half(example: str) -> None:
    panel = synthetic_panel(n_items=1, n_history=2).take(np.array([0]))
    units = np.array([[3.0, 6.0]], np.float32)
    offered = np.ones_like(panel.offered)
    full = replace(panel, units=units, available=np.ones_like(units), offered=offered)
    mean = importlib.import_module(example).fading_mean(full, 3, half_life=1.0)
    np.testing.assert_allclose(mean, [[5.0, 5.0, 5.0]])


def test_a_forecast_uses_it_by_config(example: str, data: str, tmp_path: Path) -> None:
    result = run_forecast(ForecastRequest(data, tmp_path, tmp_path / "mine.toml", horizon=4, out=tmp_path / "out"))
    raced = result.tables["backtest"].set_index(["model", "segment"])
    assert "fading_mean" in raced.index.get_level_values("model")
    assert (result.tables["forecast"]["mean"] > 15).all()


def test_a_backtest_scores_it_by_config_and_by_name(example: str, data: str, tmp_path: Path) -> None:
    request = BacktestRequest(data, tmp_path, tmp_path / "mine.toml", out=tmp_path / "scores")
    scores = run_backtest(request).scores
    assert {"fading_mean", "moving_average"} <= set(scores["model"])
    loss = scores[scores["segment"] == "all"].set_index("model")["loss"]
    assert np.isfinite(loss["fading_mean"])


def test_the_document_lists_every_shipped_forecaster() -> None:
    listed = {name for row in re.findall(r"^\| (`.*?) \|", DOC, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert listed == set(CLASSES)
