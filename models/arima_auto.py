"""ARIMA of the most valuable series, the orders of each chosen automatically; ARIMA(1, 1, 1) for the others.

Demand is taken out of its season (`models.seasonal_factors`) and differenced once; statsforecast's AutoARIMA then takes
the autoregressive and moving-average orders, and a drift or none, of lowest AICc (Hyndman & Khandakar, 2008, Journal of
Statistical Software 27). A test for the number of differences, and orders of a season, do worse on short histories
(`benchmarks.forecast.textbook`). A stock-out enters as `expected_demand`, also where orders are chosen; a bucket not on
offer takes the one before it. Regressors are left to `models.arima`.

A fit is kept as coefficients and the last changes and errors (`models.arima_states`); newer buckets update all series
together. The forecasts come from a fit to everything, the errors from fits of the same orders before a hold-out.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from statsforecast.models import ARIMA, AutoARIMA

from engine.demand.calendar import Bucket
from engine.demand.censoring import expected_demand
from engine.demand.panel import DemandPanel, Floats
from engine.execution import Executor, Serial
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled, stretch_length
from engine.forecast.types import FittedState
from engine.messages import Message
from models.arima_111 import arima_111_mean
from models.arima_states import N_DRIFT, N_P, N_Q, advance, ahead, fit_vector
from models.drifting import MAX_BUCKETS
from models.ets import choose_series
from models.hold_out import errors_at, hold_out_origins, within_reach
from models.local import LARGEST, MIN_HISTORY
from models.local_learning import CHUNK, Learnt, Outcome, outcome_notes
from models.seasonal_factors import HALF_LIFE, SEASON, Doubles, season_factors

Orders = tuple[int, int, bool]
"""Autoregressive and moving-average order, and whether there is a drift."""


@dataclass(frozen=True)
class AutoArimaParams:
    """Settings. ``max_local_fits``: series fitted at most, the most valuable first."""

    max_local_fits: int = 200


@dataclass(frozen=True)
class AutoArima:
    """Automatic ARIMA for the most valuable series; ARIMA(1, 1, 1) for the others."""

    params: AutoArimaParams = field(default_factory=AutoArimaParams)
    executor: Executor = field(default_factory=Serial)
    name: str = "auto_arima"

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Choose orders on everything, and learn the errors of these orders on a hold-out."""
        length = stretch_length(panel)
        origins = hold_out_origins(panel.calendar, length)
        least = MIN_HISTORY[panel.calendar.bucket]
        if not len(origins) or panel.calendar.n_history - origins[-1] < least:
            fitted = fit_pooled(panel, arima_111_mean)
            n_buckets = panel.calendar.n_history
            note = Message("local-too-short", {"model": self.name, "n_buckets": n_buckets, "least": least})
            return PooledForecast(arima_111_mean, fitted.pool, (*fitted.notes, note))
        rows = choose_series(panel, self.params.max_local_fits)
        late, notes = learn_arima(panel, rows, self.executor)
        early, _ = learn_arima(panel.cut(int(origins[-1])), rows, self.executor, late)
        pool = ResidualPool.learn(within_reach(errors_at(origins, length, panel, early, self.executor)))
        return PooledForecast(late, pool, notes, late.text())

    def from_state(self, state: FittedState) -> PooledForecast:
        pool = ResidualPool.from_state(state)
        if "own" not in state.text:
            return PooledForecast(arima_111_mean, pool)
        mean = AutoArimaMean.from_text(state.text)
        return PooledForecast(mean, pool, text=mean.text())


