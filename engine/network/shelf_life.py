"""Perishables: today's purchases bring no more than is expected to sell before it expires.

A delivery is taken to be fresh on the day on which it can be sold, and to sell after all stock on hand then, whose age
is not known. So of a purchase as much sells in time as mean demand in its ``sellable_days`` (shelf life less the days
that must remain) exceeds mean stock at landing. That is the largest order, in whole lots; where not even the smallest
lot sells in time, nothing is ordered, and that is told. Transfers move stock that is there, and later orders are
planned without this limit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.messages import Message
from engine.network.terms import counted
from engine.network.types import Network
from engine.policy.aims import daily_demand, demand_by, mean_demand_so_far
from engine.policy.curve import landing_and_need
from engine.policy.lots import lots
from engine.policy.types import F64, I64, Bools, Scenarios, StockRule


def within_shelf_life(network: Network, scenarios: Scenarios, rule: StockRule) -> tuple[Network, Bools, list[Message]]:
    """Return the network with purchases limited to what sells in time, which of them are, (m,), and what is told."""
    options, cells = network.options, network.cells
    limited = np.zeros(options.n_options, dtype=bool)
    rows = np.flatnonzero((options.origin_cell < 0) & np.isfinite(network.sellable_days[options.cell]))
    if not len(rows):
        return network, limited, []
    sells = sells_within(network, scenarios, rows, network.sellable_days[options.cell[rows]], rule)
    most = options.max_units.copy()
    most[rows] = np.minimum(most[rows], sells)
    limited[rows] = most[rows] < options.max_units[rows]
    cell = options.cell[rows]
    rules = lots(options.min_units[rows], options.multiple[rows], options.max_units[rows], cells.step[cell])
    wasted = (rules.smallest() > most[rows]) & (sells > 0)
    keys = cells.item_id[cell], cells.location_id[cell]
    today = replace(network, options=replace(options, max_units=most))
    return today, limited, counted("shelf-life-below-lot", keys, wasted)


def sells_within(network: Network, scenarios: Scenarios, rows: I64, days: F64, rule: StockRule) -> F64:
    """Return the units of some options that are expected to sell in so many days from landing on, shape (r,).

    What is on hand at landing sells first. Beyond the horizon demand goes on at its mean rate.
    """
    options, cells = network.options, network.cells
    cell, horizon = options.cell[rows], scenarios.horizon
    some, paths = cells.take(cell), scenarios.paths[cell]
    so_far = mean_demand_so_far(paths)
    edges = np.concatenate([[0.0], np.cumsum(rule.bucket_days[:horizon])])
    later = np.where(some.end_bucket < horizon, 0.0, daily_demand(some, paths, rule))
    start = edges[np.minimum(options.arrival[rows], horizon)]
    demand = demand_by(start + days, edges, so_far, later) - demand_by(start, edges, so_far, later)
    part = replace(scenarios, arrival=scenarios.arrival[rows], next_arrival=scenarios.next_arrival[rows])
    landing, _ = landing_and_need(cells, options.take(rows), part, rule)
    units: F64 = np.maximum(demand - np.maximum(landing, 0.0).mean(axis=1), 0.0)
    return units
