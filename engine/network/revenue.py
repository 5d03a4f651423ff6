"""Revenue of items at locations over the last 52 weeks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.demand.calendar import Calendar
from engine.network.types import Keys
from engine.policy.types import F64
from engine.tables import Tables

_DAYS = 364


def revenue(tables: Tables, calendar: Calendar, keys: Keys) -> F64:
    """Return units times price over the 52 weeks before ``as_of``, shape (n,).

    The price is that of the sale, else the item's, else 1 (so that without prices units decide).
    """
    sales = tables["sales"]
    until = pd.Timestamp(calendar.as_of)
    sales = sales[(sales["date"] < until) & (sales["date"] >= until - pd.Timedelta(days=_DAYS))]
    prices = tables["items"].set_index("item_id")["unit_price"]
    listed = prices.reindex(sales["item_id"]).to_numpy(dtype=np.float64)
    paid = sales["price"].to_numpy(dtype=np.float64)
    money = sales["units"].to_numpy(dtype=np.float64) * np.nan_to_num(np.where(np.isnan(paid), listed, paid), nan=1.0)
    total = sales[["item_id", "location_id"]].assign(money=money).groupby(["item_id", "location_id"])["money"].sum()
    of_keys = np.asarray(total.reindex(pd.MultiIndex.from_arrays(list(keys))), dtype=np.float64)
    return np.asarray(np.nan_to_num(of_keys, nan=0.0))
