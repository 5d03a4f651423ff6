"""One series or aggregate at a time: what is learnt from, what comes back, and how failures are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from engine.execution import Executor
from engine.messages import Message
from models.local_design import Design, Doubles

CHUNK = 8
"""Fits that travel together; fixed, so that results do not depend on the number of workers."""

NAMED = 5
"""Series named in a note; the others are counted."""


@dataclass(frozen=True)
class LocalTask:
    """One series or aggregate to learn.

    Parameters
    ----------
    label
        What a note calls it.
    demand
        Shape (n_history,), NaN where unseen.
    columns
        Shape (n_history, n_columns): season, then regressors.
    days
        Days from 1970 to the first day of every bucket, shape (n_history,).
    orders
        Yearly and weekly pairs of sine and cosine among the columns.
    """

    label: str
    demand: Doubles
    columns: Doubles
    days: Doubles
    orders: tuple[int, int]


@dataclass(frozen=True)
class Learnt:
    """Parameters as one vector, whose length depends on the columns alone, and the warnings of the fit."""

    params: Doubles
    warnings: tuple[str, ...] = ()


class LocalModel(Protocol):
    """A model of one series that states a fit as a vector of numbers; picklable."""

    @property
    def name(self) -> str: ...

    def learn(self, task: LocalTask) -> Learnt:
        """Estimate one series; may raise."""
        ...

    def curve(self, params: Doubles, columns: Design) -> Doubles:
        """Return what dates and regressors alone say of every bucket, shape (n, n_buckets), > 0."""
        ...

    def mean(self, params: Doubles, columns: Design, demand: Doubles, horizon: int) -> Doubles:
        """Return mean forecasts of the buckets after ``demand`` (n, n_history), shape (n, horizon)."""
        ...


class Task(Protocol):
    """Anything to learn that has a name."""

    @property
    def label(self) -> str: ...


TaskT = TypeVar("TaskT", bound=Task)
TaskT_contra = TypeVar("TaskT_contra", bound=Task, contravariant=True)


class Learner(Protocol[TaskT_contra]):
    """What `learn_all` needs of a model."""

    def learn(self, task: TaskT_contra, /) -> Learnt: ...


@dataclass(frozen=True)
class Outcome:
    """A fit, or why there is none."""

    label: str
    learnt: Learnt | None
    failure: str = ""


def learn_all(model: Learner[TaskT], tasks: Sequence[TaskT], executor: Executor) -> tuple[Outcome, ...]:
    """Learn every task, in the order given, spread by the executor; a failing one never stops the others."""
    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    return tuple(outcome for chunk in executor.map(partial(_learn_chunk, model), chunks) for outcome in chunk)


def _learn_chunk(model: Learner[TaskT], tasks: Sequence[TaskT]) -> tuple[Outcome, ...]:
    # The linear algebra of a forecaster's library is loaded by now, so that this reaches it: many threads on
    # matrices this small cost forty times the work.
    with threadpool_limits(limits=1):
        return tuple(_learn_one(model, task) for task in tasks)


def _learn_one(model: Learner[TaskT], task: TaskT) -> Outcome:
    try:
        learnt = model.learn(task)
    except Exception as error:  # noqa: BLE001 - whatever a library raises on one odd series is listed, not spread
        return Outcome(task.label, None, f"{type(error).__name__}: {error}")
    if not np.isfinite(learnt.params).all():
        return Outcome(task.label, None, "parameters that are not finite")
    return Outcome(task.label, learnt)


def outcome_notes(name: str, outcomes: Sequence[Outcome]) -> tuple[Message, ...]:
    """Return one note per kind of failure or warning: how many series, and the first of them."""
    failed: dict[str, list[str]] = {}
    warned: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.learnt is None:
            failed.setdefault(outcome.failure, []).append(outcome.label)
        else:
            for warning in outcome.learnt.warnings:
                warned.setdefault(warning, []).append(outcome.label)
    return tuple(
        Message(code, {"model": name, "reason": reason, "n_series": len(labels), "first": "; ".join(labels[:NAMED])})
        for code, found in (("local-fit-failed", failed), ("local-fit-warned", warned))
        for reason, labels in sorted(found.items())
    )
