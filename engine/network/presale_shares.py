"""How an item's sales were divided among sites: what a presale would be placed by if its orders were not known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.demand.sales import base_sales
from engine.network.types import Network
from engine.policy.types import F64
from engine.tables import Tables

_DAYS = 364


def historical_shares(tables: Tables, network: Network, items: set[str]) -> pd.DataFrame:
    """Return ``cell`` and ``share`` for all cells of some items, presale units left out; shares of an item add up to 1.

    The share is that of the item's units of the last 52 weeks. An item that sold nothing, as a new one, is divided as
    all items together; where its sites sold nothing at all, evenly among those with demand of their own.
    """
    cells = network.cells
    rows = np.flatnonzero(np.isin(cells.item_id, np.array(sorted(items), dtype=object)))
    found = pd.DataFrame({"cell": rows, "item": cells.item_id[rows], "site": cells.location_id[rows]})
    sold = _recent_sales(tables, network)
    share = _divided(_sums(sold[sold["item"].isin(items)], ["item", "site"], found), found["item"])
    for fallback in (["site"], []):
        without = pd.Series(share).groupby(found["item"]).transform("sum").to_numpy(np.float64) == 0
        if without.any():
            units = _sums(sold, fallback, found) if fallback else network.demanded[rows].astype(np.float64)
            share = np.where(without, _divided(units, found["item"]), share)
    return pd.DataFrame({"cell": rows, "share": share})


def _divided(units: F64, item: pd.Series) -> F64:
    """Return the units as shares of their item's, 0 where that has none."""
    total = pd.Series(units).groupby(item).transform("sum").to_numpy(np.float64)
    share: F64 = np.divide(units, total, out=np.zeros(len(units)), where=total > 0)
    return share


def _recent_sales(tables: Tables, network: Network) -> pd.DataFrame:
    sales = base_sales(tables)
    as_of = network.calendar.as_of
    recent = (sales.date < as_of) & (sales.date >= as_of - _DAYS)
    return pd.DataFrame(
        {
            "item": sales.items[sales.item[recent]],
            "site": sales.locations[sales.location[recent]],
            "units": sales.units[recent],
        }
    )


def _sums(sold: pd.DataFrame, by: list[str], found: pd.DataFrame) -> F64:
    """Return the units sold, by some columns, for each row of ``found``; the order of rows does not matter."""
    sums = sold.sort_values([*by, "units"]).groupby(by)["units"].sum()
    keys = found[by[0]] if len(by) == 1 else pd.MultiIndex.from_frame(found[by])
    return np.asarray(sums.reindex(keys).fillna(0.0), dtype=np.float64)
