"""Small worlds of one supplier and one site, for the tests of suppliers' terms."""

from __future__ import annotations

from dataclasses import replace
from string import ascii_uppercase

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.forecast.streams import Streams
from engine.network.build import build_network
from engine.network.decide import solve_network
from engine.network.params import NetworkParams
from engine.network.tiers import tier_demand
from engine.policy.lead_times import arrival_buckets
from engine.policy.params import TargetParams
from engine.policy.targets import stock_targets
from engine.policy.types import Scenarios, StockRule
from engine.tables import Tables

CALENDAR = Calendar("D", np.datetime64("2025-10-27"), 30, 1)  # a Monday
ITEMS = (*ascii_uppercase, *(f"Z{k}" for k in range(30)))


def frame(columns, *rows):
    return pd.DataFrame([dict(zip(columns.split(), row, strict=True)) for row in rows])


def world(objective="cost", n_items=3, supply=(), stock=(), terms=None, items=None, supply_rows=None, **frames):
    """Return the network of items at site W that S supplies every seven days, five days away.

    Parameters
    ----------
    supply
        Columns of ``supply`` by item: minimum, multiple, maximum, price.
    stock
        Units on hand.
    terms
        Columns of ``suppliers`` but the source.
    """
    ids = ITEMS[:n_items]
    supply = supply or [(None, 1.0, None, 4.0)] * n_items
    stock = stock or [0.0] * n_items
    links = frame(
        "item_id source_id location_id lead_time_days review_period_days min_order_units order_multiple "
        "max_order_units unit_cost",
        *[(i, "S", "W", 5.0, 7.0, *row) for i, row in zip(ids, supply, strict=True)],
    )
    plain = frame("item_id unit_cost unit_price volume holding_cost", *[(i, 4.0, 10.0, 1.0, 0.05) for i in ids])
    tables = {
        "sales": frame("item_id location_id date units", *[(i, "W", pd.Timestamp("2025-10-20"), 5.0) for i in ids]),
        "items": plain if items is None else items,
        "supply": links if supply_rows is None else supply_rows,
        "inventory": frame("item_id location_id on_hand", *[(i, "W", u) for i, u in zip(ids, stock, strict=True)]),
        "suppliers": pd.DataFrame([{"source_id": "S", **(terms or {})}]),
    } | frames
    keys = (np.array(ids, dtype=object), np.array(["W"] * n_items, dtype=object))
    config = PlanConfig(targets=TargetParams(objective=objective, service=0.9, cover_days=5))
    return build_network(Tables.of(tables), config, CALENDAR, keys)


def scenarios_of(network, rates, seed=0, n_paths=12):
    """Return Poisson demand at daily rates by cell."""
    rng = np.random.default_rng(seed)
    shape = (network.cells.n_cells, n_paths, network.horizon)
    paths = rng.poisson(np.broadcast_to(np.asarray(rates, dtype=float)[:, None, None], shape)).astype(np.float32)
    return level_scenarios(network, paths)


def level_scenarios(network, paths):
    first, second = arrival_buckets(network.options, network.cells, network.calendar, paths.shape[1], Streams(0))
    return Scenarios(paths, first, second)


def decide(network, scenarios, objective="cost", unmet="lost", ahead=0):
    """Return the decision and each cell's own targets."""
    rule = StockRule(objective, unmet, network.calendar.days[network.calendar.n_history :])
    demand = tier_demand(network, scenarios, rule)
    targets = stock_targets(network.cells, network.options, demand.for_targets(network.options), rule)
    params = replace(NetworkParams(), max_periods_ahead=ahead)
    return solve_network(network, demand, rule, targets, params), targets, rule
