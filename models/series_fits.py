"""A model of single series, fitted to the most valuable ones and kept as one vector each.

Newer buckets update the vectors of all series together; the other series take a model of all series. The forecasts come
from fits to everything: of four years, those before a hold-out of a year and a half tell too little of the season. The
errors are those of fits of the same form that were made before the hold-out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.demand.calendar import Bucket
from engine.demand.panel import DemandPanel, Floats
from engine.execution import Executor
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, stretch_length
from engine.forecast.types import FittedState
from engine.messages import Message
from models.features import read_seen
from models.hold_out import errors_at, hold_out_origins, within_reach
from models.local import LARGEST, MIN_HISTORY, too_short
from models.local_choice import MIN_POSITIVE, MIN_POSITIVE_SHARE, yearly_value
from models.local_learning import Learnt, learn_all, outcome_notes

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SeriesTask:
    """One series to fit.

    Parameters
    ----------
    label
        What a note calls it.
    demand
        Shape (n_history,), NaN where unseen.
    form
        The form that a fit shall have, as `SeriesModel.form` tells it; None: to be chosen.
    """

    label: str
    demand: Doubles
    bucket: Bucket
    form: Any = None


class SeriesModel(Protocol):
    """A model of one series that states a fit as a vector of numbers; picklable."""

    @property
    def name(self) -> str: ...

    def demand(self, panel: DemandPanel) -> Doubles:
        """Return the demand to learn from, shape (n, n_history), NaN where unseen."""
        ...

    def learn(self, task: SeriesTask) -> Learnt:
        """Estimate one series; the vector holds at the end of the task's history. May raise."""
        ...

    def form(self, fit: Doubles) -> Any:
        """Return what was chosen in a fit."""
        ...

    def advance(self, fits: Doubles, newer: Doubles) -> Doubles:
        """Return fits, a row each, after newer demand (n, n_new), NaN where unseen."""
        ...

    def ahead(self, fits: Doubles, horizon: int) -> Doubles:
        """Return mean forecasts, shape (n, horizon)."""
        ...

    def others(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return mean forecasts of series without a fit, shape (n, horizon)."""
        ...


@dataclass(frozen=True)
class SeriesMean:
    """The mean forecast of fitted series, and that of the model's stand-in for any other.

    Parameters
    ----------
    model
        How fits go on.
    as_of
        First day after the fits' history: they end at its start.
    own
        The fit of each (item, location).
    """

    model: SeriesModel
    as_of: np.datetime64
    own: Mapping[tuple[str, str], Doubles]

    def __call__(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return mean demand of the buckets to come, shape (n, horizon)."""
        out = np.array(self.model.others(panel, horizon))
        mine = np.flatnonzero(self.serves(panel))
        if not len(mine):
            return out
        part, n_new = panel.take(mine), self._n_new(panel)
        demand = self.model.demand(part)
        newer = demand[:, demand.shape[1] - min(n_new, demand.shape[1]) :]
        # A panel that does not reach back to the fit leaves buckets unseen.
        gap = np.full((len(mine), n_new - newer.shape[1]), np.nan)
        fits = np.stack([self.own[key] for key in zip(part.item_id, part.location_id, strict=True)])
        fits = self.model.advance(fits, np.concatenate([gap, newer], axis=1))
        top = np.where(np.isfinite(demand), demand, 0).max(axis=1, initial=0.0)
        out[mine] = np.clip(self.model.ahead(fits, horizon), 0, np.maximum(LARGEST * top, 1.0)[:, None])
        return out

    def serves(self, panel: DemandPanel) -> npt.NDArray[np.bool_]:
        """Return which series have a fit, shape (n,); none in a panel that ends before the fit did."""
        n_new, keys = self._n_new(panel), zip(panel.item_id, panel.location_id, strict=True)
        return np.array([n_new >= 0 and key in self.own for key in keys], np.bool_)

    def _n_new(self, panel: DemandPanel) -> int:
        """Return the panel's buckets after the fit; negative if it ends before."""
        return -int(panel.calendar.bucket_of(np.array([self.as_of]))[0])

    def text(self) -> dict[str, str]:
        """Return the fits as text; numbers keep every bit."""
        own = [[*key, *fit.tolist()] for key, fit in sorted(self.own.items())]
        return {"as_of": str(self.as_of), "own": json.dumps(own, ensure_ascii=False)}

    @classmethod
    def from_text(cls, model: SeriesModel, text: Mapping[str, str]) -> SeriesMean:
        """Return the fits that `text` describes."""
        own = {(row[0], row[1]): np.array(row[2:], np.float64) for row in json.loads(text["own"])}
        return cls(model, np.datetime64(text["as_of"], "D"), own)


def fit_series(panel: DemandPanel, model: SeriesModel, max_fits: int, executor: Executor) -> PooledForecast:
    """Fit series to everything and, in the same forms, before a hold-out, where the errors are learnt.

    Parameters
    ----------
    max_fits
        Series fitted at most, the most valuable first.
    executor
        Spreads the fits; results do not depend on it.
    """
    length = stretch_length(panel)
    origins = hold_out_origins(panel.calendar, length)
    least = MIN_HISTORY[panel.calendar.bucket]
    if not len(origins) or panel.calendar.n_history - origins[-1] < least:
        return too_short(panel, model.name, least, model.others)
    early, late, notes = learn_twice(panel, int(origins[-1]), model, max_fits, executor)
    pool = ResidualPool.learn(within_reach(errors_at(origins, length, panel, early, executor)))
    return PooledForecast(late, pool, notes, late.text())


def series_from_state(state: FittedState, model: SeriesModel) -> PooledForecast:
    """Return the fit that a state describes."""
    pool = ResidualPool.from_state(state)
    if "own" not in state.text:
        return PooledForecast(model.others, pool)
    mean = SeriesMean.from_text(model, state.text)
    return PooledForecast(mean, pool, text=mean.text())


def learn_twice(
    panel: DemandPanel, n_back: int, model: SeriesModel, max_fits: int, executor: Executor
) -> tuple[SeriesMean, SeriesMean, tuple[Message, ...]]:
    """Return fits to the panel ``n_back`` buckets ago and to all of it, and what is to be told of the latter."""
    rows = choose_series(panel, max_fits)
    late, notes = learn_series(panel, rows, model, executor)
    early, _ = learn_series(panel.cut(n_back), rows, model, executor, late)
    return early, late, notes


def learn_series(
    panel: DemandPanel,
    rows: npt.NDArray[np.int64],
    model: SeriesModel,
    executor: Executor,
    like: SeriesMean | None = None,
) -> tuple[SeriesMean, tuple[Message, ...]]:
    """Return the fits of some series of a panel, and what is to be told of them.

    If ``like`` is given, of the series that it fits, each in the form that it has there.
    """
    part = panel.take(rows)
    names = list(zip(part.item_id, part.location_id, strict=True))
    forms = dict.fromkeys(names) if like is None else {key: model.form(fit) for key, fit in like.own.items()}
    tasks = {
        key: SeriesTask(f"{key[0]} at {key[1]}", demand, panel.calendar.bucket, forms[key])
        for key, demand in zip(names, model.demand(part), strict=True)
        if key in forms
    }
    outcomes = learn_all(model, list(tasks.values()), executor)
    own = {key: done.learnt.params for key, done in zip(tasks, outcomes, strict=True) if done.learnt is not None}
    n_others = panel.n_series - len(own)
    told = Message("local-fits-alone", {"model": model.name, "n_series": len(own), "n_others": n_others})
    return SeriesMean(model, panel.calendar.as_of, own), (told, *outcome_notes(model.name, outcomes))


def choose_series(panel: DemandPanel, max_fits: int) -> npt.NDArray[np.int64]:
    """Return the rows of the most valuable series with enough history and sales, ascending."""
    seen = read_seen(panel) > 0
    n_seen, positive = seen.sum(axis=1), (seen & (panel.units > 0)).sum(axis=1)
    fit_for = (n_seen >= MIN_HISTORY[panel.calendar.bucket]) & (positive >= MIN_POSITIVE)
    fit_for &= positive >= MIN_POSITIVE_SHARE * n_seen
    # Of equal values the first key comes first, whatever the order of the rows.
    ranked = np.lexsort((panel.location_id.astype(np.str_), panel.item_id.astype(np.str_), -yearly_value(panel)))
    return np.sort(ranked[fit_for[ranked]][:max_fits])
