"""Answers kept for repeats, on every kind of store."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from api import keys
from api.store.database import Store
from api.store.idempotency import KeyReusedError, Once, answer_once
from api.store.schema import idempotency_keys
from tests.api.conftest import NOON


@pytest.fixture
def key_id(any_store: Store) -> str:
    return keys.create(any_store, "erp", ["plans:write"]).split("_")[1]


def test_of_two_repeats_at_once_one_acts_and_both_get_its_answer(any_store: Store, key_id: str) -> None:
    n_callers = 4
    acted: list[int] = []
    answers: list[Mapping[str, Any]] = []
    start = threading.Barrier(n_callers)

    def call(number: int) -> None:
        def act() -> Mapping[str, Any]:
            acted.append(number)
            return {"by": number}

        start.wait()
        with any_store.write() as connection:
            answers.append(answer_once(connection, Once(key_id, "monday", {"data": "shop"}), NOON, act))

    callers = [threading.Thread(target=call, args=(number,)) for number in range(n_callers)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert len(acted) == 1
    assert answers == [{"by": acted[0]}] * n_callers


def test_an_act_that_fails_leaves_the_key_free(any_store: Store, key_id: str) -> None:
    once = Once(key_id, "monday", {"data": "shop"})

    def fail() -> Mapping[str, Any]:
        raise ZeroDivisionError

    def try_and_fail() -> None:
        with any_store.write() as connection:
            answer_once(connection, once, NOON, fail)

    with pytest.raises(ZeroDivisionError):
        try_and_fail()
    with any_store.read() as connection:
        assert connection.execute(sa.select(idempotency_keys)).all() == []
    with any_store.write() as connection:
        assert answer_once(connection, once, NOON, lambda: {"ok": True}) == {"ok": True}


def test_a_key_stands_for_one_request(any_store: Store, key_id: str) -> None:
    with any_store.write() as connection:
        answer_once(connection, Once(key_id, "monday", {"a": 1, "b": 2}), NOON, lambda: {})
        answer_once(connection, Once(key_id, "monday", {"b": 2, "a": 1}), NOON, lambda: pytest.fail("acted again"))
        with pytest.raises(KeyReusedError):
            answer_once(connection, Once(key_id, "monday", {"a": 1, "b": 3}), NOON, lambda: {})
