"""Stock targets of one place, without limits shared with others: what to order now, and the levels behind it.

For every primary option the decision is the least quantity that meets the objective on the sampled paths
(docs/design.md, 7), then the lot rules. The levels are read off the same curves with the starting stock left open: the
order-up-to level is the position that just meets the objective without an order, so an order is due at any
position below it. Where inbound alone meets the objective, no stock on hand tells the level; it is then the stock
that meets the objective with nothing inbound, and not more than the inbound (`engine.policy.block.position_levels`).
So inbound beyond the need raises neither the level nor the safety stock.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.policy.aims import Outlook, outlook
from engine.policy.block import Block, RawOrder, position_levels, raw_order
from engine.policy.curve import option_blocks, segment_copies
from engine.policy.interval_cost import check_prices, interval_cost
from engine.policy.lots import Lots, lots
from engine.policy.service import cycle_service, fill_rate
from engine.policy.types import F64, Bools, Cells, Options, Scenarios, StockRule, Targets, Texts

_NUMBERS = (
    "interval_demand", "protection_demand", "safety_stock", "reorder_point", "order_up_to", "stock_at_landing",
    "position", "order_units", "expected_cycle_service", "expected_fill_rate", "raw_units",
)  # fmt: skip


def stock_targets(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> Targets:
    """Return the targets of every primary option.

    - Objective: least expected cost (`engine.policy.interval_cost`), or the least stock that meets the target
      (`engine.policy.aims`).
    - Unmet demand counts as the rule says, and as still asked for at the cells that ``scenarios.owed`` names.
    - Units owed since before ``as_of`` are covered in any case, except under the cost objective, which weighs them.
    - ``min_stock``: mean stock just before the next arrival is at least this.
    - Lots (`engine.policy.lots`): the quantity is raised to the next feasible one, so it still meets its target; the
      cost objective takes the cheaper of the feasible neighbours, 0 included.
    - ``max_stock``: mean stock just after landing is at most this. It binds as a largest lot does, before service.
    - Reorder point: one step below the order-up-to level, or, under the cost objective, the highest position at
      which the smallest lot is cheaper than none.
    - Neither level grows with inbound that by itself leaves nothing to order.

    Raises
    ------
    ValueError
        If shapes do not fit, a next arrival lies beyond the horizon, or the cost objective lacks a price.
    """
    check_shapes(cells, options, scenarios, rule)
    return targets_with(cells, options, scenarios, rule, outlook(cells, options, scenarios, rule))


def targets_with(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule, beyond: Outlook) -> Targets:
    """Do the same where the paths may end with the protection intervals, what lies beyond being given."""
    if rule.objective == "cost":
        check_prices(cells, rule)
    primary = np.flatnonzero(options.primary)
    place = np.full(options.n_options, -1)
    place[primary] = np.arange(len(primary))
    numbers = np.empty((len(_NUMBERS), len(primary)))
    binding = np.empty(len(primary), dtype=object)
    n_copies = segment_copies(scenarios, primary) if rule.objective == "cost" else 1
    # What is owed takes a second pass, so those rows are kept together.
    owing = cells.net[options.cell[primary]] < 0
    asked = scenarios.owes(options.cell)
    no_inbound = replace(cells, arrivals=np.broadcast_to(0.0, cells.arrivals.shape))
    for rows in option_blocks(scenarios, primary, owing + 2 * asked[primary], n_copies):
        here, its = place[rows], rule.where(bool(asked[rows[0]]))
        numbers[:, here], binding[here] = _solve(Block(cells, options, scenarios, its, beyond, rows), no_inbound)
    return Targets(option=primary, binding=binding, **dict(zip(_NUMBERS, numbers, strict=True)))


def check_shapes(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule) -> None:
    """Raise ValueError unless paths, arrivals and buckets fit cells and options."""
    found = {
        "paths": (len(scenarios.paths), cells.n_cells),
        "arrival": (len(scenarios.arrival), options.n_options),
    }
    for name, (n_rows, wanted) in found.items():
        if n_rows != wanted:
            raise ValueError(f"{name} must have {wanted} rows. Got {n_rows} instead.")
    buckets = {"bucket_days": len(rule.bucket_days), "Cells.arrivals": cells.arrivals.shape[1]}
    for name, n_buckets in buckets.items():
        if n_buckets < scenarios.horizon:
            raise ValueError(f"{name} must cover {scenarios.horizon} buckets. Got {n_buckets} instead.")
    latest = int(options.next_arrival[options.primary].max(initial=0))
    if latest > scenarios.horizon:
        raise ValueError(
            f"paths must reach the next arrival, bucket {latest}. Got {scenarios.horizon} buckets instead."
        )


def _solve(block: Block, no_inbound: Cells) -> tuple[F64, Texts]:
    needs, here, links, rule = block.needs, block.here, block.links, block.rule
    raw = raw_order(block)
    on_hand = np.maximum(needs.landing, 0.0).mean(axis=1)
    room = np.maximum(here.max_stock - on_hand, 0.0)
    rules = lots(links.min_units, links.multiple, links.max_units, here.step)
    feasible = rules.capped(room)
    units = _best_lot(block, raw, feasible)
    reach = needs.base + units[:, None]

    inbound = _inbound_before(here, links)
    levels = position_levels(block, rules.smallest(), inbound, no_inbound)
    protection = block.needs_when_stocked.demand_from_start.mean(axis=1)
    numbers = {
        "interval_demand": needs.demand.mean(axis=1),
        "protection_demand": protection,
        "safety_stock": levels.order_up_to - protection,
        "reorder_point": levels.wait_from - here.step,
        "order_up_to": levels.order_up_to,
        "stock_at_landing": on_hand,
        "position": here.net + inbound,
        "order_units": units,
        "expected_cycle_service": cycle_service(needs, reach),
        "expected_fill_rate": fill_rate(needs, reach, rule),
        "raw_units": raw.units,
    }
    return np.array([numbers[name] for name in _NUMBERS]), _binding(raw, units, feasible, room < links.max_units)


def _inbound_before(here: Cells, links: Options) -> F64:
    """Return the units received before the next arrival at mean lead time, shape (r,)."""
    received = np.zeros((here.n_cells, here.arrivals.shape[1] + 1))
    np.cumsum(here.arrivals, axis=1, out=received[:, 1:])
    units: F64 = received[np.arange(here.n_cells), np.minimum(links.next_arrival, here.arrivals.shape[1])]
    return units


def _best_lot(block: Block, raw: RawOrder, feasible: Lots) -> F64:
    above = feasible.at_least(raw.units)
    prices = block.aim.prices
    if prices is None:
        return above
    below = feasible.below(raw.units)
    below = np.where(below < raw.floor, above, below)

    def cost(units: F64) -> F64:
        reach = block.needs.base + units[:, None]
        return interval_cost(block.needs, reach, prices, block.rule) + prices.above_cost[:, 0] * units

    return np.where(cost(below) <= cost(above), below, above)


def _binding(raw: RawOrder, units: F64, feasible: Lots, shelf_binds: Bools) -> Texts:
    """Name the last rule that moved each quantity."""
    least = feasible.smallest()
    above = feasible.at_least(raw.units)
    cases = [
        (units > raw.units) & (units == least) & (feasible.least > 1),
        units > raw.units,
        (units < raw.units) & (units < above) & (units == 0),
        (units < raw.units) & (units < above),
        (units < raw.units) & shelf_binds,
        units < raw.units,
        raw.owed > np.maximum(raw.aimed, raw.floor),
        raw.floor > raw.aimed,
    ]
    names = ["minimum", "multiple", "minimum", "multiple", "max-stock", "maximum", "owed", "min-stock"]
    return np.select(cases, names, default="").astype(object)
