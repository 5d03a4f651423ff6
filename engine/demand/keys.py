"""Which pairs of item and location have demand of their own, and the numbers of their series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Calendar
from engine.demand.sales import SalesRows, base_sales, flat_bom
from engine.tables.tables import Tables

Ids = npt.NDArray[np.object_]
Ints = npt.NDArray[np.int64]
Pairs = set[tuple[str, str]]


@dataclass(frozen=True)
class SeriesKeys:
    """Sorted keys of series, and the way from ids to series numbers."""

    item_id: Ids
    location_id: Ids

    def rows_of(self, items: Ids, locations: Ids) -> Ints:
        """Return the series of each pair of ids, -1 where there is none; shape (rows,)."""
        item = self.items.get_indexer(pd.Index(items, dtype=object))
        location = self.locations.get_indexer(pd.Index(locations, dtype=object))
        return self.rows_of_codes(item, location)

    def rows_of_sales(self, sales: SalesRows) -> Ints:
        """Return the series of each sales row, -1 where there is none."""
        item = self.items.get_indexer(pd.Index(sales.items, dtype=object))
        location = self.locations.get_indexer(pd.Index(sales.locations, dtype=object))
        return self.rows_of_codes(item[sales.item], location[sales.location])

    def rows_of_codes(self, item: Ints, location: Ints) -> Ints:
        """Return the series of each pair of positions in ``items`` and ``locations`` (-1: unknown)."""
        codes = self.items.get_indexer(pd.Index(self.item_id)) * len(self.locations)
        codes = codes + self.locations.get_indexer(pd.Index(self.location_id))
        wanted = item * len(self.locations) + location
        place = np.minimum(np.searchsorted(codes, wanted), max(0, len(codes) - 1))
        found = (item >= 0) & (location >= 0)
        if len(codes):
            found &= codes[place] == wanted
        return np.where(found, place, -1)

    @property
    def items(self) -> pd.Index[str]:
        """Distinct items, ascending."""
        return pd.Index(sorted(set(self.item_id)), dtype=object)

    @property
    def locations(self) -> pd.Index[str]:
        """Distinct locations, ascending."""
        return pd.Index(sorted(set(self.location_id)), dtype=object)


def demand_keys(tables: Tables, calendar: Calendar) -> tuple[Ids, Ids]:
    """Return the items and locations of all pairs with demand of their own, sorted by item, then location.

    They are pairs that sold before ``as_of`` outside presales (bundles as their components), pairs that
    `item_locations` lists as active at a place that sells, so that a new item is planned from its first day,
    and pairs that only a presale ordered (a region's line counts for the site of its lowest rank).
    """
    sales = base_sales(tables)
    past = sales.date < calendar.as_of
    codes = np.unique(sales.item[past] * len(sales.locations) + sales.location[past])
    sold: Pairs = {
        (str(sales.items[c // len(sales.locations)]), str(sales.locations[c % len(sales.locations)])) for c in codes
    }
    selling = {location for _, location in sold}
    bundles = _parents(tables)
    listed = tables["item_locations"]
    listed = listed[listed["active"].to_numpy(np.bool_) & listed["location_id"].isin(selling).to_numpy(np.bool_)]
    new = {pair for pair in _pairs(listed) if pair[0] not in bundles}
    pairs = sorted(sold | new | presale_pairs(tables, calendar))
    return np.array([p[0] for p in pairs], np.object_), np.array([p[1] for p in pairs], np.object_)


def presale_pairs(tables: Tables, calendar: Calendar) -> Pairs:
    """Return the pairs that presale lines ordered before ``as_of`` are to be served at, bundles exploded."""
    lines = tables["presales"]
    known = lines["ordered_on"].isna() | (lines["ordered_on"] < pd.Timestamp(calendar.as_of))
    gone = (lines["status"] == "cancelled") & ~(lines["cancelled_on"] >= pd.Timestamp(calendar.as_of))
    lines = lines[known & ~gone]
    regions = tables["service_regions"].sort_values(["region", "rank", "location_id"], kind="stable")
    serving = regions.drop_duplicates("region").set_index("region")["location_id"]
    place = lines["location_id"].fillna(lines["region"].map(serving).astype(lines["location_id"].dtype))
    pairs = _pairs(lines.assign(location_id=place).dropna(subset=["location_id"]))
    bundles = _parents(tables)
    return {(part, location) for item, location in pairs for part in bundles.get(item, (item,))}


def _parents(tables: Tables) -> dict[str, tuple[str, ...]]:
    """Components of every bundle."""
    if not tables.given("bom"):
        return {}
    parts = flat_bom(tables["bom"]).groupby("parent_item_id")["component_item_id"]
    return {str(parent): tuple(components) for parent, components in parts}


def _pairs(rows: pd.DataFrame) -> Pairs:
    return set(zip(rows["item_id"].astype(object), rows["location_id"].astype(object), strict=True))
