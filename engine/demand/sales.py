"""Sales rows as coded arrays: presale left out, bundles exploded into their components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Dates
from engine.errors import ContradictionError
from engine.tables.tables import Tables

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Ids = npt.NDArray[np.object_]

PRESALE = "presale"
"""The sales channel whose units never enter the base history."""

MAX_DEPTH = 20
"""Bundles within bundles; deeper than this, the bill of materials goes round in a circle."""


@dataclass(frozen=True)
class SalesRows:
    """Base sales, one entry a row; ``item`` and ``location`` number the ids in ``items`` and ``locations``.

    ``price`` and ``in_stock`` are NaN where not given; components of a bundle have neither.
    """

    items: Ids
    locations: Ids
    item: Ints
    location: Ints
    date: Dates
    units: Doubles
    price: Doubles
    in_stock: Doubles


def base_sales(tables: Tables) -> SalesRows:
    """Return the sales of all channels but presale, with the parents of `bom` exploded into components.

    Raises
    ------
    ContradictionError
        If `bom` goes round in a circle.
    """
    rows = tables["sales"]
    if tables.has("sales", "channel"):
        rows = rows[~is_presale(rows["channel"])]
    item, items = pd.factorize(rows["item_id"])
    location, locations = pd.factorize(rows["location_id"])
    sales = SalesRows(
        np.asarray(items, np.object_),
        np.asarray(locations, np.object_),
        item.astype(np.int64),
        location.astype(np.int64),
        rows["date"].to_numpy("datetime64[ns]").astype("datetime64[D]"),
        rows["units"].to_numpy(np.float64),
        rows["price"].to_numpy(np.float64, na_value=np.nan),
        rows["in_stock"].to_numpy(np.float64, na_value=np.nan),
    )
    return _exploded(sales, flat_bom(tables["bom"])) if tables.given("bom") else sales


def is_presale(channel: pd.Series[str]) -> npt.NDArray[np.bool_]:
    """Return which values of a channel column mark presale units, shape (rows,)."""
    names, words = pd.factorize(channel)
    marked = np.array([str(word).strip().lower() == PRESALE for word in words], np.bool_)
    return np.append(marked, False)[names]


def flat_bom(bom: pd.DataFrame) -> pd.DataFrame:
    """Return parents with what they consist of in the end: components that are no parents themselves.

    A parent that lists itself (an item sold with a gift) stays as one of its own components. Columns
    parent_item_id, component_item_id, units.
    """
    columns = ["parent_item_id", "component_item_id", "units"]
    parts = bom[columns].astype({"parent_item_id": object, "component_item_id": object}).fillna({"units": 1.0})
    parents = set(parts["parent_item_id"])
    own = parts["parent_item_id"] == parts["component_item_id"]
    ends = own | ~parts["component_item_id"].isin(parents)
    done, rest = [parts[ends]], parts[~ends]
    for _ in range(MAX_DEPTH):
        if rest.empty:
            return pd.concat(done).groupby(columns[:2], sort=True)[["units"]].sum().reset_index()
        step = rest.merge(
            parts, left_on="component_item_id", right_on="parent_item_id", suffixes=("", "_below"), how="inner"
        )
        kept = step["component_item_id_below"] == step["component_item_id"]
        final = kept | ~step["component_item_id_below"].isin(parents)
        step = step.assign(
            component_item_id=step["component_item_id_below"], units=step["units"] * step["units_below"]
        )[columns]
        done.append(step[final])
        rest = step[~final]
    items = ", ".join(sorted(set(rest["parent_item_id"]))[:5])
    raise ContradictionError(
        "a bundle never contains itself through its parts", f"a circle through {items}", "Mend `bom`"
    )


def _exploded(sales: SalesRows, bom: pd.DataFrame) -> SalesRows:
    names = pd.Index(sales.items)
    parent = names.get_indexer(pd.Index(bom["parent_item_id"], dtype=object))
    bom = bom[parent >= 0].assign(parent=parent[parent >= 0])
    if bom.empty:
        return sales
    every = names.union(pd.Index(bom["component_item_id"], dtype=object), sort=False)
    component = every.get_indexer(pd.Index(bom["component_item_id"], dtype=object))
    is_parent = np.zeros(len(names), np.bool_)
    is_parent[bom["parent"]] = True
    row = np.flatnonzero(is_parent[sales.item])
    # Each sale of a parent becomes one row per component: its components lie side by side in ``bom``.
    first = np.searchsorted(bom["parent"].to_numpy()[np.argsort(bom["parent"], kind="stable")], sales.item[row])
    order = np.argsort(bom["parent"].to_numpy(), kind="stable")
    count = np.bincount(bom["parent"], minlength=len(names))[sales.item[row]]
    source, part = _ranges(row, first, count)
    part = order[part]
    keep = ~is_parent[sales.item]
    blank = np.full(len(source), np.nan)
    itself = component[part] == sales.item[source]
    units = sales.units[source] * bom["units"].to_numpy()[part]
    return SalesRows(
        np.asarray(every, np.object_),
        sales.locations,
        np.concatenate([sales.item[keep], component[part]]),
        np.concatenate([sales.location[keep], sales.location[source]]),
        np.concatenate([sales.date[keep], sales.date[source]]),
        np.concatenate([sales.units[keep], units]),
        np.concatenate([sales.price[keep], np.where(itself, sales.price[source], blank)]),
        np.concatenate([sales.in_stock[keep], np.where(itself, sales.in_stock[source], blank)]),
    )


def _ranges(row: Ints, first: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Repeat each row ``count`` times, beside ``first``, ``first + 1``, ..."""
    total = np.cumsum(count)
    within = np.arange(total[-1] if len(total) else 0) - np.repeat(total - count, count)
    return np.repeat(row, count), np.repeat(first, count) + within
