"""The demo world apart from its stock: everything that is settled before the first order is placed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from engine.forecast.streams import Streams
from experiments.demo_world.assortment import F64, SITES, Assortment, make_assortment
from experiments.demo_world.demand import Demand, make_demand
from experiments.demo_world.law import Law
from experiments.demo_world.links import Cells, Lateness, make_cells, supply_links
from experiments.demo_world.presale import Presales, make_presales
from experiments.demo_world.promotions import Offers, make_offers


@dataclass(frozen=True)
class Scene:
    """The world's law, items, offers, demand and links; nothing in it depends on an as-of date or on stock.

    ``stock_demand`` is what customers ask of each cell on each day, shape (n_cells, n_days), units: own
    demand, bundles' components, and presales on the day they ship.
    """

    law: Law
    streams: Streams
    items: Assortment
    offers: Offers
    demand: Demand
    presales: Presales
    cells: Cells
    links: pd.DataFrame
    lateness: Lateness
    stock_demand: F64

    @property
    def n_days(self) -> int:
        return int(self.stock_demand.shape[1])

    @property
    def start(self) -> date:
        first: date = self.law["world"]["start"]
        return first

    def date_of(self, day: int) -> date:
        """Return the date of a day counted from the world's start."""
        return self.start + timedelta(days=day)


def make_scene(law: Law, seed: int) -> Scene:
    """Return the world of a seed."""
    streams = Streams(seed)
    items = make_assortment(law, streams)
    offers = make_offers(law, items, streams)
    demand = make_demand(law, items, offers, streams)
    presales = make_presales(law, items, demand, streams)
    cells = make_cells(items)
    stock_demand = at_cells(exploded(demand.own, demand.bundle, items) + presales.due)
    lateness = Lateness(law["late"], streams, cells.location_id)
    return Scene(law, streams, items, offers, demand, presales, cells, supply_links(law, items), lateness, stock_demand)


def exploded(own: F64, bundle: F64, items: Assortment) -> F64:
    """Return demand for items by item, region and day with the bundle's components in it."""
    total = own.copy()
    for component in items.components:
        total[component] += bundle
    return total


def at_cells(by_region: F64) -> F64:
    """Return values by item, region and day as rows of cells; the central warehouse sells nothing."""
    n_items, _, n_days = by_region.shape
    cells = np.zeros((n_items, len(SITES), n_days))
    cells[:, 1:] = by_region
    return cells.reshape(-1, n_days)
