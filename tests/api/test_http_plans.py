"""Asking for plans over HTTP: once, safely, and with an answer that says how far it is."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from api import keys
from api.store.database import Store
from api.store.schema import audit
from api.worker import Worker, work_next
from tests.api.conftest import Client, MadeUpPlanner, StillClock


def ask(client: Client, **body: Any) -> dict[str, Any]:
    answer = client.post("/v1/plans", json={"data": "shop"} | body)
    assert answer.status_code == 202
    return dict(answer.json())


def test_from_the_request_to_the_finished_plan(client: Client, worker: Worker) -> None:
    answer = client.post(
        "/v1/plans", json={"data": "shop", "as_of": "2025-10-27", "config": {"targets": {"service": 0.9}}}
    )
    assert answer.status_code == 202
    address = answer.headers["Location"]
    assert address == f"/v1/plans/{answer.json()['id']}"
    assert client.get(address).json() == answer.json()
    assert answer.json()["status"] == "queued"

    work_next(worker)

    made = client.get(address).json()
    assert made["status"] == "finished"
    assert made["as_of"] == "2025-10-27"
    assert made["request"] == {
        "data": "shop",
        "as_of": "2025-10-27",
        "repairs": [],
        "config": {"targets": {"service": 0.9}},
    }
    assert client.get(made["links"]["orders"]).status_code == 200


def test_the_status_shows_progress(client: Client, worker: Worker, planner: MadeUpPlanner) -> None:
    asked = ask(client)
    seen = []
    planner.before = lambda stage: seen.append(client.get(f"/v1/plans/{asked['id']}").json()["progress"])

    work_next(worker)

    assert seen == [None, {"stage": "read", "done": 0, "total": 2}]


def test_a_repeat_with_the_same_key_gets_the_same_answer(client: Client) -> None:
    headers = {"Idempotency-Key": "monday"}
    first, second = (
        client.post("/v1/plans", json=body, headers=headers)
        for body in ({"data": "shop", "repairs": []}, {"repairs": [], "data": "shop"})
    )
    assert (second.status_code, second.content) == (202, first.content)
    assert second.headers["Location"] == first.headers["Location"]
    assert len(client.get("/v1/plans").json()["items"]) == 1


def test_a_key_that_comes_with_another_request_is_refused(client: Client) -> None:
    headers = {"Idempotency-Key": "monday"}
    client.post("/v1/plans", json={"data": "shop"}, headers=headers)
    answer = client.post("/v1/plans", json={"data": "shop", "as_of": "2025-10-27"}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:restock:problem:key-reused"


def test_an_idempotency_key_is_its_caller_s_own(client: Client, store: Store) -> None:
    other = Client(client.app, keys.create(store, "other", ["plans:write"]))
    headers = {"Idempotency-Key": "monday"}
    first, second = (caller.post("/v1/plans", json={"data": "shop"}, headers=headers) for caller in (client, other))
    assert first.json()["id"] != second.json()["id"]


def test_an_idempotency_key_is_new_again_after_a_month(client: Client, clock: StillClock) -> None:
    headers = {"Idempotency-Key": "monday"}
    first = client.post("/v1/plans", json={"data": "shop"}, headers=headers).json()
    clock.advance(days=29)
    assert client.post("/v1/plans", json={"data": "shop"}, headers=headers).json()["id"] == first["id"]
    clock.advance(days=2)
    assert client.post("/v1/plans", json={"data": "shop"}, headers=headers).json()["id"] != first["id"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"data": "gone"}, "unknown-source"),
        ({"data": "../shop"}, "unknown-source"),
        ({"data": "postgresql://u:p@h/d"}, "unknown-source"),
        ({"data": "shop", "config": {"target": {}}}, "config-refused"),
        ({"data": "shop", "config": {"targets": {"objective": "luck"}}}, "config-refused"),
        ({"data": "shop", "config": {"seed": None}}, "config-refused"),
        ({"data": "shop", "config": {"run": {"workers": 64}}}, "config-refused"),
        ({"data": "shop", "config": {"forecast": {"models": ["os:system"]}}}, "config-refused"),
        ({"data": "shop", "asof": "2025-10-27"}, "invalid"),
        ({"data": "shop", "as_of": "27/10/2025"}, "invalid"),
        ({}, "invalid"),
    ],
)
def test_what_cannot_be_planned_is_refused_at_once(client: Client, body: dict[str, Any], code: str) -> None:
    answer = client.post("/v1/plans", json=body)
    assert answer.status_code == 422
    assert answer.json()["type"] == f"urn:restock:problem:{code}"
    assert client.get("/v1/plans").json()["items"] == []


def test_an_unknown_setting_is_answered_with_the_nearest_one(client: Client) -> None:
    answer = client.post("/v1/plans", json={"data": "shop", "config": {"targets": {"servise": 0.9}}})
    assert "targets.service" in answer.json()["detail"]


def test_plans_are_listed_by_page_the_newest_first(client: Client, clock: StillClock) -> None:
    asked = []
    for _ in range(5):
        asked.append(ask(client)["id"])
        clock.advance(seconds=1)
    asked += [ask(client)["id"], ask(client)["id"]]  # at the same moment

    listed: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/v1/plans", params={"limit": 3, **cursor}).json()
        listed += [plan["id"] for plan in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}

    assert sorted(listed) == sorted(asked)
    assert listed[2:] == asked[4::-1]


def test_plans_are_listed_by_status(client: Client, worker: Worker, clock: StillClock) -> None:
    first = ask(client)["id"]
    clock.advance(seconds=1)
    second = ask(client)["id"]
    work_next(worker)
    by_status = {
        status: [plan["id"] for plan in client.get("/v1/plans", params={"status": status}).json()["items"]]
        for status in ("queued", "finished", "failed")
    }
    assert by_status == {"queued": [second], "finished": [first], "failed": []}


def test_a_waiting_plan_is_cancelled_and_stays_so(client: Client, worker: Worker, store: Store) -> None:
    address = f"/v1/plans/{ask(client)['id']}"
    answers = [client.post(f"{address}/cancel") for _ in range(2)]
    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [(202, "cancelled")] * 2
    assert not work_next(worker)
    with store.read() as connection:
        actions = connection.execute(sa.select(audit.c.action)).scalars().all()
    assert actions.count("plan.cancelled") == 1


def test_a_running_plan_is_told_to_stop(client: Client, worker: Worker, planner: MadeUpPlanner) -> None:
    address = f"/v1/plans/{ask(client)['id']}"
    answers = []
    planner.before = lambda stage: answers.append(client.post(f"{address}/cancel").json())

    work_next(worker)

    assert [(answer["status"], answer["cancel_requested"]) for answer in answers] == [("running", True)]
    assert client.get(address).json()["status"] == "cancelled"


def test_a_finished_plan_is_not_cancelled(client: Client, worker: Worker) -> None:
    address = f"/v1/plans/{ask(client)['id']}"
    work_next(worker)
    answer = client.post(f"{address}/cancel")
    assert answer.status_code == 409
    assert answer.json()["plan_status"] == "finished"


def test_a_failed_plan_carries_its_problem(client: Client, worker: Worker, planner: MadeUpPlanner) -> None:
    address = f"/v1/plans/{ask(client)['id']}"

    def fail(_stage: str) -> None:
        raise RuntimeError

    planner.before = fail
    work_next(worker)

    assert client.get(address).json()["problem"] == {
        "type": "urn:restock:problem:run-failed",
        "title": "The run failed",
        "status": 500,
        "detail": "The worker's log says more.",
    }


def test_a_plan_that_has_not_changed_is_not_sent_again(client: Client, worker: Worker) -> None:
    address = f"/v1/plans/{ask(client)['id']}"
    tag = client.get(address).headers["ETag"]
    again = client.get(address, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)

    work_next(worker)

    assert client.get(address, headers={"If-None-Match": tag}).status_code == 200


def test_only_the_plan_that_was_seen_is_cancelled(client: Client) -> None:
    address = f"/v1/plans/{ask(client)['id']}"
    tag = client.get(address).headers["ETag"]
    assert client.post(f"{address}/cancel", headers={"If-Match": '"another"'}).status_code == 412
    assert client.post(f"{address}/cancel", headers={"If-Match": tag}).status_code == 202


@pytest.mark.parametrize("cursor", ["x", "bnVsbA==", "WzFd", "WyJhIiwiYiJd", "WyIyMDI2LTAxLTA1IiwiYiJd", "é"])
def test_a_made_up_cursor_is_refused(client: Client, cursor: str) -> None:
    answer = client.get("/v1/plans", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:restock:problem:bad-cursor")
