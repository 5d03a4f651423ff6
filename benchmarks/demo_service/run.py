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
MEASURES = (("cycle service", "cycle_service"), ("fill rate", "fill_rate"))
ASKED = (
    "cycle service within ±1 point of the promise and at least the target; under least cost, realised cost within 3 % "
    "of the expected; under days of cover, days within 5 %"
)
STOCK = (("holding and shortage cost", "cost", "money"), ("stock before the next delivery", "days", "days of demand"))


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
    with processes(settings.run.n_workers) as executor:
        replayed = list(executor.map(one, range(asked.seeds)))
    n_open = sum(part.n_open for part in replayed)
    per_seed = pd.concat([part.rows for part in replayed], ignore_index=True)
    RESULTS.mkdir(exist_ok=True)
    per_seed.to_csv(RESULTS / f"{name}.csv", index=False)
    notes = [
        f"{asked.weeks} weekly plans from {asked.as_of}, models refitted every {asked.refit_weeks} weeks, "
        f"mean of {asked.seeds} seeds; warehouses that sell; points are per cent.",
        f"{n_open} cycles that end after the replay are left out. Cost and days: of the cells that plans project. "
        f"Asked: {ASKED}.",
    ]
    objective = settings.targets.objective
    aimed_at = {"cycle_service": "cycle_service", "fill_rate": "fill_rate", "days_of_cover": "days"}.get(objective)
    rows = [*table_rows(per_seed, aimed_at), *stock_table_rows(per_seed, aimed_at)]
    write_table(name, f"Demo world: promised and reached, {objective}", rows, notes)


def table_rows(per_seed: pd.DataFrame, aimed_at: str | None) -> list[dict[str, object]]:
    """Return one row a class and measure, means over seeds; the target stands in rows of the column ``aimed_at``."""
    means = per_seed.groupby("abc").mean(numeric_only=True)
    mean = {str(abc): row.to_dict() for abc, row in means.iterrows()}
    rows: list[dict[str, object]] = []
    for name, column in MEASURES:
        for abc in [label for label in ("A", "B", "C", "all") if label in mean]:
            reached, expected = 100.0 * mean[abc][column], 100.0 * mean[abc][f"expected_{column}"]
            target = 100.0 * mean[abc]["target"] if column == aimed_at else float("nan")
            rows.append(
                {
                    "measure": f"{name}, %",
                    "class": abc,
                    "reached": f"{reached:.2f}",
                    "plan's own promise": f"{expected:.2f}",
                    "difference": f"{reached - expected:+.2f} points",
                    "target": "" if target != target else f"{target:.1f}",
                    "reached - target": "" if target != target else f"{reached - target:+.2f}",
                    "cycles": int(mean[abc]["n_cycles"]),
                }
            )
    return rows


def stock_table_rows(per_seed: pd.DataFrame, aimed_at: str | None) -> list[dict[str, object]]:
    """Return one row a class for cost and for days of cover, means over seeds; ``aimed_at`` as in `table_rows`."""
    means = per_seed.groupby("abc").mean(numeric_only=True)
    mean = {str(abc): row.to_dict() for abc, row in means.iterrows() if row["n_projected"] > 0}
    rows: list[dict[str, object]] = []
    for name, column, unit in STOCK:
        for abc in [label for label in ("A", "B", "C", "all") if label in mean]:
            reached, expected = mean[abc][column], mean[abc][f"expected_{column}"]
            target = mean[abc]["target"] if column == aimed_at else float("nan")
            rows.append(
                {
                    "measure": f"{name}, {unit}",
                    "class": abc,
                    "reached": f"{reached:.2f}",
                    "plan's own promise": f"{expected:.2f}",
                    "difference": f"{100 * (reached / expected - 1):+.1f} %",
                    "target": "" if target != target else f"{target:.1f}",
                    "reached - target": "" if target != target else f"{reached - target:+.2f}",
                    "cycles": int(mean[abc]["n_projected"]),
                }
            )
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
