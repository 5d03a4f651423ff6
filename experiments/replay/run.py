"""A replay from data to written and tracked results: what the command line calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import ConfigError
from engine.execution import Run, processes
from engine.forecast.types import Fitted
from engine.messages import Message
from engine.plan.assemble import assumption_tables
from engine.tables import Tables
from experiments.exchange.plan_meta import PlanMeta
from experiments.reading import parse_date, start_run, state_day
from experiments.replay.changed_lead_times import refuse_unmoved
from experiments.replay.first_steps import first_steps
from experiments.replay.jobs import Job, Result, reviewed_more_often, run_job
from experiments.replay.measures import unit_value
from experiments.replay.opening import (
    empty_opening,
    has_stock,
    real_opening,
    stated_opening,
    tells_actual,
    warm_up_buckets,
)
from experiments.replay.policy_files import OURS, PolicySpec, read_policies, refuse_repeated, with_references
from experiments.replay.result_tables import Compared, Grounds, replay_tables
from experiments.replay.site_room import opening_above
from experiments.replay.walk import Opening, Pace
from experiments.replay.what_if import WhatIf, changed_policies, changed_tables, read_what_if
from experiments.replay.withheld import without
from experiments.replay.world import Stretch, World, recovered, world_of
from experiments.replay.writer import Replayed, write_replay
from experiments.run_plan import git_revision
from experiments.settings import Settings, read_settings


@dataclass(frozen=True)
class ReplayRequest:
    """What is to be replayed.

    Parameters
    ----------
    data, home, repairs, out, overwrite, track
        As for `experiments.run_plan.PlanRequest`.
    policies
        Policy files; the first is what others are compared with.
    config
        Settings of the world (costs, unmet demand, default link); None: those of the first restock policy.
    first_day, weeks
        The stretch (`experiments.replay.world.Stretch`).
    every_days
        Days between two decisions.
    refit_weeks
        Weeks between two fits of the chosen models.
    what_if
        File of changes; every policy is walked with and without them.
    opening
        An exported state that every policy opens with, from its day on; None: see `experiments.replay.opening`.
    """

    data: str
    home: Path
    policies: tuple[Path, ...]
    config: Path | None = None
    first_day: str | None = None
    weeks: int | None = None
    every_days: int = 7
    refit_weeks: int = 4
    what_if: Path | None = None
    opening: str | None = None
    repairs: tuple[str, ...] = ()
    out: Path | None = None
    overwrite: bool = False
    track: bool = True


@dataclass(frozen=True)
class ReplayResult:
    """A finished replay: its tables, where they lie, and the MLflow run of each policy ("" where not tracked)."""

    run_id: str
    out: Path
    replayed: Replayed
    exit_code: int
    tracked: str


def run_replay(request: ReplayRequest, run: Run | None = None) -> ReplayResult:
    """Read, walk every policy through the history, write and track.

    Raises
    ------
    ConfigError, DataError, ContradictionError
        See `engine.errors`; no output folder is left that looks complete.
    """
    run = run or Run()
    specs = read_policies(request.policies)
    settings = _world_settings(request, specs)
    what_if = None if request.what_if is None else read_what_if(request.what_if)
    started = start_run(request, settings, run)
    run_id, out, loaded, tables = started.run_id, started.out, started.loaded, started.tables
    if request.opening is not None:
        request = replace(request, first_day=state_day(tables, request.first_day, "--from"))
    with processes(settings.run.n_workers) as executor:
        replayed = replay(tables, settings, specs, request, what_if, replace(run, executor=executor))
    meta = PlanMeta(run_id, loaded.snapshot_id, settings.config_version, settings.flat(), loaded.source)
    write_replay(replayed, out, meta, request.overwrite)
    tracked = ""
    if request.track:
        # By name: importing mlflow takes seconds that an untracked run should not pay.
        track = import_module("experiments.tracking").track_replay
        tracked = track(replayed.tables, _settings_of(specs), meta, out, request.home, git_revision())
    return ReplayResult(run_id, out, replayed, loaded.exit_code, tracked)


def replay(
    tables: Tables, settings: Settings, specs: Sequence[PolicySpec], request: ReplayRequest, what_if: WhatIf | None,
    run: Run,
) -> Replayed:  # fmt: skip
    """Return the tables of a replay of checked tables."""
    stretch = Stretch(parse_date(request.first_day, "--from"), request.weeks)
    world, notes = world_of(tables, settings, stretch)
    pace = _pace(world, settings, request.every_days)
    specs = with_references(specs, settings, tells_actual(world) and request.opening is None)
    _check(specs, world)
    refit_steps = max(1, request.refit_weeks * 7 // request.every_days)
    worlds = _worlds(world, tables, settings)
    given, opening_notes = _given_opening(world, tables, pace, request)
    first = given or empty_opening(world)
    before = Job(worlds, tuple(specs), settings, first, pace, world.first, refit_steps)
    opening, fits, target_notes = first_steps(before, given, run)
    warm_up = 0 if given is not None else warm_up_buckets(world)
    if world.first + warm_up >= world.end:
        days = world.network.bucket_days
        finding = f"{(world.end - world.first) * days} days, of which {warm_up * days} do not count"
        raise ConfigError(
            "A replay is longer than the days that do not count at its start", finding, "Ask for more --weeks"
        )
    start = replace(before, opening=opening, first_scored=world.first + warm_up)
    jobs = _jobs(start, fits)
    changes: tuple[Message, ...] = ()
    if what_if is not None:
        other_tables, closures, changes = changed_tables(tables, what_if, world, settings)
        other, _ = world_of(other_tables, settings, stretch, closures)
        refuse_unmoved(world, other, what_if.lead_time)
        twins, aims = changed_policies(specs, what_if)
        changes += aims
        jobs += _jobs(replace(start, worlds=_worlds(other, other_tables, settings), specs=twins), fits)
        specs = (*specs, *twins)
        refuse_repeated([spec.name for spec in specs])
    results = _walked(jobs, run)
    notes = (*notes, *opening_notes, *target_notes, *changes)
    notes = (*notes, *reviewed_more_often(world, pace), *_scope_notes(start, worlds))
    notes = (*notes, *chain.from_iterable(result.notes for result in results))
    return _replayed(start, specs, results, assumption_tables(notes)["assumptions"])


def _walked(jobs: Sequence[Job], run: Run) -> list[Result]:
    run.step("walk", 0, len(jobs))
    results: list[Result] = []
    for done, found in enumerate(run.executor.map(run_job, jobs)):
        results += found
        run.step("walk", done + 1, len(jobs))
    return results


def _jobs(start: Job, fits: dict[str, Fitted]) -> list[Job]:
    """Return the long jobs first: restock's plans, one walk each, then all other policies together."""
    ours = [spec for spec in start.specs if spec.kind == OURS]
    others = tuple(spec for spec in start.specs if spec.kind != OURS)
    jobs = [
        replace(start, worlds=(world,), specs=(spec,), fit=fits[spec.variant_of or spec.name])
        for spec in ours
        for world in start.worlds
    ]
    return [*jobs, replace(start, specs=others)] if others else jobs


