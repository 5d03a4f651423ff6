"""The lines of presales as known on ``as_of``: dates, the site that serves them, and what stands of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.demand.sales import flat_bom
from engine.errors import DataError
from engine.messages import Message, Value
from engine.network.types import Network
from engine.tables import Tables

ORDER_KEY = ["presale_id", "sold_item_id", "region", "location_id"]
"""What is sold to a region from a site in a presale; its demand is drawn as one."""

_ONE_DAY = pd.Timedelta(days=1)
_GIVEN = ("closing_given", "shipping_given")
_STATES = ("deposit", "paid", "cancelled", "shipped")


def dated_events(tables: Tables) -> pd.DataFrame:
    """Return `presale_events` with the dates that a presale needs.

    Columns: presale_id (objects), opens_on, closes_on, min_units, and

    - ``ships`` and ``ships_by``: first and last day of shipping; without ``ship_from`` it is ``ship_by``, without
      either the day after closing;
    - ``closes_on``: the last day of orders; if not given the day before shipping starts.
    """
    events = tables["presale_events"]
    ships = events["ship_from"].fillna(events["ship_by"])
    events = events.assign(
        presale_id=events["presale_id"].astype(object),
        ships=ships.fillna(events["closes_on"] + _ONE_DAY),
        ships_by=events["ship_by"].fillna(ships).fillna(events["closes_on"] + _ONE_DAY),
        closes_on=events["closes_on"].fillna(ships - _ONE_DAY),
        closing_given=events["closes_on"].notna(),
        shipping_given=ships.notna(),
    )
    return events[["presale_id", "opens_on", "closes_on", "min_units", "ships", "ships_by", *_GIVEN]]


def known_lines(tables: Tables, as_of: np.datetime64) -> pd.DataFrame:
    """Return the lines ordered before ``as_of`` (undated ones count as such) with the dates of their presales.

    Columns: those of `presales` (texts as objects, "" where null) and of `dated_events`. A presale without any date
    ships at once; a line that is cancelled on ``as_of`` or later stands as a deposit.
    """
    today = pd.Timestamp(as_of)
    lines = tables["presales"]
    lines = lines[lines["ordered_on"].isna() | (lines["ordered_on"] < today)]
    texts = ["presale_id", "item_id", "status", "region", "location_id"]
    lines = lines.assign(**{name: lines[name].astype(object).fillna("") for name in texts})
    stands = lines["status"].eq("cancelled") & (lines["cancelled_on"] >= today)
    lines = lines.assign(status=lines["status"].where(~stands, "deposit"))
    lines = lines.merge(dated_events(tables), on="presale_id", how="left", validate="many_to_one")
    given = {name: lines[name].eq(True).astype(bool) for name in _GIVEN}
    return lines.assign(ships=lines["ships"].fillna(today), ships_by=lines["ships_by"].fillna(today), **given)


def open_orders(lines: pd.DataFrame, as_of: np.datetime64) -> pd.DataFrame:
    """Return what stands of every presale that is not over, one row per `ORDER_KEY`, sorted by it.

    A presale is not over while it takes orders or a line waits as deposit or paid. Columns: the key, dates and
    minimum of the presale, and units ``deposit``, ``paid``, ``cancelled``, ``shipped`` and ``ordered`` (their sum).
    """
    waits = lines["status"].isin(["deposit", "paid"]) & (lines["units"] > 0)
    takes_orders = lines["closes_on"] >= pd.Timestamp(as_of)
    alive = set(lines.loc[waits | takes_orders, "presale_id"])
    lines = lines[lines["presale_id"].isin(alive)].rename(columns={"item_id": "sold_item_id"})
    by_state = lines.assign(**{state: lines["units"].where(lines["status"] == state, 0.0) for state in _STATES})
    dates = ("closes_on", "ships", "ships_by", "min_units", *_GIVEN)
    orders = by_state.groupby(ORDER_KEY, sort=True).agg(
        **{state: (state, "sum") for state in _STATES}, **{name: (name, "first") for name in dates}
    )
    orders = orders.reset_index()
    return orders.assign(ordered=orders[list(_STATES)].sum(axis=1))


def at_serving_sites(orders: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the orders with the site that serves them, one row per `ORDER_KEY` (`serving_sites`)."""
    placed = orders.assign(location_id=serving_sites(orders, tables))
    units = [*_STATES, "ordered", "still_to_come"]
    rest = [name for name in placed.columns if name not in [*ORDER_KEY, *units]]
    kinds: dict[str, str] = {**dict.fromkeys(units, "sum"), **dict.fromkeys(rest, "first")}
    # A region's lines and lines that name its site are one order.
    return placed.groupby(ORDER_KEY, sort=True).agg(kinds).reset_index()


