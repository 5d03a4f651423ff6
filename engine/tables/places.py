"""Places that `closures` may name: own sites, suppliers and other sources, wherever the data speak of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from engine.messages import Message
from engine.tables.breach import Breach, Rule
from engine.tables.columns import ANY, DEFAULT_SOURCE
from engine.tables.contract import TABLES, columns_of, reference_of
from engine.tables.sheet import Sheet, Weight, rows_breach
from engine.tables.tables import Tables


def check_places(sheets: Mapping[str, Sheet]) -> tuple[Breach, ...]:
    """Return the note on closures of places that no table knows."""
    if "closures" not in sheets:
        return ()
    known = {DEFAULT_SOURCE}
    for table, name in _place_columns():
        if table in sheets:
            known |= set(sheets[table].column(name).used())
    place = sheets["closures"].cells["place_id"]
    unknown = place.rows_where(np.array([value == ANY or value not in known for value in place.values], bool))
    if not unknown.any():
        return ()
    return (rows_breach(sheets["closures"], Rule.PLACES_KNOWN, "unknown-place", unknown, Weight("noted")),)


def unknown_closures(tables: Tables, as_of: np.datetime64) -> list[Message]:
    """Return the note on closures from ``as_of`` on that close nothing, since no table knows their place."""
    closures = tables["closures"]
    closures = closures[closures["end_date"].to_numpy() >= as_of]
    if not len(closures):
        return []
    known = {DEFAULT_SOURCE}.union(*(tables[table][name].dropna().unique() for table, name in _place_columns()))
    unknown = sorted(set(closures["place_id"]) - (known - {ANY}))
    if not unknown:
        return []
    return [Message("closures-of-unknown-places", {"count": len(unknown), "first": unknown[0]})]


def _place_columns() -> Iterator[tuple[str, str]]:
    """Yield the columns that say where goods are or come from, by table; a noted reference is only looked up."""
    for table in TABLES:
        for name, column in columns_of(table).items():
            reference = reference_of(column)
            to_site = reference is not None and reference.target == "locations" and reference.severity != "noted"
            if to_site or name == "source_id" or (table, name) == ("locations", "location_id"):
                yield table, name
