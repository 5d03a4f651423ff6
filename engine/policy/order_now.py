"""What to order now, for any stock and inbound, from the curves stored with a plan.

`OrderCurves` keeps, per series, all that `engine.policy.targets` reads: demand paths over the protection interval and
the rules of the primary link. So at the plan's own position "order now" answers exactly what the plan decided for
the cell alone, and at any other position what the plan would have decided there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.messages import Message
from engine.policy.aims import Outlook, outlook
from engine.policy.params import Objective
from engine.policy.targets import targets_with
from engine.policy.types import (
    F64,
    I64,
    Bools,
    Cells,
    Days,
    Options,
    Scenarios,
    StockRule,
    Targets,
    Texts,
    Unmet,
)

_LARGEST_COUNT = 65535

_RULES = {
    "": "now-target",
    "owed": "now-owed",
    "min-stock": "now-min-stock",
    "minimum": "now-lot-minimum",
    "multiple": "now-lot-multiple",
    "maximum": "now-lot-maximum",
    "max-stock": "now-shelf-limit",
}


@dataclass(frozen=True)
class OrderCurves:
    """Per series (``n`` rows, first axis of every array): demand paths and the rules of its primary link.

    Only series with a primary link have a row. Fields without a row per series hold for all of them.

    Parameters
    ----------
    demand
        Shape (n, n_paths, n_buckets), units by bucket from ``as_of`` to the last next arrival: uint16 where every
        demand is a whole number below 65,536, else float32. One count is one unit, and all paths are kept.
    arrival, next_arrival
        First bucket served by the order at t1 and at t2 on each path, shape (n, n_paths), or (n, 1) where fixed.
    mean_arrival, mean_next_arrival
        The same at mean lead time, shape (n,).
    available, backorders, inbound
        The plan's own position: units, units, and units by bucket (n, n_buckets).
    cover_units, daily_demand
        See `engine.policy.aims.Outlook`.
    horizon
        Buckets of the plan's paths; ``end_bucket`` refers to them.
    days_per_bucket
        1 for days, 7 for weeks.

    owed
        Whether unmet demand stays asked for, whatever ``unmet`` says of others', shape (n,).

    All other fields are those of `Cells`, `Options` and `StockRule`.
    """

    item_id: Texts
    location_id: Texts
    source_id: Texts
    abc: Texts
    order_date: Days
    available_date: Days
    next_available_date: Days
    demand: npt.NDArray[np.uint16] | npt.NDArray[np.float32]
    arrival: npt.NDArray[np.uint16]
    next_arrival: npt.NDArray[np.uint16]
    mean_arrival: I64
    mean_next_arrival: I64
    available: F64
    backorders: F64
    inbound: F64
    divisible: Bools
    target: F64
    min_stock: F64
    max_stock: F64
    min_units: F64
    multiple: F64
    max_units: F64
    unit_cost: F64
    price: F64
    holding_cost: F64
    shortage_cost: F64
    backorder_cost: F64
    salvage_value: F64
    end_bucket: I64
    owed: Bools
    cover_units: F64
    daily_demand: F64
    objective: Objective
    unmet: Unmet
    horizon: int
    days_per_bucket: int

    def take(self, rows: I64) -> OrderCurves:
        """Return the curves of the given rows, in the given order."""
        chosen: dict[str, Any] = {name: value[rows] for name, value in _arrays(self).items()}
        return replace(self, **chosen)

    def block(self, start: int, stop: int) -> OrderCurves:
        """Return the curves [start, stop) as views."""
        chosen: dict[str, Any] = {name: value[start:stop] for name, value in _arrays(self).items()}
        return replace(self, **chosen)


@dataclass(frozen=True)
class Position:
    """Stock at ``as_of`` of the series asked for: units (r,), and inbound units by bucket (r, buckets)."""

    available: F64
    backorders: F64
    inbound: F64


@dataclass(frozen=True)
class OrderAnswer:
    """What to order now, one row a series asked for.

    ``expected_service`` is the measure of the objective: fill rate for "fill_rate", else cycle service. ``targets``
    holds all figures behind it.
    """

    units: F64
    expected_service: F64
    reasons: tuple[Message, ...]
    targets: Targets


def build_curves(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> OrderCurves:
    """Return the curves of every cell with a primary option, in the order of the options.

    Raises
    ------
    ValueError
        If buckets differ in length (months serve forecasts only).
    """
    lengths = np.unique(rule.bucket_days)
    if len(lengths) != 1:
        raise ValueError(f"buckets must have one length. Got lengths {lengths.tolist()} instead.")
    rows = np.flatnonzero(options.primary)
    links = options.take(rows)
    here = cells.take(links.cell)
    beyond = outlook(cells, options, scenarios, rule)
    arrival = np.minimum(scenarios.arrival[rows], scenarios.horizon)
    next_arrival = np.minimum(scenarios.next_arrival[rows], scenarios.horizon)
    latest = max(int(column.max(initial=0)) for column in (arrival + 1, next_arrival, links.next_arrival))
    n_buckets = min(latest, scenarios.horizon)
    if (arrival == arrival[:, :1]).all() and (next_arrival == next_arrival[:, :1]).all():
        arrival, next_arrival = arrival[:, :1], next_arrival[:, :1]
    return OrderCurves(
        item_id=here.item_id, location_id=here.location_id, source_id=links.source_id, abc=here.abc,
        order_date=links.order_date, available_date=links.available_date,
        next_available_date=links.next_available_date,
        demand=_counts(scenarios.paths[links.cell, :, :n_buckets]),
        arrival=arrival.astype(np.uint16), next_arrival=next_arrival.astype(np.uint16),
        mean_arrival=links.arrival, mean_next_arrival=links.next_arrival,
        available=here.available, backorders=here.backorders, inbound=here.arrivals[:, :n_buckets],
        divisible=here.divisible, target=here.target, min_stock=here.min_stock, max_stock=here.max_stock,
        min_units=links.min_units, multiple=links.multiple, max_units=links.max_units,
        unit_cost=here.unit_cost, price=links.unit_cost, holding_cost=here.holding_cost,
        shortage_cost=here.shortage_cost, backorder_cost=here.backorder_cost, salvage_value=here.salvage_value,
        end_bucket=here.end_bucket, owed=scenarios.owes(links.cell), cover_units=beyond.cover_units[links.cell],
        daily_demand=beyond.daily_demand[links.cell],
        objective=rule.objective, unmet=rule.unmet, horizon=scenarios.horizon, days_per_bucket=int(lengths[0]),
    )  # fmt: skip


def order_now(curves: OrderCurves, rows: I64, position: Position | None = None) -> OrderAnswer:
    """Return what to order now for the given rows, at a position or, without one, at the plan's own.

    Inbound due at or after the next arrival does not count, as in the plan.
    """
    chosen = curves.take(rows)
    here = position or Position(chosen.available, chosen.backorders, chosen.inbound)
    cells, options, scenarios, rule, beyond = _world(chosen, here)
    targets = targets_with(cells, options, scenarios, rule, beyond)
    by_fill = curves.objective == "fill_rate"
    service = targets.expected_fill_rate if by_fill else targets.expected_cycle_service
    return OrderAnswer(targets.order_units, service, _reasons(cells, targets), targets)


def join_curves(parts: Sequence[OrderCurves]) -> OrderCurves:
    """Return several blocks' curves as one, in the given order; shorter intervals are filled up with zeros.

    Raises
    ------
    ValueError
        If there are no parts, or parts that were judged by different rules.
    """
    if not parts or any(_shared(part) != _shared(parts[0]) for part in parts):
        raise ValueError("curves to be joined must share one rule. Got none or several instead.")
    joined: dict[str, Any] = {}
    for name in _arrays(parts[0]):
        blocks = [_arrays(part)[name] for part in parts]
        if blocks[0].ndim > 1:
            width = max(block.shape[-1] for block in blocks)
            blocks = [_widen(block, width, repeat=name in ("arrival", "next_arrival")) for block in blocks]
        joined[name] = np.concatenate(blocks)
    return replace(parts[0], **joined)


def to_arrays(curves: OrderCurves) -> dict[str, npt.NDArray[np.generic]]:
    """Return curves as arrays without objects: text as fixed width, what all series share as arrays of one entry."""
    arrays = {
        name: value.astype(np.str_) if value.dtype == object else value for name, value in _arrays(curves).items()
    }
    return arrays | {name: np.array([value]) for name, value in _shared(curves).items()}


def from_arrays(arrays: dict[str, npt.NDArray[np.generic]]) -> OrderCurves:
    """Return the curves that `to_arrays` was given."""
    values: dict[str, Any] = {
        name: value.astype(object) if value.dtype.kind == "U" else value for name, value in arrays.items()
    }
    values |= {name: arrays[name][0].item() for name in _SHARED}
    # Plans made before the field took what no one serves as lost everywhere.
    values.setdefault("owed", np.zeros(len(values["item_id"]), dtype=bool))
    return OrderCurves(**values)


_SHARED = ("objective", "unmet", "horizon", "days_per_bucket")


def _arrays(curves: OrderCurves) -> dict[str, Any]:
    return {f.name: getattr(curves, f.name) for f in fields(curves) if f.name not in _SHARED}


def _shared(curves: OrderCurves) -> dict[str, str | int]:
    return {name: getattr(curves, name) for name in _SHARED}


def _counts(demand: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16] | npt.NDArray[np.float32]:
    """Return whole demand as counts of one unit; what would not come back exactly stays as it is."""
    if demand.max(initial=0.0) > _LARGEST_COUNT:
        return demand
    counts = demand.astype(np.uint16)
    return counts if np.array_equal(counts, demand) else demand


def _widen(block: npt.NDArray[np.generic], width: int, repeat: bool) -> npt.NDArray[np.generic]:
    if block.shape[-1] == width:
        return block
    if repeat:
        return np.repeat(block, width, axis=1)
    wide = np.zeros((*block.shape[:-1], width), dtype=block.dtype)
    wide[..., : block.shape[-1]] = block
    return wide


def _world(curves: OrderCurves, position: Position) -> tuple[Cells, Options, Scenarios, StockRule, Outlook]:
    n, n_paths, n_buckets = curves.demand.shape
    inbound = np.zeros((n, n_buckets))
    known = position.inbound[:, :n_buckets]
    inbound[:, : known.shape[1]] = known
    cells = Cells(
        item_id=curves.item_id, location_id=curves.location_id, divisible=curves.divisible,
        unit_cost=curves.unit_cost, unit_price=np.full(n, np.nan), holding_cost=curves.holding_cost,
        shortage_cost=curves.shortage_cost, backorder_cost=curves.backorder_cost,
        salvage_value=curves.salvage_value, target=curves.target, min_stock=curves.min_stock,
        max_stock=curves.max_stock, abc=curves.abc, available=position.available, backorders=position.backorders,
        arrivals=inbound, end_bucket=curves.end_bucket,
    )  # fmt: skip
    whole, none = np.arange(n), np.full(n, -1)
    options = Options(
        cell=whole, origin_cell=none, source_id=curves.source_id, lane=none, primary=np.ones(n, dtype=bool),
        order_date=curves.order_date, available_date=curves.available_date, next_order_date=curves.order_date,
        next_available_date=curves.next_available_date, send_bucket=np.zeros(n, dtype=np.int64),
        arrival=curves.mean_arrival, next_arrival=curves.mean_next_arrival, lead_time_sd_days=np.zeros(n),
        unit_cost=curves.price, min_units=curves.min_units, multiple=curves.multiple, max_units=curves.max_units,
    )  # fmt: skip
    scenarios = Scenarios(
        curves.demand.astype(np.float32),
        np.broadcast_to(curves.arrival.astype(np.int32), (n, n_paths)),
        np.broadcast_to(curves.next_arrival.astype(np.int32), (n, n_paths)),
        curves.owed,
    )
    rule = StockRule(curves.objective, curves.unmet, np.full(curves.horizon, curves.days_per_bucket))
    return cells, options, scenarios, rule, Outlook(curves.daily_demand, curves.cover_units)


def _reasons(cells: Cells, targets: Targets) -> tuple[Message, ...]:
    """Return why, row by row: the rule that bound the quantity, and the figures behind it."""
    inbound = targets.position - cells.net
    messages = []
    for row in range(len(targets.option)):
        enough = targets.raw_units[row] == 0
        code = "now-enough" if enough else _RULES[targets.binding[row]]
        values = {
            "units": float(targets.order_units[row]),
            "wanted_units": float(targets.raw_units[row]),
            "interval_demand": float(targets.interval_demand[row]),
            "protection_demand": float(targets.protection_demand[row]),
            "safety_stock": float(targets.safety_stock[row]),
            "order_up_to": float(targets.order_up_to[row]),
            "position": float(targets.position[row]),
            "available": float(cells.available[row]),
            "backorders": float(cells.backorders[row]),
            "inbound": float(inbound[row]),
        }
        messages.append(Message(code, values))
    return tuple(messages)
