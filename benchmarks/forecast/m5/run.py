"""M5 end to end: fit restock's forecasters, sample every series, score 12 levels beside the peers that were run.

    python -m benchmarks.forecast.m5.run [--last-day 1913] [--models boosting,seasonal_naive] [--workers 2]
        [--stores all] [--timed mlforecast] [--select boosting,seasonal_naive]

``--timed`` runs peers again, to time them in the same run. ``--select`` also times the choice among forecasters by
backtest. Other peers are shown if `benchmarks.forecast.m5.peers` was run on the same data. Needs RESTOCK_DATA.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np

from benchmarks.forecast.m5.blocks import N_PATHS, Truth
from benchmarks.forecast.m5.one import read_truth
from benchmarks.forecast.m5.panels import FIRST_DAY, HORIZON, LAST_TRAINING_DAY
from benchmarks.forecast.m5.peers import CACHE, PEERS, PeerForecast, kept_at
from benchmarks.forecast.m5.report import Report, calibration_rows, level_rows, markdown, summary_rows
from benchmarks.forecast.m5.score import DECILES, bias, pinball_sums, scaled_pinball, wql, wrmsse
from benchmarks.forecast.m5.slices import add_arguments, as_arguments
from benchmarks.measure import Measured, measure, write_table

PACKAGE = "benchmarks.forecast.m5"


def measured(module: str, names: Sequence[str], options: argparse.Namespace) -> Measured:
    """Run a module of this package in a process of its own and measure it."""
    return measure([sys.executable, "-m", f"{PACKAGE}.{module}", *names, *as_arguments(options)])


def peer_report(name: str, found: PeerForecast, truth: Truth) -> Report:
    """Score what a peer forecast."""
    hierarchy = truth.hierarchy
    report = Report(name=f"{name} (peer)", seconds={"peer": found.seconds})
    if found.mean is not None:
        levels = wrmsse(hierarchy, found.mean, truth.actual)
        report = replace(report, wrmsse=levels, bias=bias(found.mean, truth.actual))
    if found.quantiles is not None:
        loss = scaled_pinball(hierarchy.sums(truth.actual), found.quantiles, truth.scale)
        report = replace(report, wspl=hierarchy.by_level(loss))
    if found.deciles is not None:
        chosen = truth.actual[truth.sampled]
        loss = pinball_sums(chosen, found.deciles, DECILES).sum(axis=0)
        report = replace(report, wql=wql(loss, float(chosen.sum(dtype=np.float64))))
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all of it and write benchmarks/results/forecast_m5.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--models", type=comma_list, default="boosting,seasonal_naive")
    parser.add_argument("--timed", type=comma_list, default="", help="peers to run again")
    parser.add_argument("--select", type=comma_list, default="", help="forecasters to choose among")
    parser.add_argument("--cache", type=Path, default=CACHE)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    reports, notes = [], []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        for name in options.models:
            spent = measured("one", [name, "--out", str(out)], options)
            reports.append(replace(Report.of_text(out.read_text(encoding="utf-8")), peak_gb=spent.peak_gb))
        if options.select:
            spent = measured("selection", [",".join(options.select), "--out", str(out)], options)
            told = ["```", out.read_text(encoding="utf-8"), "```"]
            notes += [f"Choice by backtest, peak {spent.peak_gb:.2f} GB:", "", *told, ""]
    again = ["--fresh", "--cache", str(options.cache)]
    peaks = {name: measured("peers", [name, *again], options).peak_gb for name in options.timed}
    truth = read_truth(options)
    for name in PEERS:
        try:
            path = kept_at(name, truth.panel, options.cache)
        except PackageNotFoundError as missing:
            notes.append(
                f"{name} is not shown: {missing.name} is not installed (pip install -c constraints.txt -e .[bench])."
            )
            continue
        if path.exists():
            found = peer_report(name, PeerForecast.load(path), truth)
            reports.append(replace(found, peak_gb=peaks.get(name, float("nan"))))
            if name in peaks and options.models:
                share = sum(reports[0].seconds[stage] for stage in ("fit", "paths")) / found.seconds["peer"]
                notes.append(f"Fit and paths of {reports[0].name} take {share:.2f} of the time of {name}.")
    write_report(reports, truth, options, notes)


def comma_list(text: str) -> list[str]:
    """Return the names of a comma list."""
    return [name for name in text.split(",") if name]


def write_report(reports: Sequence[Report], truth: Truth, options: argparse.Namespace, notes: Sequence[str]) -> None:
    """Write the tables; a run that is not the whole benchmark goes to a file of its own."""
    part = [options.stores] if options.stores != "all" else []
    part += [f"{options.n_series}_series"] if options.n_series is not None else []
    part += [f"d{options.last_day}"] if options.last_day != LAST_TRAINING_DAY else []
    first, last = options.last_day + 1, options.last_day + HORIZON
    about = [
        f"{truth.panel.n_series} series, d{FIRST_DAY} to d{options.last_day}, scored on d{first} to d{last}; {N_PATHS} "
        f"paths, {options.workers} workers. WRMSSE of the mean of the paths; WSPL over nine quantiles, of sums path by "
        f"path; WQL over nine deciles of the {int(truth.sampled.sum())} series of the fixed sample that are here.",
        "Peers forecast each group on its own for WSPL, and WRMSSE is bottom-up. AutoARIMA, Prophet and "
        "`auto_ets_sample` are run on the sample alone. The time of a peer that was not run again is that of its own "
        "run.",
    ]
    if options.last_day != LAST_TRAINING_DAY:
        about.append(f"WRMSSE scales and all weights are those of d{LAST_TRAINING_DAY}, an approximation here.")
    if len(truth.hierarchy.present) < 12:
        about.append("Levels with a group that is not complete here are left out or hold the complete groups alone.")
    told = [f"{one.name}: {note}" for one in reports for note in one.notes]
    lines = [*about, *notes, *told, "", *markdown("Time, memory, sample", summary_rows(reports))]
    calibration = calibration_rows(reports)
    if calibration:
        title = "Calibration: sums over the first days in central intervals, randomised PIT, per cent"
        lines += markdown(title, calibration)
    write_table("_".join(["forecast_m5", *part]), "M5, scores by level", level_rows(reports), lines)


if __name__ == "__main__":
    main()
