"""What a replay withholds from its policies, and what it takes as known all along; both are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.sales import is_presale
from engine.messages import Message
from engine.network.params import LimitParams
from engine.tables import Tables
from engine.tables.tables import empty, null_column

FRESH = ("sales", "inventory", "open_orders", "receipts", "stock_history", "presales", "presale_events")
"""Tables that each policy makes for itself as it goes, or is told of day by day."""

_SUPPLIER_LIMITS = ("min_order_value", "min_order_volume", "container_volume", "capacity_units_per_week")
_LEFT_OUT = (
    *("inventory_batches", "price_breaks"),
    *(f"suppliers.{name}" for name in _SUPPLIER_LIMITS),
    "lanes.trip_capacity_volume",
)
"""Tables and columns that no policy is shown: what the world does not hold every policy to, none keeps to alone."""

_DATED = ("events", "promotions", "prices", "supply", "closures")
_FIRST_DAY = {"supply": "valid_from"}


def without(tables: Tables, names: Sequence[str] = _LEFT_OUT) -> Tables:
    """Return the tables as if some tables, or columns ``table.column``, had not been given; by default `_LEFT_OUT`.

    Presale units leave the sales: they are owed line by line, as `presales` have them.
    """
    cut = [name.split(".") for name in names if "." in name]
    frames = {**tables.frames, **{name: empty(name) for name in names if "." not in name}}
    for table, column in cut:
        rows = frames[table]
        frames[table] = rows.assign(**{column: null_column(table, column, len(rows))})
    if tables.has("sales", "channel"):
        sales = frames["sales"]
        frames["sales"] = sales[~is_presale(sales["channel"])].reset_index(drop=True)
    given = {
        name: columns - {column for table, column in cut if table == name}
        for name, columns in tables.columns_given.items()
        if name not in names
    }
    return replace(tables, frames=frames, columns_given=given)


def unlimited(config: PlanConfig) -> PlanConfig:
    """Return settings without the limits that a replay holds no other policy to."""
    return replace(config, limits=LimitParams())


def known_on(tables: Tables, day: np.datetime64, announced: pd.DataFrame) -> Tables:
    """Return the tables as known on a day: by ``known_from``, without later overrides, with closures told by then."""
    known = tables.known_on(day)
    rows = known["overrides"]
    made = rows["created_at"].isna() | (rows["created_at"].dt.floor("D") <= pd.Timestamp(day))
    closures = known["closures"]
    told = announced[announced["known_from"] <= pd.Timestamp(day)]
    if len(told):
        more = pd.DataFrame({name: told[name].astype(closures[name].dtype) for name in closures.columns})
        closures = pd.concat([closures, more], ignore_index=True) if len(closures) else more
    overrides = rows[made.to_numpy(bool)].reset_index(drop=True)
    return replace(known, frames={**known.frames, "overrides": overrides, "closures": closures})


def no_closures() -> pd.DataFrame:
    """Return closures with ``known_from``, none of them."""
    dates = {name: pd.Series(np.zeros(0, "datetime64[ns]")) for name in ("start_date", "end_date", "known_from")}
    return pd.DataFrame({"place_id": pd.Series(dtype=object), **dates, "blocks": pd.Series(dtype=object)})


def replay_notes(tables: Tables, first_day: np.datetime64) -> tuple[Message, ...]:
    """Return what is left out of a replay, and which later rows policies are shown because no day says otherwise."""
    notes = []
    if n_items := int(tables["items"]["shelf_life_days"].notna().sum()):
        notes.append(Message("replay-shelf-life", {"count": n_items}))
    later = []
    for name in _DATED:
        column = _FIRST_DAY.get(name, "start_date")
        rows = tables[name]
        undated = rows["known_from"].isna() if "known_from" in rows else np.ones(len(rows), bool)
        if (undated & (rows[column] > pd.Timestamp(first_day))).any():
            later.append(name)
    if later:
        notes.append(Message("replay-taken-as-known", {"count": len(later), "tables": ", ".join(later)}))
    return (*notes, *_limits_left_out(tables), *_room(tables))


def _limits_left_out(tables: Tables) -> list[Message]:
    """Return how many rows state prices or limits that a replay withholds."""
    counts = {
        "price-breaks": len(tables["price_breaks"]),
        "supplier-limits": _n_stating(tables["suppliers"], _SUPPLIER_LIMITS),
        "trip-capacity": _n_stating(tables["lanes"], ("trip_capacity_volume",)),
    }
    return [Message(f"replay-{name}-left-out", {"count": count}) for name, count in counts.items() if count]


def _room(tables: Tables) -> list[Message]:
    """Return how many sites hold every policy to their room, and how many items take none."""
    n_sites = _n_stating(tables["locations"], ("capacity_volume",))
    if not n_sites:
        return []
    notes = [Message("replay-site-room", {"count": n_sites})]
    if unknown := int(tables["items"]["volume"].isna().sum()):
        notes.append(Message("replay-volume-unknown", {"count": unknown}))
    return notes


def _n_stating(rows: pd.DataFrame, columns: Sequence[str]) -> int:
    return int(rows[list(columns)].notna().any(axis=1).sum())
