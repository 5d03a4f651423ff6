"""What a plan says about one item at one place, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

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


def explanation_text(found: Explanation, catalogue: Catalogue) -> str:
    """Return the explanation as lines of text: why, the figures behind it, lines, alerts and the forecast.

    The tables that it was made from must have their wording columns, as those of a written plan do.
    """
    return "\n".join(_lines(found, catalogue)) + "\n"


def _lines(found: Explanation, catalogue: Catalogue) -> Iterator[str]:
    yield f"{found.item_id} at {found.location_id}"
    for row in found.targets.to_dict("records"):
        yield f"  {row['reason']}"
        for name in _FIGURES:
            shown = f"{row[name]:.1%}" if name in _SHARES else plain_number(float(row[name]))
            yield f"    {catalogue.heading(name):<32} {shown:>12}"
        yield f"    {catalogue.heading('model'):<32} {row['model']:>12}"
    for heading, lines, sentence in (
        ("What the forecast is made of", found.forecast_reasons, "reason"),
        ("Alerts", found.alerts, "alert"),
        ("Orders", found.orders, "reason"),
        ("Transfers in", found.transfers_in, "reason"),
        ("Transfers out", found.transfers_out, "reason"),
        ("Presale", found.presale_allocations, "reason"),
    ):
        if len(lines):
            yield heading
            yield from (f"  {text}" for text in lines[sentence])
    if len(found.planned):
        yield "Expected later"
        yield from _planned(found.planned)
    if len(found.forecast):
        first, last = found.forecast["date"].iloc[0], found.forecast["date"].iloc[-1]
        total = plain_number(float(found.forecast["mean"].sum()))
        yield f"Forecast from {first:%Y-%m-%d} to {last:%Y-%m-%d}: {total} in all"


def _planned(planned: pd.DataFrame) -> Iterator[str]:
    for row in planned.to_dict("records"):
        units = plain_number(float(row["units"]))
        days = f"ordered {row['order_date']:%Y-%m-%d}, here {row['available_date']:%Y-%m-%d}"
        yield f"  {units} from {row['source_id']}, {days}"
