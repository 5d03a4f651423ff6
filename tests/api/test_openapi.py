"""The OpenAPI document: committed, served, and saying what the service does."""

from __future__ import annotations

import json

from api.openapi import COMMITTED, openapi_text
from tests.api.conftest import Client


def test_the_committed_document_is_that_of_the_service() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == openapi_text(), "run: python -m api.openapi"


def test_the_document_is_served_without_a_key(stranger: Client) -> None:
    assert stranger.get("/openapi.json").json() == json.loads(COMMITTED.read_text(encoding="utf-8"))


def test_every_operation_names_its_problem_body_and_its_scope() -> None:
    document = json.loads(COMMITTED.read_text(encoding="utf-8"))
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["operationId"]
            assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"]
            assert "422" not in operation["responses"]
            if path != "/v1/health":
                ((scope,),) = (needed["apiKey"] for needed in operation["security"])
                assert f"`{scope}`" in operation["description"]
