"""The plan: its tables, its costs and the report of its solve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pandas as pd

from engine.policy.order_now import OrderCurves

CONTRACT_VERSION = "1"

Kind = Literal["text", "units", "money", "number", "whole", "date", "share"]

_LINE_END: Mapping[str, Kind] = {"reason_code": "text", "reason_values": "text"}

PLAN_TABLES: Mapping[str, Mapping[str, Kind]] = MappingProxyType(
    {
        "orders": {
            "line_id": "text", "item_id": "text", "source_id": "text", "location_id": "text",
            "units": "units", "order_date": "date", "available_date": "date", "unit_cost": "money",
            "value": "money", "expected_service": "share", "cost_of_waiting": "money", **_LINE_END,
        },
        "transfers": {
            "line_id": "text", "item_id": "text", "origin_id": "text", "dest_id": "text", "units": "units",
            "order_date": "date", "available_date": "date", "unit_cost": "money", "value": "money",
            "expected_service": "share", "cost_of_waiting": "money", **_LINE_END,
        },
        "planned": {
            "line_id": "text", "kind": "text", "item_id": "text", "source_id": "text", "location_id": "text",
            "units": "units", "order_date": "date", "available_date": "date",
        },
        "supplier_orders": {
            "source_id": "text", "location_id": "text", "order_date": "date", "status": "text", "n_lines": "whole",
            "units": "units", "value": "money", "volume": "number", "asked_units": "units", "asked_value": "money",
            "asked_volume": "number", "order_cost": "money", "cost_of_waiting": "money", "gap": "money", **_LINE_END,
        },
        "open_order_changes": {
            "order_id": "text", "line_no": "text", "item_id": "text", "location_id": "text", "source_id": "text",
            "change": "text", "units": "units", "proposed_units": "units", "due_date": "date",
            "proposed_date": "date", "gain": "money", **_LINE_END,
        },
        "presale_allocations": {
            "presale_id": "text", "item_id": "text", "region": "text", "location_id": "text",
            "units": "units", "supply_kind": "text", "line_id": "text", "promised_date": "date", **_LINE_END,
        },
        "presale_summary": {
            "presale_id": "text", "item_id": "text", "units": "units", "share_local": "share",
            "share_local_nothing": "share", "share_local_historical": "share", "waiting_days": "number",
            "waiting_days_nothing": "number", "waiting_days_historical": "number", "move_cost": "money",
            "move_cost_historical": "money",
        },
        "targets": {
            "item_id": "text", "location_id": "text", "source_id": "text", "abc": "text", "xyz": "text",
            "objective": "text", "target": "number", "order_date": "date", "available_date": "date",
            "next_available_date": "date", "interval_demand": "units", "protection_demand": "units",
            "safety_stock": "units", "reorder_point": "units", "order_up_to": "units",
            "stock_at_landing": "units", "available": "units", "inbound": "units", "backorders": "units",
            "position": "units",
            "order_units": "units", "expected_cycle_service": "share", "expected_fill_rate": "share",
            "expected_service": "share", "model": "text", **_LINE_END,
        },
        "forecast": {"item_id": "text", "location_id": "text", "date": "date", "mean": "units"},
        "projection": {
            "item_id": "text", "location_id": "text", "date": "date", "stock_mean": "units",
            "stock_q0.05": "units", "stock_q0.95": "units", "inbound": "units", "ordered": "units",
        },
        "alternatives": {
            "item_id": "text", "location_id": "text", "source_id": "text", "units": "units", "extra_cost": "money",
            "expected_cycle_service": "share", "expected_fill_rate": "share", "expected_service": "share",
            "chosen": "whole",
        },
        "forecast_reasons": {
            "item_id": "text", "location_id": "text", "until": "date", "level": "units", "mean": "units", **_LINE_END,
        },
        "changes": {
            "line_id": "text", "previous_line_id": "text", "kind": "text", "item_id": "text", "source_id": "text",
            "location_id": "text", "change": "text", "units_before": "units", "units": "units",
            "order_date_before": "date", "order_date": "date", "available_date_before": "date",
            "available_date": "date", **_LINE_END,
        },
        "stability": {"measure": "text", "value": "number"},
        "alerts": {
            "rank": "whole", "alert_code": "text", "item_id": "text", "location_id": "text", "date": "date",
            "money_at_stake": "money", "alert_values": "text",
        },
        "assumptions": {"assumption_code": "text", "assumption_values": "text", "count": "whole"},
        "assumption_details": {"assumption_code": "text", "assumption_values": "text", "count": "whole"},
        "costs": {"term": "text", "value": "money"},
        "stock_to_service": {
            "policy": "text", "setting": "share", "service": "share", "service_a": "share", "service_b": "share",
            "service_c": "share", "stock_value": "money", "next_unit_value": "money", "chosen": "whole",
        },
        "limits": {
            "limit": "text", "place_id": "text", "from_date": "date", "bound": "number", "asked": "number",
            "used": "number", "price": "money",
        },
        "next_best": {
            "rank": "whole", "line_id": "text", "item_id": "text", "source_id": "text", "location_id": "text",
            "order_date": "date", "limit": "text", "units": "units", "value": "money", "gain": "money",
            "gain_per_money": "number",
        },
    }
)  # fmt: skip
"""Columns and kinds of every table of a plan; ``forecast`` also has one column per quantile (q0.05, ...).

