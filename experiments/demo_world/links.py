"""Where the demo world's stock comes from: cells, supply links, lanes, closures and how late shipments are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.forecast.streams import Streams
from engine.simulation import Lines
from experiments.demo_world.assortment import CENTRAL, F64, I64, REGIONS, SITES, Assortment, Texts
from experiments.demo_world.law import Law
from experiments.demo_world.promotions import day_of

FAR, NEAR = "SUP-FAR", "SUP-NEAR"
WAREHOUSES = SITES[1:]
REGION_OF = dict(zip(WAREHOUSES, REGIONS, strict=True))
LAW_OF = {FAR: "far", NEAR: "near"}


@dataclass(frozen=True)
class Cells:
    """Items at sites, sorted by item, then site: row = 4 x item + place in `SITES`."""

    item_id: Texts
    location_id: Texts

    @property
    def n_cells(self) -> int:
        return len(self.item_id)

    def row(self, item: I64 | int, site: str) -> I64:
        """Return the rows of items (by their rows) at a site."""
        return np.asarray(item, np.int64) * len(SITES) + SITES.index(site)


def make_cells(items: Assortment) -> Cells:
    """Return the cells of all stocked items."""
    return Cells(np.repeat(items.item_id, len(SITES)), np.tile(np.array(SITES, object), items.n_items))


def supply_links(law: Law, items: Assortment) -> pd.DataFrame:
    """Return the links from suppliers: item (row), source_id, location_id, lead_time_days, unit_cost, preference."""
    said = law["supply"]
    near_cost = np.where(items.near_only, items.unit_cost, items.unit_cost * said["near_price"])
    every = np.arange(items.n_items)
    parts = [
        _links(every[~items.near_only], FAR, CENTRAL, said["far"]["lead_time_days"], items.unit_cost, 1),
        _links(every[items.near_only], NEAR, CENTRAL, said["near"]["lead_time_days"], near_cost, 1),
        _links(every[items.near_too], NEAR, CENTRAL, said["near"]["lead_time_days"], near_cost, 2),
    ]
    direct = every[items.direct & (items.near_only | items.near_too)]
    parts += [
        _links(direct, NEAR, site, said["direct_lead_time_days"], near_cost * said["direct_price"], 2)
        for site in WAREHOUSES
    ]
    links = pd.concat(parts, ignore_index=True)
    return links.sort_values(["item", "location_id", "preference"], ignore_index=True)


def _links(item: I64, source: str, site: str, days: int, cost: F64, preference: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item": item,
            "source_id": source,
            "location_id": site,
            "lead_time_days": float(days),
            "unit_cost": np.round(cost[item], 2),
            "preference": float(preference),
        }
    )


def lane_rows(law: Law) -> pd.DataFrame:
    """Return the table ``lanes``: from the centre to the warehouses, and between these."""
    said = law["supply"]
    rows = [
        (CENTRAL, site, "*", days, said["lane_trip_cost"], said["lane_unit_cost"], "replenish")
        for site, days in said["lane_lead_time_days"].items()
    ]
    rows += [
        (
            one,
            other,
            "*",
            said["lateral_lead_time_days"],
            said["lateral_trip_cost"],
            said["lateral_unit_cost"],
            "lateral",
        )
        for one in WAREHOUSES
        for other in WAREHOUSES
        if one != other
    ]
    columns = ["origin_id", "dest_id", "item_id", "lead_time_days", "trip_cost", "unit_cost", "role"]
    return pd.DataFrame(rows, columns=columns).assign(order_weekdays="1").astype({"lead_time_days": "float64"})


def closed_spans(law: Law) -> list[tuple[int, int]]:
    """Return first and last day of the suppliers' closures, in days from the world's start."""
    first, last = law["supply"]["closed_days"]
    anchors = [day_of(law, anchor) for anchor in law["festivals"]["chinese-new-year"]["anchors"]]
    return [(anchor + first, anchor + last) for anchor in anchors]


@dataclass(frozen=True)
class Lateness:
    """How late shipments arrive: one draw per supplier, destination and day, so that lines come together."""

    law: Mapping[str, Mapping[str, float]]
    streams: Streams
    location_id: Texts

    def __call__(self, lines: Lines) -> I64:
        """Return the days by which each line is late (negative: early); transfers are on time."""
        delay = np.zeros(lines.n_lines, np.int64)
        bought = np.flatnonzero(lines.origin < 0)
        trips = zip(lines.source_id[bought], self.location_id[lines.cell[bought]], lines.sent[bought], strict=True)
        drawn: dict[tuple[str, str, int], int] = {}
        for row, trip in zip(bought, trips, strict=True):
            if trip not in drawn:
                drawn[trip] = self._draw(*trip)
            delay[row] = drawn[trip]
        return delay

    def _draw(self, source: str, location: str, sent: int) -> int:
        said = self.law[LAW_OF[source]]
        draw = self.streams.common(f"late {source} {location}", str(sent))
        chance, extra = draw.random(), int(draw.geometric(1.0 / said["mean_days"]))
        if chance < said["share"]:
            return min(extra, int(said["cap_days"]))
        return -int(said["early_days"]) if chance > 1.0 - said["early_share"] else 0
