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
_LISTED = {
    "alerts": ("alerts", ("rank", "item_id", "location_id", "alert", "money_at_stake"), _N_ALERTS),
    "supplier_orders": (
        "supplier_orders", ("source_id", "location_id", "order_date", "units", "value", "status", "reason"), _N_ROWS,
    ),
    "changes": (
        "changes",
        ("item_id", "source_id", "location_id", "change", "units_before", "units", "order_date_before", "order_date",
         "reason"),
        _N_LINES,
    ),
    "stability": ("stability", ("measure", "value"), _N_ROWS),
    "presale": (
        "presale_allocations",
        ("presale_id", "item_id", "region", "location_id", "units", "supply_kind", "promised_date", "reason"),
        _N_ROWS,
    ),
    "presale_summary": ("presale_summary", ("presale_id", "item_id", *_PRESALE_WORTH), _N_ROWS),
    "assumptions": ("assumptions", ("assumption", "count"), _N_ROWS),
}  # fmt: skip
"""Tables shown as they stand, by grid: table, columns and most rows."""


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
    item = ("item_id", "item_name") if "item_name" in tables["orders"] else ("item_id",)
    return {
        **{name: _listed(name, tables, item, catalogue) for name in _LISTED},
        **_line_grids(tables, item, catalogue),
        **_worded_grids(tables, catalogue),
        "effects": effects_grid(tables["assumption_details"], _N_ROWS, catalogue),
        "backtest": backtest_grid(plan.backtest, _N_ROWS, catalogue),
        "value_added": value_added_grid(plan.backtest, _N_ROWS, catalogue),
    }


def _listed(name: str, tables: Tables, item: tuple[str, ...], catalogue: Catalogue) -> Grid:
    """Return a table as it stands; ``item`` names the columns that tell an item."""
    table, columns, limit = _LISTED[name]
    shown = [one for column in columns for one in (item if column == "item_id" else (column,))]
    return grid(tables[table], shown, limit, catalogue, table)


def _line_grids(tables: Tables, item: tuple[str, ...], catalogue: Catalogue) -> dict[str, Grid]:
    """Return the lines of the plan, dearest first, and what they come to by where they come from."""

    def dearest(name: str, columns: Sequence[str]) -> Grid:
        # Lines of unknown value come last; the stable sort keeps the plan's order among equals.
        lines = tables[name].sort_values(["value", "units"], ascending=False, na_position="last", kind="stable")
        return grid(lines, [*item, *columns, "order_date", "available_date", "reason"], _N_LINES, catalogue, name)

    changes = tables["open_order_changes"].sort_values("gain", ascending=False, kind="stable")
    of_change = ("order_id", "line_no", *item, "location_id", "change", "due_date", "gain", "reason")
    return {
        "orders_by_source": by_source(tables["orders"], ("source_id",), catalogue, "orders"),
        "orders": dearest("orders", ("source_id", "location_id", "units", "value")),
        "transfers_by_lane": by_source(tables["transfers"], ("origin_id", "dest_id"), catalogue, "transfers"),
        "transfers": dearest("transfers", ("origin_id", "dest_id", "units")),
        "open_orders": grid(changes, of_change, _N_LINES, catalogue, "open_order_changes"),
    }


def _worded_grids(tables: Tables, catalogue: Catalogue) -> dict[str, Grid]:
    """Return the tables whose codes are worded for the report alone."""
    mix = tables["stock_to_service"]
    mix = mix.assign(policy=_policies(mix, catalogue), chosen=mix["chosen"] == 1)
    of_mix = ("policy", "setting", "service", "service_a", "service_b", "service_c", "stock_value", "chosen")
    return {
        "costs": grid(_worded_terms(tables["costs"], catalogue), ("term", "value"), _N_ROWS, catalogue, "costs"),
        "stock_to_service": grid(mix, of_mix, _N_ROWS, catalogue, "stock_to_service"),
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
