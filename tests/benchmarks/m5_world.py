"""A tiny M5: four items in three stores, 100 days, with made-up scales and weights."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from benchmarks.forecast.m5.panels import FIRST_DAY, Sales

ITEMS = {"FOODS_1_001": "FOODS_1", "FOODS_1_002": "FOODS_1", "FOODS_2_001": "FOODS_2", "HOBBIES_1_001": "HOBBIES_1"}
STORES = ("CA_1", "CA_2", "TX_1")
N_DAYS = 100
KEYS = {
    1: lambda row: ("Total", "X"),
    2: lambda row: (row.state_id, "X"),
    3: lambda row: (row.store_id, "X"),
    4: lambda row: (row.cat_id, "X"),
    5: lambda row: (row.dept_id, "X"),
    6: lambda row: (row.state_id, row.cat_id),
    7: lambda row: (row.state_id, row.dept_id),
    8: lambda row: (row.store_id, row.cat_id),
    9: lambda row: (row.store_id, row.dept_id),
    10: lambda row: (row.item_id, "X"),
    11: lambda row: (row.item_id, row.state_id),
    12: lambda row: (row.id + "_evaluation", "X"),
}


def tiny_sales(seed=0):
    """Return 12 series; the second is on sale from day 20, the third is never sold."""
    rng = np.random.default_rng(seed)
    rows = [(i, s, s[:2], d, d.split("_")[0], f"{i}_{s}") for (i, d), s in itertools.product(ITEMS.items(), STORES)]
    items = pd.DataFrame(rows, columns=["item_id", "store_id", "state_id", "dept_id", "cat_id", "id"])
    units = rng.poisson(rng.uniform(0.2, 6, (len(items), 1)), (len(items), N_DAYS)).astype(np.float32)
    price = np.repeat(rng.uniform(1, 9, (len(items), 1)), N_DAYS, axis=1).astype(np.float32)
    units[1, :20], price[1, :20] = 0, np.nan
    units[2] = 0
    dates = pd.date_range("2015-03-03", periods=N_DAYS)
    calendar = pd.DataFrame(
        {
            "date": dates.date,
            "d": np.arange(FIRST_DAY, FIRST_DAY + N_DAYS),
            "event_name_1": [None] * N_DAYS,
            "event_name_2": [None] * N_DAYS,
            "event_type_1": [None] * N_DAYS,
            "event_type_2": [None] * N_DAYS,
            "snap_CA": np.arange(N_DAYS) % 10 == 0,
            "snap_TX": np.arange(N_DAYS) % 7 == 0,
        }
    )
    calendar.loc[[30, 75], ["event_name_1", "event_type_1"]] = "Father's day", "Cultural"
    calendar.loc[75, ["event_name_2", "event_type_2"]] = "Easter", "Cultural"
    calendar.loc[80, ["event_name_1", "event_type_1"]] = "SuperBowl", "Sporting"
    return Sales(items, units, price, calendar)


def tiny_table(items, seed=0):
    """Return a scale and a weight for every group of ``items``, weights not yet summing to 1."""
    rng = np.random.default_rng(seed)
    groups = sorted({(level, *key(row)) for level, key in KEYS.items() for row in items.itertuples()})
    table = pd.DataFrame(groups, columns=["level", "key1", "key2"])
    return table.assign(mse_naive1_d1913=rng.uniform(1, 9, len(table)), weight_d1914_1941=rng.random(len(table)))
