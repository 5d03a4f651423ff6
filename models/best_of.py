"""The best of several forecasters, chosen per segment by rolling-origin backtest on protection intervals.

Every candidate is fitted once, at the earliest cutoff, and stays frozen while it is sampled at each later one. Its
loss is the pinball loss of demand summed over each series' protection interval, in money, pooled over the series of
a segment and the cutoffs; a series counts at the cutoffs at which it was neither new nor odd. A baseline is always in
the race and holds the place until a challenger, in the order given, beats the holder by the margin. A segment follows
the winner over all series, unless its own winner is surely better there (`models.contest`). Those chosen are then
fitted to everything. A short history has fewer cutoffs, and candidates that it is too short for are not raced
(`models.race_start`). A series that sells too seldom goes to the baseline; a new one to the first candidate that says
of itself that it can start cold and did not fail, else to the baseline. Series unknown at the fit go there too, if that
candidate was fitted, for any series.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.panel import DemandPanel, Ids
from engine.errors import Cancelled, ConfigError
from engine.execution import Run
from engine.forecast.backtest import Actuals, IntervalScores, actuals_after, cutoffs, score_intervals
from engine.forecast.params import ForecastParams
from engine.forecast.sampling import series_blocks
from engine.forecast.streams import Streams
from engine.forecast.types import Fitted, FittedState, Forecaster, SamplePaths
from engine.messages import Message
from models.contest import Scores, choose, only, score_table, stacked, table_of
from models.race_start import STAND_IN, failed, start_race
from models.seasonal_naive import SeasonalNaive
from models.segments import Segments, segment
from models.value_added import class_rows

BASELINES = ("seasonal_naive", "moving_average")
QUANTILES = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""Quantiles of the loss."""

STREAMS = Streams(0)
"""Random numbers of the backtest, the same in every fit."""

Score = Callable[[SamplePaths, Actuals, npt.NDArray[np.int32], tuple[float, ...]], IntervalScores]
"""Scores paths beside what came true: `score_intervals`, or `models.bucket_scores.score_buckets`."""

NAMED = 5
"""Series named in a note; the others are counted."""


