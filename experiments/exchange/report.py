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
from experiments.exchange.charts import Chart, service_chart
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
_PRESALE_WORTH = (
    "units", "share_local", "share_local_nothing", "share_local_historical", "waiting_days", "waiting_days_nothing",
    "waiting_days_historical", "move_cost", "move_cost_historical",
)  # fmt: skip


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
        mix_chart=_mix_chart(tables["stock_to_service"]),
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
    mix = tables["stock_to_service"]
    return {
        "alerts": shown("alerts", ("rank", *item, "location_id", "alert", "money_at_stake"), _N_ALERTS),
        "orders_by_source": by_source(tables["orders"], ("source_id",), catalogue, "orders"),
        "orders": dearest("orders", (*item, "source_id", "location_id", "units", "value", *dates, "reason")),
        "transfers_by_lane": by_source(tables["transfers"], ("origin_id", "dest_id"), catalogue, "transfers"),
        "transfers": dearest("transfers", (*item, "origin_id", "dest_id", "units", *dates, "reason")),
        "supplier_orders": shown(
            "supplier_orders", ("source_id", "location_id", "order_date", "units", "value", "status", "reason"), _N_ROWS
        ),
        "open_orders": grid(
            tables["open_order_changes"].sort_values("gain", ascending=False, kind="stable"),
            ("order_id", "line_no", *item, "location_id", "change", "due_date", "gain", "reason"),
            _N_LINES,
            catalogue,
            "open_order_changes",
        ),
        "changes": shown(
            "changes",
            (
                *item,
                "source_id",
                "location_id",
                "change",
                "units_before",
                "units",
                "order_date_before",
                "order_date",
                "reason",
            ),
            _N_LINES,
        ),
        "stability": shown("stability", ("measure", "value"), _N_ROWS),
        "presale": shown(
            "presale_allocations",
            ("presale_id", *item, "region", "location_id", "units", "supply_kind", "promised_date", "reason"),
            _N_ROWS,
        ),
        "presale_summary": shown("presale_summary", ("presale_id", *item, *_PRESALE_WORTH), _N_ROWS),
        "costs": grid(_worded_terms(tables["costs"], catalogue), ("term", "value"), _N_ROWS, catalogue, "costs"),
        "assumptions": shown("assumptions", ("assumption", "count"), _N_ROWS),
        "stock_to_service": grid(
            mix.assign(policy=_policies(mix, catalogue), chosen=mix["chosen"] == 1),
            ("policy", "setting", "service", "service_a", "service_b", "service_c", "stock_value", "chosen"),
            _N_ROWS,
            catalogue,
            "stock_to_service",
        ),
        "effects": effects_grid(tables["assumption_details"], _N_ROWS, catalogue),
        "backtest": backtest_grid(plan.backtest, _N_ROWS, catalogue),
        "value_added": value_added_grid(plan.backtest, _N_ROWS, catalogue),
    }


def _policies(mix: pd.DataFrame, catalogue: Catalogue) -> pd.Series:
    return mix["policy"].map(lambda policy: catalogue.words[f"policy-{policy}"])


def _mix_chart(mix: pd.DataFrame) -> Chart | None:
    if mix.empty:
        return None
    names = dict(zip(mix["policy"], _policies(mix, read_catalogue()), strict=True))
    return service_chart("Fill rate by mean stock value", mix, names)


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
