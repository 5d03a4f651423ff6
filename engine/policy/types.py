"""What the decision layer works on: cells (item at a location) and today's options to bring units there.

`Scenarios` (demand paths and arrival buckets) and `StockRule` (objective, unmet demand, days a bucket) are
what `engine.policy.targets` takes beside cells and options. All types are plain arrays; NumPy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from engine.policy.params import Objective

Unmet = Literal["lost", "backordered", "served_elsewhere"]

DIVISIBLE_STEP = 0.001
"""Divisible items are planned to a thousandth of their unit, all others to one unit."""

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.object_]
Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Cells:
    """Item-location pairs to be planned, sorted by item, then location; all arrays have ``n`` rows.

    Parameters
    ----------
    holding_cost
        Per unit and day, on stock at the end of a bucket.
    shortage_cost
        Once per lost unit.
    backorder_cost
        Per unit and day.
    unit_cost, unit_price, salvage_value
        Money per unit; NaN where not given and not defaulted.
    target
        Service share in (0, 1], or days of cover for that objective (unused for ``cost``).
    min_stock, max_stock
        Units; 0 and inf where not given.
    abc
        "A", "B" or "C".
    divisible
        Whether fractions of a unit exist.
    available
        on_hand - reserved at ``as_of``, units, >= 0.
    backorders
        Units owed that are not reserved, >= 0.
    arrivals
        Shape (n, horizon): inbound units by the bucket they first serve (overdue ones re-dated).
    end_bucket
        First bucket in which the item is no longer sold there; ``horizon`` or more where none.
    """

    item_id: Texts
    location_id: Texts
    divisible: Bools
    unit_cost: F64
    unit_price: F64
    holding_cost: F64
    shortage_cost: F64
    backorder_cost: F64
    salvage_value: F64
    target: F64
    min_stock: F64
    max_stock: F64
    abc: Texts
    available: F64
    backorders: F64
    arrivals: F64
    end_bucket: I64

    def __post_init__(self) -> None:
        _check_rows(self, self.n_cells, two_dimensional=("arrivals",))
        for name in ("available", "backorders", "arrivals", "min_stock", "max_stock"):
            _check_not_negative(name, getattr(self, name))

    @property
    def n_cells(self) -> int:
        return len(self.item_id)

    @property
    def step(self) -> F64:
        """The smallest difference of two quantities, shape (n,): 1, or `DIVISIBLE_STEP`."""
        return np.where(self.divisible, DIVISIBLE_STEP, 1.0)

    @property
    def net(self) -> F64:
        """Available less what is owed, shape (n,); negative where more is owed than available."""
        return self.available - self.backorders

    def take(self, rows: I64) -> Cells:
        """Return the cells of the given rows, in the given order."""
        return replace(self, **_rows_of(self, rows))


@dataclass(frozen=True)
class Options:
    """Today's ways to bring units to cells, one row a link at its first order day *t1*; ``m`` rows.

    Sorted by cell, then arrival, then source. The option with ``primary`` is the link that normally
    replenishes the cell (at most one per cell); it carries the stock target and the planned orders.

    Parameters
    ----------
    cell
        Row in `Cells` that receives.
    origin_cell
        Row in `Cells` that gives (a transfer over a lane), or -1 (a purchase from an outside source).
    source_id
        Supplier, or the giving location's id.
    lane
        Row of the lanes table used, or -1.
    order_date, available_date, next_order_date, next_available_date
        t1, arrival(t1), t2, arrival(t2); datetime64[D].
    send_bucket
        Bucket in which the giver's stock leaves, counted from as_of (0 for today).
    arrival, next_arrival
        First bucket served by the order at t1 and by the one at t2, at mean lead time.
    lead_time_sd_days
        Standard deviation of the lead time (0 = fixed).
    unit_cost
        Purchase price per unit, or the lane's cost per unit.
    min_units, multiple, max_units
        Lot rules in base units; multiple 0 = any amount; max inf = none.
    """

    cell: I64
    origin_cell: I64
    source_id: Texts
    lane: I64
    primary: Bools
    order_date: Days
    available_date: Days
    next_order_date: Days
    next_available_date: Days
    send_bucket: I64
    arrival: I64
    next_arrival: I64
    lead_time_sd_days: F64
    unit_cost: F64
    min_units: F64
    multiple: F64
    max_units: F64

    def __post_init__(self) -> None:
        _check_rows(self, self.n_options)
        if (np.diff(self.cell) < 0).any():
            raise ValueError("options must be sorted by cell. Got them in another order instead.")
        if (self.arrival < 0).any() or (self.next_arrival < self.arrival).any():
            raise ValueError("arrivals must satisfy 0 <= arrival <= next_arrival. Got others instead.")
        repeats = self.n_primary - len(np.unique(self.cell[self.primary]))
        if repeats:
            raise ValueError(f"a cell must have at most one primary option. Got {repeats} more instead.")
        for name in ("min_units", "multiple", "max_units", "lead_time_sd_days"):
            _check_not_negative(name, getattr(self, name))

    @property
    def n_options(self) -> int:
        return len(self.cell)

    @property
    def n_primary(self) -> int:
        return int(np.count_nonzero(self.primary))

    def take(self, rows: I64) -> Options:
        """Return the options of the given rows, which must keep them sorted by cell; ``cell`` is not re-based."""
        return replace(self, **_rows_of(self, rows))


@dataclass(frozen=True)
class Scenarios:
    """Demand and arrivals, scenario by scenario: path ``k`` is one scenario across all cells and options.

    Parameters
    ----------
    paths
        Demand, shape (n, n_paths, horizon), float32, >= 0; row i belongs to row i of `Cells`. Bucket 0 starts
        on ``as_of``.
    arrival, next_arrival
        First bucket served by the order at t1 and by the one at t2 on each path, shape (m, n_paths), integer;
        row j belongs to row j of `Options` (`engine.policy.lead_times.arrival_buckets` makes them). A bucket at or
        beyond the horizon means: not within it.
    owed
        Cells whose unmet demand stays asked for, whatever the rule says of others', shape (n,); None: none. Targets
        and expected service heed it, cost does not.
    """

    paths: F32
    arrival: I32
    next_arrival: I32
    owed: Bools | None = None

    def __post_init__(self) -> None:
        if self.paths.ndim != 3:
            raise ValueError(f"paths must have shape (n, n_paths, horizon). Got {self.paths.shape} instead.")
        for name in ("arrival", "next_arrival"):
            array = getattr(self, name)
            if array.ndim != 2 or array.shape[1] != self.n_paths:
                raise ValueError(f"{name} must have shape (m, {self.n_paths}). Got {array.shape} instead.")
        if self.arrival.shape != self.next_arrival.shape:
            raise ValueError("arrival and next_arrival must have one shape. Got two instead.")
        # Fixed lead times are views of one column, which is enough to look at.
        shown = slice(None, 1) if self.fixed else slice(None)
        first, second = self.arrival[:, shown], self.next_arrival[:, shown]
        if (first < 0).any() or (second < first).any():
            raise ValueError("arrivals must satisfy 0 <= arrival <= next_arrival. Got others instead.")

    @property
    def fixed(self) -> bool:
        """Whether both arrival arrays are views of one column."""
        return self.arrival.strides[1] == self.next_arrival.strides[1] == 0

    def owes(self, cells: I64) -> Bools:
        """Return whether what cells cannot serve stays asked for, in the shape of ``cells``."""
        return np.zeros(cells.shape, dtype=bool) if self.owed is None else self.owed[cells]

    @property
    def n_paths(self) -> int:
        return int(self.paths.shape[1])

    @property
    def horizon(self) -> int:
        return int(self.paths.shape[2])


@dataclass(frozen=True)
class StockRule:
    """How stock is judged: the objective, what becomes of unmet demand, and the length of the buckets.

    Parameters
    ----------
    objective
        As in `TargetParams`; the target itself stands in ``Cells.target``.
    unmet
        "lost", "backordered" or "served_elsewhere". The last behaves as lost: the unit leaves from another
        site's stock, at ``shortage_cost``.
    bucket_days
        Days in every bucket of the horizon, shape (horizon,) (``Calendar.days`` from ``as_of`` on).
    """

    objective: Objective
    unmet: Unmet
    bucket_days: I64

    def __post_init__(self) -> None:
        if self.objective not in ("cost", "cycle_service", "fill_rate", "days_of_cover"):
            raise ValueError(f"objective must be one of the four of TargetParams. Got {self.objective!r} instead.")
        if self.unmet not in ("lost", "backordered", "served_elsewhere"):
            raise ValueError(f"unmet must be lost, backordered or served_elsewhere. Got {self.unmet!r} instead.")

    @property
    def backordered(self) -> bool:
        return self.unmet == "backordered"

    def where(self, owed: bool) -> StockRule:
        """Return the rule of cells whose unmet demand stays asked for, or of the others."""
        return replace(self, unmet="backordered") if owed else self


@dataclass(frozen=True)
class Targets:
    """Stock targets of the primary options, one row per primary option (``p`` rows, in option order).

    All in units; definitions in docs/design.md, 5.

    Parameters
    ----------
    option
        Row in `Options`.
    interval_demand
        Mean demand over [arrival, next arrival), which the order answers for.
    protection_demand
        Mean demand over [0, next arrival).
    safety_stock
        ``order_up_to - protection_demand``.
    reorder_point
        Highest position at which ordering beats waiting. One step below the inbound or less: only what is owed makes
        it order.
    order_up_to
        Position that just meets the rule without a further order, so an order is due at any position below. Where
        inbound alone meets the rule, the stock that meets it with nothing inbound, at most the inbound.
    stock_at_landing
        Mean stock on hand just before the order lands, other receipts of that bucket included.
    position
        available - backorders + inbound due before the next arrival (at mean lead time).
    order_units
        The cell's own decision, not limited by others, lots included.
    expected_cycle_service, expected_fill_rate
        What ``order_units`` reaches on the paths; 1 where the interval has no demand.
    raw_units
        The decision before lot rules and ``max_stock``.
    binding
        The rule that moved ``order_units`` from the objective's own answer: "" (none), "owed", "min-stock",
        "minimum", "multiple", "maximum", "max-stock" or "shelf-life" (`engine.network.shelf_life`).
    """

    option: I64
    interval_demand: F64
    protection_demand: F64
    safety_stock: F64
    reorder_point: F64
    order_up_to: F64
    stock_at_landing: F64
    position: F64
    order_units: F64
    expected_cycle_service: F64
    expected_fill_rate: F64
    raw_units: F64
    binding: Texts


def block_of(cells: Cells, options: Options, start: int, stop: int) -> tuple[Cells, Options, I64]:
    """Return the cells [start, stop), their options re-based to them, and the rows of those options.

    An item's cells must lie on one side of each cut, so that givers stay beside receivers.

    Raises
    ------
    ValueError
        If an option of the block takes from a cell outside it.
    """
    rows = np.arange(*np.searchsorted(options.cell, [start, stop]), dtype=np.int64)
    part = options.take(rows)
    giver = part.origin_cell
    if ((giver >= 0) & ((giver < start) | (giver >= stop))).any():
        raise ValueError(f"a block must hold whole items. Got a giver outside cells {start} to {stop} instead.")
    part = replace(part, cell=part.cell - start, origin_cell=np.where(giver >= 0, giver - start, giver))
    return cells.take(np.arange(start, stop)), part, rows


def _rows_of(table: Cells | Options, rows: I64) -> Mapping[str, Any]:
    return {f.name: getattr(table, f.name)[rows] for f in fields(table)}


def _check_rows(table: Cells | Options, n_rows: int, two_dimensional: tuple[str, ...] = ()) -> None:
    for f in fields(table):
        array = getattr(table, f.name)
        n_dimensions = 2 if f.name in two_dimensional else 1
        if array.ndim != n_dimensions or len(array) != n_rows:
            raise ValueError(
                f"{f.name} must have {n_rows} rows and {n_dimensions} dimension(s). Got shape {array.shape} instead."
            )


def _check_not_negative(name: str, values: F64) -> None:
    wrong = ~(values >= 0)
    if wrong.any():
        raise ValueError(f"{name} must be >= 0. Got {np.count_nonzero(wrong)} negative or missing instead.")
