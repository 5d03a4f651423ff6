"""A plan as HTTP shows it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from api.problems import problem_body
from api.store.jobs import Progress, Status
from api.store.plans import PlanRecord
from engine.plan.types import PLAN_TABLES


class ProgressView(BaseModel):
    """``done`` of ``total`` steps of a stage."""

    stage: str
    done: int
    total: int


class PlanView(BaseModel):
    """A plan: what was asked, how far it is, and once finished what it is of."""

    id: str
    status: Status
    created_at: datetime
    created_by: str
    request: dict[str, Any] = Field(description="What was asked: data, as_of, repairs, config.")
    cancel_requested: bool
    attempt: int
    progress: ProgressView | None
    finished_at: datetime | None
    as_of: str | None
    run_id: str | None
    snapshot_id: str | None
    exit_code: int | None = Field(description="0 done; 5 done in part, the rest is in the table assumptions.")
    summary: dict[str, Any] | None
    problem: dict[str, Any] | None = Field(description="Why the plan failed (RFC 9457).")
    links: dict[str, str]


class PlanPage(BaseModel):
    """Plans, the newest first."""

    items: list[PlanView]
    next_cursor: str | None


def plan_url(plan_id: str) -> str:
    """Return the path of a plan."""
    return f"/v1/plans/{plan_id}"


def plan_view(record: PlanRecord) -> PlanView:
    """Return a plan as it is shown."""
    url = plan_url(record.id)
    links = {"self": url}
    if record.status in ("queued", "running"):
        links["cancel"] = f"{url}/cancel"
    if record.status == "finished":
        links |= {table: f"{url}/{table}" for table in PLAN_TABLES}
    return PlanView(
        id=record.id,
        status=record.status,
        created_at=record.created_at,
        created_by=record.created_by,
        request=dict(record.request),
        cancel_requested=record.cancel_requested,
        attempt=record.attempt,
        progress=None if record.progress is None else _progress(record.progress),
        finished_at=record.finished_at,
        as_of=record.as_of,
        run_id=record.run_id,
        snapshot_id=record.snapshot_id,
        exit_code=record.exit_code,
        summary=None if record.summary is None else dict(record.summary),
        problem=None if record.problem is None else _problem(record.problem),
        links=links,
    )


def plan_answer(view: PlanView, status: int = 200) -> JSONResponse:
    """Return the answer that shows a plan, with its entity tag."""
    return JSONResponse(
        view.model_dump(mode="json"),
        status_code=status,
        headers={"ETag": entity_tag(view), "Cache-Control": "no-cache"},
    )


def entity_tag(view: PlanView) -> str:
    """Return the tag of a plan as shown: another tag, another plan to see."""
    return f'"{hashlib.sha256(view.model_dump_json().encode()).hexdigest()[:32]}"'


def names_tag(header: str, tag: str) -> bool:
    """Return whether an ``If-Match`` or ``If-None-Match`` header names a tag."""
    named = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in named or tag in named


def _progress(progress: Progress) -> ProgressView:
    return ProgressView(stage=progress.stage, done=progress.done, total=progress.total)


def _problem(stored: Mapping[str, Any]) -> dict[str, Any]:
    members = {name: value for name, value in stored.items() if name not in ("code", "detail")}
    return problem_body(stored["code"], stored["detail"], members)
