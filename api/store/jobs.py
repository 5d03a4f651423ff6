"""Jobs: leased rows. A worker that dies loses its lease and the next one runs the job again.

    queued ──lease──► running ──close──► finished | failed | cancelled
      ▲                  │
      └── lease ran out ─┘        (at most ``max_attempts`` times, then failed)

Every lease has a token that only grows, and every write of a worker names its token: what a worker writes after
it lost its lease changes nothing and raises `LeaseLostError`. Whatever the clocks say, no job is finished twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from api.store.database import Store
from api.store.schema import jobs, plans

Status = Literal["queued", "running", "finished", "failed", "cancelled"]
Ending = Literal["finished", "failed", "cancelled"]

ENDED: frozenset[Status] = frozenset({"finished", "failed", "cancelled"})
MAX_ATTEMPTS = 3


class LeaseLostError(Exception):
    """The job was leased to another worker, or ended, in the meantime; what was to be written is void."""


@dataclass(frozen=True)
class Lease:
    """The right to run a job until ``leased_until``; ``token`` grows with every lease of the job."""

    job_id: str
    plan_id: str
    token: int
    attempt: int
    leased_until: datetime
    request: Mapping[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a run is: ``done`` of ``total`` steps of a stage."""

    stage: str
    done: int
    total: int


def submit(connection: sa.Connection, plan_id: str, now: datetime, max_attempts: int = MAX_ATTEMPTS) -> None:
    """Queue the making of a plan whose row stands in ``plans``."""
    connection.execute(
        jobs.insert().values(
            id=uuid.uuid4().hex,
            plan_id=plan_id,
            status="queued",
            created_at=now,
            attempt=0,
            max_attempts=max_attempts,
            token=0,
            cancel_requested=False,
            done=0,
            total=0,
        )
    )


def lease(store: Store, owner: str, now: datetime, lasting: timedelta) -> Lease | None:
    """Lease the oldest job that waits or whose lease ran out; None where there is none.

    Jobs whose lease ran out are ended first where they were to be cancelled or had their last attempt.
    """
    with store.write() as connection:
        _end_lost(connection, now)
        free = sa.or_(jobs.c.status == "queued", sa.and_(jobs.c.status == "running", jobs.c.leased_until < now))
        row = connection.execute(
            sa.select(jobs.c.id, jobs.c.plan_id, jobs.c.token, jobs.c.attempt)
            .where(free)
            .order_by(jobs.c.created_at, jobs.c.id)
            .limit(1)
            # PostgreSQL: another worker's row is passed over. SQLite has no such clause and holds the write lock.
            .with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        taken = Lease(
            job_id=row.id,
            plan_id=row.plan_id,
            token=row.token + 1,
            attempt=row.attempt + 1,
            leased_until=now + lasting,
            request=connection.execute(sa.select(plans.c.request).where(plans.c.id == row.plan_id)).scalar_one(),
        )
        connection.execute(
            jobs.update()
            .where(jobs.c.id == row.id)
            .values(
                status="running",
                owner=owner,
                token=taken.token,
                attempt=taken.attempt,
                leased_until=taken.leased_until,
                started_at=sa.func.coalesce(jobs.c.started_at, now),
                stage=None,
                done=0,
                total=0,
            )
        )
        return taken


def beat(store: Store, held: Lease, until: datetime, progress: Progress | None) -> bool:
    """Prolong a lease, write progress through, and return whether the job is to be cancelled.

    Raises
    ------
    LeaseLostError
        The job has passed to another worker or ended.
    """
    values: dict[str, Any] = {"leased_until": until}
    if progress is not None:
        values |= {"stage": progress.stage, "done": progress.done, "total": progress.total}
    with store.write() as connection:
        _write(connection, held, values)
        asked = sa.select(jobs.c.cancel_requested).where(jobs.c.id == held.job_id)
        return bool(connection.execute(asked).scalar_one())


def close(
    connection: sa.Connection,
    held: Lease,
    ending: Ending,
    now: datetime,
    problem: Mapping[str, Any] | None = None,
) -> None:
    """End a job, in the transaction that also writes its result.

    Raises
    ------
    LeaseLostError
        The job has passed to another worker or ended: the whole transaction is to be given up.
    """
    _write(connection, held, _end(ending, now, problem))


def give_back(store: Store, held: Lease) -> None:
    """Queue a job again whose worker was told to stop; the attempt does not count.

    Raises
    ------
    LeaseLostError
        The job has passed to another worker or ended.
    """
    with store.write() as connection:
        _write(
            connection,
            held,
            {"status": "queued", "owner": None, "leased_until": None, "attempt": held.attempt - 1},
        )


def cancel(connection: sa.Connection, plan_id: str, now: datetime) -> Status | None:
    """Ask for the end of a plan's job and return its status after that; None where the plan has no job.

    A job that waits ends here; a running one is told so at its worker's next beat; an ended one stays as it is.
    """
    queued = sa.and_(jobs.c.plan_id == plan_id, jobs.c.status == "queued")
    connection.execute(jobs.update().where(queued).values(**_end("cancelled", now, None), cancel_requested=True))
    running = sa.and_(jobs.c.plan_id == plan_id, jobs.c.status == "running")
    connection.execute(jobs.update().where(running).values(cancel_requested=True))
    found: Status | None = connection.execute(
        sa.select(jobs.c.status).where(jobs.c.plan_id == plan_id)
    ).scalar_one_or_none()
    return found


def _end_lost(connection: sa.Connection, now: datetime) -> None:
    lost = sa.and_(jobs.c.status == "running", jobs.c.leased_until < now)
    connection.execute(jobs.update().where(lost, jobs.c.cancel_requested).values(**_end("cancelled", now, None)))
    problem = {
        "code": "worker-lost",
        "detail": "The worker stopped without a word at every attempt. Its log and the machine's memory tell more.",
    }
    connection.execute(
        jobs.update().where(lost, jobs.c.attempt >= jobs.c.max_attempts).values(**_end("failed", now, problem))
    )


def _end(ending: Ending, now: datetime, problem: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "status": ending,
        "ended_at": now,
        "leased_until": None,
        "owner": None,
        "problem": None if problem is None else dict(problem),
    }


def _write(connection: sa.Connection, held: Lease, values: Mapping[str, Any]) -> None:
    mine = sa.and_(jobs.c.id == held.job_id, jobs.c.token == held.token, jobs.c.status == "running")
    if connection.execute(jobs.update().where(mine).values(**values)).rowcount != 1:
        raise LeaseLostError(f"job {held.job_id}, token {held.token}, attempt {held.attempt}")
