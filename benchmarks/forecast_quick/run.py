"""Fit, backtest and sample the default forecasters on public data; score what they had not seen.

    python -m benchmarks.forecast_quick.run vn2|m5|synthetic [--models a,b] [--workers 2] [--hold-out 2]

The last ``hold-out`` protection intervals are cut off, `BestOf` chooses and fits on what is left, stays frozen, and is
scored on demand summed over each interval, next to the baseline. RESTOCK_DATA names the folder of data sets.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.forecast_quick.panels import m5_panel, synthetic_panel, vn2_panel
from engine.demand.panel import DemandPanel
from engine.execution import Run, processes
from engine.forecast.backtest import (
    IntervalScores,
    actuals_after,
    bias,
    coverage,
    score_intervals,
    wape,
)
from engine.forecast.params import ForecastParams
from engine.forecast.streams import Streams
from engine.forecast.types import Fitted
from models.best_of import QUANTILES, BestOf
from models.registry import create

PANELS: Mapping[str, Callable[[], DemandPanel]] = {"vn2": vn2_panel, "m5": m5_panel, "synthetic": synthetic_panel}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print time, memory, the backtest and the scores on the hold-out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("panel", choices=PANELS)
    parser.add_argument("--models", default=",".join(ForecastParams().models))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--hold-out", type=int, default=2)
    options = parser.parse_args(arguments)
    panel = PANELS[options.panel]()
    horizon = int(panel.interval[:, 1].max())
    step = -(-horizon // 7) * 7 if panel.calendar.bucket == "D" else horizon
    backs = [step * (i + 1) for i in range(options.hold_out)] or [0]
    started = time.perf_counter()
    with processes(options.workers) as executor:
        run = Run(executor, progress=lambda stage, done, total: _told(started, stage, done, total))
        params = ForecastParams()
        candidates = [create(name, None, params, run) for name in options.models.split(",")]
        fitted = BestOf(candidates, params, run).fit(panel.cut(max(backs)))
    fit_seconds = time.perf_counter() - started
    fitted.sample(panel.cut(max(backs)), horizon, params.n_paths, Streams(0))
    total_seconds = time.perf_counter() - started
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_seconds = sum(one.ru_utime + one.ru_stime for one in used)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\n{options.panel}: {panel.n_series} series, {panel.calendar.n_history} buckets, {options.workers} workers")
    print(
        f"fit and backtest {fit_seconds:.1f} s, with sampling {total_seconds:.1f} s, peak {memory:.2f} GB (parent), "
        f"CPU {cpu_seconds:.1f} s"
    )
    print(fitted.backtest.round(4).to_string(index=False))
    for note in fitted.notes:
        print(note.code, str(dict(note.values))[:160])
    if options.hold_out:
        _report("best_of", fitted, panel, backs)
        for name, one in fitted.fitted.items():
            _report(name, one, panel, backs)


def _told(started: float, stage: str, done: int, total: int) -> None:
    print(f"{time.perf_counter() - started:7.1f} s  {stage} {done}/{total}", flush=True)


def _report(name: str, fitted: Fitted, panel: DemandPanel, backs: Sequence[int]) -> None:
    """Print the scores of a frozen fit over all series and hold-out cutoffs."""
    horizon = int(panel.interval[:, 1].max())
    scores = []
    for back in backs:
        paths = fitted.sample(panel.cut(back), horizon, 200, Streams(1))
        scores.append(score_intervals(paths, actuals_after(panel, back, horizon), panel.interval, QUANTILES))
    fields = ("pinball", "actual", "error", "below", "at_most")
    pooled = IntervalScores(*(np.concatenate([getattr(s, f) for s in scores]) for f in fields))
    shares = " ".join(f"{np.nanmean(coverage(pooled, share)):.3f}" for share in (0.5, 0.8, 0.9, 0.95))
    print(
        f"{name:15s} pinball {np.nanmean(pooled.pinball):.4f} wape {wape(pooled):.3f} "
        f"bias {bias(pooled):+.3f} coverage 50/80/90/95 {shares}"
    )


if __name__ == "__main__":
    main()
