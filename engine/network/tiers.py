"""Demand at sites that feed others: on every path, the orders that those others will place.

Cells are worked through from the leaves up. Each cell that a lane feeds follows its own policy along its own paths
(`engine.network.follow`); what it orders on its later order days is demand at its feeder in the bucket of that day,
scenario by scenario. Today's order is kept apart: it is a decision, which the coupled solve takes. What that
decision does not grant today is asked for later, so later orders are followed anew from it (`demand_after`). What a
feeder cannot give before its own next delivery is asked for again (`engine.network.asked_again`): service and cover
targets, and the service that is expected, count it so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.asked_again import NOT_AGAIN, AskedAgain, add_orders, sold_and_given
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
    again
        What takes the place of ``later`` where feeders run short before their next delivery.
    """

    own: Scenarios
    later: Scenarios
    first: F64
    again: AskedAgain = NOT_AGAIN

    def all_orders(self, options: Options) -> Scenarios:
        """Return the scenarios with today's orders of fed cells as demand at their feeders, served in full."""
        return with_sends(self.later, options, self.first)

    def for_targets(self, options: Options, units: F64 | None = None) -> Scenarios:
        """Return the same with what feeders cannot give asked again, ``units`` (m,) being sent instead of ``first``."""
        sent = self.first if units is None else units
        return self.again.into(with_sends(self.later, options, sent), options, sent)


def tier_demand(network: Network, scenarios: Scenarios, rule: StockRule) -> TierDemand:
    """Return the demand of every cell, own and from the cells that it feeds."""
    options = network.options
    feeds = options.primary & (options.origin_cell >= 0)
    first = np.zeros(options.n_options)
    if not feeds.any():
        return TierDemand(scenarios, scenarios, first)
    depth = depths(network)
    later = replace(scenarios, paths=scenarios.paths.copy())
    found = TierDemand(scenarios, later, first, replace(NOT_AGAIN, owed=_owed(network, scenarios, rule)))
    for level in range(1, int(depth.max()) + 1):
        fed = feeds & (depth[options.origin_cell] == level)
        targets = stock_targets(network.cells, replace(options, primary=fed), found.for_targets(options), rule)
        first[targets.option] = targets.order_units
        found = _with_later_orders(network, targets, np.arange(len(targets.option)), found, rule)
    return found


def demand_after(network: Network, demand: TierDemand, targets: Targets, units: F64, rule: StockRule) -> TierDemand:
    """Return the demand where today's options bring ``units`` (m,) instead of ``demand.first``."""
    found = replace(demand, first=units)
    for level in range(1, int(depths(network).max(initial=0)) + 1):
        found = later_at(network, demand, found, targets, level, rule)
    return found


def later_at(
    network: Network, demand: TierDemand, so_far: TierDemand, targets: Targets, level: int, rule: StockRule
) -> TierDemand:
    """Return demand with that of the feeders at one level followed anew from what today's options bring.

    Parameters
    ----------
    network, targets
        Cells and options, and the levels of all primary options.
    demand
        Demand given ``demand.first``; feeders that stand as they do there, with their receivers, keep theirs.
    so_far
        Demand as it stands so far, and what today's options bring: levels are called in rising order, each with what
        the one before returned.
    level
        How many primary lanes lie below a feeder.
    rule
        What becomes of unmet demand.
    """
    units, later = so_far.first, so_far.later
    options = network.options
    feeds = options.primary & (options.origin_cell >= 0)
    feeds &= depths(network)[options.origin_cell] == level
    changed = differs(later, demand.later)
    moved = np.flatnonzero(units != demand.first)
    changed[options.cell[moved]] = True
    changed[options.origin_cell[moved][options.origin_cell[moved] >= 0]] = True
    stirred = feeds & changed[options.cell]
    if demand.again.owed is not None:
        # What a feeder has for its receivers before its own order lands.
        helped = moved[~options.primary[moved]]
        stirred |= feeds & np.isin(
            options.origin_cell, np.concatenate([options.cell[helped], options.origin_cell[moved]])
        )
    feeders = np.unique(options.origin_cell[stirred])
    if not len(feeders):
        return so_far
    paths = later.paths.copy()
    paths[feeders] = demand.own.paths[feeders]
    rows = np.flatnonzero((feeds & np.isin(options.origin_cell, feeders))[targets.option])
    found = replace(so_far, later=replace(later, paths=paths), again=so_far.again.without(feeders))
    return _with_later_orders(network, targets, rows, found, rule)


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


def _owed(network: Network, own: Scenarios, rule: StockRule) -> Bools | None:
    """Return the feeders without customers of their own; None where their receivers need not ask again."""
    if rule.objective == "cost" or rule.backordered:
        return None
    owed = np.zeros(network.cells.n_cells, dtype=bool)
    owed[network.options.origin_cell[network.options.primary & (network.options.origin_cell >= 0)]] = True
    owed[owed] = ~(own.paths[owed] > 0).any(axis=(1, 2))
    return owed


def _with_later_orders(
    network: Network, targets: Targets, rows: I64, demand: TierDemand, rule: StockRule
) -> TierDemand:
    """Return demand with what the targets' ``rows``, all of their feeders, order later; ``later`` is written to."""
    options, paths, units = network.options, demand.later.paths, demand.first
    full = with_sends(demand.later, options, units)
    now = demand.again.into(full, options, units)
    stock = with_arrivals(network.cells, options, units).arrivals
    mean = full.paths.mean(axis=1, dtype=np.float64)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        cell, feeder = options.cell[targets.option[block]], options.origin_cell[targets.option[block]]
        later = later_orders(network, targets, block, mean)
        add_orders(paths, feeder, later, follow(network, later, now.paths[cell], stock[cell], rule).ordered)
    if demand.again.owed is None:
        return demand
    short = sold_and_given(network, targets, rows, (demand.own, demand.later, now), (units, stock, mean), rule)
    return replace(demand, again=demand.again.beside(*short))
