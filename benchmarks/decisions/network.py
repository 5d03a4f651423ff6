"""100,000 items on 10 sites under a budget and lane capacities, and the same world at a size that one model can solve.

    python -m benchmarks.decisions.network [--items 100000] [--seeds 3] [--peer-items N ...]

The world is `benchmarks.decisions.worlds`; limits are set from its free solution: the budget to 80 % of what is spent
without limits, 60 % of the lanes to 60 % of what they carry then (each on a draw), the others to 150 %. A trip costs 2
to 10 % of a unit of money for each unit of its volume. Setting limits and making the world is not timed.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from os import getloadavg
from resource import RUSAGE_SELF, getrusage

import numpy as np

from benchmarks.decisions.one_model import solve_one_model
from benchmarks.decisions.worlds import world
from benchmarks.measure import write_table
from engine.limits.items import decide_alone
from engine.limits.moves import State
from engine.limits.problem import ScarceProblem
from engine.limits.solve import ScarceParams, lower_bound, solve_scarce

SPEND, TIGHT, LOOSE, TIGHT_LANES = 0.8, 0.6, 1.5, 0.6
PEER_GAP, PEER_SECONDS = 0.005, 600.0


def limited(seed: int, n_items: int) -> ScarceProblem:
    """Return a world with its limits."""
    free = world(seed, n_items)
    no_prices = np.zeros(len(free.bound))
    _, lots = lower_bound(free, no_prices, ScarceParams(climbs=5))
    state = State.of(free, lots, np.zeros((free.lanes.n_lanes, n_items)))
    decide_alone(free, no_prices, state, np.ones(free.lanes.n_lanes, dtype=bool))
    bound = free.used(state.lots, state.moved)
    rng = np.random.default_rng([seed, 1])
    n_lanes = free.lanes.n_lanes
    tight = rng.permutation(n_lanes) < round(TIGHT_LANES * n_lanes)
    bound[0] *= SPEND
    bound[1:] *= np.where(tight, TIGHT, LOOSE)
    trip_cost = rng.uniform(0.02, 0.1, n_lanes) * bound[1:]
    return replace(free, bound=bound, lanes=replace(free.lanes, trip_cost=trip_cost))


def ours(problem: ScarceProblem) -> dict[str, object]:
    """Return what our solution costs and takes, checked to be feasible."""
    load, start, work = getloadavg()[0], time.perf_counter(), time.process_time()
    found = solve_scarce(problem, ScarceParams())
    seconds, work = time.perf_counter() - start, time.process_time() - work
    used = problem.used(found.lots, found.moved)
    sent = np.zeros_like(problem.stock)
    np.add.at(sent, problem.lanes.origin, found.moved)
    if (used > problem.bound * (1 + 1e-6)).any() or (sent > problem.stock).any():
        raise RuntimeError("a limit is exceeded")
    binding = used > 0.98 * problem.bound
    return {
        "cost": found.cost,
        "gap proven": f"{found.gap:.2%}",
        "budget used": f"{used[0] / problem.bound[0]:.1%}",
        "lanes full (98 %)": f"{binding[1:].mean():.0%}",
        "units moved": int(found.moved.sum(dtype=np.float64)),
        "units bought": int((found.lots * problem.purchases.size).sum(dtype=np.float64)),
        "seconds": seconds,
        "CPU seconds": work,
        "load before": round(load, 1),
    }


def rounded(row: dict[str, object]) -> dict[str, object]:
    return {name: f"{value:,.1f}" if isinstance(value, float) else value for name, value in row.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peer-items", type=int, nargs="*", default=[])
    given = parser.parse_args()
    large = []
    for seed in range(given.seeds):
        row = ours(limited(seed, given.items))
        peak = getrusage(RUSAGE_SELF).ru_maxrss / 1e6
        large.append({"seed": seed, "items": given.items, "sites": 10, **rounded(row), "peak GB": f"{peak:.1f}"})
        print(large[-1], flush=True)
    if large:
        write_table("decisions_network", "Shared limits: items x 10 sites, purchases and transfers", large)
    small = []
    for n_items in given.peer_items:
        problem = limited(0, n_items)
        mine = ours(problem)
        start = time.perf_counter()
        peer = solve_one_model(problem, PEER_GAP, PEER_SECONDS)
        seconds = time.perf_counter() - start
        small.append(
            {
                "items": n_items,
                "HiGHS": peer.status,
                "its gap": f"{peer.gap:.2%}",
                "its seconds": f"{seconds:.1f}",
                "our seconds": f"{mine['seconds']:.1f}",
                "times faster": f"{seconds / float(str(mine['seconds'])):.1f}",
                "our cost over its cost": f"{float(str(mine['cost'])) / peer.cost - 1:+.2%}"
                if peer.found
                else "none found",
                "our gap proven": mine["gap proven"],
            }
        )
        print(small[-1], flush=True)
    if small:
        write_table("decisions_network_one_model", "The same beside one HiGHS model of the whole problem", small)


if __name__ == "__main__":
    main()
