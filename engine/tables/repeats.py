"""One row per key: repeats are found by sorting, and mended by adding up or by keeping the last row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.tables.breach import Repaired, Rule
from engine.tables.cells import Bools, Cells, Rows
from engine.tables.contract import columns_of, key_of, kind_of, prefix_of
from engine.tables.repairs import AVERAGE_IN_STOCK, LAST_DUPLICATE, SUM_DUPLICATES
from engine.tables.sheet import Finding, Sheet, Weight, rows_breach

Floats = npt.NDArray[np.float64]

# Tables whose repeats can be added up, and the columns that add; other numbers are means, weighted by units.
_ADDITIVE = {
    "sales": ("units", "returned_units"),
    "inventory": ("on_hand", "reserved", "backorders"),
    "inventory_batches": ("units",),
}


@dataclass(frozen=True)
class Order:
    """The rows of a sheet by key: ``rows`` (n,) in sorted order, ``starts`` (n,) marks where a key begins."""

    rows: Rows
    starts: Bools


def order_by(sheet: Sheet, names: Sequence[str]) -> Order:
    """Return the rows sorted by columns (nulls first, text as Python orders it), equal keys in row order."""
    key = np.zeros(len(sheet), np.int64)
    size = 1
    for name in names:
        if name not in sheet.cells:
            continue
        ranks, n_ranks = sheet.cells[name].ranks()
        if size * n_ranks >= 2**62:
            # Too many combinations for one integer: number those that occur, in the same order.
            found, inverse = np.unique(key, return_inverse=True)
            key, size = inverse.astype(np.int64), len(found)
        key = key * n_ranks + ranks
        size *= n_ranks
    if (np.diff(key) > 0).all():
        return Order(np.arange(len(key)), np.ones(len(key), bool))
    # Equal keys follow each other as the rows were numbered, so that "the last row" has a meaning.
    rows = np.lexsort((sheet.rows, key)) if (np.diff(sheet.rows) < 0).any() else np.argsort(key, kind="stable")
    return Order(rows, np.append(True, np.diff(key[rows]) > 0)[: len(key)])


def one_row_per_key(sheet: Sheet, repairs: frozenset[str]) -> tuple[Sheet, tuple[Finding, ...], tuple[Repaired, ...]]:
    """Return the sheet sorted by key without repeats; they are a breach unless a repair is asked for."""
    order = order_by(sheet, key_of(sheet.table))
    n_repeats = int((~order.starts).sum())
    if not n_repeats:
        return sheet.take(order.rows), (), ()
    rule = f"{prefix_of(sheet.table)}{int(Rule.KEY)}"
    if SUM_DUPLICATES in repairs and sheet.table in _ADDITIVE:
        summed = _summed(sheet, order)
        return summed, (), (Repaired(SUM_DUPLICATES, rule, sheet.table, "", n_repeats),)
    if LAST_DUPLICATE in repairs and sheet.table not in _ADDITIVE:
        ends = np.append(order.starts[1:], True)
        return sheet.take(order.rows[ends]), (), (Repaired(LAST_DUPLICATE, rule, sheet.table, "", n_repeats),)
    repeated = np.zeros(len(sheet), bool)
    repeated[order.rows[~order.starts]] = True
    repair = SUM_DUPLICATES if sheet.table in _ADDITIVE else LAST_DUPLICATE
    columns = ", ".join(name for name in key_of(sheet.table) if name != "known_from" or name in sheet.cells)
    weight = Weight("repairable", (repair,), {"columns": columns})
    breach = rows_breach(sheet, Rule.KEY, "repeats", repeated, weight)
    return sheet.take(order.rows), (Finding(breach),), ()


def one_stock_state(sheet: Sheet, repairs: frozenset[str]) -> tuple[Sheet, tuple[Finding, ...], tuple[Repaired, ...]]:
    """Return sales with one ``in_stock`` per item, location and date; others are a breach unless averaged."""
    split = any(name in sheet.cells for name in ("channel", "region", "shipped_from"))
    if sheet.table != "sales" or "in_stock" not in sheet.cells or not split:
        return sheet, (), ()
    order = order_by(sheet, ("item_id", "location_id", "date"))
    group = np.cumsum(order.starts) - 1
    values = pd.Series(np.where(sheet.cells["in_stock"].null, 1.0, sheet.cells["in_stock"].expand()))[order.rows]
    groups = values.groupby(group)
    differs = (groups.transform("max") > groups.transform("min")).to_numpy()
    if not differs.any():
        return sheet, (), ()
    rows = order.rows[differs]
    if AVERAGE_IN_STOCK in repairs:
        # Sorted within a group, so that the mean's bits do not depend on the order of rows.
        within = values.iloc[np.lexsort((values.to_numpy(), group))].groupby(np.sort(group)).mean().to_numpy()
        cells = sheet.cells["in_stock"].replace(rows, within[group[differs]])
        record = Repaired(AVERAGE_IN_STOCK, f"S{int(Rule.ONE_VALUE)}", "sales", "in_stock", len(rows))
        return sheet.with_cells({"in_stock": cells}), (), (record,)
    marked = np.zeros(len(sheet), bool)
    marked[rows] = True
    weight = Weight("repairable", (AVERAGE_IN_STOCK,), {"column": "in_stock"})
    return sheet, (Finding(rows_breach(sheet, Rule.ONE_VALUE, "in-stock-differs", marked, weight)),), ()


def _summed(sheet: Sheet, order: Order) -> Sheet:
    """Return the sheet with the rows of each key made one."""
    ends = np.append(order.starts[1:], True)
    lone = order.starts & ends
    # Only rows of repeated keys are touched; there are few of them beside the whole.
    many = np.flatnonzero(~lone)
    group = np.cumsum(order.starts[many]) - 1
    firsts = order.rows[many[order.starts[many]]]
    units = sheet.column("units").expand()[order.rows[many]] if sheet.table == "sales" else None
    changed: dict[str, Cells] = {}
    made: npt.NDArray[Any]
    for name, cells in sheet.cells.items():
        if name in key_of(sheet.table):
            continue
        values = cells.expand()[order.rows[many]]
        if kind_of(columns_of(sheet.table)[name]) == "date":
            made = _latest(values, group)
        elif name in _ADDITIVE[sheet.table]:
            made = _total(values, group)
        else:
            weights = units if name == "price" and units is not None else np.ones(len(values))
            made = _mean(values, weights, group)
        changed[name] = _put(cells, firsts, made)
    return sheet.with_cells(changed).take(order.rows[order.starts])


def _total(values: Floats, group: Rows) -> Floats:
    """Return the sum of each group's given values, NaN where none is; the bits do not depend on the order of rows."""
    order = np.lexsort((values, group))
    sums = np.bincount(group, np.nan_to_num(values[order]))
    return np.where(np.bincount(group, ~np.isnan(values[order])) > 0, sums, np.nan)


def _mean(values: Floats, weights: Floats, group: Rows) -> Floats:
    """Return the weighted mean of each group's given values; unweighted where no weight is above zero."""
    given = ~np.isnan(values)
    order = np.lexsort((weights, values, group))
    weighted, plain = (np.where(given, some, 0.0)[order] for some in (weights, np.ones(len(values))))
    filled = np.nan_to_num(values[order])
    heavy = np.bincount(group, weighted)
    use = np.where(heavy[group] > 0, weighted, plain)
    total = np.bincount(group, use)
    means: Floats = np.divide(np.bincount(group, use * filled), total, out=np.full(len(total), np.nan), where=total > 0)
    return means


def _latest(values: npt.NDArray[np.datetime64], group: Rows) -> npt.NDArray[np.datetime64]:
    """Return the latest date of each group; NaT is the least integer, so any date is later."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return np.maximum.reduceat(values.astype("datetime64[ns]").view(np.int64), starts).view("datetime64[ns]")


def _put(cells: Cells, rows: Rows, values: npt.NDArray[Any]) -> Cells:
    changed = cells.replace(rows, values)
    changed.codes[rows[pd.isna(values)]] = -1
    return changed
