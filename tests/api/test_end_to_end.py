"""The service as a user starts it: two processes, a plan asked for over HTTP, its tables, and what to order now."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

N_LOOKS = 20
CONFIG = {"forecast": {"models": ["seasonal_naive"], "n_paths": 50}}
ITEMS = [f"{number:04d}" for number in range(5)]


@dataclass(frozen=True)
class Served:
    """A running ``restock serve``: a client with a key, and its log line by line."""

    http: httpx.Client
    log: Iterator[str]


def write_shop(folder: Path) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    dates = pd.date_range("2023-01-02", periods=60, freq="W-MON")
    pairs = [(item, place) for item in ITEMS for place in ("EAST", "WEST")]
    sales = [
        pd.DataFrame({"item_id": item, "location_id": place, "date": dates, "units": rng.poisson(6, 60)})
        for item, place in pairs
    ]
    pd.concat(sales).to_csv(folder / "sales.csv", index=False)
    (folder / "supply.csv").write_text("item_id,source_id,location_id,lead_time_days\n*,maker,*,14\n")
    stock = pd.DataFrame(pairs, columns=["item_id", "location_id"]).assign(on_hand=range(len(pairs)))
    stock.to_csv(folder / "inventory.csv", index=False)


@contextmanager
def served(home: Path, data_root: Path) -> Iterator[Served]:
    restock = str(Path(sys.executable).with_name("restock"))
    environment = {name: value for name, value in os.environ.items() if name != "RESTOCK_STORE"}
    environment |= {"RESTOCK_HOME": str(home)}
    token = subprocess.check_output([restock, "keys", "create", "erp"], env=environment, text=True).strip()
    command = [restock, "serve", "--port", "0", "--data-root", str(data_root)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        # Only a service that hangs meets it; the pipe then ends, and with it the test.
        guard = threading.Timer(180, process.kill)
        guard.start()
        try:
            assert process.stderr is not None
            log = iter(process.stderr.readline, "")
            address = next(found.group() for line in log if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
            with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}) as http:
                yield Served(http, log)
            process.send_signal(signal.SIGINT)
            # The worker holds the pipe as well: it ends with the last of the two.
            rest = process.stderr.read()
            assert process.wait() == 0
            assert not re.search("Traceback|Fatal|ERROR", rest), rest
        finally:
            guard.cancel()
            process.kill()


def follow(service: Served, url: str) -> dict[str, Any]:
    """The plan once it has ended; its status is looked at whenever the worker says something."""
    seen = []
    for line in service.log:
        if " api.worker: " in line:
            plan: dict[str, Any] = service.http.get(url).json()
            seen.append(plan["status"])
            if seen[-1] not in ("queued", "running"):
                assert seen[0] == "running"
                return plan
            assert len(seen) < N_LOOKS
    raise AssertionError(f"the service ended; the plan was seen as {seen}")


def all_pages(http: httpx.Client, url: str, **narrowed: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = http.get(url, params=narrowed | cursor).json()
        rows += page["items"]
        if page["next_cursor"] is None:
            return rows
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.slow
def test_from_sales_to_what_to_order_now(tmp_path: Path) -> None:
    write_shop(tmp_path / "data" / "shop")
    with served(tmp_path / "home", tmp_path / "data") as service:
        http = service.http
        body, once = {"data": "shop", "config": CONFIG}, {"Idempotency-Key": "week-9"}
        asked = http.post("/v1/plans", json=body, headers=once)
        assert asked.status_code == 202
        again = http.post("/v1/plans", json=body, headers=once)
        assert again.json() == asked.json()

        url = asked.headers["Location"]
        plan = follow(service, url)
        assert (tmp_path / "home" / "mlflow.db").is_file(), "it is tracked"
        assert plan["progress"] == {"stage": "write", "done": 1, "total": 1}
        assert (plan["status"], plan["problem"], plan["exit_code"], plan["attempt"]) == ("finished", None, 0, 1)
        assert len(http.get("/v1/plans").json()["items"]) == 1

        targets = all_pages(http, f"{url}/targets", limit=3)
        assert sorted({row["item_id"] for row in targets}) == ITEMS
        assert len(targets) == 2 * len(ITEMS)
        east = all_pages(http, f"{url}/forecast", item_id="0003", location_id="EAST", limit=2)
        assert east
        assert {(row["item_id"], row["location_id"]) for row in east} == {("0003", "EAST")}

        stock = [{name: row[name] for name in ("item_id", "location_id")} for row in targets]
        as_planned = [line | {"on_hand": row["available"]} for line, row in zip(stock, targets, strict=True)]
        now = http.post("/v1/order-now", json={"lines": as_planned}).json()
        assert now["plan_id"] == plan["id"]
        assert [line["units"] for line in now["lines"]] == [row["order_units"] for row in targets]
        plenty = http.post("/v1/order-now", json={"lines": [line | {"on_hand": 1000} for line in stock]}).json()
        assert {line["units"] for line in plenty["lines"]} == {0.0}
