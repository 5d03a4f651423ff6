"""Is the demand summed over several buckets where its forecast says? Coverage by randomised PIT, over many cutoffs.

    .venv/bin/python -m benchmarks.forecast.sums [m5] [vn2] [man] [--develop] [--model NAME] [--workers 2]
        [--stores all] [--n-series N] [--fresh]

Writes benchmarks/results/sums.md. ``--develop`` measures the cutoffs before those that the table is about, and writes
sums_develop.md; ``--model`` takes one forecaster for all sets. What a cutoff scores is kept by the hash of its data and
of the forecasters' code, so a run that was stopped goes on where it was. Needs RESTOCK_DATA.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.forecast.sums_data import SumSet, m5_sums, man_sums, vn2_sums
from benchmarks.forecast.sums_report import rows_of
from benchmarks.forecast.sums_score import N_PATHS, measured
from benchmarks.measure import RESULTS, write_table
from engine.execution import processes

SETS = ("m5", "vn2", "man")

NOTES = (
    "A model is fitted at the first cutoff of a stretch and frozen while the panel walks on: what it learnt stays, its",
    f"residual pool included, and each later cutoff adds the sales since. {N_PATHS} paths. Fits and their cutoffs:",
    "",
)
MEANING = (
    "",
    "- in 50% to 99%: sums in the central interval by randomised PIT (Czado, Gneiting and Held 2009), per cent: mean",
    "  over the cutoffs, and in brackets the least and the most of a cutoff; for store x departments the 95 %",
    "  bootstrap interval of that mean. Cutoffs a week apart share days, so that interval is rather too narrow.",
    "- most off: of the means, in points. held: every mean within 1.5 points for all series, within 3 for a class; for",
    "  store x departments, every nominal share inside its bootstrap interval.",
    "- sold: units per bucket on sale before the cutoff. bias: mean forecast over what came, less 1.",
    "- Buckets out of stock or not on offer are left out of forecast and demand alike.",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the named sets, all by default, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("sets", nargs="*", metavar="set", help=", ".join(SETS))
    parser.add_argument("--develop", action="store_true", help="the cutoffs before those of the table")
    parser.add_argument("--model", default="", help="one forecaster for all sets")
    parser.add_argument("--stores", default="all", help="of M5, such as CA_1,TX_2")
    parser.add_argument("--n-series", type=int, help="of M5, only so many series, evenly spaced")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=RESULTS / "cache")
    parser.add_argument("--fresh", action="store_true", help="measure again what was kept")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.sets) - set(SETS)):
        parser.error(f"set must be among {', '.join(SETS)}. Got {', '.join(unknown)} instead.")
    rows: list[dict[str, object]] = []
    told: list[str] = []
    with processes(options.workers) as executor:
        for name in options.sets or SETS:
            sums = chosen(name, options)
            model = options.model or sums.model
            rows += rows_of(sums, list(measured(sums, model, executor, options.cache, options.fresh)))
            told.append(f"- {sums.name}, {model}: {fits_of(sums)}.")
    part = [name for name, given in (("develop", options.develop), (options.model, options.model)) if given]
    part += [options.stores] if options.stores != "all" else []
    part += [f"{options.n_series}_series"] if options.n_series is not None else []
    write_table("_".join(["sums", *part]), "Coverage of demand summed over a span", rows, [*NOTES, *told, *MEANING])


def chosen(name: str, options: argparse.Namespace) -> SumSet:
    """Return the set of that name."""
    if name == "m5":
        return m5_sums(options.develop, options.stores, options.n_series)
    return {"vn2": vn2_sums, "man": man_sums}[name](options.develop)


def fits_of(sums: SumSet) -> str:
    """Return the fits and their cutoffs in words."""
    spans = []
    for cutoffs in sums.fits:
        first, last = (sums.at(cutoff)[0].calendar.as_of for cutoff in (cutoffs[0], cutoffs[-1]))
        spans.append(f"fitted before {first}, {len(cutoffs)} cutoffs to {last}")
    return "; ".join(spans)


if __name__ == "__main__":
    main()
