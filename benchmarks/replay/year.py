"""A year of weekly decisions for the series of VN2: how long `restock replay` takes, and what the policies reach.

    .venv/bin/python -m benchmarks.replay.year [--weeks 52] [--config configs/vn2.toml]

Models are selected once and fitted again every four weeks. Reads the folder RESTOCK_DATA (default ../shared/data);
writes benchmarks/results/replay_year.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import write_table
from engine.execution import Run
from experiments.exchange.folder import write_tables
from experiments.importers.registry import import_tables
from experiments.replay.run import ReplayRequest, run_replay

MEASURES = ("cost", "place", "fill_rate", "stock_out_share", "stock_units", "order_lines")


def main(arguments: Sequence[str]) -> None:
    """Replay and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--config", type=Path, default=Path("configs/vn2.toml"))
    asked = parser.parse_args(arguments)
    imported = import_tables("vn2", Path(os.environ.get("RESTOCK_DATA", "../shared/data")) / "vn2")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_tables({name: table for name, table in imported.items() if name != "import_report"}, home / "vn2")
        request = ReplayRequest(
            str(home / "vn2"), home, (asked.config,), weeks=asked.weeks, track=False, out=home / "replay"
        )
        start = time.perf_counter()
        result = run_replay(request, Run(progress=_tell))
        seconds = time.perf_counter() - start
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    rows = [
        {"policy": row["policy"], "demand as": row["demand_as"], **{name: f"{row[name]:,.3f}" for name in MEASURES}}
        for row in result.replayed.tables["summary"].to_dict("records")
    ]
    first, last = result.replayed.scored
    notes = [
        f"{asked.weeks} weekly decisions, {first} to {last} counted, every policy under both readings of demand: "
        f"{seconds:.0f} s, {cpu:.0f} s of processor time in all processes.",
        "Asked: at most ten minutes for one policy.",
    ]
    write_table("replay_year", "VN2: a year of weekly decisions", rows, notes)


def _tell(stage: str, done: int, total: int) -> None:
    if stage == "walk":
        print(f"walked {done} of {total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
