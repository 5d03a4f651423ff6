"""M5: daily sales of Walmart, 3,049 items in ten stores, of the M5 forecasting competition.

The competition's files (``sales_train_*.csv``, ``calendar.csv``, ``sell_prices.csv``) or Parquet with the
days in long form. Days without a sale are not written: inside the covered dates a missing row means none
sold, on sale. A week without a price is a week not on sale: before the first priced week the item is not
on offer (``launch_date``); in a later gap it could not be sold (``in_stock`` = 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import DataError
from experiments.importers.m5_calendar import calendar_events
from experiments.importers.sources import (
    NO_SUPPLY,
    as_dates,
    as_text,
    default_supply,
    find_file,
    read_source,
    rename_columns,
    report_frame,
)

PRICE_COLUMNS = ["store_id", "item_id", "wm_yr_wk", "sell_price"]
KEYS = ["item_id", "store_id"]


def import_tables(src: Path, store: str | None = None) -> dict[str, pd.DataFrame]:
    """Return sales, items, locations, item_locations, prices, events, supply and ``import_report``.

    ``store`` limits all of it to one store (``CA_1``).

    Raises
    ------
    DataError
        If a file, a column or the asked-for store is missing.
    """
    calendar = _calendar(src)
    prices = _prices(src, store)
    sold = pd.concat(_sold_days(src, store, calendar), ignore_index=True)
    covered = (sold["date"].min(), sold["date"].max())
    spans = _spans(prices, calendar)
    launch = spans.groupby(KEYS, as_index=False).agg(start_date=("start_date", "min"))
    off = _off_sale_days(spans, covered)
    if sold.empty:
        raise DataError("The data must hold sales", f"none for {store or 'any store'}", "Check the store's name")
    sales = _sales(sold, off, spans)
    off_sold = int((sales["units"].gt(0) & sales["in_stock"].eq(0)).sum())
    findings = [
        (
            "days with a sale",
            len(sold),
            float(sold["units"].sum()),
            "sales; days without one are not written",
        ),
        ("days without a price after the first priced week", len(off), 0.0, "in_stock = 0"),
        ("days sold without a price", off_sold, 0.0, "in_stock = 0 kept beside the units"),
        ("items with a first priced week", len(launch), 0.0, "launch_date in item_locations"),
        NO_SUPPLY,
    ]
    return {
        "sales": sales,
        "items": _items(sold, prices),
        "locations": _locations(launch),
        "item_locations": pd.DataFrame(
            {
                "item_id": as_text(launch["item_id"]),
                "location_id": as_text(launch["store_id"]),
                "launch_date": launch["start_date"],
            }
        ),
        "prices": pd.DataFrame(
            {
                "item_id": as_text(spans["item_id"]),
                "location_id": as_text(spans["store_id"]),
                "start_date": spans["start_date"],
                "end_date": spans["end_date"],
                "price": spans["price"],
            }
        ),
        "events": calendar_events(calendar, sorted(set(launch["store_id"].str.split("_").str[0]))),
        "supply": default_supply(),
        "import_report": report_frame(findings),
    }


def _calendar(src: Path) -> pd.DataFrame:
    path = find_file(src, "calendar")
    calendar = read_source(path)
    calendar["date"] = as_dates(calendar["date"]).to_numpy()
    calendar["d"] = calendar["d"].astype(str).str.removeprefix("d_").astype(int)
    return calendar


def _prices(src: Path, store: str | None) -> pd.DataFrame:
    path = find_file(src, "sell", "prices")
    prices = rename_columns(read_source(path), PRICE_COLUMNS, path)
    if store is not None:
        prices = prices[prices["store_id"].astype(str) == store]
        if prices.empty:
            raise DataError("The store must be in the data", repr(store), "Name one like CA_1, or leave it out")
    return prices.dropna(subset=["sell_price"]).assign(
        store_id=prices["store_id"].astype(str),
        item_id=prices["item_id"].astype(str),
        sell_price=prices["sell_price"].astype("float64").round(4),
    )


def _sold_days(src: Path, store: str | None, calendar: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield item_id, store_id, date and units of the days with a sale, in parts that fit in memory."""
    if any(src.glob("*daily*.parquet")):
        path = find_file(src, "daily")
        filters = None if store is None else [("id", "in", _series_of(src, store))]
        days = pd.read_parquet(path, columns=["id", "date", "units"], filters=filters)
        days = days[days["units"].to_numpy() > 0]
        names = days["id"].astype(str).str.rsplit("_", n=2, expand=True)
        yield pd.DataFrame(
            {
                "item_id": names[0],
                "store_id": names[1] + "_" + names[2],
                "date": as_dates(days["date"]),
                "units": days["units"].astype("float64"),
            }
        )
        return
    path = find_file(src, "sales", "train")
    date_of = calendar.set_index("d")["date"]
    for part in pd.read_csv(path, chunksize=2000):
        rows = part if store is None else part[part["store_id"] == store]
        columns = [column for column in rows.columns if column.startswith("d_")]
        units = rows[columns].to_numpy()
        row, day = np.nonzero(units > 0)
        dates = date_of.reindex([int(column[2:]) for column in columns]).to_numpy()
        yield pd.DataFrame(
            {
                "item_id": rows["item_id"].to_numpy(object)[row],
                "store_id": rows["store_id"].to_numpy(object)[row],
                "date": dates[day],
                "units": units[row, day].astype("float64"),
            }
        )


