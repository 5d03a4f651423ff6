"""UCI Online Retail: order lines of a British gift e-tailer, 2010-12-01 to 2011-12-09.

Source: D. Chen, Online Retail, UCI Machine Learning Repository (2015), doi:10.24432/C5BW33. The
workbook, a CSV of the same columns or Parquet; *Online Retail II* names its columns otherwise and is
taken as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.errors import ConfigError
from experiments.importers.cancellations import match_cancellations
from experiments.importers.sources import (
    NO_SUPPLY,
    as_dates,
    as_text,
    default_supply,
    find_file,
    plain_name,
    read_source,
    rename_columns,
    report_frame,
)

LOCATION = "UK"
COLUMNS = [
    "invoice",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "price",
    "customer_id",
    "country",
]
FIRST_EDITION = {"invoice_no": "invoice", "unit_price": "price"}
# Goods carry five digits or the shop's own prefix; everything else is postage, fees, vouchers, tests.
PRODUCT_CODE = r"^(?:\d{5}|DCGS)"

Findings = list[tuple[str, int, float, str]]


def import_tables(src: Path, store: str | None = None) -> dict[str, pd.DataFrame]:
    """Return sales, items, locations, supply and ``import_report``.

    Everything is stocked at one location, ``UK``; ``region`` is the customer's country. A cancellation
    removes the order line that it cancels; a part of a line that was cancelled is ``returned_units``.

    Raises
    ------
    ConfigError
        If a store is asked for; there is one location.
    DataError
        If the file or a column is missing.
    """
    if store not in (None, LOCATION):
        raise ConfigError("uci-online-retail has one location", repr(store), f"Leave out the store or say {LOCATION}")
    findings: Findings = []
    lines = _read_lines(src, findings)
    orders = _cancel(_goods(lines, findings), findings)
    findings.append(NO_SUPPLY)
    return {
        "sales": _sales(orders),
        "items": _items(orders),
        "locations": pd.DataFrame(
            {"location_id": as_text(pd.Series([LOCATION])), "kind": as_text(pd.Series(["warehouse"]))}
        ),
        "supply": default_supply(),
        "import_report": report_frame(findings),
    }


def _read_lines(src: Path, findings: Findings) -> pd.DataFrame:
    path = src if src.is_file() else _lines_file(src)
    raw = read_source(path, dtype={"InvoiceNo": str, "Invoice": str, "StockCode": str}, low_memory=False)
    raw = raw.rename(columns=lambda name: FIRST_EDITION.get(plain_name(str(name)), plain_name(str(name))))
    lines = rename_columns(raw, COLUMNS, path)
    code = lines["stock_code"].astype("string[pyarrow]").str.strip()
    upper = code.where(~code.str.match(r"^\d{5}"), code.str.upper())
    merged = (upper != code).to_numpy(bool)
    findings.append(("lines read", len(lines), float(lines["quantity"].sum()), "see below"))
    findings.append((
        "stock codes that differ in case only", int(merged.sum()), float(lines["quantity"][merged].sum()),
        "taken as one item, in capitals",
    ))  # fmt: skip
    return pd.DataFrame(
        {
            "invoice": lines["invoice"].astype("string[pyarrow]").str.strip(),
            "stock_code": upper,
            "description": lines["description"].astype("string[pyarrow]").str.strip(),
            "units": lines["quantity"].astype("float64"),
            "time": _times(lines["invoice_date"]),
            "price": lines["price"].astype("float64"),
            "customer_id": lines["customer_id"].astype("float64"),
            "country": lines["country"].astype("string[pyarrow]").str.strip(),
        }
    )


def _lines_file(src: Path) -> Path:
    """Return the file of order lines; the shared Parquet has a daily table beside it."""
    for words in (("transactions",), ("online", "retail")):
        if any(all(w in plain_name(p.stem) for w in words) for p in src.glob("*")):
            return find_file(src, *words)
    return find_file(src, "online", "retail")


def _times(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return time stamps; the circulating CSV writes months first (``12/1/2010 8:26``)."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return values
    slashed = values.astype(str).str.contains("/").any()
    return pd.to_datetime(values, format="%m/%d/%Y %H:%M" if slashed else "ISO8601")


def _goods(lines: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Return the lines that move goods to or from a customer; list the others."""
    product = lines["stock_code"].str.match(PRODUCT_CODE).fillna(False).to_numpy(bool)
    cancelled = lines["invoice"].str.startswith("C").to_numpy(bool)
    adjusted = ~cancelled & (lines["units"] < 0).to_numpy()
    unknown = (lines["price"] <= 0).to_numpy() & lines["customer_id"].isna().to_numpy()
    odd = (cancelled & (lines["units"] >= 0).to_numpy()) | (lines["price"] < 0).to_numpy() | lines["time"].isna()
    kept = np.ones(len(lines), bool)
    for finding, rows in (
        ("postage, fees, vouchers, manual and test codes", ~product),
        ("negative units without a cancellation: stock written off", adjusted),
        ("no price and no customer: stock counted or moved", unknown),
        ("cancellations without negative units, negative prices or no date", np.asarray(odd)),
    ):
        rejected = kept & rows
        kept &= ~rows
        codes = lines["stock_code"][rejected].value_counts().head(20)
        told = ", ".join(f"{code} {count}" for code, count in codes.items())
        findings.append((finding, int(rejected.sum()), float(lines["units"][rejected].sum()), f"left out: {told}"))
    repeats = lines[kept].duplicated()
    findings.append((
        "lines repeated within an invoice", int(repeats.sum()), float(lines["units"][kept][repeats].sum()),
        "kept: a basket may list an item twice",
    ))  # fmt: skip
    return lines[kept].reset_index(drop=True)


