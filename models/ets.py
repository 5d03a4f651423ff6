"""Exponential smoothing of the most valuable series, the form and the parameters of each chosen automatically.

statsforecast's AutoETS estimates level, trend (none, additive, damped) and season (none, additive, multiplicative) by
maximum likelihood and takes the form of lowest AICc (Hyndman, Koehler, Ord & Snyder, 2008, Forecasting with Exponential
Smoothing). A fit is kept as smoothing constants and the states at its end; newer buckets update the states of all
series together. The other series take the moving average.

The forecasts come from a fit to everything: of four years, those before a hold-out of a year and a half tell too
little of the season. The errors are those of fits of the same form that were made before the hold-out.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from statsforecast.models import AutoETS

from engine.demand.calendar import Bucket
from engine.demand.censoring import expected_demand
from engine.demand.panel import DemandPanel, Floats
from engine.execution import Executor, Serial
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled, stretch_length
from engine.forecast.types import FittedState
from engine.messages import Message
from models.drifting import MAX_BUCKETS
from models.ets_states import ANY_FORM, FIRST_SEASON, MULTIPLICATIVE, Form, advance, ahead, fit_vector, form_of
from models.features import read_seen
from models.hold_out import errors_at, hold_out_origins, within_reach
from models.local import LARGEST, MIN_HISTORY
from models.local_choice import MIN_POSITIVE, MIN_POSITIVE_SHARE, yearly_value
from models.local_learning import CHUNK, Learnt, Outcome, outcome_notes
from models.moving_average import thirteen_weeks
from models.seasonal_factors import HALF_LIFE, SEASON, Doubles, season_factors

LONGEST_SEASON = 24
"""Buckets of the longest season that statsforecast estimates; a longer one is taken out before and stays as it is."""


@dataclass(frozen=True)
class EtsParams:
    """Settings. ``max_local_fits``: series fitted at most, the most valuable first."""

    max_local_fits: int = 200


@dataclass(frozen=True)
class Ets:
    """Automatic exponential smoothing for the most valuable series; the moving average for the others."""

    params: EtsParams = field(default_factory=EtsParams)
    executor: Executor = field(default_factory=Serial)
    name: str = "ets"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Fit series to everything and, in the same forms, before a hold-out, where the errors are learnt."""
        length = stretch_length(panel)
        origins = hold_out_origins(panel.calendar, length)
        least = MIN_HISTORY[panel.calendar.bucket]
        if not len(origins) or panel.calendar.n_history - origins[-1] < least:
            fitted = fit_pooled(panel, thirteen_weeks)
            n_buckets = panel.calendar.n_history
            note = Message("local-too-short", {"model": self.name, "n_buckets": n_buckets, "least": least})
            return PooledForecast(thirteen_weeks, fitted.pool, (*fitted.notes, note))
        early, late, notes = learn_twice(panel, int(origins[-1]), self.params.max_local_fits, self.executor)
        pool = ResidualPool.learn(within_reach(errors_at(origins, length, panel, early, self.executor)))
        return PooledForecast(late, pool, notes, late.text())

    def from_state(self, state: FittedState) -> PooledForecast:
        pool = ResidualPool.from_state(state)
        if "own" not in state.text:
            return PooledForecast(thirteen_weeks, pool)
        mean = EtsMean.from_text(state.text)
        return PooledForecast(mean, pool, text=mean.text())


