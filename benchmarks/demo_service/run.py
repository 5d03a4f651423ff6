"""Is what plans promise reached? Weekly re-planning of the demo world for a year, mean of several seeds.

    .venv/bin/python -m benchmarks.demo_service.run [--seeds 5] [--weeks 52] [--config configs/demo.toml]
        [--objective cost]

Compares service, and for the cells that plans project, cost and stock before the next delivery. Writes
benchmarks/results/demo_service.md (with the objective in its name, if asked for) and the rows per seed and class beside
it (CSV).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import get_args

import pandas as pd

from benchmarks.demo_service.replay import Review, replay, service_rows
from benchmarks.measure import RESULTS, write_table
from engine.execution import Run, processes
from engine.policy.params import Objective
from experiments.demo_world import DEFAULT_AS_OF
from experiments.forecasters import build_forecaster
from experiments.settings import Settings, read_settings

OBJECTIVES = get_args(Objective)
ASKED = (
    "cycle service within ±1 point of the promise and at least the target; under least cost, realised cost within 3 % "
    "of the expected; under days of cover, days within 5 %"
)


@dataclass(frozen=True)
class Measure:
    """What is compared: its title, its column and that of the number of its cycles; shares are told in per cent."""

    title: str
    column: str
    cycles: str
    is_share: bool

    @property
    def scale(self) -> float:
        return 100.0 if self.is_share else 1.0


MEASURES = (
    Measure("cycle service, %", "cycle_service", "n_cycles", is_share=True),
    Measure("fill rate, %", "fill_rate", "n_cycles", is_share=True),
    Measure("holding and shortage cost, money", "cost", "n_projected", is_share=False),
    Measure("stock before the next delivery, days of demand", "days", "n_projected", is_share=False),
)
AIMED_AT = {"cycle_service": "cycle_service", "fill_rate": "fill_rate", "days_of_cover": "days"}
"""Column that each objective aims at; least cost aims at none."""


@dataclass(frozen=True)
class SeedResult:
    """Rows of `service_rows` for one seed, and how many cycles ended after its replay."""

    rows: pd.DataFrame
    n_open: int


def replay_seed(seed: int, settings: Settings, asked: argparse.Namespace) -> SeedResult:
    """Replay one seed in this process: seeds, not the chunks of a plan, are spread over the cores."""
    run = Run()
    review = Review(asked.weeks, asked.refit_weeks, settings, lambda: build_forecaster(settings, run), run)
    replayed = replay(seed, asked.as_of, review, lambda text: print(text, file=sys.stderr, flush=True))
    return SeedResult(service_rows(seed, replayed), replayed.n_open)


def main(arguments: list[str]) -> None:
    """Replay the asked-for seeds and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--refit-weeks", type=int, default=13)
    parser.add_argument("--as-of", default=DEFAULT_AS_OF, help="the first Monday")
    parser.add_argument("--config", type=Path, default=Path("configs/demo.toml"))
    parser.add_argument("--objective", choices=OBJECTIVES, help="in place of that of the settings")
    asked = parser.parse_args(arguments)
    settings = read_settings(asked.config)
    name = "demo_service"
    if asked.objective:
        settings = replace(settings, targets=replace(settings.targets, objective=asked.objective))
        name = f"{name}_{asked.objective}"
    one = partial(replay_seed, settings=settings, asked=asked)
    replayed: list[SeedResult] = []
    with processes(settings.run.n_workers) as executor:
        for result in executor.map(one, range(asked.seeds)):
            replayed.append(result)
            write_tables(name, replayed, asked, settings.targets.objective)


def write_tables(name: str, replayed: list[SeedResult], asked: argparse.Namespace, objective: Objective) -> None:
    """Write the table of the seeds replayed so far, and their rows."""
    n_open = sum(part.n_open for part in replayed)
    per_seed = pd.concat([part.rows for part in replayed], ignore_index=True)
    RESULTS.mkdir(exist_ok=True)
    per_seed.to_csv(RESULTS / f"{name}.csv", index=False)
    notes = [
        f"{asked.weeks} weekly plans from {asked.as_of}, models refitted every {asked.refit_weeks} weeks, "
        f"mean of {len(replayed)} seeds; warehouses that sell; points are per cent.",
        f"{n_open} cycles that end after the replay are left out. Cost and days: of the cells that plans project. "
        f"Asked: {ASKED}.",
    ]
    rows = table_rows(per_seed, AIMED_AT.get(objective))
    write_table(name, f"Demo world: promised and reached, {objective}", rows, notes)


def table_rows(per_seed: pd.DataFrame, aimed_at: str | None) -> list[dict[str, object]]:
    """Return one row a measure and class, means over seeds; the target stands in rows of the column ``aimed_at``."""
    means = per_seed.groupby("abc").mean(numeric_only=True)
    mean = {str(abc): row.to_dict() for abc, row in means.iterrows()}
    rows: list[dict[str, object]] = []
    for measure in MEASURES:
        for abc in [label for label in ("A", "B", "C", "all") if label in mean and mean[label][measure.cycles] > 0]:
            reached, expected, target = (
                measure.scale * mean[abc][name] for name in (measure.column, f"expected_{measure.column}", "target")
            )
            points, share = f"{reached - expected:+.2f} points", f"{100 * (reached / expected - 1):+.1f} %"
            is_aim = measure.column == aimed_at
            rows.append(
                {
                    "measure": measure.title,
                    "class": abc,
                    "reached": f"{reached:.2f}",
                    "plan's own promise": f"{expected:.2f}",
                    "difference": points if measure.is_share else share,
                    "target": f"{target:.1f}" if is_aim else "",
                    "reached - target": f"{reached - target:+.2f}" if is_aim else "",
                    "cycles": int(mean[abc][measure.cycles]),
                }
            )
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
