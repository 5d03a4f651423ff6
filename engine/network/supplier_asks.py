"""What cells ask of suppliers that have terms: which options make an order together, and the lines of those orders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.shelf_life import sells_within
from engine.network.supplier_fill import FillTerms
from engine.network.supplier_lines import SupplierLines
from engine.network.types import Network
from engine.policy.aims import daily_demand
from engine.policy.curve import landing_and_need
from engine.policy.interval_cost import price_above_cost
from engine.policy.lot_curve import lot_curves
from engine.policy.lots import lots
from engine.policy.types import F64, I64, Bools, Cells, Scenarios, StockRule

TERMS = ("order_cost", "min_order_value", "min_order_volume", "container_volume")


@dataclass(frozen=True)
class OrderNumbers:
    """Which order each option belongs to, shape (m,), -1 for none; of each order one option, and its terms (g,)."""

    of_option: I64
    first: I64
    order_cost: F64
    min_value: F64
    min_volume: F64
    container: F64

    @property
    def n_orders(self) -> int:
        return len(self.first)

    def terms(self, order: int) -> FillTerms:
        """Return what one order must reach."""
        return FillTerms(float(self.min_value[order]), float(self.min_volume[order]), float(self.container[order]))

    def sums(self, order: I64, values: F64) -> F64:
        """Return the sums of values by order (g,)."""
        return np.bincount(order, weights=values, minlength=self.n_orders).astype(np.float64)


def supplier_terms(network: Network) -> F64:
    """Return the terms of every supplier in use, in the order of `TERMS`, shape (s, 4); 0, and inf for containers."""
    given = network.suppliers[list(TERMS)].astype("float64").to_numpy()
    return np.where(np.isnan(given), np.array([0.0, 0.0, 0.0, np.inf]), given)


def options_with_terms(network: Network) -> Bools:
    """Return the purchases from suppliers that have terms, shape (m,)."""
    terms = supplier_terms(network)
    has = (terms[:, :3] > 0).any(axis=1) | np.isfinite(terms[:, 3])
    named = np.isin(network.options.source_id, network.suppliers["source_id"].to_numpy(object)[has])
    found: Bools = named & (network.options.origin_cell < 0)
    return found


def order_numbers(network: Network) -> OrderNumbers:
    """Return the orders of today's options: purchases from a supplier with terms, or at prices that have breaks."""
    options = network.options
    rows = np.flatnonzero(options_with_terms(network) | ((options.origin_cell < 0) & network.prices.stepped))
    _, source = np.unique(options.source_id[rows].astype(str), return_inverse=True)
    _, place = np.unique(network.cells.location_id[options.cell[rows]].astype(str), return_inverse=True)
    day = options.order_date[rows].astype("datetime64[D]").astype(np.int64)
    keys = np.column_stack([source.reshape(-1), place.reshape(-1), day]).astype(np.int64)
    _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    of_option = np.full(options.n_options, -1, dtype=np.int64)
    of_option[rows] = number.reshape(-1)
    row_of = {source_id: row for row, source_id in enumerate(network.suppliers["source_id"].tolist())}
    of_order = np.array([row_of[source_id] for source_id in options.source_id[rows[first]].tolist()], dtype=np.int64)
    terms = supplier_terms(network)[of_order]
    return OrderNumbers(of_option, rows[first], *terms.T)


def supplier_lines(
    network: Network, cells: Cells, scenarios: Scenarios, rule: StockRule, numbers: OrderNumbers, units: F64
) -> SupplierLines:
    """Return the lines of primary purchases in those orders.

    Beyond what is asked a line may grow as far as its link, the shelf, its shelf life and its end of sale permit.

    Parameters
    ----------
    cells, scenarios
        The cells with what other options bring today, and demand with what is sent.
    units
        What is asked of every option, shape (m,).
    """
    options = network.options
    option = np.flatnonzero((numbers.of_option >= 0) & options.primary)
    cell = options.cell[option]
    rules = lots(options.min_units[option], options.multiple[option], options.max_units[option], cells.step[cell])
    asked = np.rint(units[option] / rules.size).astype(np.int64)
    most = np.minimum(
        _room(cells, network, scenarios, option, rule), _sells_by_the_end(network, scenarios, option, rule)
    )
    kept = asked if rule.objective != "cost" else np.where(cells.min_stock[cell] > 0, asked, 0)
    return SupplierLines(
        option=option,
        order=numbers.of_option[option],
        asked=asked,
        floor=kept,
        lots=rules.capped(np.maximum(most, units[option])),
        curves=lot_curves(cells, options, scenarios, daily_demand(cells, scenarios.paths, rule), option, rule),
        prices=network.prices.take(option),
        credit=options.unit_cost[option] - price_above_cost(cells, options)[option],
        volume=network.volume[cell],
    )


def _sells_by_the_end(network: Network, scenarios: Scenarios, option: I64, rule: StockRule) -> F64:
    """Return what is expected to sell until the end of sale, inf where there is none, shape (r,)."""
    last = network.last_sale[network.options.cell[option]]
    rows = np.flatnonzero(~np.isnat(last))
    most = np.full(len(option), np.inf)
    if len(rows):
        left = last[rows] + 1 - network.options.available_date[option[rows]].astype("datetime64[D]")
        days = np.maximum(left.astype(np.float64), 0.0)
        most[rows] = sells_within(network, scenarios, option[rows], days, rule)
    return most


def _room(cells: Cells, network: Network, scenarios: Scenarios, option: I64, rule: StockRule) -> F64:
    """Return what fits on the shelf at landing, inf where there is no limit, shape (r,)."""
    limit = cells.max_stock[network.options.cell[option]]
    capped = np.flatnonzero(np.isfinite(limit))
    room = limit.copy()
    if len(capped):
        rows = option[capped]
        part = replace(scenarios, arrival=scenarios.arrival[rows], next_arrival=scenarios.next_arrival[rows])
        landing, _ = landing_and_need(cells, network.options.take(rows), part, rule)
        room[capped] = np.maximum(limit[capped] - np.maximum(landing, 0.0).mean(axis=1), 0.0)
    return room
