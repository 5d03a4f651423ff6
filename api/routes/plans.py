"""Plans: ask for one, see how far it is, cancel it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.problems import ProblemError, error_problem
from api.routes.access import PlanReader, PlanWriter
from api.routes.cursors import PageQuery, decode_moment, encode
from api.routes.ids import PlanId
from api.routes.views import (
    PlanPage,
    PlanView,
    entity_tag,
    names_tag,
    plan_answer,
    plan_url,
    plan_view,
)
from api.service import Service, Serving
from api.store.audit import record
from api.store.idempotency import KeyReusedError, Once, answer_once
from api.store.jobs import Status, cancel
from api.store.plans import Asked, ask_for_plan, find_plan, list_plans
from api.toml_text import toml_text
from engine.errors import ConfigError
from experiments.settings import parse_settings

router = APIRouter(prefix="/plans", tags=["plans"])

_OPERATOR_ONLY = ("run",)
"""Sections of the config that size the machine's work: those who run the service set them."""

IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match")]
IfMatch = Annotated[str | None, Header(alias="If-Match")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Makes a repeat of the request safe.",
    ),
]


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


class PlanAsk(BaseModel):
    """What to plan."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(
        min_length=1,
        max_length=500,
        description="A registered source, or a folder or file under the data root.",
    )
    as_of: date | None = Field(default=None, description="The day the plan is made; default as in `restock plan`.")
    repairs: list[str] = Field(default=[], max_length=50, description="Repairs that may be made to the data.")
    config: dict[str, JsonValue] = Field(default={}, description="Settings that differ from the defaults.")


class PlanQuery(PageQuery):
    """Which plans to list."""

    status: Status | None = None


@router.post(
    "",
    status_code=202,
    summary="Ask for a plan",
    operation_id="createPlan",
    response_model=PlanView,
    responses={202: {"headers": {"Location": _header("The address of the plan.")}}},
)
def create_plan(asked: PlanAsk, key: PlanWriter, service: Serving, idempotency_key: IdempotencyKey = None) -> Response:
    """Queues the plan and answers 202 with its address in `Location`. Needs the scope `plans:write`.

    Sent again with the same `Idempotency-Key` and the same body, it gives the same answer and plans nothing more.
    """
    request = asked.model_dump(mode="json")
    _check(service, asked)
    now = service.clock()

    with service.store.write() as connection:

        def act() -> dict[str, Any]:
            plan_id = ask_for_plan(connection, Asked(f"key {key.id}", request), now)
            made = find_plan(connection, plan_id)
            if made is None:
                raise LookupError(f"plan {plan_id} is not in the transaction that made it")
            return plan_view(made).model_dump(mode="json")

        if idempotency_key is None:
            answer = act()
        else:
            try:
                answer = answer_once(connection, Once(key.id, idempotency_key, request), now, act)
            except KeyReusedError:
                raise ProblemError("key-reused", "Send a new key with a new request.") from None
    return JSONResponse(answer, status_code=202, headers={"Location": plan_url(answer["id"])})


@router.get("", summary="List plans", operation_id="listPlans")
def get_plans(query: Annotated[PlanQuery, Query()], _key: PlanReader, service: Serving) -> PlanPage:
    """The newest first, by page. Needs the scope `plans:read`."""
    before = None if query.cursor is None else decode_moment(query.cursor)
    with service.store.read() as connection:
        found = list_plans(connection, before, query.limit + 1, query.status)
    shown = found[: query.limit]
    more = len(found) > query.limit
    cursor = encode([shown[-1].created_at.isoformat(), shown[-1].id]) if more else None
    return PlanPage(items=[plan_view(plan) for plan in shown], next_cursor=cursor)


@router.get(
    "/{plan_id}",
    summary="See a plan",
    operation_id="getPlan",
    response_model=PlanView,
    responses={
        200: {"headers": {"ETag": _header("Another tag, another plan to see.")}},
        304: {"description": "Nothing has changed since `If-None-Match`."},
    },
)
def get_plan(plan_id: PlanId, _key: PlanReader, service: Serving, if_none_match: IfNoneMatch = None) -> Response:
    """Status, progress and, once finished, what it is of. Needs the scope `plans:read`.

    With `If-None-Match` it answers 304 while nothing has changed.
    """
    view = _find(service, plan_id)
    if if_none_match is not None and names_tag(if_none_match, entity_tag(view)):
        return Response(status_code=304, headers={"ETag": entity_tag(view)})
    return plan_answer(view)


@router.post(
    "/{plan_id}/cancel",
    status_code=202,
    summary="Cancel a plan",
    operation_id="cancelPlan",
    response_model=PlanView,
)
def cancel_plan(plan_id: PlanId, key: PlanWriter, service: Serving, if_match: IfMatch = None) -> Response:
    """Ends a plan that waits, and asks the worker of a running one to stop. Needs the scope `plans:write`.

    A second time it changes nothing; a finished or failed plan answers 409. With `If-Match` it cancels only the
    plan as it was seen.
    """
    with service.store.write() as connection:
        now = service.clock()
        found = find_plan(connection, plan_id)
        if found is None:
            raise _no_such_plan(plan_id)
        if if_match is not None and not names_tag(if_match, entity_tag(plan_view(found))):
            raise ProblemError("changed-since", f"Read {plan_url(plan_id)} again.")
        if found.status in ("finished", "failed"):
            raise ProblemError("already-ended", f"It is {found.status}.", {"plan_status": found.status})
        if not found.cancel_requested:
            cancel(connection, plan_id, now)
            record(connection, now, f"key {key.id}", ("plan.cancelled", plan_id))
    return plan_answer(_find(service, plan_id), 202)


def _check(service: Service, asked: PlanAsk) -> None:
    """Refuse at once what the worker would refuse later."""
    try:
        service.sources.locate(asked.data)
    except ConfigError as error:
        raise ProblemError("unknown-source", str(error)) from None
    barred = [name for name in _OPERATOR_ONLY if name in asked.config]
    if barred:
        raise ProblemError("config-refused", f"config.{barred[0]} is set by those who run the service. Leave it out.")
    try:
        settings = parse_settings(toml_text(asked.config), "config")
    except ConfigError as error:
        raise error_problem(error) from None
    own = [name for name in settings.forecast.models if ":" in name]
    if own:
        # Loading it would run code of the client's choice.
        raise ProblemError("config-refused", f"config.forecast.models names {own[0]!r}. Name shipped ones.")


def _find(service: Service, plan_id: str) -> PlanView:
    with service.store.read() as connection:
        found = find_plan(connection, plan_id)
    if found is None:
        raise _no_such_plan(plan_id)
    return plan_view(found)


def _no_such_plan(plan_id: str) -> ProblemError:
    return ProblemError("no-such-plan", f"{plan_id!r}. GET /v1/plans lists those there are.")
