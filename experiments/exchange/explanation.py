"""What a plan says about one item at one place, as text for a terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import fields

import pandas as pd

from engine.plan.explain import Explanation
from experiments.exchange.catalogue import Catalogue, plain_number

_FIGURES = (
    "target",
    "expected_service",
    "available",
    "inbound",
    "backorders",
    "position",
    "interval_demand",
    "protection_demand",
    "safety_stock",
    "reorder_point",
    "order_up_to",
    "order_units",
)
_SHARES = frozenset({"expected_service"})
_N_BUCKETS = 14


def explanation_text(found: Explanation, catalogue: Catalogue) -> str:
    """Return the explanation as lines of text: why, the figures behind it, lines, alerts and the forecast.

    The tables that it was made from must have their wording columns, as those of a written plan do.
    """
    return "\n".join(_lines(found, catalogue)) + "\n"


def explanation_json(found: Explanation) -> str:
    """Return the explanation as JSON: the rows of every table, the binding rules, and the next best alternative."""
    tables: dict[str, object] = {
        part.name: json.loads(getattr(found, part.name).to_json(orient="records", date_format="iso"))
        for part in fields(found)
        if part.name not in ("item_id", "location_id")
    }
    best = None if found.next_best is None else json.loads(found.alternatives.loc[found.next_best].to_json())
    content = {
        "item_id": found.item_id, "location_id": found.location_id, "binding": found.binding, **tables,
        "next_best": best,
    }  # fmt: skip
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _lines(found: Explanation, catalogue: Catalogue) -> Iterator[str]:
    yield f"{found.item_id} at {found.location_id}"
    for row in found.targets.to_dict("records"):
        yield f"  {row['reason']}"
        for name in _FIGURES:
            shown = f"{row[name]:.1%}" if name in _SHARES else plain_number(float(row[name]))
            yield f"    {catalogue.heading(name):<32} {shown:>12}"
        yield f"    {catalogue.heading('model'):<32} {row['model']:>12}"
    if found.binding:
        yield f"Bound by: {', '.join(rule.replace('-', ' ') for rule in found.binding)}"
    yield from _alternatives(found)
    for heading, lines, sentence in (
        ("What the forecast is made of", found.forecast_reasons, "reason"),
        ("Alerts", found.alerts, "alert"),
        ("Orders", found.orders, "reason"),
        ("Transfers in", found.transfers_in, "reason"),
        ("Transfers out", found.transfers_out, "reason"),
        ("On order, better changed", found.open_order_changes, "reason"),
        ("Presale", found.presale_allocations, "reason"),
    ):
        if len(lines):
            yield heading
            yield from (f"  {text}" for text in lines[sentence])
    if len(found.planned):
        yield "Expected later"
        yield from _planned(found.planned)
    if len(found.projection):
        yield "Stock to come: mean, and the range of nine cases in ten"
        yield from _projection(found.projection)
    if len(found.forecast):
        first, last = found.forecast["date"].iloc[0], found.forecast["date"].iloc[-1]
        total = plain_number(float(found.forecast["mean"].sum()))
        yield f"Forecast from {first:%Y-%m-%d} to {last:%Y-%m-%d}: {total} in all"


def _alternatives(found: Explanation) -> Iterator[str]:
    """The curve around the decision, and what comes next to it."""
    if found.alternatives.empty:
        if len(found.targets):
            yield "Alternatives are kept for the items and places with most money in play; this is none of them."
        return
    yield "Alternatives, until the next delivery, all else as decided"
    yield f"    {'from':<16} {'units':>10} {'extra cost':>14} {'service':>9}"
    for row in found.alternatives.to_dict("records"):
        mark = "  <- decided" if row["chosen"] else ""
        yield f"    {_alternative(row)}{mark}"
    if (best := found.next_best) is not None:
        row = found.alternatives.loc[best].to_dict()
        what = f"{plain_number(row['units'])} from {row['source_id']}" if row["units"] else "nothing"
        yield f"Next best: {what}, at {row['extra_cost']:+,.2f} and {row['expected_service']:.1%} service"


def _alternative(row: Mapping[Hashable, object]) -> str:
    units, extra, service = (float(str(row[name])) for name in ("units", "extra_cost", "expected_service"))
    shown = "-" if math.isnan(service) else f"{service:.1%}"
    return f"{row['source_id']!s:<16} {plain_number(units):>10} {extra:>+14,.2f} {shown:>9}"


def _projection(projection: pd.DataFrame) -> Iterator[str]:
    every = math.ceil(len(projection) / _N_BUCKETS)
    for row in projection.iloc[::every].to_dict("records"):
        low, mean, high = (plain_number(float(row[name])) for name in ("stock_q0.05", "stock_mean", "stock_q0.95"))
        yield f"    {row['date']:%Y-%m-%d} {mean:>10}   {low} to {high}"


def _planned(planned: pd.DataFrame) -> Iterator[str]:
    for row in planned.to_dict("records"):
        units = plain_number(float(row["units"]))
        days = f"ordered {row['order_date']:%Y-%m-%d}, here {row['available_date']:%Y-%m-%d}"
        yield f"  {units} from {row['source_id']}, {days}"
