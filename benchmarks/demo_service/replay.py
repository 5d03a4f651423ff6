"""Fifty-two Mondays of the demo world under restock's own plans, executed by the simulator.

Each Monday sees the tables as a company would: sales cut off by the stock that *our* orders left, our
open orders, our receipts. Models are refitted every ``refit_weeks`` and frozen in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.demo_service.stock import Expected, cost_rates, stock_rows, with_expected
from engine.config import PlanConfig
from engine.execution import Run
from engine.forecast.types import Fitted, Forecaster
from engine.plan.make import make_plan
from engine.plan.types import Plan
from engine.simulation import Cycles, Lines, Trace, join_lines, service
from engine.tables.tables import Tables
from experiments.demo_world import Ledger, advance, build, tables_at
from experiments.demo_world.assortment import CENTRAL
from experiments.demo_world.scene import Scene
from experiments.replay.frozen import Frozen, Remembering

WEEK = 7


@dataclass(frozen=True)
class Review:
    """What to replay: how many weeks, when models are refitted, with which settings."""

    weeks: int
    refit_weeks: int
    config: PlanConfig
    forecaster: Callable[[], Forecaster]
    run: Run


@dataclass(frozen=True)
class Replayed:
    """What a replay left: the trace since its first Monday, and what each plan promised for each cycle.

    ``abc`` and ``target`` have one entry a cycle; ``n_open`` cycles ended after the replay and are left out.
    """

    trace: Trace
    cycles: Cycles
    abc: np.ndarray
    target: np.ndarray
    n_open: int
    expected: Expected


def replay(seed: int, as_of: str, review: Review, told: Callable[[str], None]) -> Replayed:
    """Return what plans from ``as_of`` on promised and reached in the demo world of ``seed``."""
    world = build(seed, as_of)
    scene, ledger = world.scene, world.ledger
    first = ledger.state.bucket
    fits: list[Fitted] = []
    promises: list[pd.DataFrame] = []
    rates: pd.DataFrame | None = None
    forecaster: Forecaster = Remembering(review.forecaster(), fits)
    for week in range(review.weeks):
        tables = Tables.of(world.tables if week == 0 else tables_at(scene, ledger))
        today = np.datetime64(scene.date_of(ledger.state.bucket), "D")
        if week % review.refit_weeks == 0:
            forecaster = Remembering(review.forecaster(), fits)
        plan = make_plan(tables, review.config, forecaster, review.run, today)
        forecaster = Frozen(forecaster.name, fits[-1])
        rates = cost_rates(tables, review.config, today) if rates is None else rates
        promises.append(with_expected(plan, rates))
        lines = plan_lines(scene, plan, ledger.state.bucket)
        told(f"seed {seed} week {week + 1}/{review.weeks} {today}: {lines.n_lines} lines")
        ledger = advance(scene, ledger, lines)
    return _score(scene, ledger, pd.concat(promises, ignore_index=True), first)


def plan_lines(scene: Scene, plan: Plan, today: int) -> Lines:
    """Return the plan's orders and transfers of this week as lines of the simulation.

    What is dated next Monday or later is for the next plan to decide.
    """
    parts = []
    for table, source, place in (("orders", "source_id", "location_id"), ("transfers", "origin_id", "dest_id")):
        rows = plan.tables[table]
        sent = _days(scene, rows["order_date"])
        now = (sent < today + WEEK) & (rows["units"].to_numpy() > 0)
        rows = rows[now]
        moved = table == "transfers"
        parts.append(
            Lines(
                line_id=rows["line_id"].to_numpy(object),
                cell=_rows(scene, rows["item_id"], rows[place]),
                origin=_rows(scene, rows["item_id"], rows[source]) if moved else np.full(len(rows), -1),
                source_id=rows[source].to_numpy(object),
                units=rows["units"].to_numpy(float),
                unit_cost=rows["unit_cost"].fillna(0.0).to_numpy(float),
                sent=sent[now],
                due=_days(scene, rows["available_date"]),
                promise=rows["expected_service"].to_numpy(float),
            )
        )
    return join_lines(parts)


def _score(scene: Scene, ledger: Ledger, promised: pd.DataFrame, first: int) -> Replayed:
    """Return the cycles of the selling cells that ended within the replay, and its trace."""
    sells = (promised["location_id"] != CENTRAL).to_numpy()
    cell = _rows(scene, promised["item_id"], promised["location_id"])
    cycles = Cycles(
        cell=cell,
        start=_days(scene, promised["available_date"]),
        end=_days(scene, promised["next_available_date"]),
        expected_cycle_service=promised["expected_cycle_service"].to_numpy(float),
        expected_fill_rate=promised["expected_fill_rate"].to_numpy(float),
        expected_demand=promised["interval_demand"].to_numpy(float),
    )
    done = sells & (cycles.end <= ledger.trace.end)
    return Replayed(
        trace=since(ledger.trace, first),
        cycles=cycles.take(done),
        abc=promised["abc"].to_numpy(object)[done],
        target=promised["target"].to_numpy(float)[done],
        n_open=int((sells & ~done).sum()),
        expected=Expected.of(promised[done]),
    )


def since(trace: Trace, bucket: int) -> Trace:
    """Return the part of a trace from a bucket on."""
    cut = bucket - trace.start
    names = ("demand", "short", "lost", "served", "received", "sent", "expired", "closing", "backlog")
    return replace(
        trace,
        start=bucket,
        opening=trace.closing[:, cut - 1] if cut else trace.opening,
        **{name: getattr(trace, name)[:, cut:] for name in names},
    )


def service_rows(seed: int, replayed: Replayed) -> pd.DataFrame:
    """Return reached, expected and target per class, one row each: services as shares, and stock and cost."""
    rows = service(replayed.trace, replayed.cycles, replayed.abc)
    target = {"all": replayed.target.mean(), **pd.Series(replayed.target).groupby(replayed.abc).mean()}
    rows = rows.assign(seed=seed, target=rows["abc"].map(target))
    stock = stock_rows(seed, replayed.trace, replayed.cycles, replayed.expected, replayed.abc)
    return rows.merge(stock.rename(columns={"n_cycles": "n_projected"}), on=["seed", "abc"], validate="one_to_one")


def _days(scene: Scene, dates: pd.Series) -> np.ndarray:
    days: np.ndarray = (dates.to_numpy("datetime64[D]") - np.datetime64(scene.start, "D")).astype(np.int64)
    return days


def _rows(scene: Scene, items: pd.Series, places: pd.Series) -> np.ndarray:
    keys = pd.MultiIndex.from_arrays([scene.cells.item_id, scene.cells.location_id])
    found = keys.get_indexer(pd.MultiIndex.from_arrays([items.to_numpy(object), places.to_numpy(object)]))
    if (found < 0).any():
        raise ValueError(f"plan lines must name cells of the world. Got {int((found < 0).sum())} others instead.")
    return found.astype(np.int64)
