"""How work is spread: the executor protocol, in this process or in several.

Whatever the executor and the number of workers, results are the same bit for bit: functions are pure,
chunks have fixed contents and results come back in the order of the chunks.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Protocol, TypeVar

import pandas as pd
from threadpoolctl import threadpool_limits

from engine.errors import Cancelled

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Applies a function to chunks, yielding results in the order of the chunks."""

    @property
    def n_workers(self) -> int: ...

    def map(self, function: Callable[[Item], Result], chunks: Iterable[Item]) -> Iterator[Result]: ...


@dataclass(frozen=True)
class Serial:
    """Runs every chunk in this process, one after the other."""

    n_workers: int = 1

    def map(self, function: Callable[[Item], Result], chunks: Iterable[Item]) -> Iterator[Result]:
        for chunk in chunks:
            yield _on_one_thread(function, chunk)


def _on_one_thread(function: Callable[[Item], Result], chunk: Item) -> Result:
    # Around the call, not when a worker starts: only libraries that are loaded by then can be limited.
    with threadpool_limits(limits=1):
        return function(chunk)


def _start_worker() -> None:
    # Ctrl-C reaches every process of the terminal: a worker ends at once and leaves the telling to its parent.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent,), name="parent", daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """End this process when its parent is gone: of a killed parent the pool's own pipes tell a worker nothing."""
    parent.join()
    signal.raise_signal(signal.SIGTERM)


@dataclass(frozen=True)
class Processes:
    """Runs chunks in worker processes; ``function`` and chunks must be picklable.

    Workers are spawned, not forked: OpenMP and BLAS threads of the parent do not survive a fork.
    """

    pool: ProcessPoolExecutor
    n_workers: int

    def map(self, function: Callable[[Item], Result], chunks: Iterable[Item]) -> Iterator[Result]:
        yield from self.pool.map(partial(_on_one_thread, function), chunks)


@contextmanager
def processes(n_workers: int) -> Iterator[Executor]:
    """Yield an executor with ``n_workers`` processes (one worker: this process)."""
    if n_workers <= 1:
        yield Serial()
        return
    pool = ProcessPoolExecutor(n_workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield Processes(pool, n_workers)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class BlockSink(Protocol):
    """Keeps finished blocks, so that memory is bounded and a killed run resumes."""

    def put(self, kind: str, block: int, frame: pd.DataFrame) -> None: ...

    def get(self, kind: str, block: int) -> pd.DataFrame | None: ...


@dataclass(frozen=True)
class MemorySink:
    """Keeps blocks in memory."""

    blocks: dict[tuple[str, int], pd.DataFrame] = field(default_factory=dict)

    def put(self, kind: str, block: int, frame: pd.DataFrame) -> None:
        self.blocks[kind, block] = frame

    def get(self, kind: str, block: int) -> pd.DataFrame | None:
        return self.blocks.get((kind, block))


def _no_progress(stage: str, done: int, total: int) -> None:
    """Report to nobody."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Run:
    """What a computation may use of its surroundings: executor, progress, cancellation, sink."""

    executor: Executor = field(default_factory=Serial)
    progress: Callable[[str, int, int], None] = _no_progress
    cancelled: Callable[[], bool] = _never
    sink: BlockSink = field(default_factory=MemorySink)

    def executor_for(self, n_chunks: int) -> Executor:
        """Return what to map so many chunks with: one does not pay for starting processes."""
        return self.executor if n_chunks > 1 else Serial()

    def step(self, stage: str, done: int, total: int) -> None:
        """Report progress; raise `Cancelled` if the caller asked to stop."""
        self.progress(stage, done, total)
        if self.cancelled():
            raise Cancelled(stage)
