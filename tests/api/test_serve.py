"""Processes: the service with its worker, and workers that are killed. Pipes tell when; nothing waits by the clock."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from api.serve import serve, supervised
from api.store.database import Store
from api.worker import Worker, work_next
from engine.errors import ConfigError
from tests.api.conftest import StillClock
from tests.api.test_worker import ask, see

TELLS_ITS_PID = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); sys.stdin.read()"

STOPS_IN_THE_MIDDLE = """
import signal, sys
from pathlib import Path
from api.sources import Sources
from api.store.migration import open_store
from api.worker import Worker, work_next
from engine.errors import ConfigError
from tests.api.conftest import StillClock

home, pipe = Path(sys.argv[1]), sys.argv[2]

def planner(job, run):
    run.step("forecast", 1, 2)
    with open(pipe, "w") as told:
        told.write(str(job.out))
    signal.pause()

work_next(Worker(open_store(home, f"sqlite:///{home}/store.db"), home, Sources(home / "data"), planner, StillClock()))
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_that_dies_is_started_again_and_ends_with_the_service(
    pipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.serve._FIRST_DELAY_SECONDS", 0.0)
    with supervised([sys.executable, "-c", TELLS_ITS_PID, str(pipe)], os.environ):
        first = int(pipe.read_text())
        os.kill(first, signal.SIGKILL)
        second = int(pipe.read_text())
    assert first != second
    assert not is_alive(first)
    assert not is_alive(second)


def test_a_worker_that_will_not_stop_is_killed(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.serve.GRACE_SECONDS", 0.0)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + TELLS_ITS_PID
    with supervised([sys.executable, "-c", deaf, str(pipe)], os.environ):
        child = int(pipe.read_text())
    assert not is_alive(child)


def test_a_job_whose_worker_is_killed_is_made_by_the_next(
    store: Store, worker: Worker, clock: StillClock, home: Path, pipe: Path
) -> None:
    plan_id = ask(store, clock)
    with subprocess.Popen([sys.executable, "-c", STOPS_IN_THE_MIDDLE, str(home), str(pipe)]) as child:
        started = pipe.read_text()
        assert plan_id in started
        assert see(store, plan_id).status == "running"
        child.kill()

    clock.advance(seconds=31)
    assert work_next(worker)

    made = see(store, plan_id)
    assert (made.status, made.attempt, made.finished_at) == ("finished", 2, clock.now)


def test_the_service_starts_answers_and_ends_in_order(home: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from api.serve import serve; sys.exit(serve(Path(sys.argv[1]), port=0))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "RESTOCK_STORE"}
    command = [sys.executable, "-c", script, str(home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as served:
        assert served.stderr is not None
        lines = iter(served.stderr.readline, "")
        address = next(found.group() for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        assert httpx.get(f"{address}/v1/health").json()["status"] == "ok"
        assert httpx.get(f"{address}/v1/plans").status_code == 401
        served.send_signal(signal.SIGTERM)
        rest = served.stderr.read()
    assert served.returncode == 0
    assert "Traceback" not in rest
    assert (home / "store.db").exists()


def test_a_port_that_is_taken_is_refused_before_a_worker_starts(
    home: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.serve.supervised", None)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="free port"):
        serve(home, port=taken.getsockname()[1], store_url=f"sqlite:///{empty_store}")
