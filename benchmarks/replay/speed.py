"""Speed of the simulator over arrays: seconds for many replications of many item-sites, beside stockpyl if installed.

    .venv/bin/python -m benchmarks.replay.speed [--cells 30000] [--days 365] [--replications 20] [--workers 2]

Orders up to a level every week over a lead time of 14 days, lost sales; demand is drawn with replacement from a year of
each item-site's own days within the time measured, and once it is given, to tell what drawing costs. Writes
benchmarks/results/replay_speed.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import numpy as np

from benchmarks.measure import write_table
from engine.execution import processes
from engine.simulation.arrays import LevelCells, LevelRules, total_levels
from engine.simulation.types import F64

LEAD_DAYS, REVIEW_DAYS = 14, 7
CELLS_AT_ONCE = 500
"""Cells of a chunk: with 20 replications its demand takes 30 MB."""

STOCKPYL_DAYS = 2000


@dataclass(frozen=True)
class Size:
    """How much is simulated; ``drawn`` says whether demand is drawn, or the year itself is replayed."""

    days: int
    replications: int
    drawn: bool


def chunk(first: int, size: Size, n_cells: int) -> tuple[float, float]:
    """Simulate the cells from ``first`` on and return their units asked for and short, over all replications."""
    n = min(CELLS_AT_ONCE, n_cells - first)
    generator = np.random.default_rng(first)
    rate = generator.lognormal(0.0, 1.2, n)
    level = np.ceil((LEAD_DAYS + REVIEW_DAYS) * rate + 2.0 * np.sqrt((LEAD_DAYS + REVIEW_DAYS) * rate * 2.0))
    cells = LevelCells(level, level, level, np.zeros(n), np.ones(n), np.full(n, LEAD_DAYS)).stacked(size.replications)
    year: F64 = generator.negative_binomial(rate[:, None] * np.ones(365), 0.5).astype(np.float64)
    if size.drawn:
        day = generator.integers(0, 365, (size.replications * n, size.days), dtype=np.int16)
        demand = year[np.tile(np.arange(n), size.replications)[:, None], day]
    else:
        demand = np.tile(year[:, np.arange(size.days) % 365], (size.replications, 1))
    totals = total_levels(cells, demand, LevelRules(REVIEW_DAYS))
    return float(totals.demand.sum()), float(totals.short.sum())


def simulate_all(n_cells: int, size: Size, workers: int) -> tuple[float, float]:
    """Return the seconds that all cells take, and the fill rate they reach."""
    with processes(workers) as executor:
        one = partial(chunk, size=size, n_cells=n_cells)
        # The workers' start is no part of the simulation.
        list(executor.map(partial(chunk, size=Size(7, 1, size.drawn), n_cells=n_cells), range(workers)))
        start = time.perf_counter()
        found = list(executor.map(one, range(0, n_cells, CELLS_AT_ONCE)))
        seconds = time.perf_counter() - start
    return seconds, 1.0 - sum(short for _, short in found) / sum(demand for demand, _ in found)


def stockpyl_seconds(days: int) -> float | None:
    """Return what stockpyl takes for one item and so many days, None where it is not installed."""
    if find_spec("stockpyl") is None:
        return None
    system = import_module("stockpyl.supply_chain_network").single_stage_system(
        holding_cost=0.1, stockout_cost=1.0, demand_type="P", mean=3, shipment_lead_time=LEAD_DAYS,
        policy_type="BS", base_stock_level=80,
    )  # fmt: skip
    start = time.perf_counter()
    import_module("stockpyl.sim").simulation(system, days, rand_seed=0, progress_bar=False)
    return time.perf_counter() - start


def main(arguments: Sequence[str]) -> None:
    """Time the sizes asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=30_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--replications", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args(arguments)
    cell_days = asked.cells * asked.days * asked.replications
    rows: list[dict[str, object]] = []
    each = []
    for name, drawn in (("demand drawn", True), ("demand given", False)):
        size = Size(asked.days, asked.replications, drawn)
        seconds, fill = simulate_all(asked.cells, size, asked.workers)
        each.append(seconds / cell_days)
        rows.append(
            {
                "what": f"arrays, {name}",
                "item-site-days": f"{cell_days:,}",
                "seconds": f"{seconds:.1f}",
                "ns an item-site-day": f"{1e9 * seconds / cell_days:,.1f}",
                "fill rate": f"{fill:.3f}",
            }
        )
    peer = stockpyl_seconds(STOCKPYL_DAYS)
    size_told = f"{asked.cells:,} item-sites x {asked.days} days x {asked.replications} replications"
    notes = [f"{size_told}, {asked.workers} processes."]
    if peer is None:
        notes.append("stockpyl is not installed: its row is left out.")
    else:
        rows.append(
            {
                "what": "stockpyl, one item, one process",
                "item-site-days": f"{STOCKPYL_DAYS:,}",
                "seconds": f"{peer:.2f}",
                "ns an item-site-day": f"{1e9 * peer / STOCKPYL_DAYS:,.0f}",
                "fill rate": "",
            }
        )
        notes.append(f"{peer / STOCKPYL_DAYS / each[0]:,.0f} times the speed of stockpyl by item and day.")
    notes.append("Asked: at most 60 seconds, and 100 times stockpyl's speed.")
    write_table("replay_speed", "Simulation over arrays: speed", rows, notes)


if __name__ == "__main__":
    main(sys.argv[1:])