def serving_sites(orders: pd.DataFrame, tables: Tables) -> list[str]:
    """Return the site that serves each order or line: its own, else the first of its region by rank.

    Raises
    ------
    DataError
        If an order names no site and its region has none.
    """
    ranked = tables["service_regions"].sort_values(["region", "rank", "location_id"], kind="stable")
    first = ranked.drop_duplicates("region")
    serving = dict(zip(first["region"].astype(object), first["location_id"].astype(object), strict=True))
    places = [
        location or serving.get(region, "")
        for region, location in zip(orders["region"], orders["location_id"], strict=True)
    ]
    lost = np.array([not place for place in places], dtype=bool)
    if lost.any():
        regions = sorted({str(region) or "(none)" for region in orders["region"][lost]})
        one = orders[lost].iloc[0]
        raise DataError(
            "Every presale line needs a site that serves it: a location_id, or a region that service_regions lists",
            f"{int(lost.sum())} items by region without, first {one['sold_item_id']} of {one['presale_id']}; "
            f"regions {', '.join(regions[:5])}",
            "Add the regions to service_regions, or give the lines a location_id.",
        )
    return places


def at_cells(orders: pd.DataFrame, tables: Tables, network: Network) -> pd.DataFrame:
    """Return the orders as rows of cells, bundles as their components.

    Columns added: ``cell`` (row in the network), ``item_id``, ``factor`` (units of the item in one sold unit),
    ``whole`` (whether the item knows no fractions), ``bucket`` (of the first day of shipping, 0 if that has passed).

    Raises
    ------
    DataError
        If the network lacks a cell of an order.
    """
    rows = with_components(orders, tables)
    cell = network.rows_of((rows["item_id"].to_numpy(object), rows["location_id"].to_numpy(object)))
    if (cell < 0).any():
        one = rows[cell < 0].iloc[0]
        raise DataError(
            "Every item of a presale is planned at the site that serves it",
            f"{int((cell < 0).sum())} that are not, first {one['item_id']} at {one['location_id']} "
            f"for {one['presale_id']}",
            "Add the item at that site to item_locations.",
        )
    bucket = network.calendar.bucket_of(rows["ships"].to_numpy().astype("datetime64[D]"))
    return rows.assign(cell=cell, whole=~network.cells.divisible[cell], bucket=np.maximum(bucket, 0))


def with_components(orders: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the orders with ``item_id`` and ``factor``, bundles as components, sorted by `ORDER_KEY` and item."""
    bom = (
        flat_bom(tables["bom"])
        if len(tables["bom"])
        else tables["bom"][["parent_item_id", "component_item_id", "units"]]
    )
    parts = pd.DataFrame(
        {
            "sold_item_id": bom["parent_item_id"].astype(object),
            "item_id": bom["component_item_id"].astype(object),
            "factor": bom["units"].astype("float64"),
        }
    )
    rows = orders.merge(parts, on="sold_item_id", how="left")
    rows = rows.assign(item_id=rows["item_id"].fillna(rows["sold_item_id"]), factor=rows["factor"].fillna(1.0))
    return rows.sort_values([*ORDER_KEY, "item_id"], kind="stable", ignore_index=True)


def date_notes(orders: pd.DataFrame, network: Network) -> list[Message]:
    """Return what was assumed about dates: those not given, presales that are late, those beyond the horizon."""
    calendar = network.calendar
    notes = []
    presales = orders.assign(units=orders["deposit"] + orders["paid"]).groupby("presale_id", sort=True)
    dates = ("closes_on", "ships", *_GIVEN)
    found = presales.agg(units=("units", "sum"), **{name: (name, "first") for name in dates})
    ships = found["ships"].to_numpy().astype("datetime64[D]")
    beyond = calendar.bucket_of(ships) >= network.horizon
    columns = zip(found.index, found["units"], found["closes_on"], found["closing_given"], strict=True)
    for number, (presale_id, units, closes_on, closing_given) in enumerate(columns):
        presale: dict[str, Value] = {"presale_id": str(presale_id)}
        values: dict[str, Value] = {**presale, "units": float(units), "ships": str(ships[number])}
        if not found["shipping_given"].iloc[number]:
            notes.append(Message("assumed-presale-ship-date", values))
        elif ships[number] < calendar.as_of:
            notes.append(Message("presale-late", values))
        if not closing_given and not pd.isna(closes_on):
            notes.append(Message("assumed-presale-closing", {**presale, "closes_on": str(closes_on.date())}))
        if beyond[number]:
            notes.append(Message("presale-beyond-horizon", {**values, "horizon_ends": str(calendar.edges[-1])}))
    return notes