@dataclass(frozen=True)
class AutoArimaMean:
    """The mean forecast of fitted series, and ARIMA(1, 1, 1) for any other.

    Parameters
    ----------
    as_of
        First day after the fit's history: the fits end at its start.
    own
        The fit of each (item, location), a vector of `models.arima_states`.
    """

    as_of: np.datetime64
    own: Mapping[tuple[str, str], Doubles]

    def __call__(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return mean demand of the buckets to come, shape (n, horizon)."""
        out = np.array(arima_111_mean(panel, horizon))
        n_new = -int(panel.calendar.bucket_of(np.array([self.as_of]))[0])
        keys = list(zip(panel.item_id, panel.location_id, strict=True))
        # A panel that ends before the fit did is not served by it.
        mine = np.array([r for r, key in enumerate(keys) if n_new >= 0 and key in self.own], np.int64)
        if not len(mine):
            return out
        demand = expected_demand(panel.take(mine)).astype(np.float64)
        newer = demand[:, demand.shape[1] - min(n_new, demand.shape[1]) :]
        # A panel that does not reach back to the fit leaves buckets unseen.
        gap = np.full((len(mine), n_new - newer.shape[1]), np.nan)
        fits = advance(np.stack([self.own[keys[r]] for r in mine]), np.concatenate([gap, newer], axis=1))
        top = np.where(np.isfinite(demand), demand, 0).max(axis=1, initial=0.0)
        out[mine] = np.clip(ahead(fits, horizon), 0, np.maximum(LARGEST * top, 1.0)[:, None])
        return out

    def text(self) -> dict[str, str]:
        """Return the fits as text; numbers keep every bit."""
        own = [[*key, *fit.tolist()] for key, fit in sorted(self.own.items())]
        return {"as_of": str(self.as_of), "own": json.dumps(own, ensure_ascii=False)}

    @classmethod
    def from_text(cls, text: Mapping[str, str]) -> AutoArimaMean:
        """Return the fits that `text` describes."""
        own = {(row[0], row[1]): np.array(row[2:], np.float64) for row in json.loads(text["own"])}
        return cls(np.datetime64(text["as_of"], "D"), own)


def learn_arima(
    panel: DemandPanel, rows: npt.NDArray[np.int64], executor: Executor, like: AutoArimaMean | None = None
) -> tuple[AutoArimaMean, tuple[Message, ...]]:
    """Return the fits of some series of a panel, of the orders of ``like`` if given, and what is to be told of them."""
    part = panel.take(rows)
    names = list(zip(part.item_id, part.location_id, strict=True))
    known = {} if like is None else {key: orders_in(fit) for key, fit in like.own.items()}
    tasks = [
        ArimaTask(f"{key[0]} at {key[1]}", demand.astype(np.float64), panel.calendar.bucket, known.get(key))
        for key, demand in zip(names, expected_demand(part), strict=True)
        if like is None or key in known
    ]
    names = names if like is None else [key for key in names if key in known]
    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    outcomes = [outcome for chunk in executor.map(_learn_chunk, chunks) for outcome in chunk]
    own = {key: done.learnt.params for key, done in zip(names, outcomes, strict=True) if done.learnt is not None}
    n_others = panel.n_series - len(own)
    told = Message("local-fits-alone", {"model": "auto_arima", "n_series": len(own), "n_others": n_others})
    return AutoArimaMean(panel.calendar.as_of, own), (told, *outcome_notes("auto_arima", outcomes))


@dataclass(frozen=True)
class ArimaTask:
    """One series to fit.

    Parameters
    ----------
    label
        What a note calls it.
    demand
        Shape (n_history,), NaN where not on offer.
    orders
        None: to be chosen.
    """

    label: str
    demand: Doubles
    bucket: Bucket
    orders: Orders | None = None


def learn_one(task: ArimaTask) -> Learnt:
    """Return the fit of a series, gone on over the buckets not on offer after its last one; may raise."""
    known = np.flatnonzero(np.isfinite(task.demand))
    demand = task.demand[known[0] : known[-1] + 1][-MAX_BUCKETS[task.bucket] :]
    season = SEASON[task.bucket]
    factor = season_factors(demand[:, None], season, HALF_LIFE[task.bucket])[:, 0]
    flat = _without_gaps(demand / factor[np.arange(-len(demand), 0) % season])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = fit_vector(_model(task.orders).fit(flat).model_, flat, factor)
    unseen = np.full((1, len(task.demand) - known[-1] - 1), np.nan)
    return Learnt(advance(fit[None], unseen)[0], tuple(sorted({str(w.message) for w in caught})))


def orders_in(fit: Doubles) -> Orders:
    """Return the orders of a fit."""
    return int(fit[N_P]), int(fit[N_Q]), bool(fit[N_DRIFT])


def _model(orders: Orders | None) -> AutoARIMA | ARIMA:
    if orders is None:
        return AutoARIMA(season_length=1, d=1)
    p, q, drift = orders
    return ARIMA(order=(p, 1, q), include_drift=drift)


def _without_gaps(demand: Doubles) -> Doubles:
    """Return demand (n_buckets,), whose first bucket is known, with each gap filled by the bucket before it."""
    place = np.where(np.isfinite(demand), np.arange(len(demand)), 0)
    return np.asarray(demand[np.maximum.accumulate(place)], np.float64)


def _learn_chunk(tasks: Sequence[ArimaTask]) -> list[Outcome]:
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
