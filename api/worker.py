"""The worker: takes jobs from the store, makes the plans, enters them. The only process that loads forecasters.

A job runs under a lease that a thread prolongs. Killed, the worker loses its leases and the next one runs the
jobs again; stopped, it gives its job back. Each lease writes to folders of its own, so what a worker that lost
its job leaves behind is never read.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.clock import Clock, utc_now
from api.holding import Holding, Terms, beating
from api.logs import configure_logging
from api.problems import error_problem
from api.remains import clear_remains, job_name
from api.sources import Sources, read_sources
from api.store.database import Store
from api.store.jobs import Lease, LeaseLostError, close, give_back, lease
from api.store.migration import open_store
from api.store.plans import PlanResult, enter_plan
from api.toml_text import toml_text
from engine.errors import Cancelled, RestockError
from engine.execution import Run

# Not by __name__: run as a program, this module is __main__.
logger = logging.getLogger("api.worker")


@dataclass(frozen=True)
class PlanJob:
    """A plan to be made: where the data are, what was asked, and the folder that receives the tables."""

    data: str
    config: Path | None
    as_of: str | None
    repairs: tuple[str, ...]
    out: Path
    home: Path


Planner = Callable[[PlanJob, Run], PlanResult]


@dataclass(frozen=True)
class Worker:
    """One worker and its collaborators; ``stopping`` is set when it is to end."""

    store: Store
    home: Path
    sources: Sources
    planner: Planner
    clock: Clock = utc_now
    terms: Terms = field(default_factory=Terms)
    stopping: threading.Event = field(default_factory=threading.Event)
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")


def work(worker: Worker) -> None:
    """Take jobs until the worker is to stop."""
    while not worker.stopping.is_set():
        if not work_next(worker):
            worker.stopping.wait(worker.terms.idle.total_seconds())


def work_next(worker: Worker) -> bool:
    """Take one job and end it; return whether there was one."""
    held = lease(worker.store, worker.name, worker.clock(), worker.terms.lease)
    if held is None:
        return False
    logger.info("plan %s: attempt %d", held.plan_id, held.attempt)
    holding = Holding(worker.store, worker.clock, worker.terms, worker.stopping.is_set, held)
    try:
        with beating(holding):
            _make(worker, holding)
        clear_remains(worker.home, worker.store.artifacts, held)
    except LeaseLostError:
        logger.warning("plan %s: attempt %d lost its lease; its result is void", held.plan_id, held.attempt)
    return True


def load_planner() -> Planner:
    """Return the planner of `experiments.run_plan`, loaded by name: with it come forecasters, solver and tracker."""
    module = importlib.import_module("experiments.run_plan")

    def plan(job: PlanJob, run: Run) -> PlanResult:
        request = module.PlanRequest(
            data=job.data,
            config=job.config,
            as_of=job.as_of,
            repairs=job.repairs,
            out=job.out,
            overwrite=False,
            track=True,
            home=job.home,
        )
        result: PlanResult = module.run_plan(request, run)
        return result

    return plan


def main(home: Path, address: str | None = None, data_root: Path | None = None) -> int:
    """Work until told to stop by SIGTERM or SIGINT, and return 0.

    Parameters
    ----------
    address
        That of the store; by default ``RESTOCK_STORE``, else the file under ``home``.
    data_root
        As in `api.sources.read_sources`.
    """
    configure_logging()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    store = open_store(home, address)
    try:
        work(Worker(store, home, read_sources(home, data_root), load_planner(), stopping=stopping))
    finally:
        store.close()
    return 0


def _make(worker: Worker, holding: Holding) -> None:
    held = holding.held
    try:
        run = Run(progress=holding.step, cancelled=holding.cancelled)
        with _job(worker, held) as job:
            result = worker.planner(job, run)
        # The last steps of the last stage are told, and the lease is fresh for what follows.
        holding.beat()
        enter_plan(worker.store, result, held, worker.clock)
        logger.info("plan %s: finished", held.plan_id)
    except Cancelled:
        _stopped(worker, holding)
    except RestockError as error:
        problem = error_problem(error)
        logger.warning("plan %s: failed, %s: %s", held.plan_id, problem.code, problem.detail)
        _fail(worker, held, {"code": problem.code, "detail": problem.detail, **problem.members})
    except LeaseLostError:
        raise
    except Exception:
        # What went wrong may hold data or addresses: it goes to the log, which takes passwords out.
        logger.exception("plan %s failed", held.plan_id)
        _fail(worker, held, {"code": "run-failed", "detail": "The worker's log says more."})


def _stopped(worker: Worker, holding: Holding) -> None:
    if holding.lost:
        raise LeaseLostError(holding.held.job_id)
    if holding.cancel_requested:
        with worker.store.write() as connection:
            close(connection, holding.held, "cancelled", worker.clock())
        logger.info("plan %s: cancelled", holding.held.plan_id)
    else:
        give_back(worker.store, holding.held)
        logger.info("plan %s: given back", holding.held.plan_id)


def _fail(worker: Worker, held: Lease, problem: dict[str, Any]) -> None:
    with worker.store.write() as connection:
        close(connection, held, "failed", worker.clock(), problem)


@contextmanager
def _job(worker: Worker, held: Lease) -> Iterator[PlanJob]:
    asked = held.request
    name = job_name(held.plan_id, held.token)
    config = worker.home / "jobs" / f"{name}.toml"
    if asked["config"]:
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(toml_text(asked["config"]), encoding="utf-8")
    try:
        yield PlanJob(
            data=worker.sources.locate(asked["data"]),
            config=config if asked["config"] else None,
            as_of=asked["as_of"],
            repairs=tuple(asked["repairs"]),
            out=worker.home / "out" / name,
            home=worker.home,
        )
    finally:
        config.unlink(missing_ok=True)


def _stop_with_parent() -> None:
    """End this process in order when the one that started it is gone: its end of the pipe closes."""

    def watch() -> None:
        # Not by sys.stdin: its lock, held here, would be an error when the interpreter shuts down.
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    _stop_with_parent()
    sys.exit(main(Path(sys.argv[1]), data_root=Path(sys.argv[2])))
