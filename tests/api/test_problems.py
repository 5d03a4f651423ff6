"""The one shape of everything that goes wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from api import keys, problems
from api.limits import MAX_BODY_BYTES
from api.store.database import Store
from engine.errors import ConfigError
from tests.api.conftest import Client


def checked(answer: httpx.Response) -> dict[str, Any]:
    """Return a problem body after holding it against RFC 9457 and the list of kinds."""
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    body = answer.json()
    code = body["type"].removeprefix(problems.TYPE_PREFIX)
    assert {"type", "title", "status", "detail"} <= set(body)
    assert (body["title"], body["status"]) == (problems.KINDS[code].title, problems.KINDS[code].status)
    assert body["status"] == answer.status_code
    return {"code": code, **body}


@pytest.mark.parametrize(
    ("method", "path", "options", "code"),
    [
        ("GET", "/v1/nowhere", {}, "not-found"),
        ("GET", "/", {}, "not-found"),
        ("GET", "/docs", {}, "not-found"),
        ("DELETE", "/v1/plans", {}, "method-not-allowed"),
        ("GET", "/v1/plans/none", {}, "no-such-plan"),
        ("POST", "/v1/plans/none/cancel", {}, "no-such-plan"),
        ("POST", "/v1/plans", {"content": b"{"}, "invalid"),
        ("POST", "/v1/plans", {"content": b"\xff\xfe"}, "invalid"),
        ("POST", "/v1/plans", {"json": {"data": 3}}, "invalid"),
        ("POST", "/v1/plans", {"content": b" " * (MAX_BODY_BYTES + 1)}, "too-large"),
        ("POST", "/v1/plans", {"json": {"data": "shop"}, "headers": {"Idempotency-Key": "x" * 201}}, "invalid"),
        ("GET", "/v1/plans?status=lost", {}, "invalid"),
        ("GET", "/v1/plans/a%00b", {}, "invalid"),
        ("GET", "/v1/plans/none/orders?item_id=a%00b", {}, "invalid"),
        ("POST", "/v1/plans", {"content": b'{"data": "a\\ud800"}'}, "invalid"),
        ("POST", "/v1/plans", {"content": b'{"data": "shop", "config": {"a": "\\ud800"}}'}, "config-refused"),
        ("POST", "/v1/plans", {"content": b'{"data": "shop", "config": {"seed": NaN}}'}, "config-refused"),
    ],
)
def test_every_refusal_is_a_problem(client: Client, method: str, path: str, options: dict[str, Any], code: str) -> None:
    headers = {"Content-Type": "application/json"} | options.pop("headers", {})
    assert checked(client.request(method, path, headers=headers, **options))["code"] == code


def test_a_broken_rule_is_pointed_at(client: Client) -> None:
    body = checked(client.post("/v1/plans", json={"data": "shop", "repairs": ["a", 3]}))
    assert body["errors"] == [{"in": "body", "pointer": "/repairs/1", "detail": "Input should be a valid string"}]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer rsk_0_0"}, {"Authorization": "Basic cnNrOjA="}])
def test_without_a_valid_key_nothing_but_health_answers(stranger: Client, headers: dict[str, str]) -> None:
    assert stranger.get("/v1/health", headers=headers).status_code == 200
    for path in ("/v1/plans", "/v1/plans/none", "/v1/plans/none/orders"):
        answer = stranger.get(path, headers=headers)
        assert checked(answer)["code"] == "unauthenticated"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="restock"'
    for path in ("/v1/plans", "/v1/plans/none/cancel", "/v1/order-now"):
        assert stranger.post(path, headers=headers, json={}).status_code == 401


def test_a_key_answers_for_its_scopes_only(app: FastAPI, store: Store) -> None:
    reader, writer, asker = (
        Client(app, keys.create(store, scope, [scope])) for scope in ("plans:read", "plans:write", "orders:read")
    )
    for caller, method, path in (
        (reader, "POST", "/v1/plans"),
        (writer, "GET", "/v1/plans"),
        (reader, "POST", "/v1/order-now"),
        (asker, "GET", "/v1/plans/none/orders"),
        (reader, "POST", "/v1/plans/none/cancel"),
    ):
        body = checked(caller.request(method, path, json={"data": "shop", "lines": []}))
        assert body["code"] == "forbidden"
        assert len(body["missing_scopes"]) == 1


def test_what_nobody_foresaw_tells_nothing_to_the_caller(
    app: FastAPI, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/fails")
    def fails() -> None:
        raise RuntimeError("the secret recipe")

    answer = client.get("/fails")
    assert checked(answer)["code"] == "unexpected"
    assert "recipe" not in answer.text
    assert "recipe" in caplog.text


def test_a_store_out_of_reach_is_a_matter_of_time(app: FastAPI, client: Client) -> None:
    @app.get("/waits")
    def waits() -> None:
        raise OperationalError("SELECT 1", {}, Exception("postgresql://erp:s3cret@db refused"))

    answer = client.get("/waits")
    assert checked(answer)["code"] == "unavailable"
    assert answer.headers["Retry-After"] == "5"
    assert "s3cret" not in answer.text


def test_an_error_raised_on_purpose_keeps_its_rule_and_loses_its_passwords(app: FastAPI, client: Client) -> None:
    @app.get("/refuses")
    def refuses() -> None:
        raise ConfigError("A rule", "postgresql://erp:s3cret@db", "Correct it.")

    body = checked(client.get("/refuses"))
    assert (body["code"], body["rule"], body["remedy"]) == ("config-refused", "A rule", "Correct it.")
    assert "s3cret" not in str(body)


def test_every_kind_of_problem_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z-]+)` \| \d{3} \|", text, flags=re.MULTILINE))
    assert documented == set(problems.KINDS)
