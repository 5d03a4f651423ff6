"""The table ``open_order_changes``: what is proposed for open orders, and what that saves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.network.open_changes import OpenChanges
from engine.network.open_orders import OpenLines
from engine.network.types import Network
from engine.plan.reasons import json_rows
from engine.plan.tables import plan_table

OPEN_ORDER_CODES = ("open-advance", "open-postpone", "open-increase", "open-decrease", "open-cancel")


def open_order_changes(lines: OpenLines, changes: OpenChanges, network: Network) -> pd.DataFrame:
    """Return the table ``open_order_changes``, in the order of the lines.

    A line that is cancelled keeps its day; one whose units alone change keeps its day, one that is moved its units.
    """
    now, cells, calendar = lines.rows(changes.line), network.cells, network.calendar
    first_day = calendar.edges[calendar.n_history :].astype("datetime64[D]")
    moved = changes.bucket != now.bucket
    proposed = np.where(moved, first_day[np.minimum(changes.bucket, network.horizon)], now.due)
    gain, unmet, keeping = (np.round(money, 4) for money in (changes.gain, changes.unmet_saved, changes.keeping_saved))
    values = {
        "units": now.units,
        "proposed_units": changes.units,
        "due": now.due,
        "proposed": proposed,
        "gain": gain,
        "unmet_saved": unmet.clip(0.0),
        "unmet_added": (-unmet).clip(0.0),
        "keeping_saved": keeping.clip(0.0),
        "keeping_added": (-keeping).clip(0.0),
        "threshold": changes.threshold,
    }
    return plan_table(
        "open_order_changes",
        {
            "order_id": now.order_id,
            "line_no": now.line_no,
            "item_id": cells.item_id[now.cell],
            "location_id": cells.location_id[now.cell],
            "source_id": now.source_id,
            "change": changes.change,
            "units": now.units,
            "proposed_units": changes.units,
            "due_date": now.due,
            "proposed_date": proposed,
            "gain": gain,
            "reason_code": np.array([f"open-{change}" for change in changes.change], dtype=object),
            "reason_values": json_rows(values),
        },
    )
