"""What today's purchases are worth, lot by lot, so that limits can be shared between all items of a plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.network.decision import Decision
from engine.network.expected import SampleCost, cost_changes
from engine.network.help import priced_cells
from engine.network.tiers import TierDemand
from engine.network.types import Network
from engine.plan.lines import option_line_ids
from engine.policy.cost import own_horizon
from engine.policy.interval_cost import price_above_cost
from engine.policy.lots import lots
from engine.policy.price_lines import PriceLines
from engine.policy.types import F64, I64, Days, StockRule, Targets, Texts

N_STEPS = 8
"""Quantities at which a purchase is valued besides none; between them its worth is read off straight lines."""

_ASKED_FOR = 1e-6
"""Money per unit that a lot saves at the least, since it is asked for."""


@dataclass(frozen=True)
class Ladders:
    """The purchases decided in a part, rows ``r``, and what its cells hold.

    Parameters
    ----------
    option
        Row of each purchase in the part's options.
    line_id, item_id, source_id, location_id, order_date
        What the purchase is.
    units, size, least
        Units decided; units of a lot, and the least lots.
    money, volume
        Price of a unit at the units decided, and its volume.
    prices
        What other units are paid for.
    ends, value
        What units save, as in `engine.limits.problem.Curves`, shape (K, r).
    held_at, held_volume
        Site of every cell and the mean volume there just before its order lands, shape (c,).
    """

    option: I64
    line_id: Texts
    item_id: Texts
    source_id: Texts
    location_id: Texts
    order_date: Days
    units: F64
    size: F64
    least: F64
    money: F64
    prices: PriceLines
    volume: F64
    ends: F64
    value: F64
    held_at: Texts
    held_volume: F64


def ladders(
    scope: str, network: Network, demand: TierDemand, rule: StockRule, decided: tuple[Targets, Decision]
) -> Ladders:
    """Return what the purchases of a part save until their cells' next orders arrive, each with all else as decided.

    Unmet demand is priced as `engine.network.decide` prices it: under a service target, at what the target implies. A
    lot that saves nothing by that price is still asked for by its target, so it counts as saving next to nothing: it is
    the first to be cut where a limit binds, and stays where none does.
    """
    targets, decision = decided
    cells, options = network.cells, network.options
    rows = np.flatnonzero((decision.units > 0) & (options.origin_cell < 0))
    units = decision.units[rows]
    cell = options.cell[rows]
    rules = lots(options.min_units[rows], options.multiple[rows], options.max_units[rows], cells.step[cell])
    count = np.rint(units / rules.size)
    least = np.minimum(rules.least, count)
    share = np.linspace(0.0, 1.0, N_STEPS)[:, None]
    points = np.vstack([np.zeros(len(rows)), np.rint(least + share * (count - least))]) * rules.size
    if rule.objective != "cost":
        cells = priced_cells(network, demand, rule, np.unique(cell))
    horizon = own_horizon(cells, options, decision.later, rule)
    cost = SampleCost(cells, options, decision.later, horizon, rule, np.arange(options.n_options))
    lacks = np.array([cost_changes(cost, decision.units, rows, at - units) for at in points])
    prices = network.prices.take(rows)
    # What breaks change in the price of the link.
    changed = np.nan_to_num(prices.paid(points.T).T - options.unit_cost[rows] * points)
    worth = lacks[0] - lacks - price_above_cost(cells, options)[rows] * points - changed
    step = np.diff(points, axis=0)
    value = np.divide(np.diff(worth, axis=0), step, out=np.full(step.shape, np.inf), where=step > 0)
    value = np.maximum(np.minimum.accumulate(value, axis=0), _ASKED_FOR)
    end = np.full((1, len(rows)), np.inf)
    return Ladders(
        option=rows,
        line_id=option_line_ids(scope, cells, options, rows),
        item_id=cells.item_id[cell],
        source_id=options.source_id[rows],
        location_id=cells.location_id[cell],
        order_date=options.order_date[rows],
        units=units,
        size=rules.size,
        least=least.astype(np.float64),
        money=prices.paid(units) / units,
        prices=prices,
        volume=network.volume[cell],
        ends=np.vstack([points[1:], end]),
        value=np.vstack([value, np.zeros_like(end)]),
        held_at=cells.location_id,
        held_volume=_held(network, targets, decision) * network.volume,
    )


def _held(network: Network, targets: Targets, decision: Decision) -> F64:
    """Return the mean units at every cell just before its order lands, moves decided today included, shape (n,)."""
    cells, options = network.cells, network.options
    held = np.maximum(cells.net, 0.0) + cells.arrivals.sum(axis=1)
    held[options.cell[targets.option]] = targets.stock_at_landing
    moves = np.flatnonzero(options.origin_cell >= 0)
    np.add.at(held, options.cell[moves], decision.units[moves])
    np.subtract.at(held, options.origin_cell[moves], decision.units[moves])
    return np.asarray(np.maximum(held, 0.0))
