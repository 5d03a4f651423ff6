"""Demand at sites that feed others: on every path, the orders that those others will place.

Cells are worked through from the leaves up. Each cell that a lane feeds follows its own policy along its own paths
(`engine.network.follow`); what it orders on its later order days is demand at its feeder in the bucket of that day,
scenario by scenario. Today's order is kept apart: it is a decision, which the coupled solve takes. What that
decision does not grant today is asked for later, so later orders are followed anew from it (`demand_after`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.follow import follow, later_orders
from engine.network.links import chain_depth
from engine.network.types import Network
from engine.policy.targets import stock_targets
from engine.policy.types import F64, I64, Bools, Cells, Options, Scenarios, StockRule, Targets

_BLOCK_ROWS = 256


@dataclass(frozen=True)
class TierDemand:
    """Demand of all cells with that of the cells below them.

    Parameters
    ----------
    own
        Own demand.
    later
        Own demand, and what fed cells order on order days after today's, given ``first``.
    first
        What today's options bring: what each fed cell, left to itself, orders today, or what is decided; units,
        shape (m,).
    """

    own: Scenarios
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
        return TierDemand(scenarios, scenarios, first)
    depth = depths(network)
    later = replace(scenarios, paths=scenarios.paths.copy())
    for level in range(1, int(depth.max()) + 1):
        fed = feeds & (depth[options.origin_cell] == level)
        now = with_sends(later, options, first)
        targets = stock_targets(network.cells, replace(options, primary=fed), now, rule)
        first[targets.option] = targets.order_units
        _add_later_orders(network, targets, np.arange(len(targets.option)), (later, first), rule)
    return TierDemand(scenarios, later, first)


def demand_after(network: Network, demand: TierDemand, targets: Targets, units: F64, rule: StockRule) -> TierDemand:
    """Return the demand where today's options bring ``units`` (m,) instead of ``demand.first``."""
    later = demand.later
    for level in range(1, int(depths(network).max(initial=0)) + 1):
        later = later_at(network, demand, later, targets, (units, level), rule)
    return TierDemand(demand.own, later, units)


def later_at(
    network: Network, demand: TierDemand, later: Scenarios, targets: Targets, given: tuple[F64, int], rule: StockRule
) -> Scenarios:
    """Return later demand with that of the feeders at one level followed anew from what today's options bring.

    Parameters
    ----------
    network, targets
        Cells and options, and the levels of all primary options.
    demand
        Demand given ``demand.first``; feeders whose receivers stand as they do there keep theirs.
    later
        Later demand as it stands so far: levels are called in rising order, each with what the one before returned.
    given
        Units of today's options (m,), and the level: how many primary lanes lie below a feeder.
    rule
        What becomes of unmet demand.
    """
    units, level = given
    options = network.options
    feeds = options.primary & (options.origin_cell >= 0)
    feeds &= depths(network)[options.origin_cell] == level
    changed = differs(later, demand.later)
    moved = np.flatnonzero(units != demand.first)
    changed[options.cell[moved]] = True
    changed[options.origin_cell[moved][options.origin_cell[moved] >= 0]] = True
    feeders = np.unique(options.origin_cell[feeds & changed[options.cell]])
    if not len(feeders):
        return later
    paths = later.paths.copy()
    paths[feeders] = demand.own.paths[feeders]
    rows = np.flatnonzero((feeds & np.isin(options.origin_cell, feeders))[targets.option])
    later = replace(later, paths=paths)
    _add_later_orders(network, targets, rows, (later, units), rule)
    return later


def differs(one: Scenarios, other: Scenarios) -> Bools:
    """Return the cells whose demand is not the same, shape (n,)."""
    if one.paths is other.paths:
        return np.zeros(len(one.paths), dtype=bool)
    found: Bools = (one.paths != other.paths).any(axis=(1, 2))
    return found


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


def with_arrivals(cells: Cells, options: Options, units: F64) -> Cells:
    """Return the cells with units of options as inbound, at mean lead time."""
    horizon = cells.arrivals.shape[1]
    rows = np.flatnonzero((units > 0) & (options.arrival < horizon))
    arrivals = cells.arrivals.copy()
    np.add.at(arrivals, (options.cell[rows], options.arrival[rows]), units[rows])
    return replace(cells, arrivals=arrivals)


def _add_later_orders(
    network: Network, targets: Targets, rows: I64, given: tuple[Scenarios, F64], rule: StockRule
) -> None:
    """Add to the paths of ``given[0]`` what the targets' ``rows`` order later if today's options bring ``given[1]``."""
    demand, units = given
    options, paths = network.options, demand.paths
    now = with_sends(demand, options, units).paths
    stock = with_arrivals(network.cells, options, units)
    mean = now.mean(axis=1, dtype=np.float64)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        option = targets.option[block]
        cell, feeder = options.cell[option], options.origin_cell[option]
        later = later_orders(network, targets, block, mean)
        ordered = follow(network, later, now[cell], stock.arrivals[cell], rule).ordered
        for step in range(later.n_steps):
            inside = np.flatnonzero(later.bucket[:, step] < paths.shape[2])
            for row in inside.tolist():
                paths[feeder[row], :, later.bucket[row, step]] += ordered[row, :, step].astype(np.float32)
