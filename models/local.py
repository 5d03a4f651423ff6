"""Per-series models where they pay: own fits for the most valuable series, an aggregate's season for the others.

A series with a fit of its own is forecast by it. Any other takes the curve over time (season, trend, common
events) of the aggregate it belongs to, its category at its location, else of the total, times its own recent
level: top-down shares, re-read from the series' own newest demand. So sampling never reads a sibling.

Parameters are estimated once, on the history before a hold-out. The errors on the hold-out make the residual pool,
and sampling applies the same parameters to the newest data, so that the pool's errors are those of the forecast.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.censoring import expected_demand
from engine.demand.panel import DemandPanel, Floats
from engine.execution import Executor
from engine.forecast.backcast import MeanAt
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled, stretch_length
from engine.forecast.types import FittedState
from engine.messages import Message
from models.hold_out import errors_at, hold_out_origins, within_reach
from models.local_choice import LocalChoice, choose_local, group_keys
from models.local_design import Doubles, choose_regressors, common_design, design, season_columns, season_orders
from models.local_learning import LocalModel, LocalTask, learn_all, outcome_notes
from models.moving_average import thirteen_weeks

LEVEL_HALF_LIFE = {"D": 28.0, "W": 8.0, "M": 3.0}
"""Half-life, in buckets, of the weights with which a series' own recent demand gives its level."""

LARGEST = 3.0
"""A mean forecast is at most this many times the largest bucket that the series ever sold: no run-away trends."""

MIN_HISTORY = {"D": 56, "W": 26, "M": 12}
"""Buckets of history before the hold-out that a per-series model needs."""

TOTAL = ""


