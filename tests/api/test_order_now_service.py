"""What to order now: the answer is the plan's own rule at the stock the caller has, line by line."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api import answering
from api.answering import Inbound, Stock, advise
from api.curve_shelf import CurveShelf
from api.store.curves import StoredCurves, open_curves, write_curves
from api.worker import Worker, work_next
from engine.plan.types import Plan
from engine.policy.order_now import OrderCurves, Position, order_now
from tests.api.conftest import Client

AS_OF = np.datetime64("2025-10-27")


@pytest.fixture
def curves(plan: Plan) -> OrderCurves:
    return plan.curves


@pytest.fixture
def stored(curves: OrderCurves, tmp_path: Path) -> StoredCurves:
    write_curves(tmp_path / "curves", curves)
    return open_curves(tmp_path / "curves")


def stock_of_plan(curves: OrderCurves, row: int) -> Stock:
    inbound = tuple(
        Inbound(float(curves.inbound[row, bucket]), AS_OF + bucket * curves.days_per_bucket)
        for bucket in np.flatnonzero(curves.inbound[row])
    )
    owed = float(curves.backorders[row])
    return Stock(curves.item_id[row], curves.location_id[row], float(curves.available[row]), 0.0, owed, inbound)


def ask(client: Client, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/order-now", json={"lines": list(lines), **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
def plan_id(client: Client, worker: Worker) -> str:
    asked = client.post("/v1/plans", json={"data": "shop"}).json()
    work_next(worker)
    return str(asked["id"])


def test_what_is_stored_comes_back_bit_for_bit(curves: OrderCurves, stored: StoredCurves) -> None:
    rows = np.array([5, 0, len(curves.item_id) - 1])
    back, chosen = stored.take(rows), curves.take(rows)
    for field in dataclasses.fields(curves):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(chosen, field.name), strict=False)


def test_every_series_is_found_and_no_other(curves: OrderCurves, stored: StoredCurves) -> None:
    pairs = list(zip(curves.item_id, curves.location_id, strict=True))
    assert stored.find(pairs).tolist() == list(range(len(pairs)))
    strangers = [("0001", ""), ("", ""), ("zzzz" * 40, "DC"), ("0001", "DC2"), ("000", "1DC")]
    assert stored.find(strangers).tolist() == [-1] * len(strangers)
    assert stored.find([]).tolist() == []


def test_curves_of_another_format_are_refused(stored: StoredCurves, tmp_path: Path) -> None:
    header = tmp_path / "curves" / "header.json"
    header.write_text(header.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ValueError, match=r"format 1\. Got 2"):
        open_curves(tmp_path / "curves")


def test_the_shelf_keeps_what_was_asked_for_last(curves: OrderCurves, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        write_curves(folder, curves)
    shelf = CurveShelf(n_open=2)
    first = shelf.get(folders[0])
    shelf.get(folders[1])
    assert shelf.get(folders[0]) is first
    shelf.get(folders[2])
    assert shelf.get(folders[0]) is first


def test_at_the_plan_s_own_stock_the_answer_is_the_plan_s(curves: OrderCurves, stored: StoredCurves) -> None:
    rows = np.arange(len(curves.item_id))
    expected = order_now(curves, rows)

    given = advise(stored, AS_OF, [stock_of_plan(curves, row) for row in rows])

    assert [advice and advice.units for advice in given] == expected.units.tolist()
    assert [advice and advice.expected_service for advice in given] == expected.expected_service.tolist()
    assert [advice and advice.reason for advice in given] == list(expected.reasons)
    assert expected.units.any()


def test_blocks_do_not_change_the_answer(
    curves: OrderCurves, stored: StoredCurves, monkeypatch: pytest.MonkeyPatch
) -> None:
    stocks = [stock_of_plan(curves, row) for row in range(len(curves.item_id))]
    whole = advise(stored, AS_OF, stocks)
    monkeypatch.setattr(answering, "_BLOCK", 5)
    assert advise(stored, AS_OF, stocks) == whole


def test_the_order_of_lines_does_not_change_the_answer(curves: OrderCurves, stored: StoredCurves) -> None:
    stocks = [stock_of_plan(curves, row) for row in range(len(curves.item_id))]
    assert advise(stored, AS_OF, stocks[::-1]) == advise(stored, AS_OF, stocks)[::-1]


def test_inbound_is_counted_from_the_bucket_it_serves(curves: OrderCurves, stored: StoredCurves) -> None:
    row = 0
    inbound = np.zeros((1, curves.demand.shape[-1]))
    inbound[0, 3], inbound[0, 0] = 7.0, 2.0
    expected = order_now(curves, np.array([row]), Position(np.array([4.0]), np.array([1.0]), inbound))

    far = Inbound(50.0, AS_OF + 400)
    late = Inbound(2.0, AS_OF - 3)
    stock = Stock(curves.item_id[row], curves.location_id[row], 6.0, 2.0, 1.0, (Inbound(7.0, AS_OF + 3), far, late))
    (given,) = advise(stored, AS_OF, [stock])

    assert given is not None
    assert (given.units, given.late_units) == (expected.units[0], 2.0)


def test_what_is_reserved_beyond_the_stock_is_owed(curves: OrderCurves, stored: StoredCurves) -> None:
    item, place = curves.item_id[0], curves.location_id[0]
    over, owed = (
        advise(stored, AS_OF, [Stock(item, place, 5, 8, 1, ())]),
        advise(stored, AS_OF, [Stock(item, place, 0, 0, 4, ())]),
    )
    assert over == owed


def test_more_stock_never_asks_for_more(curves: OrderCurves, stored: StoredCurves) -> None:
    for row in range(0, len(curves.item_id), 7):
        stock = dataclasses.replace(stock_of_plan(curves, row), inbound=())
        units = []
        for on_hand in range(0, 200, 10):
            (given,) = advise(stored, AS_OF, [dataclasses.replace(stock, on_hand=float(on_hand))])
            assert given is not None
            units.append(given.units)
        assert units == sorted(units, reverse=True)


def test_every_line_is_answered_over_http(client: Client, plan_id: str, plan: Plan) -> None:
    answer = ask(
        client,
        {"item_id": "0003", "location_id": "EAST", "on_hand": 0},
        {"item_id": "9999", "location_id": "EAST", "on_hand": 0},
        {"item_id": "0003", "location_id": "DC", "on_hand": 100000, "reserved": 3},
    )

    assert (answer["plan_id"], answer["as_of"]) == (plan_id, plan.as_of)
    wanted, unknown, enough = answer["lines"]
    assert (wanted["status"], wanted["item_id"], wanted["source_id"]) == ("answered", "0003", "DC")
    assert wanted["units"] > 0
    assert 0 < wanted["expected_service"] <= 1
    assert wanted["order_date"] == "2025-10-27"
    assert wanted["reason_values"]["available"] == 0
    assert wanted["reason"]
    assert (unknown["status"], unknown["units"], unknown["reason_code"]) == ("unknown", None, "now-unknown")
    assert (enough["units"], enough["reason_code"]) == (0, "now-enough")
    assert enough["reason_values"]["available"] == 99997


def test_inbound_over_http_lowers_the_order(client: Client, plan_id: str) -> None:
    line = {"item_id": "0003", "location_id": "EAST", "on_hand": 0}
    coming = {"units": 100000, "available_date": str(date(2025, 10, 27) + timedelta(days=1))}
    without, covered = (ask(client, line | more)["lines"][0] for more in ({}, {"inbound": [coming]}))
    assert without["units"] > 0
    assert covered["units"] == 0


def test_a_plan_may_be_named(client: Client, plan_id: str, worker: Worker) -> None:
    client.post("/v1/plans", json={"data": "shop"})
    work_next(worker)
    assert ask(client, {"item_id": "0003", "location_id": "EAST", "on_hand": 0}, plan_id=plan_id)["plan_id"] == plan_id


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lines": []}, 422, "invalid"),
        ({"lines": [{"item_id": "0003", "location_id": "EAST"}]}, 422, "invalid"),
        ({"lines": [{"item_id": "0003", "location_id": "EAST", "on_hand": -1}]}, 422, "invalid"),
        ({"lines": [{"item_id": "0003", "location_id": "EAST", "on_hand": 1, "onhand": 1}]}, 422, "invalid"),
        ({"lines": [{"item_id": "0003", "location_id": "EAST", "on_hand": 1}] * 2}, 422, "invalid"),
        ({"plan_id": "none", "lines": [{"item_id": "a", "location_id": "b", "on_hand": 1}]}, 404, "no-such-plan"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    client: Client, plan_id: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post("/v1/order-now", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:restock:problem:{code}")


def test_infinite_stock_is_refused(client: Client, plan_id: str) -> None:
    content = b'{"lines": [{"item_id": "0003", "location_id": "EAST", "on_hand": Infinity}]}'
    answer = client.post("/v1/order-now", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_before_the_first_plan_there_is_no_answer(client: Client) -> None:
    line = {"item_id": "0003", "location_id": "EAST", "on_hand": 0}
    answer = client.post("/v1/order-now", json={"lines": [line]})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:restock:problem:no-plan-yet")
    waiting = client.post("/v1/plans", json={"data": "shop"}).json()["id"]
    answer = client.post("/v1/order-now", json={"plan_id": waiting, "lines": [line]})
    assert (answer.status_code, answer.json()["plan_status"]) == (409, "queued")
