"""Problem bodies (RFC 9457): the one shape in which the service says what is wrong, and the list of what can be.

Every answer of 400 or more has the media type ``application/problem+json`` and the members ``type``, ``title``,
``status`` and ``detail``; some have more, named in docs/api.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from api.store.address import redact
from engine.errors import ConfigError, ContradictionError, DataError, RestockError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:restock:problem:"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its HTTP status and its title, which never varies."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(400, "The request cannot be understood"),
    "bad-cursor": Kind(400, "The cursor is none that this service gave out for this list"),
    "unauthenticated": Kind(401, "A valid API key is needed"),
    "forbidden": Kind(403, "The API key does not allow this"),
    "not-found": Kind(404, "There is nothing at this address"),
    "no-such-plan": Kind(404, "No plan has this id"),
    "no-such-table": Kind(404, "A plan has no table of this name"),
    "method-not-allowed": Kind(405, "The method is not allowed at this address"),
    "not-finished": Kind(409, "The plan is not finished"),
    "already-ended": Kind(409, "The plan has ended and cannot be cancelled"),
    "no-plan-yet": Kind(409, "No finished plan is there to answer from"),
    "changed-since": Kind(412, "The plan has changed since it was read"),
    "too-large": Kind(413, "The request is too large"),
    "invalid": Kind(422, "The request breaks a rule"),
    "key-reused": Kind(422, "The Idempotency-Key came before with another request"),
    "unknown-source": Kind(422, "The data source is not known"),
    "config-refused": Kind(422, "A setting is refused"),
    "data-refused": Kind(422, "The data are refused"),
    "data-contradict": Kind(422, "The data contradict each other"),
    "run-failed": Kind(500, "The run failed"),
    "worker-lost": Kind(500, "The worker was lost"),
    "unexpected": Kind(500, "Something unexpected happened"),
    "unavailable": Kind(503, "The store cannot be reached"),
}
"""Every kind of problem by its code; ``type`` is ``urn:restock:problem:`` and the code."""

_SCHEMA = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457); some kinds have further members.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "enum": [f"{TYPE_PREFIX}{code}" for code in KINDS]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "additionalProperties": True,
}

_BY_STATUS = {
    400: "bad-request", 401: "unauthenticated", 403: "forbidden", 404: "not-found", 405: "method-not-allowed",
    413: "too-large", 503: "unavailable",
}  # fmt: skip

_BY_ERROR: tuple[tuple[type[RestockError], str], ...] = (
    (ConfigError, "config-refused"),
    (DataError, "data-refused"),
    (ContradictionError, "data-contradict"),
    (RestockError, "run-failed"),
)


class ProblemError(Exception):
    """What a handler raises to answer with a problem.

    Parameters
    ----------
    code
        One of `KINDS`.
    detail
        What happened here, for a person.
    members
        Further members of the body.
    """

    def __init__(self, code: str, detail: str, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.members = dict(members or {})


def problem_body(code: str, detail: str, members: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the body of a problem; passwords in addresses are taken out of its detail."""
    kind = KINDS[code]
    return {
        "type": f"{TYPE_PREFIX}{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": redact(detail),
        **(members or {}),
    }


def error_problem(error: RestockError) -> ProblemError:
    """Return the problem of an error raised on purpose, with its rule, finding and remedy as members."""
    code = next(code for kind, code in _BY_ERROR if isinstance(error, kind))
    members = {"rule": error.rule, "finding": error.finding, "remedy": error.remedy}
    return ProblemError(code, str(error), {name: redact(text) for name, text in members.items()})


def install(app: FastAPI) -> None:
    """Make the app answer every error with a problem body."""
    app.exception_handler(ProblemError)(_on_problem)
    app.exception_handler(RestockError)(_on_restock_error)
    app.exception_handler(RequestValidationError)(_on_invalid)
    app.exception_handler(HTTPException)(_on_http)
    app.exception_handler(OperationalError)(_on_unavailable)
    app.exception_handler(Exception)(_on_unexpected)


def describe(document: dict[str, Any]) -> None:
    """Put the problem body into an OpenAPI document, as the answer of every operation that may fail."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _SCHEMA
    answer = {
        "description": "A problem (RFC 9457)",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = answer


def answer(problem: ProblemError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the HTTP answer of a problem."""
    sent = dict(headers or {})
    if KINDS[problem.code].status == HTTPStatus.UNAUTHORIZED:
        sent.setdefault("WWW-Authenticate", 'Bearer realm="restock"')
    return JSONResponse(
        problem_body(problem.code, problem.detail, problem.members),
        status_code=KINDS[problem.code].status,
        headers=sent,
        media_type=MEDIA_TYPE,
    )


async def _on_problem(_request: Request, problem: ProblemError) -> JSONResponse:
    return answer(problem)


async def _on_restock_error(_request: Request, error: RestockError) -> JSONResponse:
    return answer(error_problem(error))


async def _on_invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    # Without the input: it may be long, and it is the caller's own.
    errors = [
        {"in": str(found["loc"][0]), "pointer": _pointer(found["loc"][1:]), "detail": found["msg"]}
        for found in error.errors()
    ]
    first = errors[0]
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    detail = f"{first['in']} {first['pointer']}: {first['detail']}{more}."
    return answer(ProblemError("invalid", detail, {"errors": errors}))


async def _on_http(request: Request, error: HTTPException) -> JSONResponse:
    code = _BY_STATUS.get(error.status_code, "bad-request" if error.status_code < 500 else "unexpected")
    return answer(ProblemError(code, f"{request.method} {request.url.path}: {error.detail}."), error.headers)


async def _on_unavailable(request: Request, error: OperationalError) -> JSONResponse:
    logger.error("%s %s: the store cannot be reached", request.method, request.url.path, exc_info=error)
    return answer(ProblemError("unavailable", "Try again later."), {"Retry-After": "5"})


async def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(ProblemError("unexpected", "The service's log says more."))


def _pointer(location: tuple[int | str, ...]) -> str:
    # RFC 6901.
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
