"""The worker: from a job to a plan in the store, and whatever may come between."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from api.sources import Sources
from api.store.database import Store
from api.store.jobs import Progress, cancel, lease
from api.store.plans import Asked, PlanRecord, ask_for_plan, enter_plan, find_plan, latest_finished
from api.store.schema import audit, plan_lines
from api.worker import PlanJob, Worker, load_planner, work, work_next
from engine.errors import ConfigError, ContradictionError, DataError, RestockError
from engine.execution import Run
from engine.plan.types import Plan
from tests.api.conftest import MadeUpPlanner, Result, StillClock


def ask(store: Store, clock: StillClock, **request: object) -> str:
    wanted = {"data": "shop", "as_of": None, "repairs": [], "config": {}} | request
    with store.write() as connection:
        return ask_for_plan(connection, Asked("tests", wanted), clock())


def see(store: Store, plan_id: str) -> PlanRecord:
    with store.read() as connection:
        found = find_plan(connection, plan_id)
    assert found is not None
    return found


def n_lines(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(plan_lines)).scalar_one())


def test_an_idle_worker_finds_nothing_to_do(worker: Worker) -> None:
    assert not work_next(worker)


def test_a_job_becomes_a_plan(store: Store, worker: Worker, clock: StillClock, plan: Plan) -> None:
    plan_id = ask(store, clock)

    assert work_next(worker)

    made = see(store, plan_id)
    assert (made.status, made.as_of, made.run_id, made.snapshot_id) == ("finished", plan.as_of, "run-1", "snapshot-1")
    assert made.summary is not None
    assert made.summary["rows"]["orders"] == len(plan.tables["orders"])
    assert made.bulk is not None
    assert (store.artifacts / made.bulk / "curves" / "header.json").exists()
    with store.read() as connection:
        actions = connection.execute(sa.select(audit.c.action).order_by(audit.c.id)).scalars().all()
    assert actions == ["plan.asked", "plan.finished"]


def test_the_planner_is_told_what_was_asked(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner, home: Path
) -> None:
    ask(store, clock, as_of="2025-10-27", repairs=["sum-duplicates"], config={"targets": {"service": 0.9}})
    stated = []

    def read_config(_stage: str) -> None:
        config = planner.jobs[-1].config
        assert config is not None
        stated.append(config.read_text())

    planner.before = read_config
    work_next(worker)

    (job,) = planner.jobs
    assert (job.data, job.as_of, job.repairs) == (str(home / "data" / "shop"), "2025-10-27", ("sum-duplicates",))
    assert stated == ["targets.service = 0.9\n"] * 2
    assert job.config is not None
    assert not job.config.exists()
    assert home in job.out.parents


def test_progress_is_there_while_the_plan_is_made(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner
) -> None:
    plan_id = ask(store, clock)
    seen: list[tuple[str, str | None]] = []

    def look(_stage: str) -> None:
        found = see(store, plan_id)
        seen.append((found.status, found.progress and found.progress.stage))

    planner.before = look
    work_next(worker)

    assert seen == [("running", None), ("running", "read")]


def test_a_killed_worker_s_job_is_made_by_the_next(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner
) -> None:
    plan_id = ask(store, clock)

    def die(_stage: str) -> None:
        raise KeyboardInterrupt  # leaves without a word to the store, as a kill does

    planner.before = die
    with pytest.raises(KeyboardInterrupt):
        work_next(worker)
    planner.before = lambda stage: None
    second = dataclasses.replace(worker, name="second")

    assert not work_next(second)
    clock.advance(seconds=31)
    assert work_next(second)

    assert (see(store, plan_id).status, see(store, plan_id).attempt) == ("finished", 2)
    assert planner.jobs[0].out != planner.jobs[1].out


def test_a_worker_that_wakes_up_late_changes_nothing(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner
) -> None:
    plan_id = ask(store, clock)
    second = dataclasses.replace(worker, name="second", planner=MadeUpPlanner(planner.plan, planner.tables))

    def sleep_through_the_lease(stage: str) -> None:
        if stage == "forecast":
            clock.advance(minutes=1)
            assert work_next(second)

    planner.before = sleep_through_the_lease
    assert work_next(worker)

    made = see(store, plan_id)
    assert (made.status, made.attempt, made.bulk) == ("finished", 2, f"{plan_id}-2")
    assert not planner.jobs[0].out.exists()


def test_a_result_that_comes_after_the_lease_is_void(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner
) -> None:
    plan_id = ask(store, clock)
    second = dataclasses.replace(worker, name="second", planner=MadeUpPlanner(planner.plan, planner.tables))

    def overtaken_at_the_end(job: PlanJob, run: Run) -> Result:
        result = planner(job, run)
        clock.advance(minutes=1)
        assert work_next(second)
        return result

    assert work_next(dataclasses.replace(worker, planner=overtaken_at_the_end))

    made = see(store, plan_id)
    assert made.bulk == f"{plan_id}-2"
    assert made.summary is not None
    assert n_lines(store) == sum(made.summary["rows"].values())


def test_a_cancelled_plan_stops_at_the_next_step(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner
) -> None:
    plan_id = ask(store, clock)

    def ask_to_stop(stage: str) -> None:
        if stage == "forecast":
            with store.write() as connection:
                cancel(connection, plan_id, clock())

    planner.before = ask_to_stop
    assert work_next(worker)

    assert see(store, plan_id).status == "cancelled"
    assert n_lines(store) == 0
    assert not work_next(worker)


def test_a_worker_that_is_stopped_gives_its_job_back(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner
) -> None:
    plan_id = ask(store, clock)
    planner.before = lambda stage: worker.stopping.set()

    work(worker)

    assert (see(store, plan_id).status, see(store, plan_id).attempt) == ("queued", 0)


def test_a_worker_works_until_it_is_stopped(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner
) -> None:
    asked = [ask(store, clock) for _ in range(3)]
    rest = []

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            rest.append(timeout)
            self.set()
            return True

    work(dataclasses.replace(worker, stopping=Stopping()))

    assert {see(store, plan_id).status for plan_id in asked} == {"finished"}
    assert rest == [1.0]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("A", "b", "C"), "config-refused"),
        (DataError("A", "b", "C"), "data-refused"),
        (ContradictionError("A", "b", "C"), "data-contradict"),
        (RestockError("A", "b", "C"), "run-failed"),
    ],
)
def test_an_error_raised_on_purpose_says_why_the_plan_failed(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner, error: RestockError, code: str
) -> None:
    plan_id = ask(store, clock)

    def fail(_stage: str) -> None:
        raise error

    planner.before = fail
    work_next(worker)

    failed = see(store, plan_id)
    assert failed.status == "failed"
    assert failed.problem == {"code": code, "detail": "A. Found b. C", "rule": "A", "finding": "b", "remedy": "C"}


def test_any_other_error_goes_to_the_log_only(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner, caplog: pytest.LogCaptureFixture
) -> None:
    plan_id = ask(store, clock)

    def fail(_stage: str) -> None:
        raise RuntimeError("row 7 of customer Smith")

    planner.before = fail
    work_next(worker)

    failed = see(store, plan_id)
    assert failed.problem == {"code": "run-failed", "detail": "The worker's log says more."}
    assert "row 7 of customer Smith" in caplog.text


def test_a_source_that_is_gone_fails_the_plan(store: Store, worker: Worker, clock: StillClock) -> None:
    plan_id = ask(store, clock, data="gone")
    work_next(dataclasses.replace(worker, sources=Sources(worker.home / "data")))
    failed = see(store, plan_id)
    assert failed.problem is not None
    assert failed.problem["code"] == "config-refused"


def test_a_plan_made_elsewhere_is_entered_without_a_job(
    store: Store, tables: Path, plan: Plan, clock: StillClock
) -> None:
    asked = Asked("cli", {"data": "postgresql://erp:s3cret@db/x", "as_of": None})

    plan_id = enter_plan(store, Result("run-7", tables, plan), asked, clock)

    entered = see(store, plan_id)
    assert (entered.status, entered.created_by, entered.attempt) == ("finished", "cli", 0)
    assert entered.request["data"] == "postgresql://erp:***@db/x"
    with store.read() as connection:
        assert latest_finished(connection) == entered


def test_a_plan_whose_tables_are_not_all_there_is_not_entered(
    store: Store, home: Path, tables: Path, plan: Plan, clock: StillClock
) -> None:
    out = home / "half"
    shutil.copytree(tables, out)
    (out / "costs.parquet").unlink()

    with pytest.raises(FileNotFoundError):
        enter_plan(store, Result("run-8", out, plan), Asked("cli", {}), clock)

    assert n_lines(store) == 0
    with store.read() as connection:
        assert latest_finished(connection) is None


def test_the_latest_plan_is_that_of_the_latest_day(store: Store, tables: Path, plan: Plan, clock: StillClock) -> None:
    entered = {}
    for as_of in ("2025-11-03", "2025-10-27"):
        clock.advance(hours=1)
        result = Result(as_of, tables, dataclasses.replace(plan, as_of=as_of))
        entered[as_of] = enter_plan(store, result, Asked("cli", {}), clock)
    with store.read() as connection:
        latest = latest_finished(connection)
    assert latest is not None
    assert latest.id == entered["2025-11-03"]


def test_the_planner_is_found_by_name(monkeypatch: pytest.MonkeyPatch, planner: MadeUpPlanner, home: Path) -> None:
    asked = []
    module = SimpleNamespace(PlanRequest=dict, run_plan=lambda request, run: asked.append(request))
    monkeypatch.setattr("api.worker.importlib.import_module", lambda name: {"experiments.run_plan": module}[name])

    load_planner()(PlanJob("data", None, "2025-10-27", ("r",), home / "out", home), Run())

    assert asked == [
        {
            "data": "data",
            "config": None,
            "as_of": "2025-10-27",
            "repairs": ("r",),
            "out": home / "out",
            "overwrite": False,
            "track": True,
            "home": home,
        }
    ]


def test_what_killed_workers_left_is_cleared_by_the_one_that_ends_the_job(
    store: Store, worker: Worker, clock: StillClock, home: Path
) -> None:
    plan_id = ask(store, clock)
    first = lease(store, "killed", clock(), worker.terms.lease)
    assert first is not None
    for left in (
        f"out/.{plan_id}-1.abc.part",
        f"out/{plan_id}-1",
        f"artifacts/.{plan_id}-1.abc",
        "out/.other-1.abc.part",
    ):
        (home / left).mkdir(parents=True)
    (home / "jobs").mkdir()
    (home / f"jobs/{plan_id}-1.toml").touch()
    clock.advance(seconds=31)

    assert work_next(worker)

    assert see(store, plan_id).status == "finished"
    assert sorted(path.name for path in (home / "out").iterdir()) == [".other-1.abc.part", f"{plan_id}-2"]
    assert [path.name for path in (home / "artifacts").iterdir()] == [f"{plan_id}-2"]
    assert list((home / "jobs").iterdir()) == []


def test_the_log_says_how_each_attempt_ended(
    store: Store, worker: Worker, clock: StillClock, planner: MadeUpPlanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "api.worker")
    first = ask(store, clock)
    assert work_next(worker)
    planner.before = lambda stage: worker.stopping.set()
    second = ask(store, clock)
    assert work_next(worker)
    told = [f"plan {first}: finished", f"plan {second}: given back"]
    assert [record.message for record in caplog.records if "attempt" not in record.message] == told


def test_the_last_step_is_seen_of_a_finished_plan(store: Store, worker: Worker, clock: StillClock) -> None:
    plan_id = ask(store, clock)
    assert work_next(worker)
    assert see(store, plan_id).progress == Progress("forecast", 1, 2)
