"""Do as many demands lie below each quantile as it says? Boosting, demand summed over the protection interval.

    .venv/bin/python -m benchmarks.calibration.run [demo] [vn2] [m5]

Fitted once before the first cutoff and frozen. demo: quarters of the demo world that end before its default date,
three seeds, judged by what truly was asked for. Writes benchmarks/results/calibration.md.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from benchmarks.calibration.cases import Cutoff, public, quarters
from benchmarks.measure import write_table
from engine.forecast.backtest import score_intervals
from engine.forecast.params import ForecastParams
from engine.forecast.streams import Streams
from engine.forecast.types import Fitted
from models.best_of import QUANTILES
from models.boosting import Boosting

SHARES = (0.5, 0.8, 0.9, 0.95, 0.97, 0.99)
N_PATHS = ForecastParams().n_paths


def scores(cutoff: Cutoff, fitted: Fitted) -> pd.DataFrame:
    """Return one row a series: class, demand, error, loss, and the chance that its PIT lies below each share."""
    panel = cutoff.panel
    paths = fitted.sample(panel, cutoff.actuals.seen.shape[1], N_PATHS, Streams(0))
    found = score_intervals(paths, cutoff.actuals, panel.interval, QUANTILES)
    # Randomised PIT (Czado, Gneiting and Held 2009), its mean over the randomisation.
    width = np.maximum(found.at_most - found.below, 1e-12)
    below = {str(share): np.clip((share - found.below) / width, 0, 1) for share in SHARES}
    rows = {"abc": cutoff.abc, "demand": found.actual, "error": found.error, "loss": found.pinball, **below}
    return pd.DataFrame(rows).dropna()


def table(name: str, rows: pd.DataFrame) -> list[dict[str, object]]:
    """Return one row a class."""
    out: list[dict[str, object]] = []
    for label in ("all", "A", "B", "C"):
        part = rows if label == "all" else rows[rows["abc"] == label]
        demand = part["demand"].sum()
        out.append(
            {
                "data": name,
                "class": label,
                "intervals": len(part),
                **{f"below {share:.0%}": f"{100 * part[str(share)].mean():.1f}" for share in SHARES},
                "bias %": f"{100 * part['error'].sum() / demand:+.1f}",
                "pinball % of demand": f"{100 * part['loss'].sum() / demand:.2f}",
            }
        )
    return out


def main(names: list[str]) -> None:
    """Measure the named data sets, all by default, and write the table."""
    rows: list[dict[str, object]] = []
    for name in names or ["demo", "vn2", "m5"]:
        parts = []
        for cutoffs in quarters() if name == "demo" else public(name):
            fitted = Boosting().fit(cutoffs[0].panel)
            parts += [scores(cutoff, fitted) for cutoff in cutoffs]
        rows += table(name, pd.concat(parts, ignore_index=True))
    notes = ["Of calibrated forecasts, as many per cent of the demands lie below a quantile as its name says."]
    write_table("calibration", "Calibration of demand over the protection interval", rows, notes)


if __name__ == "__main__":
    main(sys.argv[1:])