def _cancel(goods: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Return the order lines that stand, with the units returned of each; list the cancellations."""
    takes_back = goods["invoice"].str.startswith("C").to_numpy(bool)
    orders = goods[~takes_back].reset_index(drop=True)
    cancellations = goods[takes_back].assign(units=-goods["units"][takes_back]).reset_index(drop=True)
    known = cancellations["customer_id"].notna()
    cancelled, found = match_cancellations(orders, cancellations[known])
    whole = cancelled >= orders["units"].to_numpy()
    unmatched = cancellations[known][~found]
    for finding, part, treatment in (
        (
            "cancellations matched",
            cancellations[known][found],
            "taken off the line of the same customer, code, price",
        ),
        ("cancellations of no customer", cancellations[~known], "left out: no line to look for"),
        (
            "cancellations without an earlier line to cancel",
            unmatched,
            "left out: sold before the data, or in parts",
        ),
        ("order lines cancelled wholly", orders[whole], "removed"),
    ):
        findings.append((finding, len(part), float(part["units"].sum()), treatment))
    partly = (cancelled > 0) & ~whole
    findings.append((
        "order lines cancelled in part", int(partly.sum()), float(cancelled[partly].sum()), "kept as returned_units"
    ))  # fmt: skip
    free = (orders["price"].to_numpy() <= 0) & ~whole
    findings.append((
        "lines given away to a customer", int(free.sum()), float(orders["units"][free].sum()),
        "kept as demand, without a price",
    ))  # fmt: skip
    return orders.assign(returned_units=cancelled)[~whole].reset_index(drop=True)


def _sales(orders: pd.DataFrame) -> pd.DataFrame:
    paid = orders["price"].to_numpy() > 0
    summed = (
        pd.DataFrame(
            {
                "item_id": as_text(orders["stock_code"]),
                "location_id": as_text(pd.Series(LOCATION, index=orders.index)),
                "date": as_dates(orders["time"]),
                "region": as_text(orders["country"]),
                "units": orders["units"],
                "returned_units": orders["returned_units"],
                "value": orders["units"] * orders["price"],
                "paid": orders["units"] * paid,
            }
        )
        .groupby(["item_id", "location_id", "date", "region"], as_index=False, sort=True)
        .sum()
    )
    price = summed["value"] / summed["paid"].where(summed["paid"] > 0)
    return summed.assign(price=price.round(4)).drop(columns=["value", "paid"])


def _items(orders: pd.DataFrame) -> pd.DataFrame:
    """Return one row an item: its most frequent description and its median price."""
    named = orders[orders["description"].notna()].groupby(["stock_code", "description"], as_index=False).size()
    named = named.sort_values(["stock_code", "size", "description"], ascending=[True, False, True])
    name = named.drop_duplicates("stock_code").set_index("stock_code")["description"]
    price = orders[orders["price"] > 0].groupby("stock_code")["price"].median()
    codes = pd.Index(sorted(orders["stock_code"].unique()))
    return pd.DataFrame(
        {
            "item_id": as_text(pd.Series(codes)),
            "name": as_text(name.reindex(codes).reset_index(drop=True)),
            "unit_price": price.reindex(codes).to_numpy(float).round(4),
        }
    )
