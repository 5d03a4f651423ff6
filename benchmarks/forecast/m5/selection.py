"""Choose among forecasters on M5 by backtest, and print the table; `benchmarks.forecast.m5.run` times it.

python -m benchmarks.forecast.m5.selection boosting,seasonal_naive [--last-day 1913] [--workers 2]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.forecast.m5.one import read_truth
from benchmarks.forecast.m5.slices import add_arguments
from engine.execution import Run, processes
from models.best_of import BestOf
from models.registry import create


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the backtest alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", help="such as boosting,seasonal_naive")
    parser.add_argument("--out", type=Path, help="file to write to, else standard output")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    panel = read_truth(options).panel
    started = time.perf_counter()
    with processes(options.workers) as executor:
        run = Run(executor)
        candidates = [create(name, run=run) for name in options.models.split(",")]
        table = BestOf(candidates, run=run).race(panel)
    said = f"{time.perf_counter() - started:.1f} s\n{table.round(4).to_string(index=False)}"
    if options.out is None:
        print(said)
    else:
        options.out.write_text(said, encoding="utf-8")


if __name__ == "__main__":
    main()