def _given_opening(
    world: World, tables: Tables, pace: Pace, request: ReplayRequest
) -> tuple[Opening | None, tuple[Message, ...]]:
    """Return the state to open with where one is stated or on record, and what was assumed of it."""
    if request.opening is not None:
        told = Message("replay-opening-stated", {"date": str(world.date_of(world.first))})
        return stated_opening(world, tables, pace.seed), (told,)
    return real_opening(world, world.stock_history) if has_stock(world) else (None, ())


def _worlds(world: World, tables: Tables, settings: Settings) -> tuple[World, ...]:
    """Return the world under each assumption on demand; one where the shop never ran out."""
    columns = slice(0, world.end - world.first)
    if not world.censored[:, columns].any():
        return (world,)
    return (world, recovered(world, without(tables), settings))


def _replayed(
    start: Job, specs: Sequence[PolicySpec], results: Sequence[Result], assumptions: pd.DataFrame
) -> Replayed:
    world = start.worlds[0]
    cells, per_week = world.network.cells, 7 // world.network.bucket_days
    grounds = Grounds(
        cells.item_id, cells.location_id, cells.abc, world.network.demanded,
        world.calendar.edges[start.first_scored : world.end : per_week], world.end - start.first_scored,
        unit_value(world),
    )  # fmt: skip
    order = tuple(spec.name for spec in specs)
    pairs = tuple((order[0], spec.name) for spec in specs[1:] if not spec.variant_of)
    pairs += tuple((spec.variant_of, spec.name) for spec in specs if spec.variant_of)
    between = tuple(next(spec.name for spec in specs if spec.kind == kind) for kind in ("normal", "perfect_foresight"))
    compared = Compared(order, pairs, (between[0], between[1]), start.pace.seed)
    tables = replay_tables([result.score for result in results], grounds, compared)
    lines = [result.lines for result in results if len(result.lines)]
    tables["lines"] = pd.concat(lines, ignore_index=True) if lines else results[0].lines
    tables["site_room"] = pd.concat([result.site_room for result in results], ignore_index=True)
    tables["assumptions"] = assumptions
    closing = {r.score.policy: r.closing for r in results if r.score.assumption == "sales"}
    span = (world.date_of(start.first_scored), world.calendar.edges[world.end])
    return Replayed(tables, closing, (str(span[0]), str(span[1] - 1)), str(world.date_of(world.first)))


