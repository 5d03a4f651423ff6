"""Executors: the same results in the same order, wherever they run; cancellation leaves nothing."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import Cancelled
from engine.execution import MemorySink, Run, Serial, processes
from engine.messages import Message


def square(number: int) -> int:
    return number * number


def tell_and_wait(_chunk: int) -> None:
    os.write(1, f"{os.getpid()}\n".encode())
    signal.pause()


WAITING = """
from engine.execution import processes
from tests.engine.test_execution import tell_and_wait

with processes(2) as two:
    list(two.map(tell_and_wait, [0, 1]))
"""


def started() -> subprocess.Popen[str]:
    """A process whose two workers have begun; its pipes end with the last of them."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", WAITING]
    run = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    assert run.stdout is not None
    assert len({int(run.stdout.readline()) for _ in range(2)}) == 2
    return run


def test_workers_end_with_a_parent_that_is_killed() -> None:
    with started() as run:
        run.kill()
        told, _ = run.communicate(timeout=60)
    assert told == ""


def test_an_interrupt_at_the_terminal_is_told_by_the_parent_alone() -> None:
    with started() as run:
        os.killpg(run.pid, signal.SIGINT)
        _, told = run.communicate(timeout=60)
    assert run.returncode not in (0, None)
    assert "KeyboardInterrupt" in told
    assert "SpawnProcess" not in told


def test_serial_and_two_processes_give_the_same_results_in_order() -> None:
    chunks = list(range(7))
    with processes(2) as two:
        in_two = list(two.map(square, chunks))
    assert in_two == list(Serial().map(square, chunks)) == [0, 1, 4, 9, 16, 25, 36]


def test_one_worker_is_this_process() -> None:
    with processes(1) as executor:
        assert isinstance(executor, Serial)


def test_a_step_reports_and_stops_when_asked() -> None:
    seen: list[tuple[str, int, int]] = []
    run = Run(progress=lambda *step: seen.append(step), cancelled=lambda: len(seen) == 2)
    run.step("targets", 1, 3)
    with pytest.raises(Cancelled) as caught:
        run.step("targets", 2, 3)
    assert seen == [("targets", 1, 3), ("targets", 2, 3)]
    assert caught.value.stage == "targets"
    assert pickle.loads(pickle.dumps(caught.value)).stage == "targets"


def test_a_sink_gives_back_what_was_put() -> None:
    sink = MemorySink()
    assert sink.get("forecast", 0) is None


def test_a_message_travels_between_processes_and_states_its_values_in_order() -> None:
    message = Message("overdue", {"days": 3, "units": 1.5, "a": None})
    again = pickle.loads(pickle.dumps(message))
    assert (again.code, dict(again.values)) == (message.code, dict(message.values))
    assert again.values_json() == '{"a": null, "days": 3, "units": 1.5}'
    with pytest.raises(TypeError):
        message.values["days"] = 4  # type: ignore[index]
