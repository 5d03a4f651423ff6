"""Small worlds before a festival on 11 November, planned on 27 October: shoes in CITY, TOWN and VILLAGE."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.build import demand_keys
from engine.demand.calendar import Calendar
from engine.forecast.streams import Streams
from engine.network.build import build_network
from engine.network.decide import solve_network
from engine.network.decision import Conditions
from engine.network.params import NetworkParams, PresaleParams
from engine.network.presale import presale_demand
from engine.network.presale_paths import presale_paths, reached_late, waiting
from engine.network.tiers import tier_demand
from engine.policy.lead_times import arrival_buckets
from engine.policy.params import TargetParams
from engine.policy.targets import stock_targets
from engine.policy.types import Scenarios, StockRule
from engine.tables import Tables

AS_OF, SHIPS, SHIPS_BY = "2025-10-27", "2025-11-11", "2025-11-18"
DAY = 15  # bucket of the first day of shipping
CALENDAR = Calendar("D", np.datetime64(AS_OF), 60, 1)
SITES = ("CITY", "TOWN", "VILLAGE")
SURE = PresaleParams(cancellation_share=0.0, growth_cv=0.0)


def table(columns, *rows):
    names = columns.split()
    frame = pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows], columns=names)
    dates = {"date", "closes_on", "ship_from", "ship_by", "ordered_on", "due_date"} & set(names)
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in dates})


def world(orders, stock, lanes, lead_days=40.0, inbound=(), sold=(6.0, 3.0, 1.0)):
    """Return tables: ``orders`` units by region, ``stock`` by site, ``lanes`` (from, to, days, a unit, a trip).

    ``sold`` were so many in each site in the week before; ``inbound`` holds (site, units, date).
    """
    return Tables.of(frames(orders, stock, lanes, lead_days, inbound, sold))


def frames(orders, stock, lanes, lead_days=40.0, inbound=(), sold=(6.0, 3.0, 1.0)):
    """Return the same as frames by table name."""
    regions = {"city": "CITY", "town": "TOWN", "village": "VILLAGE"}
    return {
        "sales": table(
            "item_id location_id date units price",
            *(("SHOE", site, "2025-10-20", units, 12.0) for site, units in zip(SITES, sold, strict=True)),
        ),
        "items": table("item_id unit_cost unit_price", ("SHOE", 4.0, 12.0)),
        "supply": table(
            "item_id source_id location_id lead_time_days review_period_days", ("*", "MAKER", "*", lead_days, 14)
        ),
        "lanes": table(
            "origin_id dest_id item_id lead_time_days unit_cost trip_cost role",
            *((origin, dest, "*", days, unit, trip, "lateral") for origin, dest, days, unit, trip in lanes),
        ),
        "inventory": table("item_id location_id on_hand", *(("SHOE", site, stock.get(site, 0.0)) for site in SITES)),
        "open_orders": table(
            "order_id item_id location_id units due_date",
            *((f"PO{number}", "SHOE", *row) for number, row in enumerate(inbound)),
        ),
        "service_regions": table("region location_id rank", *((r, site, 1.0) for r, site in regions.items())),
        "presale_events": table("presale_id closes_on ship_from ship_by", ("D11", AS_OF, SHIPS, SHIPS_BY)),
        "presales": table(
            "presale_id line_id item_id units ordered_on status region",
            *(("D11", f"L{r}", "SHOE", float(units), "2025-10-21", "deposit", r) for r, units in orders.items()),
        ),
    }


class Decided:
    """What is decided on a world whose ordinary demand is ``ordinary``: units a day by site and bucket."""

    def __init__(self, tables, ordinary=None, objective="cycle_service", unmet="lost"):
        config = PlanConfig(presale=SURE, targets=TargetParams(objective=objective))
        self.network = build_network(tables, config, CALENDAR, demand_keys(tables, CALENDAR))
        self.presale = presale_demand(tables, self.network, config, Streams(0))
        cells, horizon = self.network.cells, self.network.horizon
        paths = np.zeros((cells.n_cells, 3, horizon), dtype=np.float32)
        for (site, bucket), units in (ordinary or {}).items():
            paths[cells.location_id == site, :, bucket] += units
        arrival = arrival_buckets(self.network.options, cells, self.network.calendar, 3, Streams(0))
        self.rule = StockRule(objective, unmet, np.ones(horizon, dtype=np.int64))
        presales = presale_paths(self.presale, 3, horizon)
        paths[presales.cell] += presales.units
        scenarios = Scenarios(paths, *arrival)
        late = waiting(self.network, cells, scenarios, presales, self.rule, reached_late(self.network, presales))
        paths[presales.cell] += late.units - presales.units
        presales = late
        demand = tier_demand(self.network, scenarios, self.rule)
        targets = stock_targets(cells, self.network.options, demand.for_targets(self.network.options), self.rule)
        conditions = Conditions(presales)
        self.decision = solve_network(self.network, demand, self.rule, targets, NetworkParams(), conditions)

    def units(self):
        """Return what is ordered and moved, by source and destination."""
        options, cells = self.network.options, self.network.cells
        ways = zip(options.source_id, cells.location_id[options.cell], self.decision.units, strict=True)
        return {(source, site): float(units) for source, site, units in ways if units > 0}
