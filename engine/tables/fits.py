"""What must fit together across tables: packs on shelves, inbound in sites, suppliers outside, batches in stock."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from engine.messages import Value
from engine.tables.breach import Breach, Rule
from engine.tables.columns import ANY
from engine.tables.sheet import Finding, Sheet, Weight, find_rows, rows_breach, table_breach


def check_fits(sheets: Mapping[str, Sheet], repairs: frozenset[str]) -> tuple[tuple[str, Finding], ...]:
    """Return the findings of what does not fit, each with the table that it is about."""
    found: list[tuple[str, Finding]] = []
    found += [("item_locations", finding) for finding in _packs(sheets, repairs)]
    found += [("open_orders", Finding(breach)) for breach in _inbound(sheets)]
    found += [("supply", finding) for finding in _external(sheets, repairs)]
    found += [("inventory_batches", Finding(breach)) for breach in _batches(sheets)]
    return tuple(found)


def _packs(sheets: Mapping[str, Sheet], repairs: frozenset[str]) -> tuple[Finding, ...]:
    """Return the shelves that not even the smallest pack of any supplier fits on.

    A shelf of zero is one that is not to be filled; a site that a lane feeds can be filled by parts of a pack.
    """
    if "item_locations" not in sheets or "supply" not in sheets or "max_stock" not in sheets["item_locations"].cells:
        return ()
    supply, shelves = sheets["supply"], sheets["item_locations"]
    multiple = np.nan_to_num(supply.column("order_multiple").expand(), nan=1.0)
    packs = np.maximum(multiple, np.nan_to_num(supply.column("units_per_purchase_unit").expand(), nan=1.0))
    smallest: dict[tuple[str, str], float] = {}
    for item, place, pack in zip(_ids(supply, "item_id"), _ids(supply, "location_id"), packs, strict=True):
        smallest[item, place] = min(pack, smallest.get((item, place), np.inf))
    lanes = sheets.get("lanes")
    fed = set(_ids(lanes, "dest_id")) if lanes is not None else set()
    above = np.zeros(len(shelves), bool)
    values: dict[str, Value] = {}
    room = shelves.cells["max_stock"].expand()
    for row, (item, place) in enumerate(zip(_ids(shelves, "item_id"), _ids(shelves, "location_id"), strict=True)):
        names = ((item, place), (item, ANY), (ANY, place), (ANY, ANY))
        pack = min(smallest.get(name, np.inf) for name in names)
        above[row] = np.isfinite(pack) and room[row] > 0 and pack > room[row] and place not in fed
        if above[row] and not values:
            values = {"pack": float(pack), "max_stock": float(room[row])}
    return find_rows(shelves, Rule.FITS, "pack-above-shelf", above, Weight("contradiction", (), values), repairs)


def _inbound(sheets: Mapping[str, Sheet]) -> tuple[Breach, ...]:
    """Return the sites whose firm inbound alone is more than they hold; it may wait where goods at doors are told."""
    if not {"open_orders", "items", "locations"} <= sheets.keys():
        return ()
    orders, items, places = sheets["open_orders"], sheets["items"], sheets["locations"]
    volume = dict(zip(_ids(items, "item_id"), np.nan_to_num(items.column("volume").expand()), strict=True))
    room = dict(zip(_ids(places, "location_id"), places.column("capacity_volume").expand(), strict=True))
    frame = pd.DataFrame(
        {
            "place": _ids(orders, "location_id"),
            "status": orders.column("status").expand(),
            "volume": orders.cells["units"].expand() * [volume.get(item, 0.0) for item in _ids(orders, "item_id")],
        }
    )
    inbound = frame[frame["status"] != "draft"].groupby("place")["volume"].sum()
    over = [place for place in sorted(inbound.index) if inbound[place] > room.get(place, np.nan)]
    if not over:
        return ()
    values: dict[str, Value] = {
        "places": ", ".join(over[:5]),
        "inbound": float(inbound[over[0]]),
        "capacity": float(room[over[0]]),
    }
    code, weight = "inbound-above-site", Weight("contradiction", (), values)
    if "arrived_on" in orders.cells:
        code, weight = "inbound-waits", Weight("noted", (), values)
    return (table_breach("open_orders", Rule.FITS, code, weight, len(over), len(inbound)),)


def _external(sheets: Mapping[str, Sheet], repairs: frozenset[str]) -> tuple[Finding, ...]:
    """Return the rows of ``supply`` whose source is an own site."""
    if "supply" not in sheets:
        return ()
    own: set[str] = set()
    for table in ("sales", "inventory", "locations"):
        if table in sheets:
            own |= set(sheets[table].cells["location_id"].used())
    source = sheets["supply"].cells["source_id"]
    inside = source.rows_where(np.array([value in own for value in source.values], bool))
    return find_rows(sheets["supply"], Rule.EXTERNAL, "own-source", inside, Weight("fatal"), repairs)


def _batches(sheets: Mapping[str, Sheet]) -> tuple[Breach, ...]:
    """Return the stock whose batches add up to more than is on hand."""
    if not {"inventory", "inventory_batches"} <= sheets.keys():
        return ()
    stock, batches = sheets["inventory"], sheets["inventory_batches"]
    on_hand = dict(zip(zip(_ids(stock, "item_id"), _ids(stock, "location_id"), strict=True),
                       stock.cells["on_hand"].expand(), strict=True))  # fmt: skip
    pairs = list(zip(_ids(batches, "item_id"), _ids(batches, "location_id"), strict=True))
    total: dict[tuple[str, str], float] = {}
    for pair, units in zip(pairs, batches.cells["units"].expand(), strict=True):
        total[pair] = total.get(pair, 0.0) + units
    above = np.array([total[pair] > on_hand.get(pair, 0.0) for pair in pairs], bool)
    if not above.any():
        return ()
    return (rows_breach(batches, Rule.BATCHES, "batches-above-stock", above, Weight("noted")),)


def _ids(sheet: Sheet, name: str) -> list[str]:
    return list(sheet.cells[name].expand())