def _scope_notes(start: Job, worlds: Sequence[World]) -> tuple[Message, ...]:
    world = worlds[0]
    notes = [*opening_above(world.room, start.opening.state.on_hand)]
    if start.first_scored > world.first:
        days = (start.first_scored - world.first) * world.network.bucket_days
        notes.append(Message("replay-warm-up", {"days": days}))
    unpriced = int(np.isnan(world.network.cells.unit_cost).sum())
    if unpriced:
        notes.append(Message("replay-stock-without-cost", {"count": unpriced}))
    budgets = [
        spec.name for spec in start.specs if spec.settings is not None and spec.settings.limits.budget is not None
    ]
    if budgets:
        notes.append(Message("replay-budget-left-out", {"count": len(budgets), "policies": ", ".join(budgets)}))
    if len(worlds) > 1:
        columns = slice(start.first_scored - world.first, world.end - world.first)
        hidden = float((worlds[1].demand - world.demand)[:, columns].sum())
        share = hidden / max(float(world.demand[:, columns].sum()), 1.0)
        count = int((world.censored & world.network.demanded[:, None])[:, columns].sum())
        notes.append(
            Message("replay-demand-hidden", {"count": count, "units": round(hidden, 1), "share": round(share, 4)})
        )
    return tuple(notes)


def _pace(world: World, settings: Settings, every_days: int) -> Pace:
    if every_days < 1 or every_days % world.network.bucket_days:
        raise ConfigError(
            "--every is a whole number of buckets",
            f"{every_days} days in buckets of {world.network.bucket_days}",
            "Use 7",
        )
    return Pace(every_days // world.network.bucket_days, settings.demand.unmet, settings.seed)


def _check(specs: Sequence[PolicySpec], world: World) -> None:
    for spec in specs:
        bucket = "auto" if spec.settings is None else spec.settings.time.bucket
        if bucket not in ("auto", world.calendar.bucket):
            raise ConfigError(
                "All policies of a replay plan in the same buckets",
                f"{bucket} in {spec.name}, {world.calendar.bucket} in the replay", "Change its time.bucket",
            )  # fmt: skip


def _world_settings(request: ReplayRequest, specs: Sequence[PolicySpec]) -> Settings:
    if request.config is not None:
        return read_settings(request.config)
    return next((spec.settings for spec in specs if spec.settings is not None), None) or read_settings(None)


def _settings_of(specs: Sequence[PolicySpec]) -> dict[str, dict[str, str]]:
    """Return the settings of the policies asked for, by name, as text."""
    return {
        spec.name: spec.settings.flat()
        if spec.settings is not None
        else {"kind": spec.kind, **({} if spec.params is None else {k: str(v) for k, v in vars(spec.params).items()})}
        for spec in specs
    }
