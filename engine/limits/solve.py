"""Decide items that share limits: prices, items alone, a feasible decision, a bound.

The dual of the limits (Lagrangean relaxation; Fisher, The Lagrangian relaxation method for solving integer programming
problems, Management Science 27, 1981) is flat around its best prices, so prices need not be exact: they come from
samples of the items (`engine.limits.prices`). With them every item of all is decided alone; the sum of the items'
bounds less what the limits are worth at those prices bounds the cost of every feasible decision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.limits.bound import item_bounds
from engine.limits.fill import fill, take_back
from engine.limits.items import decide_alone
from engine.limits.moves import State
from engine.limits.prices import adjust, even_sample, first_prices
from engine.limits.problem import Floats, ScarceProblem
from engine.policy.types import F64

_CHUNK = 4096
_FULL = 0.97  # of a lane's volume: no more is moved before something is taken back


@dataclass(frozen=True)
class ScarceParams:
    """Work to spend.

    Parameters
    ----------
    sample_items
        Items whose linear programme gives the first prices.
    adjust_items, rounds
        Items on which prices are adjusted, and how often.
    last_rounds
        How often they are adjusted on all items, for the decision only.
    repairs
        How often what exceeds limits is taken back and room is filled.
    sweeps, steps, climbs
        Effort of the items' bounds (`engine.limits.bound`).
    """

    sample_items: int = 300
    adjust_items: int = 4000
    rounds: int = 20
    last_rounds: int = 2
    repairs: int = 2
    sweeps: int = 1
    steps: int = 6
    climbs: int = 30


@dataclass(frozen=True)
class ScarceSolution:
    """Lots bought (S, n), units moved (L, n), what that costs, what nothing feasible can be below, prices (r,)."""

    lots: Floats
    moved: Floats
    cost: float
    bound: float
    prices: F64

    @property
    def gap(self) -> float:
        """Return (cost - bound) over the larger of both in size, 0 if both are 0."""
        largest = max(abs(self.cost), abs(self.bound))
        return max(0.0, self.cost - self.bound) / largest if largest > 0 else 0.0


def solve_scarce(problem: ScarceProblem, params: ScarceParams) -> ScarceSolution:
    """Return a feasible decision in whole lots and units, with a bound of the least cost."""
    prices = limit_prices(problem, params)
    bound, lots = lower_bound(problem, prices, params)
    state = State.of(problem, lots, np.zeros((problem.lanes.n_lanes, problem.n_items)))
    decide_alone(problem, prices, state, np.ones(problem.lanes.n_lanes, dtype=bool))
    guide = adjust(problem, prices, state, params.last_rounds)
    close_trips(problem, state)
    take_back(problem, state, guide)
    for _ in range(params.repairs):
        use = problem.used(state.lots, state.moved)[problem.lanes.resource]
        decide_alone(problem, guide, state, use < _FULL * problem.bound[problem.lanes.resource])
        take_back(problem, state, guide)
        fill(problem, state, guide)
    cost = problem.cost(state.lots, state.moved)
    return ScarceSolution(state.lots, state.moved, cost, min(bound, cost), prices)


def limit_prices(problem: ScarceProblem, params: ScarceParams) -> F64:
    """Return prices of the limits, found on samples of the items."""
    prices = first_prices(problem, params.sample_items)
    if not prices.any():
        return prices
    rows = even_sample(problem, params.adjust_items)
    some = problem.take(rows)
    _, lots = lower_bound(some, prices, params)
    state = State.of(some, lots, np.zeros((some.lanes.n_lanes, some.n_items)))
    decide_alone(some, prices, state, np.ones(some.lanes.n_lanes, dtype=bool))
    return adjust(some, prices, state, params.rounds, len(rows) / problem.n_items)


def lower_bound(problem: ScarceProblem, prices: F64, params: ScarceParams) -> tuple[float, Floats]:
    """Return a cost that no feasible decision is below, and the lots bought there (S, n).

    Any prices >= 0 will do; good ones bring it close.
    """
    total, lots = 0.0, np.zeros_like(problem.stock)
    for start in range(0, problem.n_items, _CHUNK):
        part = problem.take(slice(start, start + _CHUNK))
        costs, lots[:, start : start + _CHUNK] = item_bounds(part, prices, params.sweeps, params.steps, params.climbs)
        total += float(costs.sum(dtype=np.float64))
    finite = np.isfinite(problem.bound)
    return total - float(prices[finite] @ problem.bound[finite]), lots


def close_trips(problem: ScarceProblem, state: State) -> None:
    """Take back, in place, all that goes by trips that save less than they cost; the trip that saves least first."""
    lanes = problem.lanes
    for lane in np.argsort(state.moved @ lanes.volume, kind="stable").tolist():
        if not (state.moved[lane] > 0).any():
            continue
        without = State(*(getattr(state, name).copy() for name in ("lots", "moved", "level", "given")))
        without.move(problem, lane, -state.moved[lane])
        if problem.cost(without.lots, without.moved) < problem.cost(state.lots, state.moved):
            state.put(np.arange(problem.n_items), without)
