"""Data that no plan can satisfy because they contradict each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.errors import ContradictionError
from engine.policy.types import F64, Bools, Cells, Options
from engine.tables import Tables

_SLACK = 1e-9


def check_contradictions(tables: Tables, cells: Cells, options: Options, volume: F64) -> None:
    """Raise if limits exclude each other.

    Parameters
    ----------
    tables
        The data; ``locations.capacity_volume`` is read.
    cells, options
        The network.
    volume
        Volume of a unit by cell, 0 where not given.

    Raises
    ------
    ContradictionError
        If a minimum stands above a maximum (stock or order), the smallest lot of the primary link above its maximum
        or above the shelf (``max_stock``), or the firm inbound of one bucket above the capacity of its site.
    """
    _refuse(
        cells.min_stock > cells.max_stock + _SLACK,
        cells,
        "min_stock must not be above max_stock",
        (cells.min_stock, cells.max_stock),
        "Correct one of them in item_locations.",
    )
    at = options.cell
    _refuse(
        options.min_units > options.max_units + _SLACK,
        cells,
        "The least order must not be above the largest",
        (options.min_units, options.max_units),
        "Correct min_order_units or max_order_units in supply.",
        at=at,
    )
    lot = smallest_lot(options)
    _refuse(
        lot > options.max_units + _SLACK,
        cells,
        "The smallest lot must not be above the largest order",
        (lot, options.max_units),
        "Correct order_multiple, units_per_purchase_unit or max_order_units in supply.",
        at=at,
    )
    _refuse(
        options.primary & (lot > cells.max_stock[at] + _SLACK),
        cells,
        "The smallest lot must fit on the shelf (max_stock)",
        (lot, cells.max_stock[at]),
        "Raise max_stock in item_locations or lower the order multiple.",
        at=at,
    )
    _check_sites(tables, cells, volume)


def smallest_lot(options: Options) -> F64:
    """Return the least units above 0 that each option can bring (0 = any amount)."""
    step = np.where(options.multiple > 0, options.multiple, 1.0)
    whole = np.maximum(np.ceil(options.min_units / step - _SLACK), 1.0) * step
    return np.where(options.multiple > 0, whole, options.min_units)


def _refuse(
    wrong: Bools, cells: Cells, rule: str, values: tuple[F64, F64], remedy: str, at: np.ndarray | None = None
) -> None:
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return
    first = rows[0]
    cell = first if at is None else at[first]
    found = (
        f"{len(rows)} breaches, first {cells.item_id[cell]} at {cells.location_id[cell]}: "
        f"{values[0][first]:g} above {values[1][first]:g}"
    )
    raise ContradictionError(rule, found, remedy)


def _check_sites(tables: Tables, cells: Cells, volume: F64) -> None:
    locations = tables["locations"]
    capacity = pd.Series(
        locations["capacity_volume"].to_numpy(dtype=np.float64),
        index=locations["location_id"].to_numpy(object),
    )
    sites, rows = np.unique(cells.location_id.astype(str), return_inverse=True)
    inbound = np.zeros((len(sites), cells.arrivals.shape[1]))
    np.add.at(inbound, rows, cells.arrivals * volume[:, None])
    most = inbound.max(axis=1, initial=0.0)
    limit = capacity.reindex(sites).fillna(np.inf).to_numpy(dtype=np.float64)
    over = np.flatnonzero(most > limit + _SLACK)
    if len(over):
        site = over[0]
        raise ContradictionError(
            "Firm inbound must fit into its site",
            f"{len(over)} sites, first {sites[site]}: volume {most[site]:g} due at once, capacity {limit[site]:g}",
            "Postpone or cancel open orders, or correct locations.capacity_volume.",
        )
