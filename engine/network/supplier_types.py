"""What became of the orders to suppliers, one row a source, destination and order day."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from engine.policy.types import F64, I64, Days, Texts

AS_ASKED, ORDERED_AHEAD, FILLED, BELOW_MINIMUM, WAITS = "as-asked", "ordered-ahead", "filled", "below-minimum", "waits"
LIMITED = "limited"
STATUSES = (AS_ASKED, ORDERED_AHEAD, FILLED, BELOW_MINIMUM, WAITS, LIMITED)
REASON_CODES = tuple(f"supplier-order-{status}" for status in STATUSES)


@dataclass(frozen=True)
class SupplierOrders:
    """Orders to suppliers that have terms, as arrays of one length, in the order of their keys.

    Parameters
    ----------
    source_id, location_id, order_date
        What makes an order.
    status
        One of `STATUSES`: what the terms did to it.
    n_lines, units, value, volume
        As decided (0 where it waits); value as paid, breaks included.
    asked_units, asked_value, asked_volume
        What cells asked for before terms.
    order_cost, min_value, min_volume, container
        The supplier's terms; 0 where there is none, inf without containers.
    periods_ahead
        Review periods beyond its own that the order covers to spread its order cost.
    cost_of_waiting
        Expected cost of nothing until the next order arrives, less that of what is decided (of what was asked where
        the order waits), order cost left out; money; NaN where limits that all items share cut the order.
    gap
        Cost of the lots found above the least possible that keeps to the minimums, money; 0 where it is proven.
    """

    source_id: Texts
    location_id: Texts
    order_date: Days
    status: Texts
    n_lines: I64
    units: F64
    value: F64
    volume: F64
    asked_units: F64
    asked_value: F64
    asked_volume: F64
    order_cost: F64
    min_value: F64
    min_volume: F64
    container: F64
    periods_ahead: I64
    cost_of_waiting: F64
    gap: F64

    @property
    def n_orders(self) -> int:
        return len(self.source_id)

    @property
    def paid_for_orders(self) -> float:
        """Return the order costs of all orders that are placed."""
        return float(self.order_cost[self.units > 0].sum())

    def take(self, rows: I64) -> SupplierOrders:
        """Return some of the orders."""
        return SupplierOrders(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass(frozen=True)
class SupplierDecision:
    """Units of all options (m,) once suppliers' terms are kept, the rule that changed them ("" where none did)."""

    units: F64
    rule: Texts
    orders: SupplierOrders


def no_orders() -> SupplierOrders:
    """Return no orders."""
    text, number, whole = np.zeros(0, dtype=object), np.zeros(0), np.zeros(0, dtype=np.int64)
    kinds = {"Texts": text, "F64": number, "I64": whole, "Days": np.zeros(0, dtype="datetime64[D]")}
    return SupplierOrders(*(kinds[str(f.type)] for f in fields(SupplierOrders)))