@dataclass(frozen=True)
class LocalMean:
    """The mean forecast of a per-series model.

    Parameters
    ----------
    model
        Turns parameters into curves and forecasts.
    orders, regressors
        The columns of the design.
    own
        Parameters by (item, location) of the series with a fit of their own.
    groups
        Parameters by group (category and location); `TOTAL` for the aggregate of everything.
    """

    model: LocalModel
    orders: tuple[int, int]
    regressors: tuple[str, ...]
    own: Mapping[tuple[str, str], Doubles]
    groups: Mapping[str, Doubles]

    def __call__(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return mean demand of the buckets to come, shape (n, horizon)."""
        demand = np.where(panel.available > 0, expected_demand(panel), np.nan).astype(np.float64)
        keys = list(zip(panel.item_id, panel.location_id, strict=True))
        mine = np.array([r for r, key in enumerate(keys) if key in self.own], np.int64)
        mean = self._by_group(panel, demand, horizon)
        if len(mine):
            part = panel.take(mine)
            params = np.stack([self.own[keys[r]] for r in mine])
            columns = design(part, self.orders, self.regressors)
            mean[mine] = self.model.mean(params, columns, demand[mine], horizon)
        top = np.where(np.isfinite(demand), demand, 0).max(axis=1, initial=0.0)
        bounded: Floats = np.minimum(mean, np.maximum(LARGEST * top, 1.0)[:, None]).astype(np.float32)
        return bounded

    def _by_group(self, panel: DemandPanel, demand: Doubles, horizon: int) -> Doubles:
        """Return each series' own level along the curve of its group."""
        n_history = panel.calendar.n_history
        curves = {name: self._curve(panel, params) for name, params in self.groups.items()}
        names = [name if name in curves else TOTAL for name in group_keys(panel)]
        curve = np.stack([curves[name] for name in names]) if names else np.zeros((0, panel.calendar.n_buckets))
        level = recent_level(demand, curve[:, :n_history], LEVEL_HALF_LIFE[panel.calendar.bucket])
        return np.asarray(level[:, None] * curve[:, n_history : n_history + horizon], np.float64)

    def _curve(self, panel: DemandPanel, params: Doubles) -> Doubles:
        """Return a group's curve with mean 1 over the latest year or so of the panel, shape (n_buckets,)."""
        curve = self.model.curve(params[None], common_design(panel, self.orders, self.regressors))[0]
        n_history = panel.calendar.n_history
        past = curve[max(0, n_history - 365) : n_history]
        return np.asarray(curve / (past.mean() if len(past) else curve.mean()), np.float64)

    def text(self) -> dict[str, str]:
        """Return the parameters as text; numbers keep every bit."""
        own = [[*key, *params.tolist()] for key, params in sorted(self.own.items())]
        groups = {name: params.tolist() for name, params in sorted(self.groups.items())}
        return {
            "orders": json.dumps(self.orders),
            "regressors": json.dumps(self.regressors, ensure_ascii=False),
            "own": json.dumps(own, ensure_ascii=False),
            "groups": json.dumps(groups, ensure_ascii=False),
        }


def recent_level(demand: Doubles, curve: Doubles, half_life: float) -> Doubles:
    """Return weighted demand over the weighted curve of the same buckets, shape (n,).

    ``demand`` (n, n_history) has NaN where unseen. One bucket more at the level of all the history (and there half a
    unit in one more) keeps a series without sales, or without history, above zero, and biases no other.
    """
    n, n_history = demand.shape
    keep = 0.5 ** (1 / half_life)
    above, below = np.zeros(n), np.zeros(n)
    total, exposure = np.full(n, 0.5), np.ones(n)
    for t in range(n_history):
        known = np.isfinite(demand[:, t])
        sold, expected = np.where(known, demand[:, t], 0.0), np.where(known, curve[:, t], 0.0)
        above, below = keep * above + sold, keep * below + expected
        total, exposure = total + sold, exposure + expected
    return (above + total / exposure) / (below + 1.0)


def fit_local(panel: DemandPanel, model: LocalModel, max_fits: int, executor: Executor) -> PooledForecast:
    """Fit the chosen series and aggregates before a hold-out, and learn the errors there.

    Parameters
    ----------
    max_fits
        Series and aggregates fitted at most, the most valuable first.
    executor
        Spreads the fits; results do not depend on it.
    """
    ordered = panel.take(np.lexsort((panel.location_id.astype(np.str_), panel.item_id.astype(np.str_))))
    length = stretch_length(ordered)
    origins = hold_out_origins(ordered.calendar, length)
    before = ordered.cut(int(origins[-1])) if len(origins) else ordered
    least = MIN_HISTORY[panel.calendar.bucket]
    if not len(origins) or before.calendar.n_history < least or not before.units.any():
        return too_short(panel, model.name, least)
    choice = choose_local(before, max_fits, least)
    mean, notes = _learn(before, choice, model, executor)
    if TOTAL not in mean.groups:
        return _standing_in(panel, notes)
    pool = ResidualPool.learn(within_reach(errors_at(origins, length, ordered, mean, executor)))
    return PooledForecast(mean, pool, notes, mean.text())


def local_from_state(state: FittedState, model: LocalModel) -> PooledForecast:
    """Return the fit that a state describes."""
    pool = ResidualPool.from_state(state)
    if "own" not in state.text:
        return PooledForecast(thirteen_weeks, pool)
    orders = json.loads(state.text["orders"])
    mean = LocalMean(
        model=model,
        orders=(int(orders[0]), int(orders[1])),
        regressors=tuple(json.loads(state.text["regressors"])),
        own={(row[0], row[1]): np.array(row[2:], np.float64) for row in json.loads(state.text["own"])},
        groups={name: np.array(params, np.float64) for name, params in json.loads(state.text["groups"]).items()},
    )
    return PooledForecast(mean, pool, text=mean.text())


def _learn(
    panel: DemandPanel, choice: LocalChoice, model: LocalModel, executor: Executor
) -> tuple[LocalMean, tuple[Message, ...]]:
    """Return the fits of a panel and what is to be told of them."""
    orders, names = season_orders(panel.calendar), choose_regressors(panel)
    tasks = _series_tasks(panel, choice.series, orders, names) + _group_tasks(panel, choice, orders, names)
    outcomes = learn_all(model, tasks, executor)
    fitted = [outcome.learnt.params if outcome.learnt else None for outcome in outcomes]
    n_own = len(choice.series)
    keys = [(str(panel.item_id[r]), str(panel.location_id[r])) for r in choice.series]
    own = {key: params for key, params in zip(keys, fitted[:n_own], strict=True) if params is not None}
    groups = {name: params for name, params in zip(choice.groups, fitted[n_own:], strict=True) if params is not None}
    listed = Message(
        "local-fits",
        {
            "model": model.name,
            "n_series": len(own),
            "n_aggregates": len(groups),
            "n_others": panel.n_series - len(own),
            "series": "; ".join(f"{item} at {location}" for item, location in own),
            "aggregates": "; ".join(name or "total" for name in groups),
        },
    )
    return LocalMean(model, orders, names, own, groups), (listed, *outcome_notes(model.name, outcomes))


def _series_tasks(
    panel: DemandPanel, series: npt.NDArray[np.int64], orders: tuple[int, int], names: tuple[str, ...]
) -> list[LocalTask]:
    part, h = panel.take(series), panel.calendar.n_history
    demand = np.where(part.available > 0, expected_demand(part), np.nan).astype(np.float64)
    columns = design(part, orders, names)
    return [
        LocalTask(
            f"{part.item_id[r]} at {part.location_id[r]}",
            demand[r],
            np.column_stack([columns.season[:h], columns.regressors[r, :h]]),
            columns.days[:h],
            orders,
        )
        for r in range(part.n_series)
    ]


def _group_tasks(
    panel: DemandPanel, choice: LocalChoice, orders: tuple[int, int], names: tuple[str, ...]
) -> list[LocalTask]:
    h = panel.calendar.n_history
    demand = np.nan_to_num(expected_demand(panel).astype(np.float64))
    columns = common_design(panel, orders, names)
    every = np.column_stack([season_columns(panel.calendar, orders)[:h], columns.regressors[0, :h]])
    return [
        LocalTask(name or "total", demand[rows].sum(axis=0), every, columns.days[:h], orders)
        for name, rows in choice.groups.items()
    ]


def too_short(panel: DemandPanel, name: str, least: int, stand_in: MeanAt = thirteen_weeks) -> PooledForecast:
    """Return what stands in for a model whose history has not the ``least`` buckets, and a note on it."""
    note = Message("local-too-short", {"model": name, "n_buckets": panel.calendar.n_history, "least": least})
    return _standing_in(panel, (note,), stand_in)


def _standing_in(panel: DemandPanel, notes: tuple[Message, ...], stand_in: MeanAt = thirteen_weeks) -> PooledForecast:
    fitted = fit_pooled(panel, stand_in)
    return PooledForecast(stand_in, fitted.pool, (*fitted.notes, *notes), stands_in=True)
