"""The import of the service against that of the libraries it stands on.

    python benchmarks/service/import_time.py

Each import runs in a fresh interpreter, in turn; the median of the ratios must stay under 2.5.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

LIMIT = 2.5
ROUNDS = 7
PEERS = "fastapi, sqlalchemy, numpy, pandas"
_SCRIPT = "import time; start = time.perf_counter(); import {names}; print(time.perf_counter() - start)"


def seconds_to_import(names: str) -> float:
    command = [sys.executable, "-c", _SCRIPT.format(names=names)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    for names in (PEERS, "api.app"):
        seconds_to_import(names)  # once, so that both are in the file cache and compiled
    rounds = [(seconds_to_import(PEERS), seconds_to_import("api.app")) for _ in range(ROUNDS)]
    peers, service = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(service / peers for peers, service in rounds)
    print("| import | seconds, median |\n|---|---|")
    print(f"| {PEERS} | {peers:.2f} |\n| api.app | {service:.2f} |\n| ratio (limit {LIMIT}) | {ratio:.2f} |")
    return 0 if ratio < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
