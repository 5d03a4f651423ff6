"""Executors: the same results in the same order, wherever they run; cancellation leaves nothing."""

import pickle

import pytest

from engine.errors import Cancelled
from engine.execution import MemorySink, Run, Serial, processes
from engine.messages import Message


def square(number: int) -> int:
    return number * number


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
