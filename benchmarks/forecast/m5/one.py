"""Fit one forecaster of restock on M5, sample every series, score the paths; print what came of it as JSON.

    python -m benchmarks.forecast.m5.one boosting [--last-day 1913] [--stores all] [--n-series N] [--workers 2]

`benchmarks.forecast.m5.run` starts this in a process of its own, to measure its memory.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.forecast.m5.blocks import SPANS, PathScores, Truth, score_paths
from benchmarks.forecast.m5.hierarchy import read_hierarchy
from benchmarks.forecast.m5.panels import panel_after, read_sales
from benchmarks.forecast.m5.report import Report
from benchmarks.forecast.m5.score import bias, wql, wrmsse
from benchmarks.forecast.m5.slices import (
    VELOCITY_NAMES,
    add_arguments,
    sample_ids,
    sliced,
    velocity_classes,
)
from engine.demand.panel import Floats
from engine.execution import Run, processes
from engine.forecast.backtest import IntervalScores, coverage
from models.registry import create

SHARES = (0.5, 0.8, 0.9)


def read_truth(options: argparse.Namespace) -> Truth:
    """Return what the options of `add_arguments` choose."""
    everything = read_sales()
    sales = sliced(everything, options.stores, options.n_series)
    panel, actual = panel_after(sales, options.last_day)
    sampled = sales.items["id"].isin(sample_ids(everything)).to_numpy()
    return Truth.of(panel, actual, read_hierarchy(sales.items, everything.items), sampled)


def fit_and_score(name: str, truth: Truth, n_workers: int) -> Report:
    """Return times, scores and notes of the forecaster of that name."""
    with processes(n_workers) as executor:
        started = time.perf_counter()
        fitted = create(name, run=Run(executor)).fit(truth.panel)
        fit_seconds = time.perf_counter() - started
        scores = score_paths(fitted, truth, executor)
        rest_seconds = time.perf_counter() - started - fit_seconds
    # Blocks are sampled and scored in one go: the wall time is shared out by what each took of the processes' time.
    sampling = scores.sample_seconds / (scores.sample_seconds + scores.score_seconds)
    hierarchy = truth.hierarchy
    return Report(
        name=name,
        seconds={"fit": fit_seconds, "paths": rest_seconds * sampling, "scoring": rest_seconds * (1 - sampling)},
        wrmsse=wrmsse(hierarchy, scores.mean, truth.actual),
        wspl=hierarchy.by_level(scores.loss),
        wql=wql(scores.decile_loss, scores.units),
        bias=bias(scores.mean, truth.actual),
        calibration=calibration(scores, truth.panel.units, truth.panel.offered),
        notes=[f"{note.code} {dict(note.values)}"[:200] for note in fitted.notes],
    )


def calibration(scores: PathScores, units: Floats, offered: npt.NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return per velocity class and span the share of sums over the span that lie in central intervals."""
    velocity = velocity_classes(units, offered[:, : units.shape[1]])
    rows = []
    for number, name in enumerate(VELOCITY_NAMES):
        for column, span in enumerate(SPANS):
            members = (velocity == number) & np.isfinite(scores.below[:, column])
            if not members.any():
                continue
            below, at_most = scores.below[members, column], scores.at_most[members, column]
            unknown = np.full(len(below), np.nan)
            known = IntervalScores(unknown, unknown, unknown, below, at_most)
            row = {"sold": name, "days": span, "series": len(below)}
            row |= {f"in {share:.0%}": float(coverage(known, share).mean()) for share in SHARES}
            rows.append(row)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one forecaster and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", help="a forecaster of models.registry")
    parser.add_argument("--out", type=Path, help="file to write to, else standard output")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    found = fit_and_score(options.model, read_truth(options), options.workers).text()
    if options.out is None:
        print(found)
    else:
        options.out.write_text(found, encoding="utf-8")


if __name__ == "__main__":
    main()
