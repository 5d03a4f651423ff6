"""Everything that a plan says about one item at one location."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from engine.errors import ConfigError


@dataclass(frozen=True)
class Explanation:
    """The rows of a plan's tables that bear on an item at a location.

    Parameters
    ----------
    targets
        Its row of ``targets`` (none if nothing replenishes it).
    orders, transfers_in, transfers_out, planned
        Lines decided today, and those expected later.
    presale_allocations, alerts, forecast, projection, forecast_reasons
        Its rows, in the order of the plan.
    """

    item_id: str
    location_id: str
    targets: pd.DataFrame
    orders: pd.DataFrame
    transfers_in: pd.DataFrame
    transfers_out: pd.DataFrame
    planned: pd.DataFrame
    presale_allocations: pd.DataFrame
    alerts: pd.DataFrame
    forecast: pd.DataFrame
    projection: pd.DataFrame
    forecast_reasons: pd.DataFrame


_PLACE = {
    "targets": ("targets", "location_id"),
    "orders": ("orders", "location_id"),
    "transfers_in": ("transfers", "dest_id"),
    "transfers_out": ("transfers", "origin_id"),
    "planned": ("planned", "location_id"),
    "presale_allocations": ("presale_allocations", "location_id"),
    "alerts": ("alerts", "location_id"),
    "forecast": ("forecast", "location_id"),
    "projection": ("projection", "location_id"),
    "forecast_reasons": ("forecast_reasons", "location_id"),
}


def explain(tables: Mapping[str, pd.DataFrame], item_id: str, location_id: str) -> Explanation:
    """Return what the plan's tables say about an item at a location.

    Raises
    ------
    ConfigError
        The plan knows no such item, or not at this location; says where it is.
    """
    found = {part: _rows(tables[table], item_id, place, location_id) for part, (table, place) in _PLACE.items()}
    if all(rows.empty for rows in found.values()):
        places = sorted(
            {
                str(place)
                for table, column in _PLACE.values()
                for place in tables[table].loc[tables[table]["item_id"] == item_id, column].unique()
            }
        )
        raise ConfigError(
            "ITEM and LOCATION are a pair of this plan",
            f"item {item_id} at {', '.join(places[:5])}, not at {location_id}" if places else f"no item {item_id}",
            "Ids are case-sensitive; targets.csv of the plan lists all pairs",
        )
    return Explanation(item_id, location_id, **found)


def _rows(table: pd.DataFrame, item_id: str, place: str, location_id: str) -> pd.DataFrame:
    chosen = (table["item_id"] == item_id) & (table[place] == location_id)
    return table.loc[chosen].reset_index(drop=True)