``assumptions`` has one row per code, with how often it was made and the values of its first case;
``assumption_details`` has one row per case. The wording columns ``reason``, ``alert`` and ``assumption``
are added from the catalogues when a plan is written. ``changes`` and ``stability`` are empty unless the plan was
compared with the one before it (`engine.plan.changes`).
"""

PLAN_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "orders": ("line_id",),
        "transfers": ("line_id",),
        "planned": ("line_id",),
        "supplier_orders": ("source_id", "location_id", "order_date"),
        "presale_summary": ("presale_id", "item_id"),
        "open_order_changes": ("order_id", "line_no"),
        "targets": ("item_id", "location_id"),
        "forecast": ("item_id", "location_id", "date"),
        "projection": ("item_id", "location_id", "date"),
        "alternatives": ("item_id", "location_id", "source_id", "units"),
        "forecast_reasons": ("item_id", "location_id"),
        "changes": ("line_id",),
        "stability": ("measure",),
        "alerts": ("rank",),
        "assumptions": ("assumption_code",),
        "assumption_details": ("assumption_code", "assumption_values"),
        "costs": ("term",),
        "stock_to_service": ("policy", "setting"),
        "limits": ("limit", "place_id", "from_date"),
        "next_best": ("rank",),
    }
)
"""Columns that identify a row; a table without an entry may repeat rows."""


@dataclass(frozen=True)
class SolveReport:
    """How the coupled problem was solved; a limit that was reached is not an optimum.

    ``bound`` <= optimal cost <= ``objective``; ``gap`` = (objective - bound) / max(1, |objective|).
    ``work`` counts rounds, cuts and nodes.
    """

    status: Literal["optimal", "limit", "uncoupled"]
    objective: float
    bound: float
    gap: float
    work: Mapping[str, int]


def joined_report(reports: Sequence[SolveReport]) -> SolveReport:
    """Return one report of several solves: sums, and the worst status; those that coupled nothing do not count."""
    coupled = [report for report in reports if report.status != "uncoupled"]
    if not coupled:
        return reports[0] if reports else SolveReport("uncoupled", 0.0, 0.0, 0.0, {})
    objective = sum(report.objective for report in coupled)
    bound = sum(report.bound for report in coupled)
    work = {name: sum(report.work.get(name, 0) for report in coupled) for name in sorted(coupled[0].work)}
    proven = all(report.status == "optimal" for report in coupled)
    gap = (objective - bound) / max(1.0, abs(objective))
    return SolveReport("optimal" if proven else "limit", objective, bound, gap, work)


@dataclass(frozen=True)
class Plan:
    """Decisions for one ``as_of``, with the tables of `PLAN_TABLES` and what "order now" needs later."""

    as_of: str
    bucket: str
    tables: Mapping[str, pd.DataFrame]
    solve: SolveReport
    curves: OrderCurves
    backtest: pd.DataFrame
