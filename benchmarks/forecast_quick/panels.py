"""Panels for forecast development, straight from the Parquet files of public data sets."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Calendar
from engine.demand.panel import DemandPanel

DATA = Path(os.environ.get("RESTOCK_DATA", "../shared/data"))
LONGEST_DORMANCY_DAYS = 180


def vn2_panel() -> DemandPanel:
    """Return the 599 weekly series of VN2; an order serves the third week (bucket 2)."""
    rows = pd.read_parquet(DATA / "vn2" / "vn2_weekly_to_2024-04-08.parquet")
    master = pd.read_parquet(DATA / "vn2" / "vn2_master.parquet")
    rows["week"] = pd.to_datetime(rows["week"])
    index = pd.MultiIndex.from_arrays([rows["product"].astype(str), rows["store"].astype(str)])
    weeks = np.sort(rows["week"].unique())
    units = _wide(index, rows["week"], rows["units"], weeks)
    in_stock = _wide(index, rows["week"], rows["in_stock"].astype(float), weeks).to_numpy()
    keys = units.index.to_frame(index=False)
    sold = units.to_numpy(np.float32)
    static = master.assign(
        item_id=master["Product"].astype(str),
        location_id=master["Store"].astype(str),
        category=master["ProductGroup"].astype(str),
        subcategory=master["Department"].astype(str),
        region=master["StoreFormat"].astype(str),
    ).set_index(["item_id", "location_id"])
    static = static.loc[units.index, ["category", "subcategory", "region"]].reset_index(drop=True)
    as_of = (pd.Timestamp(weeks[-1]) + pd.Timedelta(days=7)).to_datetime64().astype("datetime64[D]")
    calendar = Calendar("W", as_of, sold.shape[1], 8)
    started = np.cumsum((sold > 0) | (in_stock > 0), axis=1) > 0
    return _panel(calendar, keys, sold, np.where(started, in_stock, 1.0), started, static, (2, 3), {})


def m5_panel(store: str = "CA_1", n_series: int | None = None) -> DemandPanel:
    """Return one M5 store, daily; weekly review and a week of lead time."""
    rows = pd.read_parquet(DATA / "m5" / "m5_daily_d1495_d1941.parquet")
    rows = rows[rows["id"].astype(str).str.endswith(store)]
    items = pd.read_parquet(DATA / "m5" / "m5_items.parquet").set_index("id")
    days = np.sort(pd.to_datetime(rows["date"].unique()))
    dates = pd.to_datetime(rows["date"])
    index = pd.MultiIndex.from_arrays([rows["id"].astype(str).map(items["item_id"]), [store] * len(rows)])
    units = _wide(index, dates, rows["units"].astype(float), days)
    price = _wide(index, dates, rows["sell_price"].astype(float), days).to_numpy(np.float32)
    if n_series is not None:
        chosen = np.sort(np.random.default_rng(0).permutation(len(units))[:n_series])
        units, price = units.iloc[chosen], price[chosen]
    sold = units.to_numpy(np.float32)
    keys = units.index.to_frame(index=False)
    by_item = items[items["store_id"] == store].set_index("item_id").loc[keys.iloc[:, 0]]
    static = pd.DataFrame(
        {"category": by_item["cat_id"].to_numpy(), "subcategory": by_item["dept_id"].to_numpy(), "region": store}
    )
    n_future = 28
    as_of = (pd.Timestamp(days[-1]) + pd.Timedelta(days=1)).to_datetime64().astype("datetime64[D]")
    calendar = Calendar("D", as_of, sold.shape[1], n_future)
    started = np.isfinite(price)
    started = np.concatenate([started, np.repeat(started[:, -1:], n_future, axis=1)], axis=1)
    known_price = np.concatenate([price, np.repeat(price[:, -1:], n_future, axis=1)], axis=1)
    regressors = {"price": known_price, **_m5_events(calendar, store)}
    return _panel(calendar, keys, sold, np.ones_like(sold), started, static, (7, 14), regressors)


def synthetic_panel(n_series: int = 360, n_days: int = 900, seed: int = 7) -> DemandPanel:
    """Return made-up daily series with weekday, yearly and promotion effects, stock-outs and level shifts."""
    rng = np.random.default_rng(seed)
    n_future = 56
    calendar = Calendar("D", np.datetime64("2025-10-27"), n_days, n_future)
    n_buckets = calendar.n_buckets
    weekday = (calendar.starts.astype(np.int64) + 3) % 7
    year = 2 * np.pi * (calendar.starts - calendar.starts.astype("datetime64[Y]")).astype(np.int64) / 365.25
    level = rng.lognormal(1.0, 1.2, n_series)
    effect = rng.normal(0, 0.25, (n_series, 7))[:, weekday] + 0.3 * np.cos(year - rng.uniform(0, 6, (n_series, 1)))
    promoted = np.repeat(rng.random((n_series, n_buckets // 14 + 1)) < 0.06, 14, axis=1)[:, :n_buckets]
    walk = np.cumsum(rng.normal(0, 0.012, (n_series, n_buckets)), axis=1)
    shared = rng.normal(0, 0.08, n_buckets)
    mean = level[:, None] * np.exp(effect + 0.6 * promoted + walk + shared)
    shape = rng.uniform(0.8, 4.0, (n_series, 1))
    demand = rng.poisson(rng.gamma(shape, mean / shape)).astype(np.float32)
    out = np.repeat(rng.random((n_series, n_buckets // 5 + 1)) < 0.03, 5, axis=1)[:, :n_days]
    keys = pd.DataFrame(
        {
            "item_id": [f"P{i // 3:04d}" for i in range(n_series)],
            "location_id": [f"L{i % 3}" for i in range(n_series)],
        }
    )
    static = pd.DataFrame({"category": [f"C{i // 3 % 8}" for i in range(n_series)], "region": keys["location_id"]})
    sold = np.where(out, 0, demand[:, :n_days]).astype(np.float32)
    offered = np.ones((n_series, n_buckets), bool)
    regressors = {"promotion": promoted.astype(np.float32)}
    return _panel(calendar, keys, sold, (~out).astype(float), offered, static, (14, 21), regressors)


def _wide(
    index: pd.MultiIndex, dates: pd.Series, values: pd.Series, columns: npt.NDArray[np.datetime64]
) -> pd.DataFrame:
    item, location = (index.get_level_values(level).to_numpy() for level in range(2))
    long = pd.DataFrame({"item": item, "location": location, "date": dates.to_numpy(), "value": values.to_numpy()})
    wide = long.pivot_table(values="value", index=["item", "location"], columns="date", observed=True)
    return wide.reindex(columns=columns).sort_index()


def _m5_events(calendar: Calendar, store: str) -> dict[str, npt.NDArray[np.float32]]:
    rows = pd.read_parquet(DATA / "m5" / "m5_calendar.parquet")
    rows = rows.set_index(pd.to_datetime(rows["date"])).reindex(pd.DatetimeIndex(calendar.starts))
    kinds = {
        kind: (rows["event_type_1"] == kind).to_numpy(np.float32) for kind in ("National", "Religious", "Cultural")
    }
    return {
        **{f"event_{kind}": values for kind, values in kinds.items()},
        "event_snap": rows[f"snap_{store[:2]}"].fillna(0).to_numpy(np.float32),
    }


def _panel(
    calendar: Calendar,
    keys: pd.DataFrame,
    sold: npt.NDArray[np.float32],
    available: npt.NDArray[np.float64],
    offered: npt.NDArray[np.bool_],
    static: pd.DataFrame,
    interval: tuple[int, int],
    regressors: dict[str, npt.NDArray[np.float32]],
) -> DemandPanel:
    future = calendar.n_buckets - offered.shape[1]
    offered = np.concatenate([offered, np.ones((len(keys), future), bool)], axis=1) if future else offered
    price = regressors.pop("price", np.full((len(keys), calendar.n_buckets), np.nan, np.float32))
    if np.isfinite(price).any():
        regressors["price_relative"] = (price / np.nanmedian(price, axis=1, keepdims=True)).astype(np.float32)
    return DemandPanel(
        calendar=calendar,
        item_id=keys.iloc[:, 0].to_numpy(object),
        location_id=keys.iloc[:, 1].to_numpy(object),
        units=np.nan_to_num(sold).astype(np.float32),
        available=np.nan_to_num(available, nan=1.0).astype(np.float32),
        offered=offered,
        price=price[:, : calendar.n_history],
        interval=np.tile(np.array(interval, np.int32), (len(keys), 1)),
        static=static,
        regressors=regressors,
        dormant_buckets={"D": LONGEST_DORMANCY_DAYS, "W": LONGEST_DORMANCY_DAYS // 7, "M": 6}[calendar.bucket],
    )
