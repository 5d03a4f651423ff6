"""What a part of a plan tells of itself among the assumptions: promises that what may be ordered cannot keep."""

from __future__ import annotations

import numpy as np

from engine.messages import Message, Value
from engine.network.decision import Decision
from engine.network.types import Network
from engine.policy.types import StockRule, Targets

_SLACK = 1e-9
_BOUND = ("maximum", "max-stock", "shelf-life")
"""Rules that hold a cell's own order below what its target asks for."""


def part_notes(network: Network, rule: StockRule, targets: Targets, decision: Decision) -> list[Message]:
    """Return notes on orders below suppliers' minimums, and on targets that lots and room keep out of reach."""
    notes = []
    orders = decision.supplier_orders
    low_value, low_volume = orders.value < orders.min_value - _SLACK, orders.volume < orders.min_volume - _SLACK
    short = (orders.units > 0) & (low_value | low_volume)
    if short.any():
        first = int(np.flatnonzero(short)[0])
        named = f"{orders.source_id[first]} to {orders.location_id[first]}"
        notes.append(Message("orders-below-minimum", {"count": int(short.sum()), "first": named}))
    if rule.objective in ("cycle_service", "fill_rate"):
        cells, cell = network.cells, network.options.cell[targets.option]
        reached = (decision.cycle_service if rule.objective == "cycle_service" else decision.fill_rate)[cell]
        bound = np.isin(targets.binding.astype(str), _BOUND) & (targets.order_units < targets.raw_units)
        missed = np.flatnonzero(bound & (reached < cells.target[cell] - _SLACK))
        if len(missed):
            row = cell[missed[0]]
            values: dict[str, Value] = {
                "count": len(missed),
                "first": f"{cells.item_id[row]} @ {cells.location_id[row]}",
                "expected": round(float(reached[missed[0]]), 4),
                "target": round(float(cells.target[row]), 4),
            }
            notes.append(Message("targets-out-of-reach", values))
    return notes
