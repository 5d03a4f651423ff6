"""Expected cost of any set of arrivals, exact on the sampled paths, and its slopes.

The objective, path by path from ``as_of`` to the end of the horizon (the longest protection interval of the item),
with stock, owed and lost units at the end of bucket t and averaged over the paths:

    sum over t of  holding_cost * days[t] * stock[t]
                 + shortage_cost * lost[t]                          (lost, served elsewhere)
                 + backorder_cost * days[t] * owed[t]               (backordered)
    + loss on the stock left at the end                             (`engine.policy.interval_cost.LeftOver`)

In a bucket: receipts and arrivals, then units sent away, then demand. Purchase and resale at ``unit_cost`` cancel:
a unit that sells returns it, a unit left returns it less the loss. Order, trip and lane costs and prices above
``unit_cost`` belong to the options, not here.

Without recourse this is convex in all arrivals and all units sent, jointly. With lost sales three conventions keep it
so: units owed at the start take receipts as they come and, when the first order can arrive (``owed_from``), ask again
in that bucket, being lost if they are not served then; and units sent that are not there count as lost. A giver is
therefore not to send more than it has.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from engine.policy.aims import daily_demand
from engine.policy.interval_cost import LeftOver, check_prices, left_over
from engine.policy.types import F32, F64, I64, Bools, Cells, Options, Scenarios, StockRule

_BLOCK_ELEMENTS = 1 << 19
"""Rows times paths times buckets of one block."""


@dataclass(frozen=True)
class CostHorizon:
    """How far cost is counted; row i belongs to row i of `Cells`.

    Parameters
    ----------
    until
        First bucket that no longer counts, shape (n, 1) or (n, n_paths).
    owed_from
        Bucket in which units owed since the start ask again (lost sales only), shape (n, 1) or (n, n_paths); at or
        beyond ``until``: never, they wait for receipts.
    left
        Loss on what is left at ``until``.
    late
        Units that land at ``until``: too late to serve, they join what is left; shape (n,). None: nothing does.
    """

    until: I64
    owed_from: I64
    left: LeftOver
    late: F64 | None = None


@dataclass(frozen=True)
class ExpectedCost:
    """Cost terms by cell, each (n,), and ``slope`` (n, horizon): the change of their sum for a unit in a bucket.

    The slope is a subgradient with respect to the units that arrive in each bucket; for units sent it is the
    same with the other sign.
    """

    holding: F64
    shortage: F64
    backorder: F64
    left_over: F64
    slope: F64

    @property
    def total(self) -> F64:
        return self.holding + self.shortage + self.backorder + self.left_over


def cost_horizon(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> CostHorizon:
    """Return the horizon of docs/design.md, 7: the end of the longest protection interval of each item.

    All cells of an item share it (at mean lead time); an item without options has none to cost.
    """
    return _horizon(cells, options, scenarios, rule, np.minimum(_longest(cells, options), scenarios.horizon))


def own_horizon(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> CostHorizon:
    """Return the horizon that ends for each cell when its next primary order arrives (at mean lead time).

    What a plan reports: beyond it the next order answers for demand. A cell without a primary option has none to cost.
    """
    return _horizon(cells, options, scenarios, rule, np.minimum(_own(cells, options), scenarios.horizon))


def help_horizon(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> CostHorizon:
    """Return `own_horizon`, and that of its item (`cost_horizon`) for a cell without a primary option."""
    own = _own(cells, options)
    until = np.where(own > 0, own, _longest(cells, options))
    return _horizon(cells, options, scenarios, rule, np.minimum(until, scenarios.horizon))


def whole_horizon(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> CostHorizon:
    """Return `help_horizon`, and all buckets for an item that nothing brings any more."""
    own = _own(cells, options)
    until = np.where(own > 0, own, _longest(cells, options))
    until = np.where(until > 0, until, scenarios.horizon)
    return _horizon(cells, options, scenarios, rule, np.minimum(until, scenarios.horizon))


def _longest(cells: Cells, options: Options) -> I64:
    _, item = np.unique(cells.item_id.astype(str), return_inverse=True)
    longest = np.zeros(int(item.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(longest, item[options.cell], options.next_arrival)
    return longest[item]


def _own(cells: Cells, options: Options) -> I64:
    until = np.zeros(cells.n_cells, dtype=np.int64)
    until[options.cell[options.primary]] = options.next_arrival[options.primary]
    return until


def _horizon(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule, until: I64) -> CostHorizon:
    owed_from = np.full((cells.n_cells, scenarios.n_paths), scenarios.horizon, dtype=np.int64)
    np.minimum.at(owed_from, options.cell, scenarios.arrival)
    if (owed_from == owed_from[:, :1]).all():
        owed_from = owed_from[:, :1]
    left = left_over(cells, daily_demand(cells, scenarios.paths, rule), until, rule)
    return CostHorizon(until[:, None], owed_from, left)


def expected_cost(
    cells: Cells, paths: F32, arriving: F64, sent: F64, horizon: CostHorizon, rule: StockRule
) -> ExpectedCost:
    """Return expected cost and slopes of units arriving and sent in each bucket, beside ``Cells.arrivals``.

    Parameters
    ----------
    paths
        Demand, shape (n, n_paths, H).
    arriving
        Shape (n, H), or (n, n_paths, H) where arrivals vary by path (the slope is then the mean over paths of
        a unit in that bucket on every path; `cost_of_orders` gives slopes by option).
    sent
        Shape (n, H).
    """
    check_prices(cells, rule)
    n, n_paths, n_buckets = paths.shape
    terms, slope = np.zeros((4, n)), np.zeros((n, n_buckets))
    by_path = arriving if arriving.ndim == 3 else arriving[:, None, :]
    for block in _cell_blocks(n, n_paths * n_buckets):
        flow = np.moveaxis(by_path[block] - sent[block, None, :], 2, 0)
        terms[:, block], slopes = _run(cells.take(np.arange(n)[block]), paths[block], flow, _rows(horizon, block), rule)
        slope[block] = slopes.mean(axis=2).T
    return ExpectedCost(terms[0], terms[1], terms[2], terms[3], slope)


def cost_of_orders(
    cells: Cells, options: Options, scenarios: Scenarios, units: F64, horizon: CostHorizon, rule: StockRule
) -> tuple[ExpectedCost, F64]:
    """Return expected cost if every option brings ``units`` (m,), and the slope by option (m,).

    A transfer leaves its giver in ``send_bucket`` and lands on the path's own arrival bucket; its slope counts both
    ends. Slopes do not contain the price of the units.
    """
    check_prices(cells, rule)
    n, n_buckets = cells.n_cells, scenarios.horizon
    sent = np.zeros((n, n_buckets))
    gives = np.flatnonzero((options.origin_cell >= 0) & (options.send_bucket < n_buckets))
    giver, day = options.origin_cell[gives], options.send_bucket[gives]
    np.add.at(sent, (giver, day), units[gives])
    terms, slope = np.zeros((4, n)), np.zeros((n, n_buckets))
    by_option = np.zeros(options.n_options)
    path = np.arange(scenarios.n_paths)
    for block in _cell_blocks(n, scenarios.n_paths * n_buckets):
        rows = np.arange(*np.searchsorted(options.cell, [block.start, block.stop]))
        cell = options.cell[rows] - block.start
        arrival = np.minimum(scenarios.arrival[rows], n_buckets)
        # One bucket more, for what arrives beyond the horizon.
        flow = np.zeros((n_buckets + 1, block.stop - block.start, scenarios.n_paths))
        for nth in _nth_of_cell(cell):
            flow[arrival[nth], cell[nth, None], path] += units[rows[nth], None]
        flow[:-1] -= sent[block].T[:, :, None]
        terms[:, block], slopes = _run(
            cells.take(np.arange(n)[block]), scenarios.paths[block], flow[:-1], _rows(horizon, block), rule
        )
        slope[block] = slopes.mean(axis=2).T
        padded = np.concatenate([slopes, np.zeros_like(slopes[:1])])
        by_option[rows] = padded[arrival, cell[:, None], path].mean(axis=1)
    by_option[gives] -= slope[giver, day]
    return ExpectedCost(terms[0], terms[1], terms[2], terms[3], slope), by_option


def _cell_blocks(n: int, n_elements: int) -> list[slice]:
    size = max(1, _BLOCK_ELEMENTS // n_elements)
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _nth_of_cell(cell: I64) -> list[I64]:
    """Return the positions of every cell's first option, of every cell's second, and so on; ``cell`` is sorted."""
    nth = np.arange(len(cell)) - np.searchsorted(cell, cell)
    return [np.flatnonzero(nth == k) for k in range(int(nth.max(initial=-1)) + 1)]


def _rows(horizon: CostHorizon, block: slice) -> CostHorizon:
    left = LeftOver(*(getattr(horizon.left, f.name)[block] for f in fields(LeftOver)))
    late = None if horizon.late is None else horizon.late[block]
    return CostHorizon(horizon.until[block], horizon.owed_from[block], left.columns(), late)


def _run(cells: Cells, paths: F32, flow: F64, horizon: CostHorizon, rule: StockRule) -> tuple[F64, F64]:
    """Return the four terms (4, r) and the slopes (H, r, P) of a block; ``flow`` (H, r, P or 1) is net of sent."""
    n_buckets = paths.shape[2]
    demand = np.ascontiguousarray(np.moveaxis(paths, 2, 0))
    inbound, stock = _inbound(cells, horizon, n_buckets, rule)
    stock = np.broadcast_to(stock, demand.shape[1:]).copy()
    holding_price, unmet_price = _prices(cells, rule)
    held, unmet = np.zeros(stock.shape), np.zeros(stock.shape)
    covered = np.zeros(demand.shape, dtype=bool)
    every, last = int(horizon.until.min(initial=n_buckets)), int(horizon.until.max(initial=0))
    for t in range(min(last, n_buckets)):
        after = stock + inbound[t]
        after += flow[t]
        after -= demand[t]
        np.greater_equal(after, 0.0, out=covered[t])
        positive = np.maximum(after, 0.0)
        short = positive - after
        following = after if rule.backordered else positive
        days = float(rule.bucket_days[t])
        if t >= every:
            counts = t < horizon.until
            following = np.where(counts, following, stock)
            positive, short = np.where(counts, positive, 0.0), np.where(counts, short, 0.0)
        held += positive if days == 1.0 else positive * days
        unmet += short if days == 1.0 or not rule.backordered else short * days
        stock = following
    if horizon.late is not None:
        stock = stock + horizon.late[:, None]
    left = np.maximum(stock, 0.0)
    terms = np.zeros((4, len(stock)))
    terms[0] = (holding_price * held).mean(axis=1)
    terms[2 if rule.backordered else 1] = (unmet_price * unmet).mean(axis=1)
    terms[3] = horizon.left.loss(left).mean(axis=1)
    return terms, _slopes(covered, np.where(stock >= 0, horizon.left.marginal(left), 0.0), cells, horizon, rule)


def _slopes(covered: Bools, at_end: F64, cells: Cells, horizon: CostHorizon, rule: StockRule) -> F64:
    """Return the slopes (H, r, P) by going backwards: what a unit more in a bucket changes from there on.

    It is held while stock lasts; with lost sales it ends at the first bucket that runs short, where it saves a loss.
    """
    holding_price, unmet_price = _prices(cells, rule)
    slopes = np.zeros(covered.shape)
    every, last = int(horizon.until.min(initial=len(covered))), int(horizon.until.max(initial=0))
    later = at_end
    for t in range(min(last, len(covered)) - 1, -1, -1):
        days = float(rule.bucket_days[t])
        kept = later + holding_price * days
        short = later - unmet_price * days if rule.backordered else -unmet_price
        if t < every:
            later = np.where(covered[t], kept, short)
            slopes[t] = later
        else:
            counts = t < horizon.until
            later = np.where(counts, np.where(covered[t], kept, short), later)
            slopes[t] = np.where(counts, later, 0.0)
    return slopes


def _prices(cells: Cells, rule: StockRule) -> tuple[F64, F64]:
    unmet = cells.backorder_cost if rule.backordered else cells.shortage_cost
    return cells.holding_cost[:, None], unmet[:, None]


def _inbound(cells: Cells, horizon: CostHorizon, n_buckets: int, rule: StockRule) -> tuple[F64, F64]:
    """Return receipts (H, r, 1 or P) that can be sold, less what asks again, and the stock (r, 1) at the start."""
    inbound = cells.arrivals[:, :n_buckets].T[:, :, None]
    net = cells.net[:, None]
    if rule.backordered or (net >= 0).all():
        return inbound, net
    owed = np.maximum(-net, 0.0)
    before = np.concatenate([np.zeros_like(inbound[:1]), np.cumsum(inbound, axis=0)])
    still_owed = np.maximum(owed - before, 0.0)
    free = inbound + np.diff(still_owed, axis=0)
    bucket = np.arange(n_buckets)[:, None, None]
    asks = np.where(bucket == horizon.owed_from, still_owed[1:], 0.0)
    return np.where(bucket <= horizon.owed_from, free, inbound) - asks, np.maximum(net, 0.0)
