"""Walks as jobs for an executor: a job holds all it needs, and returns scores and lines, not whole traces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.forecast.types import Fitted
from engine.messages import Message
from engine.simulation import Trace
from experiments.replay.hindsight import ActualPolicy, ForesightPolicy
from experiments.replay.links_then import LinkBook
from experiments.replay.measures import Score, score, since
from experiments.replay.ours import PlanPolicy
from experiments.replay.policy_files import PolicySpec
from experiments.replay.rules import RulePolicy
from experiments.replay.site_room import room_rows
from experiments.replay.view import Policy, state_tables
from experiments.replay.walk import Opening, Pace, Walked, walk
from experiments.replay.world import World


@dataclass(frozen=True)
class Job:
    """Policies to be walked through worlds that differ in demand alone, one walk for each pair.

    Parameters
    ----------
    worlds, specs
        The worlds and the policies.
    config
        Settings of the world: how links without terms are read.
    opening, pace
        State to open with, and how to go.
    first_scored
        First bucket that counts.
    refit_steps
        Steps between two fits of the chosen models.
    fit
        A fit at the first step for restock's policies; None where the job holds none.
    """

    worlds: tuple[World, ...]
    specs: tuple[PolicySpec, ...]
    config: PlanConfig
    opening: Opening
    pace: Pace
    first_scored: int
    refit_steps: int
    fit: Fitted | None = None


@dataclass(frozen=True)
class Result:
    """A walk's score, its lines by name of cell, its volume at sites, its closing state, and what is to be told."""

    score: Score
    lines: pd.DataFrame
    site_room: pd.DataFrame
    closing: dict[str, pd.DataFrame]
    notes: tuple[Message, ...]


def run_job(job: Job) -> tuple[Result, ...]:
    """Return the result of every walk of a job."""
    book = LinkBook(job.worlds[0], job.config)
    return tuple(_one(job, world, spec, book) for world in job.worlds for spec in job.specs)


def policy_of(world: World, spec: PolicySpec, book: LinkBook, job: Job) -> Policy:
    """Return a policy ready for one walk."""
    if spec.settings is not None:
        return PlanPolicy(world, spec.settings, job.refit_steps, fits=[] if job.fit is None else [job.fit])
    if spec.params is not None:
        return RulePolicy(world, book, spec.params, spec.name)
    if spec.kind == "actual":
        return ActualPolicy(world)
    return ForesightPolicy(world, book, job.pace, spec.name)


def _one(job: Job, world: World, spec: PolicySpec, book: LinkBook) -> Result:
    walked = walk(world, policy_of(world, spec, book, job), job.opening, job.pace)
    found = score(world, walked, job.pace, job.first_scored, spec.name)
    notes = _drift(world, walked.trace) if spec.kind == "actual" and world.assumption == "sales" else ()
    scored = since(walked.trace, job.first_scored)
    room = room_rows(world.room, scored, spec.name, world.assumption, world.network.bucket_days)
    return Result(found, _named(world, walked, spec), room, state_tables(world, walked.last), notes)


def _named(world: World, walked: Walked, spec: PolicySpec) -> pd.DataFrame:
    """Return a walk's lines with the names of their cells."""
    lines, cells = walked.lines, world.network.cells
    cell, moved = lines["cell"].to_numpy(np.int64), lines["origin"].to_numpy(np.int64) >= 0
    arrives = lines["arrives"].to_numpy(np.float64)
    known = np.isfinite(arrives) & (arrives <= world.n_buckets)
    came = np.full(len(lines), np.datetime64("NaT", "ns"))
    came[known] = world.calendar.edges[arrives[known].astype(np.int64)].astype("datetime64[ns]")
    return pd.DataFrame(
        {
            "policy": spec.name,
            "demand_as": world.assumption,
            "line_id": lines["line_id"].astype("string[pyarrow]"),
            "kind": np.where(moved, "transfer", "purchase"),
            "item_id": pd.array(cells.item_id[cell], dtype="string[pyarrow]"),
            "source_id": lines["source_id"].astype("string[pyarrow]"),
            "location_id": pd.array(cells.location_id[cell], dtype="string[pyarrow]"),
            "units_asked": lines["asked"].to_numpy(np.float64),
            "units": lines["units"].to_numpy(np.float64),
            "unit_cost": lines["unit_cost"].to_numpy(np.float64),
            "order_date": lines["order_date"].to_numpy(),
            "available_date": lines["available_date"].to_numpy(),
            "serves_from": came,
            "expected_service": lines["promise"].to_numpy(np.float64),
        }
    )


def _drift(world: World, trace: Trace) -> tuple[Message, ...]:
    """Return how far the stock of real orders, walked through, lies from the stock on record."""
    rows = world.stock_history.dropna(subset=["closing_on_hand"])
    cell = world.rows_of(rows["item_id"], rows["location_id"])
    bucket = world.bucket_of(rows["date"].to_numpy().astype("datetime64[D]"))
    # A weekly bucket closes with its last day.
    last = world.calendar.edges[np.clip(bucket + 1, 0, world.n_buckets)] - 1
    closes = rows["date"].to_numpy().astype("datetime64[D]") == last
    kept = (cell >= 0) & (bucket >= trace.start) & (bucket < trace.end) & closes
    if not kept.any():
        return ()
    real = rows["closing_on_hand"].to_numpy(np.float64)[kept]
    ours = trace.closing[cell[kept], bucket[kept] - trace.start]
    share = float(np.abs(ours - real).sum() / max(real.sum(), 1.0))
    return (Message("replay-actual-drift", {"share": round(share, 4), "count": int(kept.sum())}),)


def reviewed_more_often(world: World, pace: Pace) -> tuple[Message, ...]:
    """Return how many usual links may order again before the next step, which a walk then does not do."""
    options = world.network.options
    again = options.primary & (world.bucket_of(options.next_order_date) < world.first + pace.every)
    again &= ~np.isnat(options.next_order_date)
    if not again.any():
        return ()
    days = pace.every * world.network.bucket_days
    return (Message("replay-steps-skip-order-days", {"count": int(again.sum()), "days": days}),)
