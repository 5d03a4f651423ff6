"""The plan as a whole from its decided parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.network.parts import NetworkPart
from engine.network.types import Network
from engine.plan.alerts import AlertInputs, LateInbound, OpenOrderAlerts, alerts
from engine.plan.assemble import costs_table
from engine.plan.part import PartResult
from engine.plan.summary import whole_summary
from engine.plan.tables import empty_table
from engine.policy.order_now import OrderCurves, join_curves
from engine.tables import Tables

_SORTED_BY = {
    "orders": ["item_id", "location_id", "order_date", "source_id"],
    "transfers": ["item_id", "dest_id", "order_date", "origin_id"],
    "planned": ["item_id", "location_id", "order_date", "source_id"],
    "supplier_orders": ["source_id", "location_id", "order_date"],
    "open_order_changes": ["order_id", "line_no"],
    "targets": ["item_id", "location_id"],
    "forecast": ["item_id", "location_id", "date"],
    "projection": ["item_id", "location_id", "date"],
    # The decision's own source stands first, as it comes from its part.
    "alternatives": ["item_id", "location_id"],
    "forecast_reasons": ["item_id", "location_id"],
    "presale_allocations": ["presale_id", "item_id", "region", "location_id", "supply_kind", "line_id"],
    "presale_summary": ["presale_id", "item_id"],
}


def join_tables(parts: Sequence[PartResult]) -> dict[str, pd.DataFrame]:
    """Return the tables of all parts, each sorted by its key, so that parts do not show."""
    joined = {}
    for name, by in _SORTED_BY.items():
        frames = [part.tables[name] for part in parts if len(part.tables[name])]
        if frames:
            joined[name] = pd.concat(frames).sort_values(by, kind="stable", ignore_index=True)
        else:
            joined[name] = parts[0].tables[name] if parts else empty_table(name)
    return joined


def join_costs(parts: Sequence[PartResult]) -> pd.DataFrame:
    """Return the table ``costs``: sums by term, in order of the terms' names."""
    names = sorted(set(chain.from_iterable(part.costs for part in parts)))
    return costs_table({name: sum(part.costs[name] for part in parts) for name in names})


def join_alerts(
    network: Network, parts: Sequence[PartResult], split: Sequence[NetworkPart], late: LateInbound, config: PlanConfig
) -> pd.DataFrame:
    """Return the table ``alerts`` of all cells; ``split`` names each part's cells in ``network``."""
    whole = whole_summary([part.summary for part in parts], [part.cell_rows for part in split])
    calendar = network.calendar
    inputs = AlertInputs(
        cells=network.cells,
        edges=calendar.edges[calendar.n_history :],
        mean_demand=whole.mean_demand,
        next_arrival=whole.next_arrival,
        stock_out_probability=whole.stock_out_probability,
        expected_short=whole.expected_short,
        sales=whole.sales,
        late=late,
        changes=_changes_that_matter(network, parts, config.open_orders.alert_share),
    )
    return alerts(inputs, config.alerts)


def _changes_that_matter(network: Network, parts: Sequence[PartResult], share: float) -> OpenOrderAlerts:
    table = pd.concat([empty_table("open_order_changes"), *(part.tables["open_order_changes"] for part in parts)])
    cell = network.rows_of((table["item_id"].to_numpy(object), table["location_id"].to_numpy(object)))
    value = table["units"].to_numpy() * np.nan_to_num(network.cells.unit_cost[cell], nan=0.0)
    matters = table["gain"].to_numpy() >= share * value
    table = table[matters]
    return OpenOrderAlerts(
        cell=cell[matters],
        order_id=table["order_id"].to_numpy(object),
        line_no=table["line_no"].to_numpy(object),
        change=table["change"].to_numpy(object),
        units=table["units"].to_numpy(),
        proposed_units=table["proposed_units"].to_numpy(),
        due_date=table["due_date"].to_numpy().astype("datetime64[D]"),
        proposed_date=table["proposed_date"].to_numpy().astype("datetime64[D]"),
        gain=table["gain"].to_numpy(),
    )


def late_inbound(tables: Tables, network: Network) -> LateInbound:
    """Return the open order lines that were due before ``as_of`` and have not come, at the cells of the network."""
    as_of = pd.Timestamp(network.calendar.as_of)
    lines = tables.known_on(network.calendar.as_of)["open_orders"]
    lines = lines[(lines["due_date"] < as_of) & (lines["status"] != "draft") & (lines["units"] > 0)]
    lines = lines[~(lines["arrived_on"] <= as_of)]
    cell = network.rows_of((lines["item_id"].to_numpy(object), lines["location_id"].to_numpy(object)))
    known = cell >= 0
    return LateInbound(
        cell=cell[known],
        order_id=lines["order_id"].to_numpy(object)[known],
        units=lines["units"].to_numpy(np.float64)[known],
        due_date=lines["due_date"].to_numpy().astype("datetime64[D]")[known],
    )


def join_curves_by_key(parts: Sequence[PartResult]) -> OrderCurves:
    """Return the curves of all parts, sorted by item, then location."""
    curves = join_curves([part.curves for part in parts])
    return curves.take(np.lexsort((curves.location_id.astype(str), curves.item_id.astype(str))).astype(np.int64))
