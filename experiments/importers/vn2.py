"""VN2: weekly sales of 599 products in stores, with stock, of the VN2 inventory planning challenge.

The challenge's files (``Week 0 - ... - Sales.csv``, ``... - In Stock.csv``, ``... - Master.csv``,
``... - Initial State.csv``, one column a week) or the same as Parquet in long form.

Rules carried over: an order placed on a Monday before opening is on sale 14 days later, weekly review,
unmet demand is lost, 1.0 per lost unit, 0.2 per unit left at a week's end. ``holding_cost`` is per unit
and day and is charged on the stock at a bucket's end for each of its days, hence 0.2 / 7.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import DataError
from experiments.importers.sources import (
    as_dates,
    as_text,
    default_supply,
    find_file,
    read_source,
    rename_columns,
    report_frame,
)

HOLDING_PER_WEEK = 0.2
SHORTAGE = 1.0
KEYS = ["store", "product"]


def import_tables(src: Path, store: str | None = None) -> dict[str, pd.DataFrame]:
    """Return sales, items, locations, item_locations, inventory, open_orders, supply and ``import_report``.

    Raises
    ------
    DataError
        If a file, a column or the asked-for store is missing.
    """
    weekly = _of_store(_read_weekly(src), store)
    master_path, state_path = find_file(src, "master"), find_file(src, "initial", "state")
    master_columns = ["store", "product", "product_group", "department"]
    master = _of_store(rename_columns(read_source(master_path), master_columns, master_path), store)
    state_columns = ["store", "product", "end_inventory", "in_transit_w_1", "in_transit_w_2"]
    state = _of_store(rename_columns(read_source(state_path), state_columns, state_path), store)
    as_of = weekly["week"].max() + pd.Timedelta(days=7)
    first = weekly[weekly["in_stock"]].groupby(KEYS, as_index=False).agg(week=("week", "min"))
    before = weekly.merge(first.rename(columns={"week": "first"}), on=KEYS)
    before_launch = before["week"] < before["first"]
    out_of_stock = ~before["in_stock"] & ~before_launch
    findings = [
        ("products and stores of finer or other groups", len(master), 0.0, "left out: no column for them"),
        ("weeks read", len(weekly), float(weekly["units"].sum()), "sales"),
        ("weeks before a product's first on sale", int(before_launch.sum()), 0.0, "launch_date in item_locations"),
        ("weeks without stock after it", int(out_of_stock.sum()), float(before["units"][out_of_stock].sum()),
         "in_stock = 0: demand was at least the sales"),
        ("0.2 per unit left at a week's end", len(master), 0.0,
         "holding_cost = 0.2 / 7 per unit and day on the stock at the week's end"),
    ]  # fmt: skip
    return {
        "sales": _sales(weekly),
        "items": _items(master),
        "locations": _locations(master),
        "item_locations": _item_locations(first, weekly["week"].min()),
        "inventory": _ids(state).assign(on_hand=state["end_inventory"].astype("float64"), counted_on=as_of),
        "open_orders": _open_orders(state, as_of),
        "supply": default_supply(),
        "import_report": report_frame(findings),
    }  # fmt: skip


def _read_weekly(src: Path) -> pd.DataFrame:
    """Return store, product, week, units and in_stock in long form."""
    long = [p for p in sorted(src.glob("*.parquet")) if "weekly" in p.stem]
    if long:
        columns = [*KEYS, "week", "units", "in_stock"]
        weekly = rename_columns(read_source(long[-1]), columns, long[-1])
    else:
        sales = _melted(find_file(src, "sales"), "units")
        stocked = _melted(find_file(src, "in_stock"), "in_stock")
        weekly = sales.merge(stocked, on=[*KEYS, "week"], how="left", validate="one_to_one")
        if weekly["in_stock"].isna().any():
            raise DataError(
                "Every week of sales must have its in-stock flag",
                f"{int(weekly['in_stock'].isna().sum())} weeks without one",
                "Use the sales and the in-stock file of the same week",
            )
    week = as_dates(weekly["week"].to_numpy())
    return weekly.assign(week=week.to_numpy(), in_stock=weekly["in_stock"].astype(bool)).sort_values(
        [*KEYS, "week"], ignore_index=True
    )


def _melted(path: Path, name: str) -> pd.DataFrame:
    wide = read_source(path)
    wide = wide.rename(columns={column: str(column).lower() for column in wide.columns[:2]})
    return wide.melt(id_vars=KEYS, var_name="week", value_name=name)


def _of_store(frame: pd.DataFrame, store: str | None) -> pd.DataFrame:
    if store is None:
        return frame
    rows = frame["store"].astype(str) == store
    if not rows.any():
        raise DataError("The store must be in the data", repr(store), "Leave it out to take all stores")
    return frame[rows].reset_index(drop=True)


def _ids(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"item_id": as_text(frame["product"]), "location_id": as_text(frame["store"])})


def _sales(weekly: pd.DataFrame) -> pd.DataFrame:
    return _ids(weekly).assign(
        date=weekly["week"],
        units=weekly["units"].astype("float64"),
        in_stock=weekly["in_stock"].astype("float64"),
    )


def _items(master: pd.DataFrame) -> pd.DataFrame:
    products = master.drop_duplicates("product").sort_values("product", ignore_index=True)
    return pd.DataFrame(
        {
            "item_id": as_text(products["product"]),
            "category": as_text(products["department"]),
            "subcategory": as_text(products["product_group"]),
            "holding_cost": np.full(len(products), HOLDING_PER_WEEK / 7),
            "shortage_cost": np.full(len(products), SHORTAGE),
        }
    )


def _locations(master: pd.DataFrame) -> pd.DataFrame:
    stores = master.drop_duplicates("store").sort_values("store", ignore_index=True)
    return pd.DataFrame(
        {
            "location_id": as_text(stores["store"]),
            "kind": as_text(pd.Series(["store"] * len(stores))),
        }
    )


def _item_locations(first: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """Return the pairs with the week they came on sale, where the data saw it."""
    return _ids(first).assign(launch_date=first["week"].where(first["week"] > start))


def _open_orders(state: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the two weeks in transit: ordered two weeks and one week ago, due now and in a week."""
    parts = []
    for column, due in (("in_transit_w_1", as_of), ("in_transit_w_2", as_of + pd.Timedelta(days=7))):
        coming = state[state[column] > 0].reset_index(drop=True)
        number = pd.Series(np.arange(1, len(coming) + 1))
        parts.append(
            _ids(coming).assign(
                order_id=as_text(pd.Series([f"VN2-{due:%Y-%m-%d}"] * len(coming))),
                line_no=number.astype("float64"),
                units=coming[column].astype("float64"),
                due_date=due,
                ordered_on=due - pd.Timedelta(days=14),
                source_id=as_text(pd.Series(["supplier"] * len(coming))),
                kind=as_text(pd.Series(["purchase"] * len(coming))),
                status=as_text(pd.Series(["firm"] * len(coming))),
            )
        )
    return pd.concat(parts, ignore_index=True)
