"""The table of orders to suppliers that have terms: what the terms did to them, and why."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.network.supplier_types import SupplierOrders
from engine.plan.reasons import json_rows
from engine.plan.tables import plan_table


def supplier_orders_table(orders: SupplierOrders) -> pd.DataFrame:
    """Return the table ``supplier_orders``, sorted by source, location and order day."""
    placed = orders.units > 0
    value = np.where(placed, orders.value, orders.asked_value)
    volume = np.where(placed, orders.volume, orders.asked_volume)
    boxes = np.where(np.isfinite(orders.container), orders.volume / orders.container, np.nan)
    values = {
        "source": orders.source_id,
        "units": orders.units,
        "value": orders.value,
        "volume": orders.volume,
        "containers": boxes,
        "asked_units": orders.asked_units,
        "asked_value": orders.asked_value,
        "asked_volume": orders.asked_volume,
        "min_value": orders.min_value,
        "min_volume": orders.min_volume,
        "missing_value": np.maximum(orders.min_value - value, 0.0),
        "missing_volume": np.maximum(orders.min_volume - volume, 0.0),
        "order_cost": orders.order_cost,
        "periods": orders.periods_ahead + 1.0,
        "cost_of_waiting": np.maximum(orders.cost_of_waiting, 0.0),
    }
    table = plan_table(
        "supplier_orders",
        {
            "source_id": orders.source_id,
            "location_id": orders.location_id,
            "order_date": orders.order_date,
            "status": orders.status,
            "n_lines": orders.n_lines,
            "units": orders.units,
            "value": np.round(orders.value, 4),
            "volume": orders.volume,
            "asked_units": orders.asked_units,
            "asked_value": np.round(orders.asked_value, 4),
            "asked_volume": orders.asked_volume,
            "order_cost": orders.order_cost,
            "cost_of_waiting": np.round(orders.cost_of_waiting, 4),
            "gap": np.round(orders.gap, 4),
            "reason_code": "supplier-order-" + orders.status,
            "reason_values": json_rows(values),
        },
    )
    return table.sort_values(["source_id", "location_id", "order_date"], kind="stable", ignore_index=True)
