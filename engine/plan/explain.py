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
    alternatives
        Other quantities and sources than those decided (none where the plan does not keep them), see
        `engine.network.alternatives`.
    open_order_changes, presale_allocations, alerts, forecast, projection, forecast_reasons
        Its rows, in the order of the plan.
    """

    item_id: str
    location_id: str
    targets: pd.DataFrame
    orders: pd.DataFrame
    transfers_in: pd.DataFrame
    transfers_out: pd.DataFrame
    planned: pd.DataFrame
    alternatives: pd.DataFrame
    open_order_changes: pd.DataFrame
    presale_allocations: pd.DataFrame
    alerts: pd.DataFrame
    forecast: pd.DataFrame
    projection: pd.DataFrame
    forecast_reasons: pd.DataFrame

    @property
    def binding(self) -> tuple[str, ...]:
        """What decided each line into the place, such as "lot-multiple"; none where nothing is ordered."""
        codes = [*self.orders["reason_code"], *self.transfers_in["reason_code"]]
        return tuple(code.partition("-")[2] for code in codes)

    @property
    def next_best(self) -> int | None:
        """The row of ``alternatives`` that comes next to the decision, None without one.

        Under a service target: of those that reach it (or, where the decision itself falls short, what that
        reaches) the one with the least extra cost; where none does, and under other objectives, the one with the
        least extra cost.
        """
        others = self.alternatives[self.alternatives["chosen"] == 0]
        if others.empty or self.targets.empty:
            return None
        target = self.targets.iloc[0]
        if target["objective"] in ("cycle_service", "fill_rate"):
            decided = self.alternatives.loc[self.alternatives["chosen"] == 1, "expected_service"]
            aim = min(float(target["target"]), float(decided.iloc[0]))
            reaching = others[others["expected_service"] >= aim - 1e-9]
            others = others if reaching.empty else reaching
        return int(others["extra_cost"].idxmin())


_PLACE = {
    "targets": ("targets", "location_id"),
    "orders": ("orders", "location_id"),
    "transfers_in": ("transfers", "dest_id"),
    "transfers_out": ("transfers", "origin_id"),
    "planned": ("planned", "location_id"),
    "alternatives": ("alternatives", "location_id"),
    "open_order_changes": ("open_order_changes", "location_id"),
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
