"""The report: one HTML file that opens offline, with everything a planner looks at first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from engine.plan.types import CONTRACT_VERSION, Plan
from experiments.exchange.catalogue import Catalogue, plain_number, read_catalogue
from experiments.exchange.plan_meta import PlanMeta
from experiments.exchange.report_data import (
    Grid,
    Tables,
    backtest_grid,
    by_source,
    effects_grid,
    grid,
    item_cards,
    items_that_matter,
    totals,
    value_added_grid,
)

_TEMPLATES = Path(__file__).parent / "templates"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_N_ALERTS, _N_LINES, _N_ROWS = 50, 25, 200


def write_report(plan: Plan, tables: Tables, path: Path, meta: PlanMeta, history: pd.DataFrame | None = None) -> None:
    """Write the report of a plan; ``tables`` are its tables with their wording columns."""
    path.write_text(render_report(plan, tables, meta, history), encoding="utf-8")


def render_report(plan: Plan, tables: Tables, meta: PlanMeta, history: pd.DataFrame | None = None) -> str:
    """Return the report as HTML; needs no network and no file beside it."""
    forecast = tables["forecast"]
    span = (forecast["date"].min(), forecast["date"].max()) if len(forecast) else None
    return report_template("report.html.j2").render(
        plan=plan,
        meta=meta,
        contract_version=CONTRACT_VERSION,
        bucket={"D": "days", "W": "weeks", "M": "months"}[plan.bucket],
        span="" if span is None else f"{span[0]:%Y-%m-%d} to {span[1]:%Y-%m-%d}",
        totals=totals(tables),
        grids=_grids(plan, tables),
        cards=item_cards(tables, items_that_matter(tables), meta, history),
        gap=plain_number(plan.solve.gap * 100),
    )


def _grids(plan: Plan, tables: Tables) -> dict[str, Grid]:
    catalogue = read_catalogue()

    def shown(name: str, columns: Sequence[str], limit: int) -> Grid:
        return grid(tables[name], columns, limit, catalogue, name)

    def dearest(name: str, columns: Sequence[str]) -> Grid:
        # Lines of unknown value come last; the stable sort keeps the plan's order among equals.
        lines = tables[name].sort_values(["value", "units"], ascending=False, na_position="last", kind="stable")
        return grid(lines, columns, _N_LINES, catalogue, name)

    dates = ("order_date", "available_date")
    item = ("item_id", "item_name") if "item_name" in tables["orders"] else ("item_id",)
    return {
        "alerts": shown("alerts", ("rank", *item, "location_id", "alert", "money_at_stake"), _N_ALERTS),
        "orders_by_source": by_source(tables["orders"], ("source_id",), catalogue, "orders"),
        "orders": dearest("orders", (*item, "source_id", "location_id", "units", "value", *dates, "reason")),
        "transfers_by_lane": by_source(tables["transfers"], ("origin_id", "dest_id"), catalogue, "transfers"),
        "transfers": dearest("transfers", (*item, "origin_id", "dest_id", "units", *dates, "reason")),
        "presale": shown(
            "presale_allocations",
            ("presale_id", *item, "region", "location_id", "units", "supply_kind", "promised_date", "reason"),
            _N_ROWS,
        ),
        "costs": grid(_worded_terms(tables["costs"], catalogue), ("term", "value"), _N_ROWS, catalogue, "costs"),
        "assumptions": shown("assumptions", ("assumption", "count"), _N_ROWS),
        "effects": effects_grid(tables["assumption_details"], _N_ROWS, catalogue),
        "backtest": backtest_grid(plan.backtest, _N_ROWS, catalogue),
        "value_added": value_added_grid(plan.backtest, _N_ROWS, catalogue),
    }


def _worded_terms(costs: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    terms = [catalogue.words.get(f"cost-{term}", term) for term in costs["term"]]
    return costs.assign(term=pd.array(terms, dtype="string[pyarrow]"))


def whole_dates(text: str) -> Markup:
    """Return text escaped for HTML, with every date marked so that no line breaks inside it."""
    return Markup(_DATE.sub(r'<span class="date">\g<0></span>', str(escape(text))))


@lru_cache
def report_template(name: str) -> Template:
    """Return a template of a report by its file name."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["whole_dates"] = whole_dates
    return environment.get_template(name)
