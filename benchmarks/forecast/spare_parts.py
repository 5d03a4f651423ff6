"""Forecasters for intermittent demand on real spare parts, beside peers.

    .venv/bin/python -m benchmarks.forecast.spare_parts [man] [carparts] [--develop] [--parts N]

Writes benchmarks/results/spare_parts.md. ``--develop`` scores the buckets before those that the table is about, on
which the models were developed, and writes spare_parts_develop.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from benchmarks.forecast.spare_parts_data import SpareParts, carparts, man
from benchmarks.forecast.spare_parts_peers import peers
from benchmarks.forecast.spare_parts_scores import Forecast, score, summary
from benchmarks.measure import write_table
from engine.demand.panel import DemandPanel
from engine.forecast.params import ForecastParams
from engine.forecast.sampling import series_blocks
from engine.forecast.streams import Streams
from engine.forecast.types import Fitted
from models.best_of import BestOf
from models.registry import create

SETS: Mapping[str, Callable[[], SpareParts]] = {"man": man, "carparts": carparts}
OWN = ("seasonal_naive", "moving_average", "croston_sba", "tsb", "counts")
CANDIDATES = ("moving_average", "croston_sba", "tsb", "counts")
N_PATHS = 1000
BLOCK = 512
"""Parts sampled at once."""

NOTES = (
    "MAN: 3,451 parts, six cutoffs in the last 26 of 150 weeks, demand by week and summed over the lead time (7 or",
    "16 weeks) plus a week. carparts: 2,509 parts, four cutoffs in the last 6 of 51 months, summed over three months.",
    "The models were developed on the buckets before (`--develop`) and scored on these once. restock's forecasters are",
    "fitted before the first cutoff and frozen; peers are refitted at every one.",
    "",
    "- RMSSE: of the mean by bucket, over the interval, scaled by the squared changes since the first sale; mean over",
    "  parts and cutoffs. Each root is taken over few, mostly empty buckets, which favours forecasts that are too low,",
    "  as the first row shows. *Pooled*, the root of the mean over all parts and cutoffs, is least for the true mean.",
    "- pinball: of the summed demand at these quantiles, over the mean absolute change times the buckets, times 100.",
    "- value: the same loss in money (units for carparts), in per cent of the demand.",
    "- in 50% to 99%: summed demands within the central intervals, by randomised PIT, per cent.",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Score every forecaster on the named sets, both by default, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("sets", nargs="*", metavar="set", help=", ".join(SETS))
    parser.add_argument("--develop", action="store_true")
    parser.add_argument("--parts", type=int, default=0)
    options = parser.parse_args(arguments)
    rows: list[dict[str, object]] = []
    for name in options.sets or SETS:
        parts = SETS[name]()
        parts = parts.development() if options.develop else parts
        if options.parts:
            n = parts.panel.n_series
            chosen = np.random.default_rng(0).permutation(n)[: options.parts]
            parts = parts.take(np.sort(chosen))
        rows += scored(parts)
    table = "spare_parts_develop" if options.develop else "spare_parts"
    write_table(table, "Spare parts: intermittent demand over a lead time", rows, NOTES)


def scored(parts: SpareParts) -> list[dict[str, object]]:
    """Return one row a forecaster."""
    panel, length = parts.panel, parts.panel.interval[:, 1].astype(np.int64)
    units = panel.units.astype(np.float64)
    horizon = int(length.max())
    fits = dict(_fits(panel.cut(max(parts.backs))))
    found: dict[str, list[object]] = {}
    for back in parts.backs:
        first = panel.calendar.n_history - back
        past, actual = units[:, :first], units[:, first : first + horizon]
        forecasts = [*peers(past, length, horizon, N_PATHS)]
        forecasts += [(name, _sampled(fitted, panel.cut(back), length)) for name, fitted in fits.items()]
        for name, forecast in forecasts:
            found.setdefault(name, []).append(score(forecast, past, actual, length))
    return [
        {"data": parts.name, "forecaster": name, **{key: f"{x:.4g}" for key, x in summary(rows, parts.value).items()}}
        for name, rows in found.items()
    ]


def _fits(panel: DemandPanel) -> Iterator[tuple[str, Fitted]]:
    """Yield the name and the fit of every forecaster of restock."""
    for name in OWN:
        yield name, create(name).fit(panel)
    chosen = BestOf([create(name) for name in CANDIDATES], ForecastParams(models=CANDIDATES))
    yield "best_of " + ", ".join(CANDIDATES), chosen.fit(panel)


def _sampled(fitted: Fitted, past: DemandPanel, length: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Forecast:
    """Return the means and sums of a fit's paths."""
    horizon = int(length.max())
    mean, sums = np.empty((past.n_series, horizon)), np.empty((past.n_series, N_PATHS))
    for rows in series_blocks(past, BLOCK):
        units = fitted.sample(past.take(rows), horizon, N_PATHS, Streams(1)).units
        mean[rows] = units.mean(axis=1, dtype=np.float64)
        inside = np.arange(horizon) < length[rows, None]
        sums[rows] = (units * inside[:, None]).sum(axis=2, dtype=np.float64)
    return Forecast(mean, sums)


if __name__ == "__main__":
    main()
