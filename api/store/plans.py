"""Plans in the store: asked for, entered when made, read by the service."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import sqlalchemy as sa

from api.clock import Clock, utc_now
from api.store.address import redact
from api.store.audit import record
from api.store.bulk import write_bulk
from api.store.database import Store
from api.store.jobs import Lease, Progress, Status, close, submit
from api.store.lines import LINE_TABLES, put_lines
from api.store.schema import jobs, plans
from engine.plan.types import Plan

WORKER = "worker"


class PlanResult(Protocol):
    """What a finished run hands over (`experiments.run_plan.RunResult`): the plan, and the folder of its tables."""

    @property
    def run_id(self) -> str: ...

    @property
    def out(self) -> Path: ...

    @property
    def plan(self) -> Plan: ...

    @property
    def snapshot_id(self) -> str: ...

    @property
    def exit_code(self) -> int: ...


@dataclass(frozen=True)
class Asked:
    """Who asked for a plan, and for what: ``request`` has ``data``, ``as_of``, ``repairs`` and ``config``."""

    by: str
    request: Mapping[str, Any]


@dataclass(frozen=True)
class PlanRecord:
    """A plan as the service shows it. ``status`` is that of its job; one made by the CLI has no job and is finished."""

    id: str
    status: Status
    created_at: datetime
    created_by: str
    request: Mapping[str, Any]
    finished_at: datetime | None
    as_of: str | None
    run_id: str | None
    snapshot_id: str | None
    exit_code: int | None
    summary: Mapping[str, Any] | None
    bulk: str | None
    progress: Progress | None
    attempt: int
    cancel_requested: bool
    problem: Mapping[str, Any] | None


def ask_for_plan(connection: sa.Connection, asked: Asked, now: datetime) -> str:
    """Queue a plan to be made and return its id."""
    plan_id = _new_plan(connection, asked, now)
    submit(connection, plan_id, now)
    record(connection, now, asked.by, ("plan.asked", plan_id), asked.request)
    return plan_id


def enter_plan(store: Store, result: PlanResult, origin: Asked | Lease, clock: Clock = utc_now) -> str:
    """Enter a finished plan and return its id: its lines into SQL, its bulk into the artifact root.

    The bulk is laid down first; one transaction then writes everything that points to it. Whatever fails before
    the end leaves a folder that no row names, and no plan.

    Parameters
    ----------
    origin
        The lease under which a worker made the plan, or who asked for it elsewhere.

    Raises
    ------
    LeaseLostError
        The job has passed to another worker or ended; nothing is entered.
    """
    bulk = f"{origin.plan_id}-{origin.token}" if isinstance(origin, Lease) else f"{result.run_id}-{uuid.uuid4().hex}"
    write_bulk(store.artifacts, bulk, result.plan.curves, result.out)
    # Read before the transaction begins: on SQLite nobody else writes while it lasts.
    lines = {table: pd.read_parquet(result.out / f"{table}.parquet") for table in LINE_TABLES}
    with store.write() as connection:
        now = clock()
        if isinstance(origin, Lease):
            close(connection, origin, "finished", now)
            plan_id, actor = origin.plan_id, WORKER
        else:
            plan_id, actor = _new_plan(connection, origin, now), origin.by
        for table, frame in lines.items():
            put_lines(connection, plan_id, table, frame)
        connection.execute(
            plans.update()
            .where(plans.c.id == plan_id)
            .values(
                finished_at=now,
                run_id=result.run_id,
                as_of=result.plan.as_of,
                snapshot_id=result.snapshot_id,
                exit_code=result.exit_code,
                summary=_summary(result.plan, {table: len(frame) for table, frame in lines.items()}),
                out=str(result.out),
                bulk=bulk,
            )
        )
        record(connection, now, actor, ("plan.finished", plan_id), {"run_id": result.run_id})
    return plan_id


def find_plan(connection: sa.Connection, plan_id: str) -> PlanRecord | None:
    """Return a plan; None where no plan has this id."""
    row = connection.execute(_records().where(plans.c.id == plan_id)).first()
    return None if row is None else _record(row)


def list_plans(
    connection: sa.Connection, before: tuple[datetime, str] | None, limit: int, status: Status | None = None
) -> list[PlanRecord]:
    """Return up to ``limit`` plans, the newest first, from before the plan made at ``before`` = (moment, id)."""
    chosen = _records()
    if before is not None:
        moment, plan_id = before
        older = sa.or_(plans.c.created_at < moment, sa.and_(plans.c.created_at == moment, plans.c.id < plan_id))
        chosen = chosen.where(older)
    if status is not None:
        chosen = chosen.where(_status() == status)
    rows = connection.execute(chosen.order_by(plans.c.created_at.desc(), plans.c.id.desc()).limit(limit))
    return [_record(row) for row in rows]


def latest_finished(connection: sa.Connection) -> PlanRecord | None:
    """Return the finished plan of the latest ``as_of``, of several the one finished last; None where there is none."""
    row = connection.execute(
        _records()
        .where(plans.c.finished_at.is_not(None))
        .order_by(plans.c.as_of.desc(), plans.c.finished_at.desc(), plans.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _record(row)


def _status() -> sa.ColumnElement[Any]:
    return sa.func.coalesce(jobs.c.status, "finished")


def _records() -> sa.Select[Any]:
    job = [jobs.c[name] for name in ("stage", "done", "total", "attempt", "cancel_requested", "problem")]
    return sa.select(plans, _status().label("status"), *job).join_from(plans, jobs, isouter=True)


def _record(row: sa.Row[Any]) -> PlanRecord:
    return PlanRecord(
        id=row.id,
        status=row.status,
        created_at=row.created_at,
        created_by=row.created_by,
        request=row.request,
        finished_at=row.finished_at,
        as_of=row.as_of,
        run_id=row.run_id,
        snapshot_id=row.snapshot_id,
        exit_code=row.exit_code,
        summary=row.summary,
        bulk=row.bulk,
        progress=None if row.stage is None else Progress(row.stage, row.done, row.total),
        attempt=row.attempt or 0,
        cancel_requested=bool(row.cancel_requested),
        problem=row.problem,
    )


def _new_plan(connection: sa.Connection, asked: Asked, now: datetime) -> str:
    plan_id = uuid.uuid4().hex
    request = {name: redact(value) if isinstance(value, str) else value for name, value in asked.request.items()}
    connection.execute(plans.insert().values(id=plan_id, created_at=now, created_by=asked.by, request=request))
    return plan_id


def _summary(plan: Plan, n_rows: Mapping[str, int]) -> dict[str, Any]:
    return {
        "bucket": plan.bucket,
        "rows": dict(n_rows),
        "solve": {"status": plan.solve.status, "gap": float(plan.solve.gap)},
    }
