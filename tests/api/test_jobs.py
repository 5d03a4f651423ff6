"""Leases: who may run a job, and whose writes count. On every kind of store."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from api.store import jobs
from api.store.database import Store
from api.store.plans import Asked, ask_for_plan, find_plan
from api.store.schema import jobs as job_rows
from tests.api.conftest import NOON

HALF_A_MINUTE = timedelta(seconds=30)
ASKED = Asked("tests", {"data": "shop", "as_of": None, "repairs": [], "config": {}})


def ask(store: Store, after_seconds: int = 0) -> str:
    with store.write() as connection:
        return ask_for_plan(connection, ASKED, NOON + timedelta(seconds=after_seconds))


def status(store: Store, plan_id: str) -> str:
    with store.read() as connection:
        found = find_plan(connection, plan_id)
    assert found is not None
    return found.status


def end(store: Store, held: jobs.Lease, ending: jobs.Ending = "finished") -> None:
    with store.write() as connection:
        jobs.close(connection, held, ending, NOON)


def test_the_oldest_job_is_leased_first(any_store: Store) -> None:
    second, first = ask(any_store, 1), ask(any_store, 0)

    leased = [jobs.lease(any_store, "worker", NOON, HALF_A_MINUTE) for _ in range(3)]

    assert [held and held.plan_id for held in leased] == [first, second, None]


def test_a_lease_carries_the_request(any_store: Store) -> None:
    plan_id = ask(any_store)

    held = jobs.lease(any_store, "worker", NOON, HALF_A_MINUTE)

    assert held is not None
    assert held.request == ASKED.request
    assert (held.plan_id, held.token, held.attempt) == (plan_id, 1, 1)
    assert status(any_store, plan_id) == "running"


def test_a_job_whose_lease_ran_out_is_run_again_and_the_first_worker_can_write_nothing(any_store: Store) -> None:
    plan_id = ask(any_store)
    zombie = jobs.lease(any_store, "first", NOON, HALF_A_MINUTE)
    assert zombie is not None

    assert jobs.lease(any_store, "second", NOON + HALF_A_MINUTE, HALF_A_MINUTE) is None
    later = NOON + timedelta(seconds=31)
    held = jobs.lease(any_store, "second", later, HALF_A_MINUTE)

    assert held is not None
    assert (held.plan_id, held.token, held.attempt) == (plan_id, 2, 2)
    with pytest.raises(jobs.LeaseLostError):
        jobs.beat(any_store, zombie, later + HALF_A_MINUTE, jobs.Progress("forecast", 1, 2))
    with pytest.raises(jobs.LeaseLostError):
        end(any_store, zombie)
    with pytest.raises(jobs.LeaseLostError):
        jobs.give_back(any_store, zombie)
    assert status(any_store, plan_id) == "running"
    end(any_store, held)
    assert status(any_store, plan_id) == "finished"


def test_a_beat_prolongs_the_lease_and_writes_progress(any_store: Store) -> None:
    plan_id = ask(any_store)
    held = jobs.lease(any_store, "first", NOON, HALF_A_MINUTE)
    assert held is not None

    to_cancel = jobs.beat(any_store, held, NOON + timedelta(minutes=5), jobs.Progress("forecast", 3, 7))

    assert not to_cancel
    assert jobs.lease(any_store, "second", NOON + timedelta(minutes=4), HALF_A_MINUTE) is None
    with any_store.read() as connection:
        found = find_plan(connection, plan_id)
    assert found is not None
    assert found.progress == jobs.Progress("forecast", 3, 7)


def test_what_shares_a_transaction_with_a_lost_lease_is_not_kept(any_store: Store) -> None:
    ask(any_store)
    zombie = jobs.lease(any_store, "first", NOON, HALF_A_MINUTE)
    assert zombie is not None
    jobs.lease(any_store, "second", NOON + timedelta(minutes=1), HALF_A_MINUTE)

    def write_late() -> None:
        with any_store.write() as connection:
            ask_for_plan(connection, ASKED, NOON)
            jobs.close(connection, zombie, "finished", NOON)

    with pytest.raises(jobs.LeaseLostError):
        write_late()

    with any_store.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(job_rows)).scalar_one() == 1


def test_a_job_that_ended_cannot_be_ended_again(any_store: Store) -> None:
    plan_id = ask(any_store)
    held = jobs.lease(any_store, "worker", NOON, HALF_A_MINUTE)
    assert held is not None
    end(any_store, held, "failed")

    with pytest.raises(jobs.LeaseLostError):
        end(any_store, held, "finished")

    assert status(any_store, plan_id) == "failed"


def test_after_the_last_attempt_a_lost_job_fails_and_says_why(any_store: Store) -> None:
    plan_id = ask(any_store)
    moments = [NOON + timedelta(minutes=minute) for minute in range(jobs.MAX_ATTEMPTS + 1)]

    leases = [jobs.lease(any_store, "worker", moment, HALF_A_MINUTE) for moment in moments]

    assert [held and held.attempt for held in leases] == [1, 2, 3, None]
    with any_store.read() as connection:
        found = find_plan(connection, plan_id)
    assert found is not None
    assert found.status == "failed"
    assert found.problem is not None
    assert found.problem["code"] == "worker-lost"


def test_a_job_that_is_given_back_keeps_its_attempts_but_not_its_token(any_store: Store) -> None:
    ask(any_store)
    first = jobs.lease(any_store, "first", NOON, HALF_A_MINUTE)
    assert first is not None

    jobs.give_back(any_store, first)
    second = jobs.lease(any_store, "second", NOON, HALF_A_MINUTE)

    assert second is not None
    assert (second.attempt, second.token) == (1, 2)
    with pytest.raises(jobs.LeaseLostError):
        end(any_store, first)


def test_a_waiting_job_is_cancelled_at_once(any_store: Store) -> None:
    plan_id = ask(any_store)

    with any_store.write() as connection:
        assert jobs.cancel(connection, plan_id, NOON) == "cancelled"

    assert jobs.lease(any_store, "worker", NOON, HALF_A_MINUTE) is None


def test_a_running_job_hears_of_its_cancelling_at_the_next_beat(any_store: Store) -> None:
    plan_id = ask(any_store)
    held = jobs.lease(any_store, "worker", NOON, HALF_A_MINUTE)
    assert held is not None

    with any_store.write() as connection:
        assert jobs.cancel(connection, plan_id, NOON) == "running"

    assert jobs.beat(any_store, held, NOON + HALF_A_MINUTE, None)


def test_a_lost_job_that_was_to_be_cancelled_is_not_run_again(any_store: Store) -> None:
    plan_id = ask(any_store)
    jobs.lease(any_store, "worker", NOON, HALF_A_MINUTE)
    with any_store.write() as connection:
        jobs.cancel(connection, plan_id, NOON)

    assert jobs.lease(any_store, "second", NOON + timedelta(minutes=1), HALF_A_MINUTE) is None
    assert status(any_store, plan_id) == "cancelled"


def test_a_plan_without_a_job_has_nothing_to_cancel(any_store: Store) -> None:
    with any_store.write() as connection:
        assert jobs.cancel(connection, "none", NOON) is None


def test_workers_at_once_never_take_the_same_job(any_store: Store) -> None:
    n_jobs, n_workers = 24, 4
    asked = [ask(any_store, number) for number in range(n_jobs)]
    taken: list[str] = []
    start = threading.Barrier(n_workers)

    def work(name: str) -> None:
        start.wait()
        while (held := jobs.lease(any_store, name, NOON, HALF_A_MINUTE)) is not None:
            taken.append(held.plan_id)
            end(any_store, held)

    threads = [threading.Thread(target=work, args=(f"worker {number}",)) for number in range(n_workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(taken) == Counter(asked)
