"""Who races, and from which cutoffs on: every candidate fitted where the history is long enough for it.

A candidate whose history is too short lets a simpler forecast stand in and says so (``stands_in``). In a race it would
run with the stand-in's loss, and afterwards serve, fitted to more, as a model that nobody tried. So the earliest
cutoffs are left out as long as that gives more candidates enough to learn from, and who still stands in is not raced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.panel import DemandPanel
from engine.errors import Cancelled
from engine.execution import Run
from engine.forecast.types import Fitted, Forecaster
from engine.messages import Message
from models.moving_average import MovingAverage

STAND_IN = MovingAverage()
"""Raced under its own name in place of candidates that the history is too short for."""


@dataclass(frozen=True)
class RaceStart:
    """Fits at the earliest cutoff of a race.

    Parameters
    ----------
    backs
        Cutoffs in buckets back from the panel's own, latest first.
    fitted
        Those that race, by name, the baseline first.
    untried
        Names of candidates that the history is too short for.
    notes
        Who failed, and what was left out.
    """

    backs: npt.NDArray[np.int64]
    fitted: Mapping[str, Fitted]
    untried: tuple[str, ...]
    notes: tuple[Message, ...]


def start_race(
    candidates: Sequence[Forecaster], panel: DemandPanel, backs: npt.NDArray[np.int64], run: Run
) -> RaceStart:
    """Return the fits of the candidates, the baseline first, at the earliest of ``backs`` that suits most of them.

    ``backs`` are the cutoffs wished for, latest first, at least one. A candidate that raises is left out and listed;
    the baseline may not raise.
    """
    start = _started(candidates, panel, backs, run)
    for count in range(len(backs) - 1, 0, -1):
        if not start.untried:
            break
        later = _started(candidates, panel, backs[:count], run)
        if len(later.untried) < len(start.untried):
            start = later
    fitted, notes = dict(start.fitted), list(start.notes)
    if len(start.backs) < len(backs):
        notes.append(Message("backtest-shortened", {"n_cutoffs": len(start.backs), "n_possible": len(backs)}))
    if start.untried:
        if STAND_IN.name not in fitted:
            fitted[STAND_IN.name] = STAND_IN.fit(panel.cut(int(start.backs[-1])))
        notes.append(Message("candidates-untried", {"models": ", ".join(start.untried), "model": STAND_IN.name}))
    return RaceStart(start.backs, fitted, start.untried, tuple(notes))


def _started(candidates: Sequence[Forecaster], panel: DemandPanel, backs: npt.NDArray[np.int64], run: Run) -> RaceStart:
    past = panel.cut(int(backs[-1]))
    fitted: dict[str, Fitted] = {}
    notes: tuple[Message, ...] = ()
    for number, candidate in enumerate(candidates):
        run.step("backtest fit", number, len(candidates))
        try:
            fitted[candidate.name] = candidate.fit(past)
        except Cancelled:
            raise
        except Exception as error:
            if candidate is candidates[0]:
                raise
            notes += (failed(candidate.name, error, "backtest"),)
    run.step("backtest fit", len(candidates), len(candidates))
    untried = tuple(name for name, one in fitted.items() if getattr(one, "stands_in", False))
    return RaceStart(backs, {name: one for name, one in fitted.items() if name not in untried}, untried, notes)


def failed(name: str, error: Exception, stage: str) -> Message:
    """Return the note on a candidate that raised."""
    return Message("candidate-failed", {"model": name, "stage": stage, "reason": f"{type(error).__name__}: {error}"})
