"""Ctrl-C and ``kill`` in the middle of a command: it says so, ends with 1 and leaves nothing that looks complete."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from api.store.migration import open_store
from api.store.plans import latest_finished

STOPS_WHILE_WRITING = """
import signal
from api.cli import main
from experiments.exchange import plan_writer

# A shell that starts tests in the background has them ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

def write_report(*_):
    print("writing", flush=True)
    signal.pause()

plan_writer.write_report = write_report
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_plan_that_is_stopped_leaves_no_folder(number: signal.Signals, tmp_path: Path) -> None:
    data, plans = tmp_path / "data", tmp_path / "plans"
    data.mkdir()
    plans.mkdir()
    dates = pd.date_range("2024-01-01", periods=30, freq="W-MON")
    pd.DataFrame({"item_id": "A", "location_id": "X", "date": dates, "units": 5}).to_csv(data / "sales.csv")
    (data / "supply.csv").write_text("item_id,source_id,location_id,lead_time_days\n*,maker,*,14\n")
    (tmp_path / "mine.toml").write_text('forecast.models = ["seasonal_naive"]\nrun.workers = 1\n')
    arguments = ["plan", str(data), "--config", str(tmp_path / "mine.toml"), "--out", str(plans / "plan"), "--no-track"]
    environment = os.environ | {
        "RESTOCK_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
    }
    command = [sys.executable, "-c", STOPS_WHILE_WRITING, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "writing\n"
        assert [path.suffix for path in plans.iterdir()] == [".part"], "it is in the middle of writing"
        run.send_signal(number)
        _, told = run.communicate()
    assert run.returncode == 1
    assert told.splitlines()[-1] == "Stopped. Nothing half-written was left."
    assert "Traceback" not in told
    assert list(plans.iterdir()) == []
    store = open_store(tmp_path / "home", f"sqlite:///{tmp_path}/home/store.db")
    with store.read() as connection:
        assert latest_finished(connection) is None, "a plan that was not made is not entered"
    store.close()
