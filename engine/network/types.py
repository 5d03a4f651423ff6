"""The network of a plan: cells, today's links, and what was decided on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from engine.demand.calendar import Calendar
from engine.messages import Message
from engine.network.dates import LinkDays
from engine.policy.price_lines import PriceLines
from engine.policy.types import F64, I64, Bools, Cells, Days, Options, Texts

Keys = tuple[Texts, Texts]
"""Item ids and location ids, row by row."""

DO_NOTHING, FROM_PRIMARY_RULE, FROM_COST, FAIR_SHARE = 0, 1, 2, 3
LOT_MINIMUM, LOT_MULTIPLE, LOT_MAXIMUM, SHELF_LIMIT, GIVER_STOCK, TRIP_CAPACITY = 4, 5, 6, 7, 8, 9
SUPPLIER_MINIMUM, CONTAINER, ORDER_COST, PRICE_BREAK, SHELF_LIFE = 10, 11, 12, 13, 14
BUDGET, SUPPLIER_CAPACITY, SITE_CAPACITY, YEAR_OF_SALES = 15, 16, 17, 18
BINDING: Mapping[int, str] = MappingProxyType(
    {
        DO_NOTHING: "no-need",
        FROM_PRIMARY_RULE: "target",
        FROM_COST: "least-cost",
        FAIR_SHARE: "fair-share",
        LOT_MINIMUM: "lot-minimum",
        LOT_MULTIPLE: "lot-multiple",
        LOT_MAXIMUM: "lot-maximum",
        SHELF_LIMIT: "shelf-limit",
        GIVER_STOCK: "giver-stock",
        TRIP_CAPACITY: "trip-capacity",
        SUPPLIER_MINIMUM: "supplier-minimum",
        CONTAINER: "container",
        ORDER_COST: "order-cost",
        PRICE_BREAK: "price-break",
        SHELF_LIFE: "shelf-life",
        BUDGET: "budget",
        SUPPLIER_CAPACITY: "supplier-capacity",
        SITE_CAPACITY: "site-capacity",
        YEAR_OF_SALES: "year-of-sales",
    }
)
"""What decided the units of an option, by code."""


@dataclass(frozen=True)
class Network:
    """Sites, stock and today's options, ready for paths of demand.

    Parameters
    ----------
    calendar
        The history, and ``horizon`` future buckets.
    cells, options
        What is planned and today's ways to bring units there.
    lanes
        The lanes in use by row number (`Options.lane`): origin_id, dest_id, trip_cost,
        trip_capacity_volume; one row for all items, since a trip is shared.
    suppliers
        The suppliers in use, sorted: source_id, order_cost, min_order_value, min_order_volume, container_volume.
    prices
        What is paid for units of each option, price breaks included, in option order.
    days
        Order days of the options, in option order.
    horizon
        Buckets from ``as_of`` that paths must cover.
    bucket_days
        Days in a bucket.
    key_rows
        Row in ``cells`` of each key given to `build_network`.
    demanded
        Which cells have demand of their own, shape (n,).
    volume
        Volume of a unit, shape (n,); 0 where not given.
    sellable_days
        Days that a fresh unit may be sold, shape (n,); inf where it does not expire.
    last_sale
        Last day of sale, also beyond the horizon, shape (n,); NaT where there is none.
    notes
        Assumptions and findings.
    """

    calendar: Calendar
    cells: Cells
    options: Options
    lanes: pd.DataFrame
    suppliers: pd.DataFrame
    prices: PriceLines
    days: LinkDays
    horizon: int
    bucket_days: int
    key_rows: I64
    demanded: Bools
    volume: F64
    sellable_days: F64
    last_sale: Days
    notes: tuple[Message, ...]

    def __post_init__(self) -> None:
        n, m = self.cells.n_cells, self.options.n_options
        if self.cells.arrivals.shape != (n, self.horizon):
            raise ValueError(f"arrivals must be {(n, self.horizon)}. Got {self.cells.arrivals.shape} instead.")
        if m and (self.options.cell.min() < 0 or self.options.cell.max() >= n):
            raise ValueError(f"options must receive in cells 0 to {n - 1}. Got others instead.")
        if len(np.unique(self.options.cell[self.options.primary])) != int(self.options.primary.sum()):
            raise ValueError("a cell must have at most one primary option. Got several instead.")

    @property
    def primary_of(self) -> I64:
        """Return each cell's primary option, -1 for none, shape (n,)."""
        rows = np.full(self.cells.n_cells, -1, dtype=np.int64)
        primary = np.flatnonzero(self.options.primary)
        rows[self.options.cell[primary]] = primary
        return rows

    def rows_of(self, keys: Keys) -> I64:
        """Return the cell of each key, -1 where it is not planned."""
        index = pd.MultiIndex.from_arrays([self.cells.item_id, self.cells.location_id])
        return index.get_indexer(pd.MultiIndex.from_arrays([keys[0], keys[1]])).astype(np.int64)

    def interval_for(self, keys: Keys) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
        """Return the first buckets served by today's and the next primary order of each key, (n, 2) int32.

        A key without a primary option has the interval from ``as_of`` to a week later, or the horizon.
        """
        rows = self.rows_of(keys)
        option = np.where(rows >= 0, self.primary_of[rows], -1)
        interval = np.zeros((len(rows), 2), dtype=np.int32)
        interval[:, 1] = min(self.horizon, max(1, 7 // self.bucket_days))
        linked = option >= 0
        interval[linked, 0] = np.minimum(self.options.arrival[option[linked]], self.horizon)
        interval[linked, 1] = np.minimum(self.options.next_arrival[option[linked]], self.horizon)
        return interval
