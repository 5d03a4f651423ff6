"""Reads and checks ten million sales rows: seconds, and the peak of the summed memory (PSS) of the process tree.

    python -m benchmarks.tables.read_and_check [--rows N]

The rows are those of a made-up shop: items at locations by day, with price and share of the day on sale, in an
order without meaning. As a yardstick, pandas reads the same file with its own parser and checks nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from benchmarks.measure import measure, write_table

N_LOCATIONS, N_DAYS = 5, 1_000

LOAD = """
import sys, pathlib
from experiments.exchange.load import load
loaded = load(sys.argv[1], pathlib.Path(sys.argv[2]))
print(len(loaded.tables["sales"]), loaded.snapshot_id)
"""
PANDAS = """
import sys, pathlib, pandas
file = pathlib.Path(sys.argv[1], "sales.csv")
text = {"item_id": str, "location_id": str}
frame = pandas.read_csv(file, dtype=text, parse_dates=["date"])
print(len(frame), frame.duplicated(["item_id", "location_id", "date"]).sum())
"""


def sales(n_rows: int) -> pa.Table:
    """Return ``n_rows`` made-up sales rows in random order, one for each item, location and day."""
    generator = np.random.default_rng(0)
    cell = generator.permutation(n_rows)
    day = np.datetime64("2022-01-03") + cell % N_DAYS
    place, item = cell // N_DAYS % N_LOCATIONS, cell // (N_DAYS * N_LOCATIONS)
    return pa.table(
        {
            "item_id": pa.array([f"{number:06d}" for number in range(item.max() + 1)]).take(pa.array(item)),
            "location_id": pa.array([f"W{number}" for number in range(N_LOCATIONS)]).take(pa.array(place)),
            "date": pa.array(day.astype("datetime64[D]")),
            "units": pa.array(generator.poisson(3, n_rows)),
            "price": pa.array(np.round(generator.lognormal(2, 0.7, n_rows), 2)),
            "in_stock": pa.array(np.where(generator.random(n_rows) < 0.05, 0.5, 1.0)),
        }
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    n_rows = parser.parse_args(arguments).rows
    with tempfile.TemporaryDirectory() as name:
        csv, parquet, home = (Path(name, part) for part in ("csv", "parquet", "home"))
        table = sales(n_rows)
        for folder in (csv, parquet):
            folder.mkdir()
            supply = "item_id,source_id,location_id,lead_time_days\n*,maker,*,14\n"
            folder.joinpath("supply.csv").write_text(supply, encoding="utf-8")
        pc.write_csv(table, csv / "sales.csv")
        pq.write_table(table, parquet / "sales.parquet")
        size = csv.joinpath("sales.csv").stat().st_size / 1e6
        cases = {
            f"restock: CSV ({size:,.0f} MB)": (LOAD, csv),
            "restock: Parquet": (LOAD, parquet),
            "pandas: CSV, repeats counted": (PANDAS, csv),
        }
        rows = []
        for case, (code, folder) in cases.items():
            found = measure([sys.executable, "-c", code, str(folder), str(home)])
            rows.append(
                {
                    "case": case,
                    "rows": f"{n_rows:,}",
                    "seconds": f"{found.seconds:.0f}",
                    "peak GB": f"{found.peak_gb:.2f}",
                }
            )
    notes = ("restock reads, checks every rule, sorts by key and writes the snapshot. Asked: 60 s and 4 GB.",)
    write_table("tables", "Reading and checking sales", rows, notes)


if __name__ == "__main__":
    main(sys.argv[1:])
