"""Hourly sales of FreshRetailNet with the hours out of stock, and the days that were on sale throughout."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Calendar
from engine.demand.panel import DemandPanel

DATA = Path(os.environ.get("RESTOCK_DATA", "../shared/data"))

HOURS = 24
PROFILE_UNITS = 20.0
"""A product's hourly profile is drawn towards that of all products as if so many more units had sold by the latter."""

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HourlySales:
    """Sales of each store and product by hour.

    Parameters
    ----------
    store, product
        Shape (n,).
    days
        Dates, shape (n_days,).
    sold
        Units sold, shape (n, n_days, 24).
    out
        Hours out of stock, the same shape.
    """

    store: Ints
    product: Ints
    days: npt.NDArray[np.datetime64]
    sold: npt.NDArray[np.float32]
    out: Bools

    @property
    def stocked(self) -> Bools:
        """Days on sale in every hour, shape (n, n_days)."""
        return ~self.out.any(axis=2)


def fresh_retail() -> HourlySales:
    """Return the 5,000 series over 90 days; RESTOCK_DATA names the folder of data sets."""
    columns = ["store_id", "product_id", "dt", "hours_sale", "stockout_mask"]
    rows = pd.read_parquet(DATA / "freshretailnet" / "freshretail_train_sample5000_hourly.parquet", columns=columns)
    rows = rows.sort_values(["store_id", "product_id", "dt"], kind="stable")
    days = np.unique(pd.to_datetime(rows["dt"]).to_numpy("datetime64[D]"))
    first = rows.iloc[:: len(days)]
    n = len(first)
    bits = rows["stockout_mask"].to_numpy(np.uint32)[:, None] >> np.arange(HOURS, dtype=np.uint32)
    return HourlySales(
        store=first["store_id"].to_numpy(np.int64),
        product=first["product_id"].to_numpy(np.int64),
        days=days,
        sold=np.stack(rows["hours_sale"].to_list()).astype(np.float32).reshape(n, len(days), HOURS),
        out=(bits & 1).astype(np.bool_).reshape(n, len(days), HOURS),
    )


def hour_profile(sales: HourlySales, n_days: int) -> Doubles:
    """Return the share of a day's demand in each hour, learnt from the first days that were fully stocked; (n, 24).

    One profile a product, for a single series sells too little in an hour.
    """
    stocked = sales.stocked[:, :n_days, None]
    own = np.where(stocked, sales.sold[:, :n_days], 0).sum(axis=1, dtype=np.float64)
    code, products = pd.factorize(sales.product)
    by_product = np.zeros((len(products), HOURS))
    np.add.at(by_product, code, own)
    usual = by_product.sum(axis=0) / by_product.sum()
    drawn = (by_product + PROFILE_UNITS * usual) / (by_product.sum(axis=1, keepdims=True) + PROFILE_UNITS)
    return drawn[code]


def panel_of(sales: HourlySales, out: Bools, profile: Doubles, offered: Bools) -> DemandPanel:
    """Return the daily panel of what sold outside the hours ``out``, shape (n, n_days, 24).

    The share on sale is the share of the day's demand that its hours on sale usually bring: three hours in the
    morning are not three at night. Days not ``offered``, shape (n, n_days), are left out.
    """
    n, n_days = offered.shape
    share = np.where(out.any(axis=2), np.einsum("ndh,nh->nd", ~out, profile), 1.0)
    return DemandPanel(
        calendar=Calendar("D", sales.days[0] + n_days, n_days, 1),
        item_id=sales.product.astype(str).astype(object),
        location_id=sales.store.astype(str).astype(object),
        units=np.where(out, 0, sales.sold).sum(axis=2, dtype=np.float32),
        available=np.clip(share, 0, 1).astype(np.float32),
        offered=np.concatenate([offered, np.ones((n, 1), np.bool_)], axis=1),
        price=np.full((n, n_days), np.nan, np.float32),
        interval=np.tile(np.array([0, 1], np.int32), (n, 1)),
        static=pd.DataFrame(index=range(n)),
        regressors={},
    )
