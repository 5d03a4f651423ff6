"""The tables of a plan over HTTP: every row once, narrowed by what the table has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.store.bulk import read_bulk_page
from api.store.lines import records
from api.worker import Worker, work_next
from engine.plan.types import PLAN_TABLES, Plan
from experiments.exchange.catalogue import read_catalogue
from experiments.exchange.plan_writer import worded_tables
from tests.api.conftest import Client


@pytest.fixture
def address(client: Client, worker: Worker) -> str:
    asked = client.post("/v1/plans", json={"data": "shop"}).json()
    work_next(worker)
    return f"/v1/plans/{asked['id']}"


def rows(client: Client, address: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = client.get(address, params=query)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return found
        query["cursor"] = answer.json()["next_cursor"]


def test_the_pages_of_every_table_add_up_to_the_table(client: Client, address: str, plan: Plan) -> None:
    for name, table in worded_tables(plan, read_catalogue()).items():
        limit = max(7, len(table) // 3)
        assert rows(client, f"{address}/{name}", limit=min(limit, 1000)) == list(records(table)), name


def test_rows_have_the_columns_of_the_contract_and_words(client: Client, address: str) -> None:
    order = rows(client, f"{address}/orders")[0]
    assert list(order) == [*PLAN_TABLES["orders"], "reason"]
    assert order["order_date"] == "2025-10-27"
    assert isinstance(order["reason_values"], dict)


@pytest.mark.parametrize("table", ["targets", "forecast"])
def test_rows_are_narrowed_by_item_and_location(client: Client, address: str, table: str) -> None:
    everything = rows(client, f"{address}/{table}", limit=1000)
    wanted = {"item_id": "0003", "location_id": "EAST"}
    for names in (["item_id"], ["location_id"], ["item_id", "location_id"]):
        query = {name: wanted[name] for name in names}
        expected = [row for row in everything if all(row[name] == value for name, value in query.items())]
        assert expected
        assert rows(client, f"{address}/{table}", limit=50, **query) == expected


def test_a_transfer_is_found_by_who_gives_and_who_receives(client: Client, address: str, plan: Plan) -> None:
    transfers = rows(client, f"{address}/transfers")
    assert {row["origin_id"] for row in transfers} == {"DC"}
    assert rows(client, f"{address}/transfers", source_id="DC") == transfers
    north = rows(client, f"{address}/transfers", location_id="NORTH")
    assert north == [row for row in transfers if row["dest_id"] == "NORTH"] != []


def test_a_filter_that_finds_nothing_gives_an_empty_page(client: Client, address: str) -> None:
    for table in ("orders", "forecast"):
        assert rows(client, f"{address}/{table}", item_id="nothing") == []


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("costs", {"item_id": "0003"}, 422, "invalid"),
        ("orders", {"itemid": "0003"}, 422, "invalid"),
        ("orders", {"limit": 0}, 422, "invalid"),
        ("orders", {"limit": 1001}, 422, "invalid"),
        ("orders", {"cursor": "x"}, 400, "bad-cursor"),
        ("orders", {"cursor": "Wy01XQ=="}, 400, "bad-cursor"),
        ("nonsense", {}, 404, "no-such-table"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    client: Client, address: str, path: str, query: dict[str, Any], status: int, code: str
) -> None:
    answer = client.get(f"{address}/{path}", params=query)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:restock:problem:{code}")


def test_a_plan_that_is_not_finished_has_no_tables(client: Client) -> None:
    asked = client.post("/v1/plans", json={"data": "shop"}).json()
    answer = client.get(f"/v1/plans/{asked['id']}/orders")
    assert (answer.status_code, answer.json()["plan_status"]) == (409, "queued")


def test_an_unknown_plan_is_not_found(client: Client) -> None:
    for path in ("/v1/plans/none", "/v1/plans/none/orders"):
        assert client.get(path).json()["type"] == "urn:restock:problem:no-such-plan"


def test_numbers_that_are_not_there_are_null(client: Client, address: str) -> None:
    text = client.get(f"{address}/orders").text
    assert json.loads(text, parse_constant=pytest.fail)


def test_a_bulk_file_of_any_shape_is_read_by_page(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    for n_rows, group in ((0, 4), (1, 4), (4, 4), (11, 4), (12, 5)):
        table = pa.table({"item_id": [str(row % 3) for row in range(n_rows)], "units": range(n_rows)})
        pq.write_table(table, path, row_group_size=group)
        for limit in (1, 3, 4, 20):
            for filters, wanted in (({}, range(n_rows)), ({"item_id": "1"}, range(1, n_rows, 3))):
                found, after = [], -1
                while True:
                    page = read_bulk_page(path, filters, after, limit)
                    found += [row["units"] for row in page.rows]
                    if page.next_after is None:
                        break
                    after = page.next_after
                assert found == list(wanted)
        assert read_bulk_page(path, {}, 1000, 5).rows == []
