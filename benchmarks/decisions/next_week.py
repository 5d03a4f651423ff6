"""Tables of a week later, where all went as a plan foresaw it: what `benchmarks.decisions.stability` plans again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

Frames = Mapping[str, pd.DataFrame]

_CELL = ["item_id", "location_id"]


def next_week(tables: Frames, plan: Frames, as_of: pd.Timestamp, days: int = 7) -> dict[str, pd.DataFrame]:
    """Return contract tables ``days`` later than ``tables``, of ``as_of``, that follow the tables of a daily plan.

    Each day: receipts of open orders due and of the plan's lines; transfers of the day leave, as far as there is
    stock; then the rounded mean forecast is sold, as far as there is stock. Rounding is carried on from day to day, so
    that slow items sell their mean as well. Prices are those known. The plan's lines of these days are placed as
    planned: what has not arrived by the end is an open order (a transfer is shipped).
    """
    stock = tables["inventory"].set_index(_CELL)["on_hand"].astype(float)
    placed = _placed(plan, as_of, as_of + pd.Timedelta(days=days))
    due = _stacked([_due(tables["open_orders"]), placed])
    sold, closing = [], []
    wanted = _wanted(plan["forecast"], as_of, days)
    for day in pd.date_range(as_of, periods=days):
        stock = stock.add(_sums(due[due["due_date"] == day]), fill_value=0.0)
        leaves = (due["kind"] == "transfer") & (due["ordered_on"] == day) & (due["ordered_on"] >= as_of)
        due.loc[leaves, "units"] = _held_to_stock(due[leaves], stock)
        sent = due[leaves].assign(location_id=due["source_id"])
        stock = stock.sub(_sums(sent), fill_value=0.0)
        asked = wanted[day].reindex(stock.index, fill_value=0.0)
        units = np.minimum(asked, stock.clip(lower=0.0))
        stock = stock - units
        sold.append(pd.DataFrame({"units": units, "asked": asked, "date": day}).query("asked > 0"))
        closing.append(stock.rename("closing_on_hand").to_frame().assign(date=day))
    end = as_of + pd.Timedelta(days=days)
    due = due[due["units"] > 0]
    got, coming = due[due["due_date"] < end], due[due["due_date"] >= end]
    sales = _sales(tables, pd.concat(sold).reset_index())
    inventory = stock.rename("on_hand").reset_index().assign(counted_on=end)
    return {
        **tables,
        "sales": _joined(tables["sales"], sales),
        "stock_history": _joined(tables["stock_history"], pd.concat(closing).reset_index()),
        "inventory": inventory,
        "receipts": _joined(tables["receipts"], got.rename(columns={"due_date": "received_on"})),
        "open_orders": _joined(tables["open_orders"].iloc[:0], coming),
    }


def _due(orders: pd.DataFrame) -> pd.DataFrame:
    return orders[orders["status"] != "draft"].astype({"ordered_on": "datetime64[ns]", "due_date": "datetime64[ns]"})


def _placed(plan: Frames, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Return the plan's lines of the days from ``start`` to before ``end`` as open orders."""
    transfers = plan["transfers"].rename(columns={"origin_id": "source_id", "dest_id": "location_id"})
    lines = _stacked([plan["orders"].assign(kind="purchase"), transfers.assign(kind="transfer"), plan["planned"]])
    lines = lines[(lines["order_date"] >= start) & (lines["order_date"] < end)]
    return pd.DataFrame(
        {
            "order_id": lines["line_id"], "line_no": "1", "restock_line_id": lines["line_id"],
            **{name: lines[name] for name in ("item_id", "location_id", "source_id", "kind")},
            "ordered_on": lines["order_date"], "units": lines["units"].astype(float),
            "due_date": lines["available_date"],
            "status": np.where(lines["kind"] == "transfer", "shipped", "firm"),
        }
    )  # fmt: skip


def _wanted(forecast: pd.DataFrame, as_of: pd.Timestamp, days: int) -> pd.DataFrame:
    """Return whole units by item and place (rows) and day (columns) whose sums follow those of the mean forecast."""
    mean = forecast.pivot_table(index=_CELL, columns="date", values="mean").loc[
        :, as_of : as_of + pd.Timedelta(days=days - 1)
    ]
    return np.floor(mean.cumsum(axis=1) + 0.5).diff(axis=1).fillna(np.floor(mean + 0.5))


def _sums(lines: pd.DataFrame) -> pd.Series:
    return lines.groupby(_CELL)["units"].sum().astype(float)


def _held_to_stock(lines: pd.DataFrame, stock: pd.Series) -> np.ndarray:
    origin = pd.MultiIndex.from_frame(lines[["item_id", "source_id"]])
    there = stock.reindex(origin, fill_value=0.0).to_numpy()
    before = (lines.groupby(["item_id", "source_id"])["units"].cumsum() - lines["units"]).to_numpy()
    return np.minimum(lines["units"].to_numpy(), np.maximum(there - before, 0.0))


def _sales(tables: Frames, sold: pd.DataFrame) -> pd.DataFrame:
    prices = tables["prices"].sort_values("start_date")[["item_id", "start_date", "price"]]
    region = tables["locations"].set_index("location_id")["region"]
    rows = pd.merge_asof(
        sold.sort_values("date"), prices, left_on="date", right_on="start_date", by="item_id"
    )  # fmt: skip
    return rows.assign(
        region=rows["location_id"].map(region), channel="online", returned_units=0.0,
        in_stock=np.where(rows["units"] < rows["asked"], rows["units"] / rows["asked"], 1.0),
    )  # fmt: skip


def _joined(table: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    return _stacked([table, more.reindex(columns=table.columns).astype(table.dtypes)])


def _stacked(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the frames below each other; what has no rows does not settle types."""
    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
