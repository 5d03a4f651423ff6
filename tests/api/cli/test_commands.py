"""The command line as a user runs it: outputs, exit codes, and nothing that looks complete after a failure."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from api.cli import main

CONFIG = """
[forecast]
models = ["seasonal_naive", "moving_average"]
n_paths = 40
[run]
workers = 1
[supply]
lead_time_days = 14
"""

Restock = Callable[..., int]


@pytest.fixture
def restock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Restock:
    monkeypatch.setenv("RESTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    (tmp_path / "mine.toml").write_text(CONFIG)

    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["restock", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twenty weekly items at one place, as CSV."""
    rng = np.random.default_rng(5)
    dates = pd.date_range("2023-01-02", periods=80, freq="W-MON")
    rows = [
        pd.DataFrame({"item_id": f"{item:03d}", "location_id": "UK", "date": dates, "units": rng.poisson(3 + item, 80)})
        for item in range(20)
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    pd.concat(rows).assign(price=4.0).to_csv(folder / "sales.csv", index=False)
    return folder


def test_plan_writes_every_output_and_says_where(
    restock: Restock, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plan"
    assert restock("plan", str(data), "--config", str(tmp_path / "mine.toml"), "--out", str(out), "--no-track") == 0
    said = capsys.readouterr().out
    assert str(out / "plan.xlsx") in said
    assert re.search(r"^ +- 0\d\d at UK: ", said, re.MULTILINE), "an alert names its item and place"
    assert (out / "report.html").is_file()
    targets = pd.read_parquet(out / "targets.parquet")
    assert list(targets["item_id"]) == [f"{item:03d}" for item in range(20)], "ids keep their leading zeros"
    assert len(pd.read_csv(out / "orders.csv")) > 0
    assert not (tmp_path / "home" / "mlflow.db").exists()


def test_an_existing_folder_is_refused_without_overwrite(restock: Restock, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan"
    out.mkdir()
    arguments = ("plan", str(data), "--config", str(tmp_path / "mine.toml"), "--out", str(out), "--no-track")
    assert restock(*arguments) == 2
    assert list(out.iterdir()) == []
    assert restock(*arguments, "--overwrite") == 0
    assert (out / "plan.xlsx").is_file()


def test_a_plan_is_entered_and_explained(
    restock: Restock, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plan"
    arguments = ("--config", str(tmp_path / "mine.toml"), "--out", str(out), "--no-track", "--json")
    assert restock("plan", str(data), *arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["tracked_run"] is None
    assert said["rows"]["targets"] == 20
    assert (tmp_path / "home" / "store.db").is_file()
    assert restock("explain", str(out), "003", "UK") == 0
    assert "003 at UK" in capsys.readouterr().out
    assert restock("explain", str(out), "999", "UK") == 2


def test_broken_data_exit_with_3_and_leave_no_folder(
    restock: Restock, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sales = pd.read_csv(data / "sales.csv", dtype=str)
    pd.concat([sales, sales.head(2)]).to_csv(data / "sales.csv", index=False)
    out = tmp_path / "plan"
    assert restock("plan", str(data), "--config", str(tmp_path / "mine.toml"), "--out", str(out)) == 3
    said = capsys.readouterr().err
    assert "rule S3" in said
    assert "--repair sum-duplicates" in said
    assert not out.exists()
    assert restock("check", str(data), "--config", str(tmp_path / "mine.toml")) == 3
    repaired = ("--repair", "sum-duplicates", "--config", str(tmp_path / "mine.toml"))
    assert restock("check", str(data), *repaired) == 0


def test_rows_that_cannot_be_read_are_set_aside_and_exit_with_5(restock: Restock, data: Path, tmp_path: Path) -> None:
    sales = pd.read_csv(data / "sales.csv", dtype=str)
    sales.loc[7, "units"] = "many"
    sales.to_csv(data / "sales.csv", index=False)
    out = tmp_path / "plan"
    arguments = ("plan", str(data), "--config", str(tmp_path / "mine.toml"), "--out", str(out), "--no-track")
    assert restock(*arguments) == 5
    aside = pd.read_csv(out / "quarantine" / "sales.csv")
    assert aside["row"].tolist() == [9]


def test_no_lead_time_is_refused(restock: Restock, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert restock("plan", str(data)) == 3
    assert "supply" in capsys.readouterr().err


def test_forecast_needs_sales_alone_and_adds_up(restock: Restock, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "forecast"
    arguments = ("--horizon", "3", "--quantiles", "0.1,0.5", "--by", "location_id", "--by", "total", "--out", str(out))
    assert restock("forecast", str(data), "--config", str(tmp_path / "mine.toml"), *arguments) == 0
    items = pd.read_parquet(out / "forecast.parquet")
    assert list(items.columns) == ["item_id", "location_id", "date", "mean", "q0.1", "q0.5"]
    total = pd.read_parquet(out / "forecast_by_total.parquet")
    assert list(total.columns) == ["date", "mean", "q0.1", "q0.5"]
    np.testing.assert_allclose(items.groupby("date")["mean"].sum().to_numpy(), total["mean"].to_numpy(), rtol=1e-6)
    assert (out / "forecast_by_location_id.parquet").is_file()


def test_backtest_compares_models_beside_the_baseline(
    restock: Restock, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--models", "moving_average,seasonal_naive", "--config", str(tmp_path / "mine.toml"), "--json")
    assert restock("backtest", str(data), *arguments, "--out", str(tmp_path / "scores")) == 0
    scores = pd.DataFrame(json.loads(capsys.readouterr().out))
    added = pd.read_parquet(tmp_path / "scores" / "value_added.parquet")
    assert added["value_added"].tolist() == pytest.approx((1 - added["loss"] / added["baseline_loss"]).tolist())
    assert {"A", "all"} <= set(added["abc"])
    assert set(scores["model"]) == {"moving_average", "seasonal_naive", "best_of"}


def test_usage_and_config_mistakes_exit_with_2(restock: Restock, data: Path, tmp_path: Path) -> None:
    assert restock("plan") == 2
    assert restock("nonsense") == 2
    assert restock("plan", str(data), "--as-of", "next week") == 2
    assert restock("plan", str(tmp_path / "absent")) == 2
    assert restock("forecast", str(data), "--quantiles", "50") == 2


@pytest.mark.parametrize("address", ["postgresql://erp:s3cret@127.0.0.1:1/x", "postgres:/erp:s3cret@db/x"])
def test_no_command_shows_a_password(restock: Restock, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("check", "forecast", "plan", "backtest"):
        assert restock(command, address) == 2
    assert "s3cret" not in "".join(capsys.readouterr())


def test_a_store_out_of_reach_is_told_before_a_plan_is_made(
    restock: Restock, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESTOCK_STORE", "postgresql://erp:s3cret@127.0.0.1:1/x")
    arguments = ("plan", str(data), "--config", str(tmp_path / "mine.toml"), "--out", str(tmp_path / "plan"))
    assert restock(*arguments, "--no-track") == 2
    told = capsys.readouterr().err
    assert "The store can be reached" in told
    assert "s3cret" not in told
    assert not (tmp_path / "plan").exists()


def test_keys_are_shown_once_and_revoked(restock: Restock, capsys: pytest.CaptureFixture[str]) -> None:
    assert restock("keys", "create", "erp") == 0
    token = capsys.readouterr().out.strip()
    assert restock("keys", "list") == 0
    listed = capsys.readouterr().out
    assert "erp" in listed
    assert token not in listed
    assert restock("keys", "revoke", listed.split()[0]) == 0
    assert restock("keys", "revoke", "nobody") == 2


def test_every_command_has_help(restock: Restock, capsys: pytest.CaptureFixture[str]) -> None:
    assert restock("--help") == 0
    commands = [line.split()[0] for line in capsys.readouterr().out.split("Commands:")[1].splitlines() if line.strip()]
    assert "plan" in commands
    for command in commands:
        assert restock(command, "--help") == 0, command


def test_home_is_taken_from_the_environment(restock: Restock) -> None:
    assert restock("migrate") == 0
    assert (Path(os.environ["RESTOCK_HOME"]) / "store.db").is_file()


def test_replay_sets_policies_side_by_side(
    restock: Restock, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cover.toml").write_text('[policy]\nkind = "weeks_of_cover"\n')
    out = tmp_path / "replay"
    arguments = ("--policy", str(tmp_path / "cover.toml"), "--config", str(tmp_path / "mine.toml"), "--weeks", "8")
    assert restock("replay", str(data), *arguments, "--out", str(out), "--no-track") == 0
    said = capsys.readouterr().out
    assert re.search(r"^foresight .* 100\.0%", said.replace("   ", ""), re.MULTILINE)
    assert "less cover: cost" in said
    assert (out / "report.html").is_file()
    assert restock("replay", str(data), *arguments, "--from", "yesterday") == 2
