"""Coverage of sums by cutoff, and the rows of the table that shows its mean and its spread over the cutoffs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.forecast.m5.slices import VELOCITY_NAMES
from benchmarks.forecast.sums_data import SumSet
from benchmarks.forecast.sums_score import Places
from engine.forecast.backtest import IntervalScores, coverage

Doubles = npt.NDArray[np.float64]
Row = dict[str, object]

SHARES = (0.5, 0.8, 0.9, 0.95, 0.99)
WITHIN_ALL, WITHIN_CLASS = 1.5, 3.0
"""Points that the mean over the cutoffs may be off for all series, and for those of one velocity class."""

N_RESAMPLES, CONFIDENCE = 4000, 0.95
MIN_SERIES = 50
"""A class with fewer sums at a cutoff on average says too little."""


def rows_of(sums: SumSet, found: Sequence[Places]) -> Iterator[Row]:
    """Yield a row for all series, for each velocity class and for the groups, at every span."""
    for span, name in enumerate(sums.spans):
        head: Row = {"data": sums.name, "sums over": name}
        places = [(one.below[:, span], one.at_most[:, span]) for one in found]
        yield {**head, "of": "all series", **_cells(places, _range, _within(WITHIN_ALL)), "bias %": _bias(found, span)}
        for number, sold in enumerate(VELOCITY_NAMES):
            part = [one.velocity == number for one in found]
            chosen = [(below[rows], at_most[rows]) for (below, at_most), rows in zip(places, part, strict=True)]
            if np.mean([np.isfinite(below).sum() for below, _ in chosen]) >= MIN_SERIES:
                label = f"sold {sold.removesuffix(' a day')} a {sums.bucket}"
                yield {
                    **head, "of": label, **_cells(chosen, _range, _within(WITHIN_CLASS)),
                    "bias %": _bias(found, span, part),
                }  # fmt: skip
        if len(found[0].group_below):
            groups = [(one.group_below[:, span], one.group_at_most[:, span]) for one in found]
            label = f"{len(found[0].group_below)} store x departments"
            yield {**head, "of": label, **_cells(groups, bootstrap, _between), "bias %": ""}


def by_cutoff(places: Sequence[tuple[Doubles, Doubles]], share: float) -> Doubles:
    """Return per cutoff the per cent of the demands in the central ``share``, from the ends of their PIT."""
    out = []
    for below, at_most in places:
        unknown = np.where(np.isnan(below), np.nan, 0.0)
        scores = IntervalScores(unknown, unknown, unknown, below, at_most)
        out.append(100 * float(np.nanmean(coverage(scores, share))))
    return np.array(out)


def bootstrap(values: Doubles) -> tuple[float, float]:
    """Return the ends of the percentile interval of the mean of ``values``, drawn anew with replacement."""
    drawn = np.random.default_rng(0).integers(0, len(values), (N_RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _cells(
    places: Sequence[tuple[Doubles, Doubles]],
    spread: Callable[[Doubles], tuple[float, float]],
    held: Callable[[float, float, tuple[float, float]], bool],
) -> Row:
    """Return the mean and the spread at each share, the furthest that a mean is off, and whether all of them hold."""
    cells: Row = {"cutoffs": len(places), "sums": sum(int(np.isfinite(below).sum()) for below, _ in places)}
    off, kept = [], []
    for share in SHARES:
        values = by_cutoff(places, share)
        mean, ends = float(values.mean()), spread(values)
        cells[f"in {share:.0%}"] = f"{mean:.1f} ({ends[0]:.1f} to {ends[1]:.1f})"
        off.append(mean - 100 * share)
        kept.append(held(mean, 100 * share, ends))
    return {**cells, "most off": f"{max(off, key=abs):+.1f}", "held": "yes" if all(kept) else "no"}


def _range(values: Doubles) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _within(points: float) -> Callable[[float, float, tuple[float, float]], bool]:
    return lambda mean, nominal, ends: abs(mean - nominal) <= points


def _between(mean: float, nominal: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= nominal <= ends[1]


def _bias(found: Sequence[Places], span: int, part: Sequence[npt.NDArray[np.bool_]] | None = None) -> str:
    """Return the mean forecast over the demand that came, less 1, in per cent."""
    rows = part or [np.ones(len(one.actual), np.bool_) for one in found]
    pairs = list(zip(found, rows, strict=True))
    error = sum(float(np.nansum(one.error[kept, span])) for one, kept in pairs)
    actual = sum(float(np.nansum(one.actual[kept, span])) for one, kept in pairs)
    return f"{100 * error / actual:+.1f}" if actual > 0 else ""
