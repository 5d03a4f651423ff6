"""How an item's sales were divided among sites: what a presale would be placed by if its orders were not known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.demand.sales import base_sales
from engine.network.types import Network
from engine.tables import Tables

_DAYS = 364


def historical_shares(tables: Tables, network: Network, items: set[str]) -> pd.DataFrame:
    """Return ``cell`` and ``share`` for all cells of some items, presale units left out; shares of an item add up to 1.

    The share is that of the item's units of the last 52 weeks. An item that sold nothing, as a new one, is divided as
    all items together; where its sites sold nothing at all, evenly among those with demand of their own.
    """
    cells = network.cells
    rows = np.flatnonzero(np.isin(cells.item_id, np.array(sorted(items), dtype=object)))
    sales = base_sales(tables)
    as_of = network.calendar.as_of
    recent = (sales.date < as_of) & (sales.date >= as_of - _DAYS)
    sold = pd.DataFrame(
        {
            "item": sales.items[sales.item[recent]],
            "site": sales.locations[sales.location[recent]],
            "units": sales.units[recent],
        }
    )
    own = sold.groupby(["item", "site"])["units"].sum()
    at_site = sold.groupby("site")["units"].sum()
    found = pd.DataFrame({"cell": rows, "item": cells.item_id[rows], "site": cells.location_id[rows]})
    keys = pd.MultiIndex.from_frame(found[["item", "site"]])
    weights = [
        own.reindex(keys).fillna(0.0).to_numpy(np.float64),
        at_site.reindex(found["site"]).fillna(0.0).to_numpy(np.float64),
        network.demanded[rows].astype(np.float64),
    ]
    share = np.zeros(len(rows))
    for weight in weights:
        total = pd.Series(weight).groupby(found["item"].to_numpy()).transform("sum").to_numpy(np.float64)
        open_ = pd.Series(share).groupby(found["item"].to_numpy()).transform("sum").to_numpy(np.float64) == 0
        share = np.where(open_, np.divide(weight, total, out=np.zeros(len(rows)), where=total > 0), share)
    return pd.DataFrame({"cell": rows, "share": share})
