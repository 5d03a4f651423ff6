"""The price of a lost unit that a service target implies.

A coupled cost problem can honour service targets where each cell's shortage price is set so that, alone and without
lots, least cost orders just what the target asks for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.policy.aims import daily_demand, outlook
from engine.policy.block import Block, raw_order, start_reach, stock_levels
from engine.policy.curve import Needs, option_blocks, segment_copies
from engine.policy.interval_cost import Prices, interval_cost
from engine.policy.types import F64, Cells, Options, Scenarios, StockRule

_NOTHING = 1e-12


def implied_shortage_cost(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> F64:
    """Return, per primary option (p,), the price of unmet demand at which the target's order is a least-cost order.

    ``rule.objective`` is a service or days of cover; the price is per lost unit, or per unit and day if backordered.
    It is taken at the cell's own order, or, where the target is met without one, at the order-up-to level. On the
    sampled paths a whole range of prices gives one order; the middle of the range is returned, or twice its lower end
    where no path is short. There is no such price where

    - a unit more costs nothing to keep, so that any price buys the largest need;
    - the target asks for more than the largest need of any path.

    These are NaN. 0 where nothing is ever needed.
    """
    beyond = replace(outlook(cells, options, scenarios, rule), daily_demand=daily_demand(cells, scenarios.paths, rule))
    costing = replace(rule, objective="cost")
    primary = np.flatnonzero(options.primary)
    place = np.full(options.n_options, -1)
    place[primary] = np.arange(len(primary))
    price = np.empty(len(primary))
    for rows in option_blocks(scenarios, primary, n_copies=segment_copies(scenarios, primary)):
        served = Block(cells, options, scenarios, rule, beyond, rows)
        costed = Block(cells, options, scenarios, costing, beyond, rows)
        price[place[rows]] = _price(served, costed)
    return price


def _price(served: Block, costed: Block) -> F64:
    step = served.here.step
    order = raw_order(served).aimed
    level = stock_levels(served, step).order_up_to
    own = order > 0
    needs = costed.needs
    reach = needs.base + order[:, None]
    high, kept = _ratio(needs, reach, step, costed)
    low, _ = _ratio(needs, reach - step[:, None], step, costed)
    stocked = costed.needs_when_stocked
    level_high, level_kept = _ratio(stocked, start_reach(stocked, level, served.rule), step, costed)
    below = start_reach(stocked, np.maximum(level - step, 0.0), served.rule)
    level_low, _ = _ratio(stocked, below, step, costed)
    high, kept = np.where(own, high, level_high), np.where(own, kept, level_kept)
    low = np.where(own, low, np.where(level > 0, level_low, 0.0))
    finite = np.isfinite(high)
    middle = np.where(finite, 0.5 * (low + np.where(finite, high, 0.0)), 2.0 * low)
    none = (kept == 0) & (own | (level > 0)) | np.isinf(low)
    return np.where(none, np.nan, middle)


def _ratio(needs: Needs, reach: F64, step: F64, block: Block) -> tuple[F64, F64]:
    """Return what one step more costs to keep over the unmet demand that it saves (inf: none), and that cost; (r,)."""
    prices = block.prices()
    zero = np.zeros_like(prices.unmet)
    keep = Prices(prices.holding, zero, prices.above_cost, prices.left)
    lack = Prices(zero, zero + 1.0, zero, replace(prices.left, slope=zero, cap=zero))
    more = reach + step[:, None]
    rule = block.rule
    kept = interval_cost(needs, more, keep, rule) - interval_cost(needs, reach, keep, rule)
    kept += prices.above_cost[:, 0] * step
    kept = np.where(kept > _NOTHING, kept, 0.0)
    saved = interval_cost(needs, reach, lack, rule) - interval_cost(needs, more, lack, rule)
    return np.divide(kept, saved, out=np.full_like(kept, np.inf), where=saved > _NOTHING), kept