def _series_of(src: Path, store: str) -> list[str]:
    items = read_source(find_file(src, "items"))
    return [str(name) for name in items.loc[items["store_id"] == store, "id"]]


def _spans(prices: pd.DataFrame, calendar: pd.DataFrame) -> pd.DataFrame:
    """Return consecutive weeks of one price as one span: item_id, store_id, start_date, end_date, price."""
    weeks = calendar.groupby("wm_yr_wk")["date"].agg(["min", "max"]).sort_index()
    weeks["number"] = np.arange(len(weeks))
    of_week = prices.join(weeks, on="wm_yr_wk").sort_values([*KEYS, "number"], ignore_index=True)
    same_key = (of_week[KEYS] == of_week[KEYS].shift()).all(axis=1)
    goes_on = same_key & of_week["sell_price"].eq(of_week["sell_price"].shift()) & of_week["number"].diff().eq(1)
    span = (~goes_on).cumsum()
    return of_week.groupby(span, sort=False).agg(
        item_id=("item_id", "first"),
        store_id=("store_id", "first"),
        start_date=("min", "first"),
        end_date=("max", "last"),
        price=("sell_price", "first"),
    )


def _off_sale_days(spans: pd.DataFrame, covered: tuple[pd.Timestamp, pd.Timestamp]) -> pd.DataFrame:
    """Return the covered days between or after an item's priced weeks: item_id, store_id, date."""
    day = pd.Timedelta(days=1)
    same_key = (spans[KEYS] == spans[KEYS].shift(-1)).all(axis=1)
    following = spans["start_date"].shift(-1).where(same_key, covered[1] + day)
    start = np.maximum((spans["end_date"] + day).to_numpy(), covered[0].to_datetime64())
    stop = np.minimum(following.to_numpy(), (covered[1] + day).to_datetime64())
    counts = ((stop - start) // np.timedelta64(1, "D")).clip(0)
    span = np.repeat(np.arange(len(spans)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return pd.DataFrame(
        {
            "item_id": spans["item_id"].to_numpy()[span],
            "store_id": spans["store_id"].to_numpy()[span],
            "date": start[span] + within * np.timedelta64(1, "D"),
        }
    )


def _sales(sold: pd.DataFrame, off: pd.DataFrame, spans: pd.DataFrame) -> pd.DataFrame:
    """Return the days with a sale or without a price, with the price of the day."""
    days = sold.merge(off.assign(off=True), on=[*KEYS, "date"], how="outer")
    days = days.sort_values("date", ignore_index=True)
    priced = pd.merge_asof(
        days,
        spans[[*KEYS, "start_date", "end_date", "price"]].sort_values("start_date"),
        left_on="date",
        right_on="start_date",
        by=KEYS,
    )
    priced = priced.sort_values([*KEYS, "date"], ignore_index=True)
    return pd.DataFrame(
        {
            "item_id": as_text(priced["item_id"]),
            "location_id": as_text(priced["store_id"]),
            "date": priced["date"].astype("datetime64[ns]"),
            "units": priced["units"].fillna(0.0),
            "price": priced["price"].where(priced["date"] <= priced["end_date"]),
            "in_stock": np.where(priced["off"].notna(), 0.0, 1.0),
        }
    )


def _items(sold: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """Return one row an item; ids read ``CATEGORY_DEPARTMENT_NUMBER``; unit_price is the median weekly price."""
    median = prices.groupby("item_id")["sell_price"].median()
    ids = pd.Series(sorted(set(sold["item_id"]) | set(prices["item_id"])))
    return pd.DataFrame(
        {
            "item_id": as_text(ids),
            "category": as_text(ids.str.split("_").str[0]),
            "subcategory": as_text(ids.str.rsplit("_", n=1).str[0]),
            "unit_price": median.reindex(ids).to_numpy(float).round(4),
        }
    )


def _locations(launch: pd.DataFrame) -> pd.DataFrame:
    stores = pd.Series(sorted(set(launch["store_id"])))
    return pd.DataFrame(
        {
            "location_id": as_text(stores),
            "kind": as_text(pd.Series(["store"] * len(stores))),
            "region": as_text(stores.str.split("_").str[0]),
        }
    )
