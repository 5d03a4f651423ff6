"""The past of the demo world: a planner's orders, simulated day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.simulation import (
    Lines,
    Outcome,
    Shipments,
    SimulationRules,
    StockState,
    Trace,
    join_shipments,
    join_traces,
    no_lines,
    no_shipments,
    simulate,
)
from experiments.demo_world.assortment import CENTRAL, F64, SITES
from experiments.demo_world.planner import decide
from experiments.demo_world.scene import Scene

WEEK = 7


@dataclass(frozen=True)
class Ledger:
    """All that happened to the world's stock: the state now, every day's trace, every line that arrived."""

    state: StockState
    trace: Trace
    arrived: Shipments


def past(scene: Scene, as_of_day: int) -> Ledger:
    """Return what a planner with a moving average left behind on ``as_of_day`` (days from the world's start)."""
    state = StockState(0, _opening_stock(scene), np.zeros(scene.cells.n_cells), no_shipments())
    outcomes: list[Outcome] = []
    window = scene.law["planner"]["window_days"] // WEEK
    for _ in range(0, as_of_day, WEEK):
        served = [outcome.trace.served for outcome in outcomes[-window:]]
        outcome = place(scene, state, decide(scene, state, served))
        outcomes.append(outcome)
        state = outcome.state
    return _ledger(outcomes)


def place(scene: Scene, state: StockState, lines: Lines, n_days: int = WEEK) -> Outcome:
    """Return what happens in ``n_days`` when ``lines`` are placed now: lost sales, the world's late deliveries.

    Buckets of ``lines`` are days from the world's start; their cells are rows of ``scene.cells``.
    """
    first = state.bucket

    def today_only(now: StockState) -> Lines:
        return lines if now.bucket == first else no_lines()

    rules = SimulationRules(review_buckets=1, unmet="lost", delay=scene.lateness)
    return simulate(state, scene.stock_demand[:, first : first + n_days], today_only, rules)


def advance(scene: Scene, ledger: Ledger, lines: Lines, n_days: int = WEEK) -> Ledger:
    """Return the ledger ``n_days`` later, with ``lines`` placed now."""
    outcome = place(scene, ledger.state, lines, n_days)
    return Ledger(
        outcome.state,
        join_traces([ledger.trace, outcome.trace]),
        join_shipments([ledger.arrived, outcome.arrived]),
    )


def _ledger(outcomes: Sequence[Outcome]) -> Ledger:
    return Ledger(
        outcomes[-1].state,
        join_traces([outcome.trace for outcome in outcomes]),
        join_shipments([outcome.arrived for outcome in outcomes]),
    )


def _opening_stock(scene: Scene) -> F64:
    """Return the stock at the world's start, units by cell."""
    days, items = scene.law["planner"]["opening_days"], scene.items
    stock = np.zeros((items.n_items, len(SITES)))
    stock[:, SITES.index(CENTRAL)] = np.ceil(days[CENTRAL] * items.level)
    stock[:, 1:] = np.ceil(days["WH"] * items.level[:, None] * items.share)
    stock[items.launch > 0] = 0.0
    return stock.ravel()
