"""What the tests of the service share: a store of their own, a clock that stands still, a made-up planner."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api import keys
from api.app import create_app
from api.holding import Terms
from api.service import Service
from api.sources import Sources
from api.store.database import Store, connect
from api.store.migration import open_store
from api.worker import PlanJob, Worker
from engine.execution import Run
from engine.plan.types import Plan
from experiments.exchange.catalogue import read_catalogue
from experiments.exchange.plan_writer import worded_tables, write_table
from tests.plans import example_plan

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass
class StillClock:
    """A clock that moves when it is told to."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass(frozen=True)
class Result:
    run_id: str
    out: Path
    plan: Plan
    snapshot_id: str = "snapshot-1"
    exit_code: int = 0


@dataclass
class MadeUpPlanner:
    """Hands out the example plan after two steps; ``before`` is called at each, and may fail or move the clock."""

    plan: Plan
    tables: Path
    before: Callable[[str], None] = lambda stage: None
    jobs: list[PlanJob] = field(default_factory=list)

    def __call__(self, job: PlanJob, run: Run) -> Result:
        self.jobs.append(job)
        for done, stage in enumerate(("read", "forecast")):
            self.before(stage)
            run.step(stage, done, 2)
        shutil.copytree(self.tables, job.out)
        return Result(f"run-{len(self.jobs)}", job.out, self.plan)


@dataclass(frozen=True)
class Client:
    """Calls the app in process, as one holder of a key."""

    app: FastAPI
    token: str | None

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= options.pop("headers", {})

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://restock.test") as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(call())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)


@pytest.fixture(scope="session")
def plan() -> Plan:
    return example_plan()


@pytest.fixture(scope="session")
def tables(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the example plan's tables, as a run writes them."""
    folder = tmp_path_factory.mktemp("plan") / "tables"
    folder.mkdir()
    for name, table in worded_tables(plan, read_catalogue()).items():
        write_table(table, folder / name)
    return folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a migrated store."""
    folder = tmp_path_factory.mktemp("store")
    open_store(folder, f"sqlite:///{folder}/store.db").close()
    return folder / "store.db"


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "data" / "shop").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def store(home: Path, empty_store: Path) -> Iterator[Store]:
    shutil.copyfile(empty_store, home / "store.db")
    opened = connect(home, f"sqlite:///{home}/store.db")
    yield opened
    opened.close()


@pytest.fixture
def planner(plan: Plan, tables: Path) -> MadeUpPlanner:
    return MadeUpPlanner(plan, tables)


@pytest.fixture
def worker(store: Store, home: Path, planner: MadeUpPlanner, clock: StillClock) -> Worker:
    # The thread that beats never comes to it in a test; the planner's steps beat.
    terms = Terms(lease=timedelta(seconds=30), beat=timedelta(hours=1))
    return Worker(store, home, Sources(home / "data"), planner, clock, terms, name="first")


@pytest.fixture
def app(store: Store, home: Path, clock: StillClock) -> FastAPI:
    return create_app(Service(store, Sources(home / "data"), clock))


@pytest.fixture
def client(app: FastAPI, store: Store, clock: StillClock) -> Client:
    return Client(app, keys.create(store, "tests", list(keys.SCOPES), clock))


@pytest.fixture
def stranger(app: FastAPI) -> Client:
    return Client(app, None)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest, home: Path) -> Iterator[Store]:
    """A store of each kind, empty at the start of each test."""
    if request.param == "sqlite":
        yield request.getfixturevalue("store")
        return
    opened = open_store(home, request.getfixturevalue("postgres"))
    yield opened
    opened.close()
