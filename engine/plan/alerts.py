"""Alerts: what a planner should look at first, each with the money at stake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.plan.exposure import NextArrival, SalesFacts, days_of_cover
from engine.plan.params import AlertParams
from engine.plan.reasons import json_rows
from engine.plan.tables import empty_table, plan_table
from engine.policy.types import F64, I64, Cells, Days, Texts

ALERT_CODES = (
    "stock-out-before-arrival",
    "best-seller-low-cover",
    "excess-stock",
    "dead-stock",
    "late-inbound",
    "sales-jump",
    "change-order-date",
    "change-order-units",
)

# A jump must also stand out from Poisson noise, by so many standard deviations.
_NOISE = 3.0


@dataclass(frozen=True)
class LateInbound:
    """Open order lines due before ``as_of`` and not received, arrays of one length."""

    cell: I64
    order_id: Texts
    units: F64
    due_date: Days


@dataclass(frozen=True)
class OpenOrderAlerts:
    """Proposed changes of open orders that matter much, arrays of one length; ``gain`` is money."""

    cell: I64
    order_id: Texts
    line_no: Texts
    change: Texts
    units: F64
    proposed_units: F64
    due_date: Days
    proposed_date: Days
    gain: F64


@dataclass(frozen=True)
class AlertInputs:
    """What alerts are read off, per cell (``n`` rows) and future bucket (``horizon``).

    Parameters
    ----------
    edges
        First day of each future bucket and the day after the last, shape (horizon + 1,), datetime64[D].
    mean_demand
        Mean over the paths, units, shape (n, horizon); a central cell's holds its children's orders.
    next_arrival
        What comes next, decided lines included, or where nothing is on order what could.
    stock_out_probability, expected_short
        Before that bucket, shape (n,): probability of a shortage, and units short.
    sales
        How sales went lately.
    late
        Overdue lines.
    changes
        Proposed changes of open orders.
    """

    cells: Cells
    edges: Days
    mean_demand: F64
    next_arrival: NextArrival
    stock_out_probability: F64
    expected_short: F64
    sales: SalesFacts
    late: LateInbound
    changes: OpenOrderAlerts

    def __post_init__(self) -> None:
        n, horizon = self.cells.n_cells, len(self.edges) - 1
        if self.mean_demand.shape != (n, horizon):
            raise ValueError(f"mean_demand must have shape {(n, horizon)}. Got {self.mean_demand.shape} instead.")

    @property
    def days(self) -> I64:
        """Days of each future bucket, shape (horizon,)."""
        return np.diff(self.edges).astype(np.int64)


@dataclass(frozen=True)
class _Found:
    """The cells that a rule names, with the date, the money, and the values of its sentence."""

    code: str
    cell: I64
    date: Days
    money: F64
    values: Mapping[str, npt.NDArray[Any]]


def alerts(inputs: AlertInputs, params: AlertParams) -> pd.DataFrame:
    """Return the table ``alerts``, ranked by money at stake (unknown money last).

    Money at stake, by code:

    - ``stock-out-before-arrival``: expected units short before the next arrival × shortage cost. Told where
      the probability is at least ``stock_out_risk``.
    - ``best-seller-low-cover``: an A item whose stock is under ``best_seller_cover_days`` of mean demand:
      what is missing to that × shortage cost.
    - ``excess-stock``: stock and inbound beyond the mean demand of ``excess_cover_days`` × unit cost.
    - ``dead-stock``: stock unsold for ``dead_days`` on sale × unit cost. It is not told again as excess.
    - ``late-inbound``: overdue units, at most the units expected short before the next arrival, × shortage
      cost.
    - ``sales-jump``: sales of the last ``jump_days`` above ``jump_factor`` times the usual and clear of
      noise: what the forecast of as many days does not foresee of them × shortage cost.
    - ``change-order-date``, ``change-order-units``: what the proposed change of an open order saves.
    """
    found = [
        _stock_out(inputs, params),
        _best_seller(inputs, params),
        _excess(inputs, params),
        _dead(inputs, params),
        _late(inputs),
        _jump(inputs, params),
        _change(inputs, "change-order-date", ("advance", "postpone")),
        _change(inputs, "change-order-units", ("increase", "decrease", "cancel")),
    ]
    tables = [_rows(inputs.cells, rule) for rule in found if len(rule.cell)]
    if not tables:
        return empty_table("alerts")
    every = pd.concat(tables, ignore_index=True)
    # The last keys only settle ties, so that the rank does not depend on the order of rows.
    every = every.sort_values(
        ["money_at_stake", "alert_code", "item_id", "location_id", "alert_values"],
        ascending=[False, True, True, True, True],
        na_position="last",
        ignore_index=True,
    )
    return every.assign(rank=np.arange(1, len(every) + 1))


def _stock_out(inputs: AlertInputs, params: AlertParams) -> _Found:
    cell = np.flatnonzero((inputs.stock_out_probability >= params.stock_out_risk) & (inputs.expected_short > 0))
    short = inputs.expected_short[cell]
    runs_out = _date_after(inputs, _cover(inputs, inputs.cells.available)[cell])
    values = {
        "probability": inputs.stock_out_probability[cell],
        "short": short,
        "available": inputs.cells.available[cell],
        **_coming(inputs, cell),
        "runs_out": runs_out,
    }
    return _Found("stock-out-before-arrival", cell, runs_out, short * inputs.cells.shortage_cost[cell], values)


def _best_seller(inputs: AlertInputs, params: AlertParams) -> _Found:
    cells = inputs.cells
    cover = _cover(inputs, cells.available)
    cell = np.flatnonzero((cells.abc == "A") & (cover < params.best_seller_cover_days))
    missing = _demand_within(inputs, params.best_seller_cover_days)[cell] - cells.available[cell]
    values = {
        "cover_days": cover[cell],
        "threshold_days": np.full(len(cell), params.best_seller_cover_days),
        "available": cells.available[cell],
        "missing": missing,
        **_coming(inputs, cell),
    }
    money = missing * cells.shortage_cost[cell]
    return _Found("best-seller-low-cover", cell, _date_after(inputs, cover[cell]), money, values)


def _excess(inputs: AlertInputs, params: AlertParams) -> _Found:
    cells = inputs.cells
    inbound = cells.arrivals.sum(axis=1)
    stock = cells.available + inbound
    excess = stock - cells.backorders - _demand_within(inputs, params.excess_cover_days)
    dead = inputs.sales.days_unsold >= params.dead_days
    # Below one unit there is nothing to act on.
    cell = np.flatnonzero((excess >= 1) & ~(dead & (cells.available > 0)))
    cover = _cover(inputs, stock)[cell]
    values = {
        "excess": excess[cell],
        "available": cells.available[cell],
        "inbound": inbound[cell],
        "cover_days": cover,
        "threshold_days": np.full(len(cell), params.excess_cover_days),
    }
    return _Found("excess-stock", cell, _today(inputs, cell), excess[cell] * cells.unit_cost[cell], values)


def _dead(inputs: AlertInputs, params: AlertParams) -> _Found:
    cells = inputs.cells
    cell = np.flatnonzero((inputs.sales.days_unsold >= params.dead_days) & (cells.available > 0))
    values = {
        "available": cells.available[cell],
        "days_unsold": inputs.sales.days_unsold[cell],
        "forecast": inputs.mean_demand[cell].sum(axis=1),
        "forecast_days": np.full(len(cell), int(inputs.days.sum())),
    }
    return _Found("dead-stock", cell, _today(inputs, cell), cells.available[cell] * cells.unit_cost[cell], values)


def _late(inputs: AlertInputs) -> _Found:
    cell, late = inputs.late.cell, inputs.late
    # Several late lines of a cell share its expected shortage, in proportion to their units.
    total = np.bincount(cell, weights=late.units, minlength=inputs.cells.n_cells)[cell]
    short = np.minimum(inputs.expected_short[cell], total) * late.units / np.where(total > 0, total, 1)
    values = {
        "order_id": late.order_id,
        "units": late.units,
        "due": late.due_date,
        "days_late": (inputs.edges[0] - late.due_date.astype("datetime64[D]")).astype(np.int64),
        "short": short,
    }
    return _Found("late-inbound", cell, late.due_date, short * inputs.cells.shortage_cost[cell], values)


def _jump(inputs: AlertInputs, params: AlertParams) -> _Found:
    recent, usual = inputs.sales.recent_units, inputs.sales.usual_units
    with np.errstate(invalid="ignore"):
        jumped = (recent > params.jump_factor * usual) & (recent - usual > _NOISE * np.sqrt(usual + 1))
    cell = np.flatnonzero(jumped)
    foreseen = _demand_within(inputs, params.jump_days)[cell]
    values = {
        "recent": recent[cell],
        "usual": usual[cell],
        "days": np.full(len(cell), params.jump_days),
        "forecast": foreseen,
    }
    money = np.maximum(recent[cell] - foreseen, 0) * inputs.cells.shortage_cost[cell]
    return _Found("sales-jump", cell, _today(inputs, cell), money, values)


def _change(inputs: AlertInputs, code: str, kinds: tuple[str, ...]) -> _Found:
    changes = inputs.changes
    row = np.flatnonzero(np.isin(changes.change.astype(str), kinds))
    values = {
        "order_id": changes.order_id[row],
        "line_no": changes.line_no[row],
        "units": changes.units[row],
        "proposed_units": changes.proposed_units[row],
        "due": changes.due_date[row],
        "proposed": changes.proposed_date[row],
    }
    return _Found(code, changes.cell[row], changes.due_date[row], changes.gain[row], values)


def _rows(cells: Cells, found: _Found) -> pd.DataFrame:
    return plan_table(
        "alerts",
        {
            "rank": np.zeros(len(found.cell), dtype=np.int64),
            "alert_code": np.full(len(found.cell), found.code, dtype=object),
            "item_id": cells.item_id[found.cell],
            "location_id": cells.location_id[found.cell],
            "date": found.date,
            "money_at_stake": np.round(found.money, 4),
            "alert_values": json_rows(found.values),
        },
    )


def _cover(inputs: AlertInputs, stock: F64) -> F64:
    return days_of_cover(np.maximum(stock - inputs.cells.backorders, 0), inputs.mean_demand, inputs.days)


def _demand_within(inputs: AlertInputs, n_days: float) -> F64:
    """Return mean demand of the first days; beyond the horizon it goes on at the horizon's mean rate."""
    begins = np.cumsum(inputs.days) - inputs.days
    inside = np.clip((n_days - begins) / inputs.days, 0, 1)
    beyond = max(n_days - float(inputs.days.sum()), 0) / float(inputs.days.sum())
    demand: F64 = inputs.mean_demand @ inside + inputs.mean_demand.sum(axis=1) * beyond
    return demand


def _date_after(inputs: AlertInputs, cover_days: F64) -> Days:
    within = np.minimum(cover_days, float(inputs.days.sum()))
    dates: Days = inputs.edges[0] + np.floor(within).astype(np.int64)
    return dates


def _coming(inputs: AlertInputs, cell: I64) -> dict[str, Days]:
    """Return, of three dates, the one that holds for each cell, the others not given.

    The next arrival; where nothing is on order the earliest at which an order could arrive; where none could, the end
    of the forecast.
    """
    bucket, on_order = inputs.next_arrival.bucket[cell], inputs.next_arrival.on_order[cell]
    reached = bucket < len(inputs.edges) - 1
    day, unknown = inputs.edges[np.minimum(bucket, len(inputs.edges) - 1)], np.datetime64("NaT", "D")
    return {
        "next_arrival": np.where(on_order, day, unknown),
        "earliest_arrival": np.where(~on_order & reached, day, unknown),
        "forecast_end": np.where(~on_order & ~reached, day, unknown),
    }


def _today(inputs: AlertInputs, cell: I64) -> Days:
    return np.full(len(cell), inputs.edges[0])
