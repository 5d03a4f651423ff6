"""The same data and settings give the same plan, bit for bit: twice, in one process or two, rows shuffled.

    .venv/bin/python -m benchmarks.plan.same_bits [--items 60]

Default models on a slice of VN2; compares the Parquet tables of four runs. Writes benchmarks/results/same_bits.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.measure import measure, write_table
from engine.plan.types import PLAN_TABLES
from experiments.importers.registry import run_import

VARIANTS = {"one process": (1, False), "again": (1, False), "two processes": (2, False), "rows shuffled": (2, True)}


def main(arguments: list[str]) -> None:
    """Plan the slice in every variant and compare each with the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=60)
    n_items = parser.parse_args(arguments).items
    data = Path(os.environ.get("RESTOCK_DATA", "../shared/data")) / "vn2"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run_import("vn2", data, work / "all")
        plans = {}
        for number, (name, (workers, shuffled)) in enumerate(VARIANTS.items()):
            tables = _slice(work / "all", work / f"tables{number}", n_items, shuffled)
            plans[name] = _plan(work / str(number), tables, workers)
        first = plans["one process"]
        rows = [{"run": name, "tables that differ": _differing(first, out)} for name, out in plans.items()]
        write_table("same_bits", f"One plan, {len(VARIANTS)} ways: VN2, {n_items} items, default models", rows)
    if any(row["tables that differ"] != "none" for row in rows):
        raise SystemExit(1)


def _slice(source: Path, target: Path, n_items: int, shuffled: bool) -> Path:
    target.mkdir()
    kept = sorted(pd.read_parquet(source / "sales.parquet", columns=["item_id"])["item_id"].unique())[:n_items]
    for path in source.glob("*.parquet"):
        table = pd.read_parquet(path)
        if "item_id" in table:
            table = table[table["item_id"].isin([*kept, "*"])]
        if shuffled:
            table = table.sample(frac=1, random_state=7)
        table.to_csv(target / f"{path.stem}.csv", index=False)
    return target


def _plan(work: Path, tables: Path, workers: int) -> Path:
    work.mkdir()
    config = Path("configs/vn2.toml").read_text(encoding="utf-8") + f"\n[run]\nworkers = {workers}\n"
    (work / "run.toml").write_text(config, encoding="utf-8")
    restock = str(Path(sys.executable).with_name("restock"))
    options = ["--config", str(work / "run.toml"), "--out", str(work / "plan"), "--no-track"]
    measure([restock, "plan", str(tables), *options], {**os.environ, "RESTOCK_HOME": str(work / "home")})
    return work / "plan"


def _differing(first: Path, other: Path) -> str:
    names = [*PLAN_TABLES, "backtest"]
    differ = [n for n in names if (first / f"{n}.parquet").read_bytes() != (other / f"{n}.parquet").read_bytes()]
    return ", ".join(differ) or "none"


if __name__ == "__main__":
    main(sys.argv[1:])
