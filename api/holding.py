"""Holding a job: its lease is prolonged while it runs, and whoever waits for it hears how far it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from api.clock import Clock
from api.store.database import Store
from api.store.jobs import Lease, LeaseLostError, Progress, beat

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """How long a lease lasts without a beat, how often it is prolonged, and how often an idle worker looks."""

    lease: timedelta = timedelta(seconds=30)
    beat: timedelta = timedelta(seconds=2)
    idle: timedelta = timedelta(seconds=1)


class Holding:
    """A lease while its job runs: beats prolong it, carry progress out and bring a request to cancel in."""

    def __init__(self, store: Store, clock: Clock, terms: Terms, stopping: Callable[[], bool], held: Lease) -> None:
        self.held = held
        self.terms = terms
        self.cancel_requested = False
        self.lost = False
        self._store = store
        self._clock = clock
        self._stopping = stopping
        self._until = held.leased_until
        self._progress: Progress | None = None
        self._lock = threading.Lock()

    def step(self, stage: str, done: int, total: int) -> None:
        """Take note of progress; a new stage is written at once, steps within it at the next beat."""
        fresh = self._progress is None or self._progress.stage != stage
        self._progress = Progress(stage, done, total)
        if fresh:
            self.beat()

    def cancelled(self) -> bool:
        """Return whether the job is to stop: on request, with the worker, or because it is another's by now."""
        return self.lost or self.cancel_requested or self._stopping()

    def beat(self) -> None:
        """Prolong the lease. Out of the store's reach it lives on until it would have run out."""
        with self._lock:
            if self.lost:
                return
            now = self._clock()
            until = now + self.terms.lease
            try:
                self.cancel_requested |= beat(self._store, self.held, until, self._progress)
                self._until = until
            except LeaseLostError:
                self.lost = True
                logger.info("plan %s is no longer held by attempt %d", self.held.plan_id, self.held.attempt)
            except sa.exc.OperationalError:
                self.lost = now >= self._until
                logger.warning("plan %s: no beat, the store is out of reach", self.held.plan_id, exc_info=True)


@contextmanager
def beating(holding: Holding) -> Iterator[None]:
    """Beat in a thread, every so often, until the block ends."""
    ended = threading.Event()

    def go() -> None:
        while not ended.wait(holding.terms.beat.total_seconds()):
            holding.beat()

    thread = threading.Thread(target=go, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
