"""One block of options, solved together: the least order that meets the aim, and the level without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from engine.policy.aims import Aim, Meets, Outlook, least_steps, objective_met, stock_met
from engine.policy.curve import Needs, path_needs
from engine.policy.interval_cost import Prices, interval_cost, left_over, price_above_cost
from engine.policy.lots import count_up
from engine.policy.service import UNIT_TOLERANCE
from engine.policy.types import F64, I64, Bools, Cells, Options, Scenarios, StockRule


@dataclass(frozen=True)
class Block:
    """Options ``rows``, of one block of `option_blocks`, with all that they read; results have ``r`` rows."""

    cells: Cells
    options: Options
    scenarios: Scenarios
    rule: StockRule
    beyond: Outlook
    rows: I64

    @cached_property
    def cell_rows(self) -> I64:
        return self.options.cell[self.rows]

    @cached_property
    def here(self) -> Cells:
        """The receiving cells, one row an option."""
        return self.cells.take(self.cell_rows)

    @cached_property
    def links(self) -> Options:
        return self.options.take(self.rows)

    @cached_property
    def needs(self) -> Needs:
        """Needs at the cells' own positions."""
        return self._needs(self.cells)

    @cached_property
    def needs_when_stocked(self) -> Needs:
        """Needs with nothing owed at the start, for levels that do not depend on the position."""
        if self.rule.backordered or (self.here.net >= 0).all():
            return self.needs
        return self._needs(replace(self.cells, backorders=np.minimum(self.cells.backorders, self.cells.available)))

    def _needs(self, cells: Cells) -> Needs:
        every_bucket = self.rule.objective == "cost"
        return path_needs(cells, self.cell_rows, self.scenarios, self.rows, self.rule, every_bucket)

    @cached_property
    def aim(self) -> Aim:
        prices = self.prices() if self.rule.objective == "cost" else None
        here = self.here
        return Aim(here.target, self.beyond.cover_units[self.cell_rows], here.min_stock, here.step, prices)

    def prices(self) -> Prices:
        end = self.scenarios.next_arrival[self.rows].max(axis=1).astype(np.int64)
        left = left_over(self.here, self.beyond.daily_demand[self.cell_rows], end, self.rule)
        unmet = self.here.backorder_cost if self.rule.backordered else self.here.shortage_cost
        above = price_above_cost(self.cells, self.links)
        return Prices(self.here.holding_cost[:, None], unmet[:, None], above[:, None], left.columns())


@dataclass(frozen=True)
class RawOrder:
    """Orders before lots (r,): what the objective asks for, what ``min_stock`` does, and what is owed at landing."""

    aimed: F64
    floor: F64
    owed: F64

    @property
    def units(self) -> F64:
        return np.maximum(np.maximum(self.aimed, self.floor), self.owed)


def raw_order(block: Block) -> RawOrder:
    """Return the least orders, in whole steps."""
    return least_orders(block.needs, block.aim, block.rule)


def least_orders(needs: Needs, aim: Aim, rule: StockRule) -> RawOrder:
    """Return the least orders that meet an aim, in whole steps."""
    enough = np.maximum((needs.peak - needs.base).max(axis=1), 0.0)

    def least(met: Meets, high: F64) -> F64:
        steps = least_steps(lambda k: met(needs.base + (k * aim.step)[:, None]), count_up(high, aim.step))
        return steps * aim.step

    aimed = least(objective_met(needs, aim, rule), enough + aim.cover_units)
    floor = np.zeros_like(aimed)
    if (aim.min_stock > 0).any():
        floor = least(stock_met(needs, aim.min_stock, rule), enough + aim.min_stock)
    owed = np.zeros_like(aimed)
    if aim.prices is None:
        owed = count_up(needs.owed.max(axis=1), aim.step) * aim.step
    return RawOrder(aimed, floor, owed)


@dataclass(frozen=True)
class StockLevels:
    """Starting stock or positions (r,): ``order_up_to`` asks for no order, from ``wait_from`` on none is made.

    They differ where the smallest lot costs more than waiting, or does not fit on the shelf.
    """

    order_up_to: F64
    wait_from: F64


