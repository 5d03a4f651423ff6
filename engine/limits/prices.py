"""Prices of limits: from a linear programme of a few items, then adjusted until more items use what there is.

The price of what is asked for too much rises, that of what is left over falls (Arrow and Hurwicz's price adjustment),
by steps that shrink. Between steps items are improved from where they stand, which is quick.
"""

from __future__ import annotations

import numpy as np

from engine.limits.items import decide_alone
from engine.limits.moves import State
from engine.limits.problem import ScarceProblem
from engine.limits.relaxed import relaxed_prices
from engine.policy.types import F64, I64

_FIRST_STEP = 0.4
_MOST_OFF = 1.0  # a limit used twice counts as one used more


def first_prices(problem: ScarceProblem, n_items: int) -> F64:
    """Return prices of the limits from the linear programme of an even sample of the items."""
    if not np.isfinite(problem.bound).any():
        return np.zeros(len(problem.bound))
    rows = even_sample(problem, n_items)
    return relaxed_prices(problem.take(rows), problem.bound * (len(rows) / problem.n_items))


def even_sample(problem: ScarceProblem, n_items: int) -> I64:
    """Return items at even distances in order of what they could save in all: large and small in proportion."""
    n = problem.n_items
    if n <= n_items:
        return np.arange(n)
    weight = np.zeros(n)
    for site in range(problem.n_sites):
        most = problem.curves.reach(site, np.zeros_like(problem.stock[site]))
        weight += problem.curves.worth(site, most)
    order = np.argsort(weight, kind="stable")
    place = ((np.arange(n_items) + 0.5) * (n / n_items)).astype(np.int64)
    return np.sort(order[place])


def adjust(problem: ScarceProblem, prices: F64, state: State, rounds: int, share: float = 1.0) -> F64:
    """Return adjusted prices; ``state`` is improved in place at each of them.

    ``share`` of the limits is what the items of the problem may use.
    """
    bound = problem.bound * share
    limited = np.isfinite(bound) & (bound > 0)
    natural = np.zeros(len(bound))
    natural[problem.lanes.resource] = problem.trip_share()
    every_lane = np.ones(problem.lanes.n_lanes, dtype=bool)
    now = prices
    off_before = np.zeros(len(bound))
    step = np.full(len(bound), _FIRST_STEP)
    for _ in range(rounds):
        used = problem.used(state.lots, state.moved)
        off = np.zeros(len(bound))
        off[limited] = np.clip(used[limited] / bound[limited] - 1.0, -_MOST_OFF, _MOST_OFF)
        # A price that went too far turns back in smaller steps.
        step = np.where(off * off_before < 0, 0.6 * step, np.minimum(1.1 * step, _FIRST_STEP))
        now = np.maximum(now + step * np.maximum(now, natural) * off, 0.0)
        off_before = off
        decide_alone(problem, now, state, every_lane)
    return now
