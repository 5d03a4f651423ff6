"""Two plans a week apart, made and compared as a user would."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from api.cli import restock
from engine.errors import ConfigError
from engine.plan.types import PLAN_TABLES
from experiments.compare_plans import compare_plans
from experiments.run_plan import PlanRequest, run_plan

CONFIG = '[forecast]\nmodels = ["moving_average"]\nn_paths = 50\n[run]\nworkers = 1\n'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plans of two weeks in a row; in the second some units on hand are found to be missing."""
    folder = tmp_path_factory.mktemp("shop")
    weeks = pd.date_range("2023-01-02", periods=81, freq="W-MON")
    sales = pd.DataFrame({"item_id": "001", "location_id": "UK", "date": weeks, "units": np.tile([9, 11, 10], 27)})
    (folder / "mine.toml").write_text(CONFIG)
    for name, n_weeks, on_hand in (("then", 80, 30), ("now", 81, 5)):
        (folder / name).mkdir()
        sales[:n_weeks].to_csv(folder / name / "sales.csv", index=False)
        (folder / name / "supply.csv").write_text("item_id,source_id,location_id,lead_time_days\n*,maker,*,14\n")
        (folder / name / "inventory.csv").write_text(f"item_id,location_id,on_hand\n001,UK,{on_hand}\n")
        since = folder / "then_plan" if name == "now" else None
        out = folder / f"{name}_plan"
        run_plan(
            PlanRequest(str(folder / name), folder / "home", folder / "mine.toml", out=out, since=since, track=False)
        )
    return folder


def test_a_plan_since_another_tells_what_changed_and_why(shop: Path) -> None:
    changes = pd.read_parquet(shop / "now_plan" / "changes.parquet")
    assert len(changes) > 0
    assert changes["reason_code"].iloc[0] == "changed-stock"
    told = json.loads(changes["reason_values"].iloc[0])
    forecast = pd.read_parquet(shop / "then_plan" / "forecast.parquet")["mean"].iloc[0]
    placed = pd.read_parquet(shop / "then_plan" / "orders.parquet")["units"].sum()
    assert told["expected_position"] == pytest.approx(30 + placed - forecast, abs=1e-3)
    assert told["stock"] == pytest.approx(told["expected_position"] - 5, abs=2e-3)
    assert "where the plan before expected" in changes["reason"].iloc[0]
    assert (pd.read_parquet(shop / "then_plan" / "changes.parquet").columns == changes.columns).all()
    assert set(PLAN_TABLES) <= {path.stem for path in (shop / "now_plan").glob("*.parquet")}


def test_comparing_two_folders_tells_the_same(shop: Path) -> None:
    found = compare_plans(shop / "now_plan", shop / "then_plan")
    for name in ("changes", "stability"):
        pd.testing.assert_frame_equal(
            found[name].reset_index(drop=True),
            pd.read_parquet(shop / "now_plan" / f"{name}.parquet"),
            check_dtype=False,
        )


def test_an_order_that_the_budget_left_out_says_so_and_older_folders_need_no_such_table(shop: Path) -> None:
    plan = run_plan(PlanRequest(str(shop / "then"), shop / "home", shop / "mine.toml", out=shop / "free", track=False))
    (shop / "poor.toml").write_text(CONFIG + "[limits]\nbudget = 0\n")
    items = "item_id,unit_cost,unit_price\n001,4,9\n"
    (shop / "priced").mkdir()
    for name in ("sales", "supply", "inventory"):
        (shop / "priced" / f"{name}.csv").write_bytes((shop / "then" / f"{name}.csv").read_bytes())
    (shop / "priced" / "items.csv").write_text(items)
    run_plan(PlanRequest(str(shop / "priced"), shop / "home", shop / "poor.toml", out=shop / "poor", track=False))
    for kind in ("parquet", "csv"):
        (shop / "free" / f"next_best.{kind}").unlink()
    changes = compare_plans(shop / "poor", shop / "free")["changes"].set_index("previous_line_id")
    line = changes.loc[plan.plan.tables["orders"]["line_id"].item()]
    assert line["reason_code"] == "changed-limit"
    assert line["reason"].startswith("A limit cuts this line now, or leaves it out (budget).")


def test_the_command_prints_stability_and_lines_and_writes_tables(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTOCK_HOME", str(shop / "home"))
    asked = ["compare", str(shop / "now_plan"), str(shop / "then_plan")]
    told = CliRunner().invoke(restock, [*asked, "--out", str(shop / "compared")])
    assert told.exit_code == 0
    assert "lines of the older plan on days in common" in told.output
    assert "001 from maker to UK" in told.output
    assert (shop / "compared" / "changes.csv").exists()
    content = json.loads(CliRunner().invoke(restock, [*asked, "--json"]).output)
    assert content["changes"][0]["reason_code"] == "changed-stock"
    assert set(content["stability"]) >= {"lines", "lines_kept", "units_kept"}


def test_the_newer_plan_stands_first_and_a_folder_needs_a_plan(shop: Path) -> None:
    with pytest.raises(ConfigError, match="compared with an older one"):
        compare_plans(shop / "then_plan", shop / "now_plan")
    with pytest.raises(ConfigError, match="needs the folder of a plan"):
        compare_plans(shop / "now_plan", shop / "then")
