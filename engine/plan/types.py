"""The plan: its tables, its costs and the report of its solve."""

from __future__ import annotations

from collections.abc import Mapping
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
        "presale_allocations": {
            "presale_id": "text", "item_id": "text", "region": "text", "location_id": "text",
            "units": "units", "supply_kind": "text", "line_id": "text", "promised_date": "date", **_LINE_END,
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
        "forecast_reasons": {
            "item_id": "text", "location_id": "text", "until": "date", "level": "units", "mean": "units", **_LINE_END,
        },
        "alerts": {
            "rank": "whole", "alert_code": "text", "item_id": "text", "location_id": "text", "date": "date",
            "money_at_stake": "money", "alert_values": "text",
        },
        "assumptions": {"assumption_code": "text", "assumption_values": "text", "count": "whole"},
        "assumption_details": {"assumption_code": "text", "assumption_values": "text", "count": "whole"},
        "costs": {"term": "text", "value": "money"},
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
are added from the catalogues when a plan is written.
"""

PLAN_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "orders": ("line_id",),
        "transfers": ("line_id",),
        "planned": ("line_id",),
        "targets": ("item_id", "location_id"),
        "forecast": ("item_id", "location_id", "date"),
        "projection": ("item_id", "location_id", "date"),
        "forecast_reasons": ("item_id", "location_id"),
        "alerts": ("rank",),
        "assumptions": ("assumption_code",),
        "assumption_details": ("assumption_code", "assumption_values"),
        "costs": ("term",),
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


@dataclass(frozen=True)
class Plan:
    """Decisions for one ``as_of``, with the tables of `PLAN_TABLES` and what "order now" needs later."""

    as_of: str
    bucket: str
    tables: Mapping[str, pd.DataFrame]
    solve: SolveReport
    curves: OrderCurves
    backtest: pd.DataFrame