@dataclass(frozen=True)
class BestOf:
    """A forecaster that chooses among candidates.

    Parameters
    ----------
    candidates
        Forecasters with different names; the first of `BASELINES` among them, else a seasonal naive one that
        is added, is the baseline.
    params
        ``n_cutoffs``, ``margin`` and ``n_paths`` of the backtest.
    run
        Told of progress, asked for cancellation.
    score
        Gives the loss: by default that of demand summed over the interval, which a stock must cover.
    """

    candidates: Sequence[Forecaster]
    params: ForecastParams = field(default_factory=ForecastParams)
    run: Run = field(default_factory=Run)
    score: Score = score_intervals
    name: str = "best_of"

    def __post_init__(self) -> None:
        names = [candidate.name for candidate in self.candidates]
        if len(set(names)) < len(names):
            raise ConfigError("Candidates must have different names", ", ".join(names), "Name each one once")
        baseline = next((c for c in self.candidates if c.name in BASELINES), None) or SeasonalNaive()
        others = [c for c in self.candidates if c.name != baseline.name]
        object.__setattr__(self, "candidates", (baseline, *others))

    def race(self, panel: DemandPanel) -> pd.DataFrame:
        """Return the backtest alone, as in `Chosen.backtest`, without fitting the chosen ones again."""
        ordered = _ordered(panel)
        segments = segment(ordered)
        race = self._race(ordered, segments)
        return score_table(race.scores, segments, race.chosen, class_rows(ordered))

    def fit(self, panel: DemandPanel) -> Chosen:
        """Choose by backtest and fit the chosen ones to the whole panel."""
        ordered = _ordered(panel)
        segments = segment(ordered)
        baseline = self.candidates[0]
        race = self._race(ordered, segments)
        cold = (c.name for c in self.candidates if getattr(c, "cold_start", False) and c.name in race.sound)
        newcomer = next(cold, baseline.name)
        served = {**race.chosen, "new": newcomer}
        wished = np.array([served.get(name, baseline.name) for name in segments.name], dtype=object)
        fitted, model, failures = self._fit_models(ordered, wished)
        failed = set(wished) - set(fitted)
        chosen = {name: baseline.name if m in failed else m for name, m in race.chosen.items()}
        newcomer = newcomer if newcomer in fitted else baseline.name
        left_out = _left_out(ordered, segments, model)
        notes = (*race.notes, *failures, *left_out, *_notes_of(fitted))
        table = score_table(race.scores, segments, chosen, class_rows(ordered))
        return Chosen(newcomer, fitted, _by_key(ordered, model), table, notes)

    def refit(self, panel: DemandPanel, before: Chosen) -> Chosen:
        """Fit the models that were chosen before to a newer panel; the choice and its backtest stay."""
        ordered = _ordered(panel)
        fitted, model, failures = self._fit_models(ordered, before.model_of(ordered.item_id, ordered.location_id))
        newcomer = before.newcomer if before.newcomer in fitted else self.candidates[0].name
        notes = (*failures, *_notes_of(fitted))
        return Chosen(newcomer, fitted, _by_key(ordered, model), before.backtest, notes)

    def _fit_models(self, ordered: DemandPanel, model: Ids) -> tuple[dict[str, Fitted], Ids, tuple[Message, ...]]:
        """Return the fits of the baseline and of all models that serve a series, and who serves each in the end."""
        baseline, model = self.candidates[0], model.copy()
        fitted: dict[str, Fitted] = {}
        notes: tuple[Message, ...] = ()
        wanted = [c for c in self._makers() if c is baseline or (model == c.name).any()]
        for number, candidate in enumerate(wanted):
            self.run.step("fit", number, len(wanted))
            if candidate is baseline:
                fitted[baseline.name] = baseline.fit(ordered)
                continue
            try:
                fitted[candidate.name] = candidate.fit(ordered)
            except Cancelled:
                raise
            except Exception as error:  # noqa: BLE001 - a candidate that fails is listed and its series fall back
                notes += (failed(candidate.name, error, "fit"),)
                model[model == candidate.name] = baseline.name
        self.run.step("fit", len(wanted), len(wanted))
        return fitted, model, notes

    def from_state(self, state: FittedState) -> Chosen:
        makers = {candidate.name: candidate for candidate in self._makers()}
        names = json.loads(state.text["models"])
        unknown = [name for name in names if name not in makers]
        if unknown:
            raise ConfigError("A stored choice needs its candidates", ", ".join(unknown), "Pass them to BestOf")
        fitted = {name: makers[name].from_state(_inner(state, name)) for name in names}
        model_by_key = {(i, loc): name for i, loc, name in json.loads(state.text["model_by_key"])}
        table = table_of(json.loads(state.text["backtest"]))
        return Chosen(state.text["newcomer"], fitted, model_by_key, table)

    def _makers(self) -> tuple[Forecaster, ...]:
        """Return the candidates, and the stand-in if it is none of them."""
        is_one = any(candidate.name == STAND_IN.name for candidate in self.candidates)
        return (*self.candidates, *(() if is_one else (STAND_IN,)))

    def _race(self, panel: DemandPanel, segments: Segments) -> _Race:
        horizon = int(panel.interval[:, 1].max()) if panel.n_series else 0
        backs = cutoffs(panel, self.params.n_cutoffs, horizon)
        if not len(backs) or not segments.chosen_for.any():
            note = Message("backtest-too-short", {"n_buckets": panel.calendar.n_history, "horizon": horizon})
            return _Race({}, {}, frozenset(), (note,))
        start = start_race(self.candidates, panel, backs, self.run)
        raced = tuple(segment(panel.cut(int(back))).chosen_for for back in start.backs)
        scores: dict[str, Scores] = {}
        notes = start.notes
        for number, (name, fitted) in enumerate(start.fitted.items()):
            self.run.step("backtest", number, len(start.fitted))
            try:
                found = self._score(name, fitted, panel, start.backs, horizon)
                scores[name] = Scores(tuple(map(only, found, raced)))
            except Cancelled:
                raise
            except Exception as error:
                if name == self.candidates[0].name:
                    raise
                notes += (failed(name, error, "backtest"),)
        self.run.step("backtest", len(start.fitted), len(start.fitted))
        sound = frozenset((*scores, *start.untried))
        return _Race(scores, choose(scores, segments, self.params.margin), sound, notes)

    def _score(
        self, name: str, fitted: Fitted, panel: DemandPanel, backs: npt.NDArray[np.int64], horizon: int
    ) -> list[IntervalScores]:
        """Return the scores of a candidate that was fitted at the earliest cutoff, at every cutoff."""
        by_cutoff: list[IntervalScores] = []
        for back in backs:
            past, actuals = panel.cut(int(back)), actuals_after(panel, int(back), horizon)
            parts = []
            for rows in series_blocks(past):
                self.run.step(f"backtest {name}", len(by_cutoff), len(backs))
                paths = fitted.sample(past.take(rows), horizon, self.params.n_paths, STREAMS)
                came = Actuals(actuals.units[rows], actuals.seen[rows])
                parts.append(self.score(paths, came, past.interval[rows], QUANTILES))
            by_cutoff.append(stacked(parts))
        return by_cutoff


