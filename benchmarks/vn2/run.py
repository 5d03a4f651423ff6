"""The VN2 inventory game over past windows: cost of restock's orders against the organiser's policy.

    .venv/bin/python -m benchmarks.vn2.run [--windows 8] [--skip 0] [--config F] [--weeks-held W]

Windows of eight weeks end with the history and do not overlap; ``--skip N`` leaves the last N of them out, which gives
the windows on which settings may be chosen. Reads the folder RESTOCK_DATA (default ../shared/data); writes
benchmarks/results/vn2_game.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import write_table
from benchmarks.vn2.game import N_ORDERS, N_WEEKS, Cost, History, Policy, history_of, play, window_cost, window_starts
from benchmarks.vn2.organiser import opening, organiser
from benchmarks.vn2.ours import WEEKS_HELD, restock_policy, with_weeks_held
from benchmarks.vn2.peers import foresight, normal_buffer
from engine.execution import Run, processes
from experiments.forecasters import build_forecaster
from experiments.importers.registry import import_tables
from experiments.settings import Settings, read_settings

ASKED = "Asked: mean of the ratios ≤ 0.90 (0.87), better in at least seven of eight."


def play_window(history: History, first: int, policies: Mapping[str, Policy]) -> dict[str, Cost]:
    """Return what each policy costs in a window; all open with the same stock."""
    stock = opening(history, first)
    return {
        name: window_cost(history, first, play(history, first, stock, policy, N_WEEKS, N_ORDERS))
        for name, policy in policies.items()
    }


def main(arguments: list[str]) -> None:
    """Play the windows asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--skip", type=int, default=0, help="latest windows that are left out")
    parser.add_argument("--config", type=Path, default=Path("configs/vn2.toml"))
    parser.add_argument("--weeks-held", type=float, default=WEEKS_HELD, help="weeks that the plan charges a unit left")
    parser.add_argument("--name", default="vn2_game", help="name of the table")
    asked = parser.parse_args(arguments)
    settings = read_settings(asked.config)
    imported = import_tables("vn2", Path(os.environ.get("RESTOCK_DATA", "../shared/data")) / "vn2")
    history = history_of(imported)
    given = with_weeks_held(imported, asked.weeks_held)
    costs: dict[str, dict[str, Cost]] = {}
    with processes(settings.run.n_workers) as executor:
        run = Run(executor=executor)
        for first in window_starts(len(history.weeks), asked.windows, asked.skip):
            policies = {
                "organiser": organiser,
                "restock": restock_policy(given, settings, lambda: build_forecaster(settings, run), run),
                "textbook": normal_buffer,
                "foresight": foresight(history),
            }
            monday = str(history.weeks[first])
            costs[monday] = play_window(history, first, policies)
            print(monday, _row(monday, costs[monday]), file=sys.stderr, flush=True)
    write_table(
        asked.name, "VN2 game: cost of windows of eight weeks", table_rows(costs), notes(costs, settings, asked)
    )


def table_rows(costs: Mapping[str, Mapping[str, Cost]]) -> list[dict[str, object]]:
    """Return one row a window, and their means."""
    rows = [_row(monday, of_policy) for monday, of_policy in costs.items()]
    means = pd.DataFrame(rows).drop(columns="window").astype(float).mean()
    mean = {name: f"{means[name]:.3f}" if "/" in name else f"{means[name]:.0f}" for name in list(rows[0])[1:]}
    return [*rows, {"window": "mean", **mean}]


def notes(costs: Mapping[str, Mapping[str, Cost]], settings: Settings, asked: argparse.Namespace) -> list[str]:
    """Return what stands below the table."""
    ratios = np.array([of_policy["restock"].total / of_policy["organiser"].total for of_policy in costs.values()])
    models = ", ".join(settings.forecast.models)
    return [
        f"restock / organiser: mean of the window ratios {ratios.mean():.3f}, "
        f"better in {int((ratios < 1).sum())} of {len(ratios)}. {ASKED}",
        "",
        f"Each window opens after six weeks under the organiser's policy. Candidates: {models}; chosen and fitted at a "
        f"window's first order, frozen for its other five; a unit left is charged for {asked.weeks_held} weeks in the "
        "plan (for one in the game). textbook: order up to the 13-week mean and a normal buffer. foresight: orders "
        "that know the demand. h: 0.2 per unit left at a week's end; s: 1.0 per unit short.",
    ]


def _row(monday: str, of_policy: Mapping[str, Cost]) -> dict[str, object]:
    organised = of_policy["organiser"]
    row: dict[str, object] = {"window": monday}
    for name in ("organiser", "restock"):
        cost = of_policy[name]
        row |= {name: f"{cost.total:.0f}", f"{name} h": f"{cost.holding:.0f}", f"{name} s": f"{cost.shortage:.0f}"}
    row |= {name: f"{of_policy[name].total:.0f}" for name in ("textbook", "foresight")}
    for name in ("restock", "textbook"):
        row[f"{name} / organiser"] = f"{of_policy[name].total / organised.total:.3f}"
    return row


if __name__ == "__main__":
    main(sys.argv[1:])