@dataclass(frozen=True)
class EtsMean:
    """The mean forecast of fitted series, and the moving average for any other.

    Parameters
    ----------
    as_of
        First day after the fit's history: the states are those at its start.
    own
        The fit of each (item, location), a vector of `models.ets_states`.
    """

    as_of: np.datetime64
    own: Mapping[tuple[str, str], Doubles]

    def __call__(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return mean demand of the buckets to come, shape (n, horizon)."""
        out = np.array(thirteen_weeks(panel, horizon))
        mine = np.flatnonzero(self.serves(panel))
        if not len(mine):
            return out
        part, n_new = panel.take(mine), self._n_new(panel)
        demand = seen_demand(part)
        newer = demand[:, demand.shape[1] - min(n_new, demand.shape[1]) :]
        # A panel that does not reach back to the fit leaves buckets unseen.
        gap = np.full((len(mine), n_new - newer.shape[1]), np.nan)
        fits = np.stack([self.own[key] for key in zip(part.item_id, part.location_id, strict=True)])
        fits = advance(fits, np.concatenate([gap, newer], axis=1))
        top = np.where(np.isfinite(demand), demand, 0).max(axis=1, initial=0.0)
        out[mine] = np.clip(ahead(fits, horizon), 0, np.maximum(LARGEST * top, 1.0)[:, None])
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
    def from_text(cls, text: Mapping[str, str]) -> EtsMean:
        """Return the fits that `text` describes."""
        own = {(row[0], row[1]): np.array(row[2:], np.float64) for row in json.loads(text["own"])}
        return cls(np.datetime64(text["as_of"], "D"), own)


def learn_twice(
    panel: DemandPanel, n_back: int, max_fits: int, executor: Executor
) -> tuple[EtsMean, EtsMean, tuple[Message, ...]]:
    """Return fits to the panel ``n_back`` buckets ago and to all of it, and what is to be told of the latter."""
    rows = choose_series(panel, max_fits)
    late, notes = learn_ets(panel, rows, executor)
    early, _ = learn_ets(panel.cut(n_back), rows, executor, late)
    return early, late, notes


def learn_ets(
    panel: DemandPanel, rows: npt.NDArray[np.int64], executor: Executor, like: EtsMean | None = None
) -> tuple[EtsMean, tuple[Message, ...]]:
    """Return the fits of some series of a panel, of the forms of ``like`` if given, and what is to be told of them."""
    part, bucket = panel.take(rows), panel.calendar.bucket
    names = list(zip(part.item_id, part.location_id, strict=True))
    forms = like.own if like else {}
    tasks = [
        EtsTask(f"{key[0]} at {key[1]}", demand, bucket, form_of(forms[key]) if key in forms else ANY_FORM)
        for key, demand in zip(names, seen_demand(part), strict=True)
    ]
    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    outcomes = [outcome for chunk in executor.map(_learn_chunk, chunks) for outcome in chunk]
    own = {key: done.learnt.params for key, done in zip(names, outcomes, strict=True) if done.learnt is not None}
    told = Message("local-fits-alone", {"model": "ets", "n_series": len(own), "n_others": panel.n_series - len(own)})
    return EtsMean(panel.calendar.as_of, own), (told, *outcome_notes("ets", outcomes))


def choose_series(panel: DemandPanel, max_fits: int) -> npt.NDArray[np.int64]:
    """Return the rows of the most valuable series with enough history and sales, ascending."""
    seen = read_seen(panel) > 0
    n_seen, positive = seen.sum(axis=1), (seen & (panel.units > 0)).sum(axis=1)
    fit_for = (n_seen >= MIN_HISTORY[panel.calendar.bucket]) & (positive >= MIN_POSITIVE)
    fit_for &= positive >= MIN_POSITIVE_SHARE * n_seen
    # Of equal values the first key comes first, whatever the order of the rows.
    ranked = np.lexsort((panel.location_id.astype(np.str_), panel.item_id.astype(np.str_), -yearly_value(panel)))
    return np.sort(ranked[fit_for[ranked]][:max_fits])


def seen_demand(panel: DemandPanel) -> Doubles:
    """Return demand, NaN where it was never on sale or not on offer; shape (n, n_history)."""
    return np.where(panel.available > 0, expected_demand(panel), np.nan).astype(np.float64)


@dataclass(frozen=True)
class EtsTask:
    """One series to fit.

    Parameters
    ----------
    label
        What a note calls it.
    demand
        Shape (n_history,), NaN where unseen.
    form
        What is to be chosen, by default all.
    """

    label: str
    demand: Doubles
    bucket: Bucket
    form: Form = ANY_FORM


def learn_one(task: EtsTask) -> Learnt:
    """Return the fit of a series, its states rotated over the unseen buckets after its last one; may raise."""
    known = np.flatnonzero(np.isfinite(task.demand))
    demand = task.demand[known[0] : known[-1] + 1][-MAX_BUCKETS[task.bucket] :]
    season = SEASON[task.bucket]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if season <= LONGEST_SEASON:
            fit = _estimate(demand, season, task.form)
        else:
            factor = season_factors(demand[:, None], season, HALF_LIFE[task.bucket])[:, 0]
            flat = demand / factor[np.arange(-len(demand), 0) % season]
            fit = np.concatenate([_estimate(flat, 1, task.form)[:FIRST_SEASON], factor])
            fit[MULTIPLICATIVE] = True
    unseen = np.full((1, len(task.demand) - known[-1] - 1), np.nan)
    return Learnt(advance(fit[None], unseen)[0], tuple(sorted({str(w.message) for w in caught})))


def _estimate(demand: Doubles, season: int, form: Form) -> Doubles:
    model = AutoETS(season_length=season, model=form[0], damped=form[1]).fit(_filled(demand, season))
    return fit_vector(model.model_, season)


def _filled(demand: Doubles, season: int) -> Doubles:
    """Return demand (n_buckets,) with gaps filled by the mean of what was seen at the same place of the season."""
    known = np.isfinite(demand)
    out = np.where(known, demand, demand[known].mean())
    for place in range(season):
        seen = known[place::season]
        if seen.any():
            out[place::season] = np.where(seen, demand[place::season], demand[place::season][seen].mean())
    return out


def _learn_chunk(tasks: Sequence[EtsTask]) -> list[Outcome]:
    outcomes = []
    for task in tasks:
        try:
            learnt = learn_one(task)
        except Exception as error:  # noqa: BLE001 - whatever the library raises on one odd series is listed, not spread
            outcomes.append(Outcome(task.label, None, f"{type(error).__name__}: {error}"))
            continue
        finite = bool(np.isfinite(learnt.params).all())
        outcomes.append(Outcome(task.label, learnt) if finite else Outcome(task.label, None, "states not finite"))
    return outcomes