def _ordered(panel: DemandPanel) -> DemandPanel:
    return panel.take(np.lexsort((panel.location_id.astype(np.str_), panel.item_id.astype(np.str_))))


@dataclass(frozen=True)
class _Race:
    """Scores by model, the model chosen for each segment, who could be fitted, and what is to be told."""

    scores: Mapping[str, Scores]
    chosen: Mapping[str, str]
    sound: frozenset[str]
    notes: tuple[Message, ...]


@dataclass(frozen=True)
class Chosen:
    """The chosen forecasters, fitted, and which series each serves.

    Parameters
    ----------
    newcomer
        Name of the forecaster that serves a series unknown at the fit.
    fitted
        By name.
    model_by_key
        Name of the model of each (item, location).
    backtest
        One row per model and segment, and per model over "all": n_series (scored), loss (mean pinball loss of
        an interval, money), wape, bias, coverage (of the central 80 %, by randomised PIT), chosen. What was chosen for
        each series is the model "best_of" over "all" and by ABC and XYZ class, where the baseline stands too; see
        `models.value_added.forecast_value_added`.
    """

    newcomer: str
    fitted: Mapping[str, Fitted]
    model_by_key: Mapping[tuple[str, str], str]
    backtest: pd.DataFrame
    notes: tuple[Message, ...] = ()

    def model_of(self, item_id: Ids, location_id: Ids) -> Ids:
        """Return the name of the model that serves each series, shape (n,)."""
        keys = zip(item_id, location_id, strict=True)
        return np.array([self.model_by_key.get(key, self.newcomer) for key in keys], dtype=object)

    def sample(self, panel: DemandPanel, horizon: int, n_paths: int, streams: Streams) -> SamplePaths:
        """Return paths of every series from the model that serves it."""
        model = self.model_of(panel.item_id, panel.location_id)
        units = np.zeros((panel.n_series, n_paths, horizon), np.float32)
        for name, fitted in self.fitted.items():
            rows = np.flatnonzero(model == name)
            if len(rows):
                units[rows] = fitted.sample(panel.take(rows), horizon, n_paths, streams).units
        return SamplePaths(panel.item_id, panel.location_id, units)

    def state(self) -> FittedState:
        inner = {name: fitted.state() for name, fitted in self.fitted.items()}
        keys = [[*key, name] for key, name in sorted(self.model_by_key.items())]
        text = {
            "newcomer": self.newcomer,
            "models": json.dumps(list(self.fitted)),
            "model_by_key": json.dumps(keys, ensure_ascii=False),
            "backtest": json.dumps(self.backtest.to_dict("records"), ensure_ascii=False),
        }
        arrays = {f"{name}/{key}": a for name, state in inner.items() for key, a in state.arrays.items()}
        return FittedState(
            arrays, {**text, **{f"{name}/{key}": t for name, state in inner.items() for key, t in state.text.items()}}
        )


def _inner(state: FittedState, name: str) -> FittedState:
    start = f"{name}/"
    return FittedState(
        {key.removeprefix(start): array for key, array in state.arrays.items() if key.startswith(start)},
        {key.removeprefix(start): text for key, text in state.text.items() if key.startswith(start)},
    )


def _by_key(panel: DemandPanel, model: Ids) -> dict[tuple[str, str], str]:
    keys = zip(panel.item_id, panel.location_id, model, strict=True)
    return {(str(item), str(location)): str(name) for item, location, name in keys}


def _left_out(panel: DemandPanel, segments: Segments, model: Ids) -> tuple[Message, ...]:
    """Return a note per reason for which series went without a race to ``model`` (n,)."""
    notes = []
    for name, code in (("new", "series-too-short"), ("odd", "series-too-odd")):
        rows = np.flatnonzero(segments.name == name)
        if len(rows):
            first = "; ".join(f"{panel.item_id[r]} at {panel.location_id[r]}" for r in rows[:NAMED])
            notes.append(Message(code, {"n_series": len(rows), "model": model[rows[0]], "first": first}))
    return tuple(notes)


def _notes_of(fitted: Mapping[str, Fitted]) -> tuple[Message, ...]:
    """Return the notes of all models, each once: some learn the same effects of the same history."""
    notes: list[Message] = []
    for one in fitted.values():
        notes += [note for note in one.notes if note not in notes]
    return tuple(notes)