def stock_levels(block: Block, smallest_lot: F64) -> StockLevels:
    """Return the levels as starting stock >= 0, in whole steps and without inbound.

    ``smallest_lot`` (r,) is inf where nothing can be ordered.
    """
    aim = block.aim
    enough = np.maximum(block.needs_when_stocked.peak.max(axis=1), 0.0)
    up_to = _least_start(block, objective_met(block.needs_when_stocked, aim, block.rule), enough + aim.cover_units)
    wait_from = up_to
    if aim.prices is not None and (smallest_lot > aim.step).any():
        wait_from = _least_start(block, _lot_not_cheaper(block, aim.prices, smallest_lot), enough)
    if (aim.min_stock > 0).any():
        kept = stock_met(block.needs_when_stocked, aim.min_stock, block.rule)
        floor = _least_start(block, kept, enough + aim.min_stock)
        up_to, wait_from = np.maximum(up_to, floor), np.maximum(wait_from, floor)
    if np.isfinite(block.here.max_stock).any():
        up_to = np.minimum(up_to, _full_from(block, aim.step))
        wait_from = np.minimum(wait_from, _full_from(block, smallest_lot))
    return StockLevels(up_to, wait_from)


def position_levels(block: Block, smallest_lot: F64, inbound: F64, no_inbound: Cells) -> StockLevels:
    """Return the levels as positions: starting stock and the ``inbound`` (r,) before the next arrival.

    Where even a start of 0 is enough, inbound in full would be no level but what happens to be on its way. There the
    level is the stock that is enough with nothing due, or inbound where that is less, as when demand lost before the
    order lands asks for nothing: so no position at which nothing is ordered lies below the level.

    Parameters
    ----------
    no_inbound
        ``block.cells`` with nothing due.
    """
    dated = stock_levels(block, smallest_lot)
    alone = StockLevels(np.zeros_like(inbound), np.zeros_like(inbound))
    floored = np.flatnonzero(((dated.order_up_to == 0) | (dated.wait_from == 0)) & (inbound > 0))
    if len(floored):
        found = stock_levels(replace(block, cells=no_inbound, rows=block.rows[floored]), smallest_lot[floored])
        alone.order_up_to[floored], alone.wait_from[floored] = found.order_up_to, found.wait_from

    def position(start: F64, start_alone: F64) -> F64:
        return np.where(start > 0, start + inbound, np.minimum(inbound, start_alone))

    return StockLevels(position(dated.order_up_to, alone.order_up_to), position(dated.wait_from, alone.wait_from))


def start_reach(needs: Needs, stock: F64, rule: StockRule) -> F64:
    """Return the reach (r, P) of a starting stock (r,) >= 0 without an order."""
    if rule.backordered:
        return np.broadcast_to(stock[:, None], needs.early_peak.shape)
    return np.maximum(stock[:, None], needs.early_peak)


def _least_start(block: Block, met: Meets, high: F64) -> F64:
    """Return the least starting stock (r,) from which ``met`` holds; it surely does at ``high``."""
    needs, step = block.needs_when_stocked, block.aim.step
    steps = least_steps(lambda k: met(start_reach(needs, k * step, block.rule)), count_up(high, step))
    return steps * step


def _lot_not_cheaper(block: Block, prices: Prices, smallest_lot: F64) -> Meets:
    needs, rule = block.needs_when_stocked, block.rule
    lot = np.where(np.isfinite(smallest_lot), smallest_lot, block.aim.step)

    def met(reach: F64) -> Bools:
        with_lot = interval_cost(needs, reach + lot[:, None], prices, rule) + prices.above_cost[:, 0] * lot
        return with_lot >= interval_cost(needs, reach, prices, rule)

    return met


def _full_from(block: Block, lot: F64) -> F64:
    """Return the least starting stock (r,) that leaves no room for a lot below ``max_stock``; inf without one."""
    landed = block.needs_when_stocked.landed
    limited = np.isfinite(block.here.max_stock)
    # A lot that never fits leaves room for nothing from the start.
    rest = np.where(limited, np.maximum(block.here.max_stock - lot, -1.0), 0.0)

    def met(reach: F64) -> Bools:
        on_hand: F64 = np.maximum(reach - landed, 0.0).mean(axis=1)
        return on_hand > rest + UNIT_TOLERANCE

    high = np.maximum(landed.max(axis=1) + rest + block.aim.step, 0.0)
    return np.where(limited, _least_start(block, met, high), np.inf)
