import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from engine.plan.types import CONTRACT_VERSION
from experiments import tracking
from experiments.exchange.plan_meta import PlanMeta
from experiments.exchange.plan_writer import write_plan
from tests.plans import example_backtest, example_plan

META = PlanMeta(
    run_id="run-1", snapshot_id="sha256:abc", config_version="1", data="postgresql://erp:s3cret@db/sales",
    config={"seed": "0", "targets.objective": "cycle_service", "store": "mysql://u:s3cret@h/d", "long": "x" * 7000},
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def run(home):
    plan, out = example_plan(), home / "out" / "plan"
    write_plan(plan, out, META)
    run_id = tracking.track_plan(plan, META, out, home, "abc123")
    return MlflowClient(f"sqlite:///{home}/mlflow.db").get_run(run_id)


def test_a_plan_is_one_finished_run_with_its_configuration_and_origin(run):
    assert run.info.status == "FINISHED"
    assert run.data.params["targets.objective"] == "cycle_service"
    tags = run.data.tags
    assert (tags["run_id"], tags["snapshot_id"], tags["contract_version"]) == ("run-1", "sha256:abc", CONTRACT_VERSION)
    assert tags["git_revision"] == "abc123"


def test_a_run_has_the_totals_of_the_decisions_and_the_scores_of_the_forecasters(run):
    plan = example_plan()
    assert run.data.metrics["orders/units"] == plan.tables["orders"]["units"].sum()
    assert run.data.metrics["alerts/count"] == len(plan.tables["alerts"])
    assert run.data.metrics["cost/holding"] == 212.4
    assert run.data.metrics["backtest/boosting/A-smooth/loss"] == 1.82


def test_the_tables_of_the_plan_are_artifacts(run, home):
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    names = {Path(item.path).name for item in client.list_artifacts(run.info.run_id, "plan")}
    assert {"orders.parquet", "transfers.parquet", "forecast.parquet", "plan.xlsx", "report.html", "plan.json"} <= names
    assert Path(run.info.artifact_uri.removeprefix("file://")).is_relative_to(home / "mlartifacts")


def test_no_password_reaches_the_store_or_the_artifacts(run, home):
    for path in home.rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes(), path
    assert run.data.tags["data"] == "postgresql://erp:***@db/sales"


def test_long_settings_are_cut_and_say_so(run):
    assert len(run.data.params["long"]) == 6000
    assert run.data.params["long"].endswith("(cut)")


def test_a_run_that_fails_is_marked_as_failed(home):
    with pytest.raises(FileNotFoundError):
        tracking.track_plan(example_plan(), META, home / "nowhere", home)
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    experiment = client.get_experiment_by_name(tracking.PLANS)
    assert "FAILED" in {found.info.status for found in client.search_runs([experiment.experiment_id])}


def test_a_backtest_is_a_parent_with_a_child_per_forecaster(home, run):
    parent = tracking.track_backtest(example_backtest(), META, home)
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    experiment = client.get_experiment_by_name(tracking.BACKTESTS)
    children = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
    losses = {child.data.params["model"]: child.data.metrics["A-smooth/loss"] for child in children}
    assert losses == {"boosting": 1.82, "seasonal_naive": 2.31}


def test_scores_that_are_not_known_are_left_out():
    scores = pd.DataFrame({"model": ["m:1", "m:1"], "segment": ["A", "B/C"], "loss": [1.0, np.nan], "n": [1, 2]})
    assert tracking.backtest_metrics(scores) == {
        "backtest/m_1/A/loss": 1,
        "backtest/m_1/A/n": 1,
        "backtest/m_1/B_C/n": 2,
    }
    assert tracking.backtest_metrics(pd.DataFrame()) == {}


def test_the_lock_keeps_others_out_until_it_is_let_go(home, run, monkeypatch):
    monkeypatch.setattr(tracking, "_LOCK_WAIT_S", 0.01)
    with (
        tracking._exclusive(home),
        pytest.raises(sqlite3.OperationalError, match="locked"),
        tracking._exclusive(home),
    ):
        pass
    with tracking._exclusive(home):
        pass


@pytest.mark.slow
def test_several_processes_may_start_on_a_fresh_store_at_once(tmp_path):
    script = (
        "import sys; from pathlib import Path\n"
        "from experiments import tracking\n"
        "from tests.experiments.test_tracking import META\n"
        "from tests.plans import example_backtest\n"
        "print(tracking.track_backtest(example_backtest(), META, Path(sys.argv[1])))\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", script, str(tmp_path / "home")]
    started = [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    ended = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], ended
    assert len({out for out, _ in ended}) == 3
    assert not list((tmp_path / "home").glob(".mlflow*"))
