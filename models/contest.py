"""The contest between forecasters: losses pooled by segment, and who wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.forecast.backtest import IntervalScores, bias, coverage, wape
from models.segments import Segments
from models.value_added import CHOICE

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_]

MIN_SCORED = 24
"""Scored intervals from which on a segment may choose for itself; a smaller one follows all series together."""

SURE = 1.0
"""A segment leaves the winner over all series if its own is better by more than this many standard errors of the
difference, told from its series: what is less may be noise, and every model more is fitted for it."""

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


def only(scores: IntervalScores, rows: Rows) -> IntervalScores:
    """Return the scores with all but some series not scored (NaN)."""
    return IntervalScores(*(np.where(rows, getattr(scores, name), np.nan) for name in _FIELDS))


def choose(scores: Mapping[str, Scores], segments: Segments, margin: float) -> dict[str, str]:
    """Return the model of every segment that takes part.

    ``scores`` holds the baseline first, then challengers; one takes over if its pooled loss is below that of the model
    in place by more than the share ``margin``. A segment takes what wins over all series, unless `MIN_SCORED` of its
    intervals or more were scored, and what wins in it is surely (`SURE`) better there.
    """
    everyone = _winner(scores, segments, segments.chosen_for, margin)
    chosen = {}
    for name in sorted(set(segments.name[segments.chosen_for])):
        rows = segments.name == name
        n_scored = min(int(np.isfinite(s.pooled(rows).pinball).sum()) for s in scores.values())
        own = _winner(scores, segments, rows, margin)
        alone = n_scored >= MIN_SCORED and _surely_better(scores[own], scores[everyone], segments, rows)
        chosen[str(name)] = own if alone else everyone
    return chosen


def score_table(
    scores: Mapping[str, Scores], segments: Segments, chosen: Mapping[str, str], classes: Mapping[str, Rows]
) -> pd.DataFrame:
    """Return one row per model and segment, and per model over "all" segments; see `models.best_of.Chosen`.

    What was chosen for each series stands as the model `CHOICE` beside the baseline, over all and in each of the
    ``classes``, whose rows have shape (n,).
    """
    if not scores:
        return table_of([])
    places = {"all": segments.chosen_for, **{name: segments.name == name for name in sorted(chosen)}}
    inside = {name: rows & segments.chosen_for for name, rows in classes.items()}
    inside = {name: rows for name, rows in inside.items() if rows.any()}
    baseline = next(iter(scores))
    rows = []
    for model, own in scores.items():
        more = inside if model == baseline else {}
        rows += [_row(model, own, name, at, segments, chosen) for name, at in {**places, **more}.items()]
    served = _served(scores, segments, chosen)
    rows += [_row(CHOICE, served, name, at, segments, chosen) for name, at in {"all": places["all"], **inside}.items()]
    return table_of(rows)


def table_of(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Return rows of scores as a table with its column types."""
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    types = dict.fromkeys(COLUMNS[2:-1], "float64")
    return table.astype({"model": "string[pyarrow]", "segment": "string[pyarrow]", **types, "chosen": "bool"})


_FIELDS = ("pinball", "actual", "error", "below", "at_most")


def _taken(scores: IntervalScores, rows: Rows) -> IntervalScores:
    return IntervalScores(*(getattr(scores, name)[rows] for name in _FIELDS))


def _row(
    model: str, scores: Scores, name: str, rows: Rows, segments: Segments, chosen: Mapping[str, str]
) -> dict[str, object]:
    pooled = scores.pooled(rows)
    scored = np.isfinite(np.stack([s.pinball[rows] for s in scores.by_cutoff])).any(axis=0)
    return {
        "model": model,
        "segment": name,
        "n_series": float(scored.sum()),
        "loss": _loss(scores, segments, rows),
        "wape": wape(pooled),
        "bias": bias(pooled),
        "coverage": _mean(coverage(pooled, CENTRAL_SHARE)),
        "chosen": chosen.get(name) == model,
    }


def _served(scores: Mapping[str, Scores], segments: Segments, chosen: Mapping[str, str]) -> Scores:
    """Return each series' scores of the model that was chosen for it; not scored where none was."""
    nothing = np.full(len(segments.name), np.nan)
    by_cutoff = []
    for place in range(len(next(iter(scores.values())).by_cutoff)):
        fields = dict.fromkeys(_FIELDS, nothing)
        for segment, model in chosen.items():
            own, rows = scores[model].by_cutoff[place], segments.name == segment
            fields = {name: np.where(rows, getattr(own, name), values) for name, values in fields.items()}
        by_cutoff.append(IntervalScores(**fields))
    return Scores(tuple(by_cutoff))


def _winner(scores: Mapping[str, Scores], segments: Segments, rows: Rows, margin: float) -> str:
    holder, *challengers = scores
    loss = {name: _loss(own, segments, rows) for name, own in scores.items()}
    for name in challengers:
        if loss[name] < (1 - margin) * loss[holder]:
            holder = name
    return holder


def _surely_better(one: Scores, other: Scores, segments: Segments, rows: Rows) -> bool:
    """Return whether the mean loss is lower by more than `SURE` standard errors of the mean over series."""
    gaps = np.stack([b.pinball[rows] - a.pinball[rows] for a, b in zip(one.by_cutoff, other.by_cutoff, strict=True)])
    known = np.isfinite(gaps)
    total = np.where(known, gaps, 0.0).sum(axis=0) * segments.value_per_unit[rows]
    total = total[known.any(axis=0)]
    return len(total) > 1 and bool(total.mean() > SURE * total.std(ddof=1) / np.sqrt(len(total)))


def _loss(scores: Scores, segments: Segments, rows: Rows) -> float:
    """Return the mean loss of a scored interval in money; NaN if none was scored."""
    money = np.concatenate([s.pinball[rows] * segments.value_per_unit[rows] for s in scores.by_cutoff])
    return _mean(money)


def _mean(values: Doubles) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
