"""Time and memory of ``restock plan`` on public data, default models: VN2, one M5 store, UCI Online Retail.

    .venv/bin/python -m benchmarks.plan.run [vn2] [m5-store] [uci]

Reads the folder RESTOCK_DATA (default ../shared/data); writes benchmarks/results/plan.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.measure import measure, write_table


@dataclass(frozen=True)
class Case:
    """A data set, how it is imported, and the figure asked for."""

    source: str
    folder: str
    config: str | None
    asked: str


CASES = {
    "vn2": Case("vn2", "vn2", "vn2.toml", "< 90 s"),
    "m5-store": Case("m5:CA_1", "m5", "m5-store.toml", "< 300 s, < 4 GB"),
    "uci": Case("uci-online-retail", "uci_online_retail", "uci.toml", "done, one command"),
}


def run_case(case: Case, work: Path) -> dict[str, object]:
    """Import a data set, plan it in a process of its own, and return the row of the table."""
    data = Path(os.environ.get("RESTOCK_DATA", "../shared/data"))
    restock = str(Path(sys.executable).with_name("restock"))
    env = {**os.environ, "RESTOCK_HOME": str(work / "home"), "MLFLOW_DISABLE_TELEMETRY": "true"}
    imported = measure([restock, "import", case.source, str(data / case.folder), str(work / "tables")], env)
    config = ["--config", f"configs/{case.config}"] if case.config else []
    planned = measure([restock, "plan", str(work / "tables"), *config, "--out", str(work / "plan")], env)
    targets = pd.read_parquet(work / "plan" / "targets.parquet")
    orders = pd.read_parquet(work / "plan" / "orders.parquet")
    whole = bool((orders["units"] % 1 == 0).all())
    return {
        "case": case.source,
        "item-locations": len(targets),
        "orders": len(orders),
        "whole units": whole,
        "import s": f"{imported.seconds:.0f}",
        "plan s": f"{planned.seconds:.0f}",
        "peak PSS GB": f"{planned.peak_gb:.1f}",
        "asked": case.asked,
    }


def main(names: list[str]) -> None:
    """Run the named cases, all by default."""
    rows = []
    for name in names or list(CASES):
        with tempfile.TemporaryDirectory() as work:
            rows.append(run_case(CASES[name], Path(work)))
    write_table("plan", "restock plan on public data, default models", rows)


if __name__ == "__main__":
    main(sys.argv[1:])
