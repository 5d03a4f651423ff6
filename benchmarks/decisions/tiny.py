"""Tiny random networks against brute force over all whole decisions.

    python -m benchmarks.decisions.tiny [--networks 300]

The coupled solve: 2 or 3 sites, 1 or 2 items, two arrival dates, lots, trip cost, demand path by path. Shared limits by
prices: 2 or 3 sites, 1 or 2 items, a budget, two suppliers, room, lane volumes, lots, trip cost.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.measure import write_table
from engine.limits.solve import ScarceParams, solve_scarce
from engine.network.coupled import solve_coupled
from engine.network.params import NetworkParams
from tests.engine.limits.tiny import brute_force as least_of_all
from tests.engine.limits.tiny import tiny
from tests.engine.network.test_coupled_solve import brute_force, tiny_network

EQUAL = 1e-6


def coupled(n_networks: int) -> dict[str, object]:
    """Return how often the coupled solve equals brute force."""
    above, feasible, bounded = [], [], []
    for seed in range(n_networks):
        problem, cost = tiny_network(seed)
        found = solve_coupled(problem, cost, np.zeros(problem.n_options), NetworkParams(relative_gap=1e-7))
        best = brute_force(problem, cost)
        above.append(found.report.objective / best - 1)
        feasible.append(problem.is_feasible(found.units))
        bounded.append(found.report.bound <= best + EQUAL)
    return _row("coupled solve (cuts and MIP)", above, feasible, bounded)


def priced(n_networks: int) -> dict[str, object]:
    """Return how close shared limits by prices come to brute force."""
    above, feasible, bounded = [], [], []
    for seed in range(n_networks):
        problem = tiny(seed)
        found = solve_scarce(problem, ScarceParams())
        best = least_of_all(problem)
        above.append(found.cost / best - 1)
        feasible.append(bool((problem.used(found.lots, found.moved) <= problem.bound + EQUAL).all()))
        bounded.append(found.bound <= best + EQUAL)
    return _row("shared limits by prices", above, feasible, bounded)


def _row(name: str, above: list[float], feasible: list[bool], bounded: list[bool]) -> dict[str, object]:
    over = np.maximum(np.array(above), 0.0)
    return {
        "method": name,
        "networks": len(over),
        "feasible": f"{np.mean(feasible):.0%}",
        "bound at most the optimum": f"{np.mean(bounded):.0%}",
        "equal to brute force": f"{np.mean(over <= EQUAL):.0%}",
        "cost above it, mean": f"{over.mean():.3%}",
        "largest": f"{over.max():.2%}",
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--networks", type=int, default=300)
    n_networks = parser.parse_args().networks
    rows = [coupled(n_networks), priced(n_networks)]
    write_table("decisions_tiny", "Tiny networks against brute force", rows)


if __name__ == "__main__":
    main()
