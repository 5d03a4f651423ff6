"""Stock at ``as_of`` and what is on its way: available, owed, and dated arrivals of every cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.demand.calendar import Calendar
from engine.messages import Message
from engine.network.terms import counted, number
from engine.network.types import Keys
from engine.policy.types import F64, I64
from engine.tables import Tables


@dataclass(frozen=True)
class StockState:
    """Stock of cells at ``as_of``.

    Parameters
    ----------
    available, backorders
        Units to sell and units owed, shape (n,), >= 0.
    arrivals
        Inbound units by the future bucket they first serve, shape (n, horizon).
    """

    available: F64
    backorders: F64
    arrivals: F64


def stock_state(
    tables: Tables, calendar: Calendar, keys: Keys, horizon: int, delay_days: F64
) -> tuple[StockState, list[Message]]:
    """Return the stock of cells and the assumptions made for it.

    Rules: stock that expired before ``as_of`` does not count. More reserved than on hand is owed. Of a shipped
    transfer the origin's stock has already left; a firm one that has not shipped is taken from what its origin has
    available, earliest due first, and what the origin lacks does not arrive. Drafts are not inbound. An order due
    before ``as_of`` is late and is taken to arrive ``delay_days`` after ``as_of``, unless it stands at the door of its
    site (``arrived_on``): that may come in on ``as_of`` (`engine.network.door`).

    Parameters
    ----------
    tables, calendar
        Data and buckets.
    keys
        The cells.
    horizon
        Buckets kept; what arrives later is left out.
    delay_days
        Whole days that a late order to each cell is still expected to take, shape (n,), >= 1.
    """
    index = pd.MultiIndex.from_arrays(list(keys))
    notes: list[Message] = []
    available, backorders = _on_hand(tables, calendar, index, notes)
    arrivals = np.zeros((len(index), horizon))
    orders = _inbound(tables, notes)
    if len(orders):
        rows = _rows(index, orders["item_id"], orders["location_id"])
        units, available = _leave_origins(orders, index, available, notes)
        due = orders["due_date"].to_numpy().astype("datetime64[D]")
        there = (orders["arrived_on"] <= pd.Timestamp(calendar.as_of)).to_numpy(bool)
        due = np.where(there, calendar.as_of, due)
        late = due < calendar.as_of
        due = np.where(late, calendar.as_of + delay_days[rows].astype(np.int64), due)
        if late.any():
            notes.append(
                Message(
                    "late-inbound-redated",
                    {
                        "count": int(late.sum()),
                        "units": float(units[late].sum()),
                        "first": f"{orders['item_id'].iloc[int(np.flatnonzero(late)[0])]} @ "
                        f"{orders['location_id'].iloc[int(np.flatnonzero(late)[0])]}",
                    },
                )
            )
        buckets = calendar.arrival_bucket(due)
        seen = buckets < horizon
        np.add.at(arrivals, (rows[seen], buckets[seen]), units[seen])
    return StockState(available, backorders, arrivals), notes


def _inbound(tables: Tables, notes: list[Message]) -> pd.DataFrame:
    orders = tables["open_orders"]
    draft = orders["status"] == "draft"
    if draft.any():
        notes.append(Message("drafts-not-inbound", {"count": int(draft.sum())}))
    orders = orders[~draft & (orders["units"] > 0)]
    return orders.sort_values(["due_date", "order_id", "line_no"], kind="stable", ignore_index=True)


def _on_hand(tables: Tables, calendar: Calendar, index: pd.MultiIndex, notes: list[Message]) -> tuple[F64, F64]:
    keys: Keys = (index.get_level_values(0).to_numpy(object), index.get_level_values(1).to_numpy(object))
    frame = tables["inventory"].drop_duplicates(["item_id", "location_id"])
    frame = frame.set_index(["item_id", "location_id"]).reindex(index)
    on_hand = number(frame, "on_hand")
    notes.extend(counted("assumed-no-stock", keys, np.isnan(on_hand)))
    notes.extend(counted("negative-stock-taken-as-none", keys, on_hand < 0))
    on_hand = np.maximum(np.nan_to_num(on_hand, nan=0.0), 0.0)
    expired = _expired(tables, calendar, index)
    notes.extend(counted("expired-stock-left-out", keys, expired > 0, units=float(expired.sum())))
    reserved = np.nan_to_num(number(frame, "reserved"), nan=0.0)
    free = np.maximum(on_hand - expired, 0.0) - reserved
    notes.extend(counted("reserved-above-stock", keys, free < 0))
    backorders = np.nan_to_num(number(frame, "backorders"), nan=0.0) + np.maximum(-free, 0.0)
    return np.maximum(free, 0.0), backorders


def _expired(tables: Tables, calendar: Calendar, index: pd.MultiIndex) -> F64:
    batches = tables["inventory_batches"]
    old = batches[batches["expiry_date"] < pd.Timestamp(calendar.as_of)]
    units = old.groupby(["item_id", "location_id"], observed=True)["units"].sum()
    return np.asarray(np.nan_to_num(units.reindex(index).to_numpy(dtype=np.float64), nan=0.0))


def _leave_origins(orders: pd.DataFrame, index: pd.MultiIndex, available: F64, notes: list[Message]) -> tuple[F64, F64]:
    """Return the units that arrive, and what is available once unshipped transfers have left their origins."""
    units, left = number(orders, "units").copy(), available.copy()
    firm_transfer = (orders["kind"] == "transfer") & (orders["status"] == "firm") & orders["source_id"].notna()
    waiting = (firm_transfer & orders["arrived_on"].isna()).to_numpy(dtype=bool)
    if not waiting.any():
        return units, left
    origins = _rows(index, orders["item_id"][waiting], orders["source_id"][waiting])
    asked = pd.Series(units[waiting])
    before = (asked.groupby(origins).cumsum() - asked).to_numpy()
    sent = np.where(origins >= 0, np.clip(available[origins] - before, 0.0, asked), 0.0)
    known = origins >= 0
    np.subtract.at(left, origins[known], sent[known])
    lacking = float(asked.sum() - sent.sum())
    if lacking > 0:
        notes.append(
            Message("transfer-without-stock", {"count": int((sent < asked.to_numpy()).sum()), "units": lacking})
        )
    units[waiting] = sent
    return units, left


def _rows(index: pd.MultiIndex, items: pd.Series, locations: pd.Series) -> I64:
    pairs = pd.MultiIndex.from_arrays([items.to_numpy(object), locations.to_numpy(object)])
    return index.get_indexer(pairs).astype(np.int64)
