"""The contest between forecasters: losses pooled by segment, and who wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.forecast.backtest import IntervalScores, bias, coverage, wape
from models.segments import Segments

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_]

MIN_SCORED = 24
"""Scored intervals from which on a segment chooses for itself; a smaller one follows all series together."""

CENTRAL_SHARE = 0.8
COLUMNS = ("model", "segment", "n_series", "loss", "wape", "bias", "coverage", "chosen")


@dataclass(frozen=True)
class Scores:
    """Interval scores of one forecaster, one entry a cutoff, each over all series."""

    by_cutoff: tuple[IntervalScores, ...]

    def pooled(self, rows: Rows) -> IntervalScores:
        """Return the scores of some series at all cutoffs, one after the other."""
        return stacked([_taken(scores, rows) for scores in self.by_cutoff])


def stacked(parts: Sequence[IntervalScores]) -> IntervalScores:
    """Return the scores of consecutive blocks of series as one."""
    return IntervalScores(*(np.concatenate([getattr(p, name) for p in parts]) for name in _FIELDS))


def choose(scores: Mapping[str, Scores], segments: Segments, margin: float) -> dict[str, str]:
    """Return the model of every segment that takes part.

    ``scores`` holds the baseline first, then challengers; one takes over if its pooled loss is below that of the model
    in place by more than the share ``margin``. A segment with fewer than `MIN_SCORED` scored intervals takes what
    wins over all series.
    """
    everyone = _winner(scores, segments, segments.chosen_for, margin)
    chosen = {}
    for name in sorted(set(segments.name[segments.chosen_for])):
        rows = segments.name == name
        n_scored = min(int(np.isfinite(s.pooled(rows).pinball).sum()) for s in scores.values())
        chosen[str(name)] = _winner(scores, segments, rows, margin) if n_scored >= MIN_SCORED else everyone
    return chosen


def score_table(scores: Mapping[str, Scores], segments: Segments, chosen: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per model and segment, and per model over "all" segments; see `models.best_of.Chosen`."""
    rows = []
    for model, own in scores.items():
        for name in ("all", *sorted(chosen)):
            inside = segments.chosen_for if name == "all" else segments.name == name
            pooled = own.pooled(inside)
            scored = np.isfinite(np.stack([s.pinball[inside] for s in own.by_cutoff])).any(axis=0)
            rows.append(
                {
                    "model": model,
                    "segment": name,
                    "n_series": float(scored.sum()),
                    "loss": _loss(own, segments, inside),
                    "wape": wape(pooled),
                    "bias": bias(pooled),
                    "coverage": _mean(coverage(pooled, CENTRAL_SHARE)),
                    "chosen": chosen.get(name) == model,
                }
            )
    return table_of(rows)


def table_of(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Return rows of scores as a table with its column types."""
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    types = dict.fromkeys(COLUMNS[2:-1], "float64")
    return table.astype({"model": "string[pyarrow]", "segment": "string[pyarrow]", **types, "chosen": "bool"})


_FIELDS = ("pinball", "actual", "error", "below", "at_most")


def _taken(scores: IntervalScores, rows: Rows) -> IntervalScores:
    return IntervalScores(*(getattr(scores, name)[rows] for name in _FIELDS))


def _winner(scores: Mapping[str, Scores], segments: Segments, rows: Rows, margin: float) -> str:
    holder, *challengers = scores
    loss = {name: _loss(own, segments, rows) for name, own in scores.items()}
    for name in challengers:
        if loss[name] < (1 - margin) * loss[holder]:
            holder = name
    return holder


def _loss(scores: Scores, segments: Segments, rows: Rows) -> float:
    """Return the mean loss of a scored interval in money; NaN if none was scored."""
    money = np.concatenate([s.pinball[rows] * segments.value_per_unit[rows] for s in scores.by_cutoff])
    return _mean(money)


def _mean(values: Doubles) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
