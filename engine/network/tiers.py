"""Demand at sites that feed others: on every path, the orders that those others will place.

Cells are worked through from the leaves up. Each cell that a lane feeds follows its own policy along its own paths
(`engine.network.follow`); what it orders on its later order days is demand at its feeder in the bucket of that day,
scenario by scenario. Today's order is kept apart: it is a decision, which the coupled solve takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.follow import follow, later_orders
from engine.network.links import chain_depth
from engine.network.types import Network
from engine.policy.targets import stock_targets
from engine.policy.types import F32, F64, I64, Options, Scenarios, StockRule, Targets

_BLOCK_ROWS = 256


@dataclass(frozen=True)
class TierDemand:
    """Demand of all cells with that of the cells below them.

    Parameters
    ----------
    later
        Own demand, and what fed cells order on order days after today's.
    first
        What each fed cell, left to itself, orders today, units, shape (m,); 0 for other options.
    """

    later: Scenarios
    first: F64

    def all_orders(self, options: Options) -> Scenarios:
        """Return the scenarios with today's orders of fed cells as demand at their feeders."""
        return with_sends(self.later, options, self.first)


def tier_demand(network: Network, scenarios: Scenarios, rule: StockRule) -> TierDemand:
    """Return the demand of every cell, own and from the cells that it feeds."""
    options = network.options
    feeds = options.primary & (options.origin_cell >= 0)
    first = np.zeros(options.n_options)
    if not feeds.any():
        return TierDemand(scenarios, first)
    depth = depths(network)
    paths = scenarios.paths.copy()
    for level in range(int(depth.max())):
        fed = feeds & (depth[options.cell] == level)
        now = with_sends(replace(scenarios, paths=paths), options, first)
        targets = stock_targets(network.cells, replace(options, primary=fed), now, rule)
        first[targets.option] = targets.order_units
        mean = now.paths.mean(axis=1, dtype=np.float64)
        for start in range(0, len(targets.option), _BLOCK_ROWS):
            rows = np.arange(start, min(start + _BLOCK_ROWS, len(targets.option)))
            _add_later_orders(network, targets, rows, (paths, now.paths, mean), rule)
    return TierDemand(replace(scenarios, paths=paths), first)


def depths(network: Network) -> I64:
    """Return how many primary lanes lie below each cell, shape (n,)."""
    options = network.options
    rows = np.flatnonzero(options.primary & (options.origin_cell >= 0))
    n_sites = len(set(network.cells.location_id.tolist()))
    return chain_depth(options.cell[rows], options.origin_cell[rows], network.cells.n_cells, n_sites)


def with_sends(scenarios: Scenarios, options: Options, units: F64) -> Scenarios:
    """Return the scenarios with units sent over lanes as demand at their givers, in the bucket of the send day."""
    gives = np.flatnonzero((options.origin_cell >= 0) & (units != 0) & (options.send_bucket < scenarios.horizon))
    if not len(gives):
        return scenarios
    paths = scenarios.paths.copy()
    for row in gives.tolist():
        paths[options.origin_cell[row], :, options.send_bucket[row]] += np.float32(units[row])
    return replace(scenarios, paths=paths)


def _add_later_orders(
    network: Network, targets: Targets, rows: I64, demand: tuple[F32, F32, F64], rule: StockRule
) -> None:
    """Add to ``demand[0]`` what a block of fed cells orders later."""
    paths, now, mean = demand
    options = network.options
    option = targets.option[rows]
    cell, feeder = options.cell[option], options.origin_cell[option]
    later = later_orders(network, targets, rows, mean)
    arriving = network.cells.arrivals[cell].copy()
    seen = options.arrival[option] < network.horizon
    arriving[np.flatnonzero(seen), options.arrival[option][seen]] += targets.order_units[rows][seen]
    ordered = follow(network, later, now[cell], arriving, rule).ordered
    for step in range(later.n_steps):
        inside = np.flatnonzero(later.bucket[:, step] < paths.shape[2])
        for row in inside.tolist():
            paths[feeder[row], :, later.bucket[row, step]] += ordered[row, :, step].astype(np.float32)
