"""Terms of suppliers, applied to all lines of one source, destination and order day together.

What cells ask for (`engine.network.decide`) becomes orders in four steps, each on the exact cost curve of every line
(`engine.policy.lot_curve`: from landing to the next arrival, and what is left over then), plus the price paid:

1. *Price breaks*: each line takes the lots of least cost with the prices of all segments, of those that are needed now
   and sell in `LONGEST_DAYS` more. Under a service or cover target a break can only raise what is asked for.
2. *Order ahead*: with an order cost K, an order may also cover the next n review periods, each line by as much mean
   demand; the n with the least (K + B + keeping of the units ahead) / (n + 1) is taken, B being the holding of half a
   review period's demand: least cost per period (Silver and Meal, Production and Inventory Management 14, 1973).
3. *Minimums and containers*: `engine.network.supplier_fill`. Where no order can reach a minimum, it is left out and
   told, since an order in doubt is better than none.
4. *Order or wait* (objective cost): the order is left for the next order day if what that loses until its arrival is
   less than the order costs, the order cost taken per period covered. With n = 0 this is the least cost of all orders
   today and none. Under a target nothing is postponed, since the cells that ask would miss theirs; nor is an order in
   which a second source helps out, or that keeps up a minimum stock.

Lines of second sources count in value, volume and order cost as the coupled solve decided them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.supplier_asks import OrderNumbers, order_numbers, supplier_lines
from engine.network.supplier_fill import fill_order
from engine.network.supplier_lines import SupplierLines, best_at_breaks
from engine.network.supplier_types import (
    AS_ASKED,
    BELOW_MINIMUM,
    FILLED,
    LIMITED,
    ORDERED_AHEAD,
    WAITS,
    SupplierDecision,
    SupplierOrders,
    no_orders,
)
from engine.network.tiers import with_arrivals
from engine.network.types import (
    BINDING,
    CONTAINER,
    ORDER_COST,
    PRICE_BREAK,
    SUPPLIER_MINIMUM,
    YEAR_OF_SALES,
    Network,
)
from engine.policy.aims import daily_demand
from engine.policy.targets import stock_targets
from engine.policy.types import F64, I64, Bools, Scenarios, StockRule, Targets

_TIE = 1e-9

LONGEST_DAYS = 365.0
"""Days of mean demand beyond what is needed now that terms may add to a line: under a target any terms, under the least
cost price breaks alone. What is left over counts at the price below the first break, so a far lower price would pay for
stock of many years; whether a minimum is worth its stock, a least cost weighs itself."""


def supplier_orders(
    network: Network, scenarios: Scenarios, rule: StockRule, targets: Targets, units: F64, most_periods: int
) -> SupplierDecision:
    """Return today's orders as suppliers' terms leave them.

    Parameters
    ----------
    network, scenarios
        Cells, options and terms; demand with what is sent today.
    rule, targets
        Objective, and each cell's own decision.
    units
        What is decided on every option without these terms, shape (m,).
    most_periods
        Most review periods that an order covers beyond its own.
    """
    changed_by = np.full(len(units), "", dtype=object)
    numbers = order_numbers(network)
    if not numbers.n_orders:
        return SupplierDecision(units, changed_by, no_orders())
    given = np.where(network.options.primary, 0.0, units)
    cells = with_arrivals(network.cells, network.options, given)
    # What is needed once help has come and fed cells have been granted theirs.
    now = stock_targets(cells, network.options, scenarios, rule) if (numbers.order_cost > 0).any() else targets
    daily = daily_demand(cells, scenarios.paths, rule)
    free = supplier_lines(network, cells, scenarios, rule, numbers, units)
    lines = _of_use(free, network, now, daily, rule)
    asks = _Asks(network, numbers, lines, given)
    at_breaks = _at_breaks(lines, rule)
    held = at_breaks < _at_breaks(free, rule)
    ahead = _ahead(asks, at_breaks, now, daily, most_periods)
    filled = _filled(asks, ahead)
    waits = _waits(asks, at_breaks, ahead, filled) if rule.objective == "cost" else np.zeros(numbers.n_orders, bool)
    count = np.where(waits[lines.order], 0, filled.count)
    decided = units.copy()
    decided[lines.option] = lines.units(count)
    filled_by = np.where(np.isfinite(numbers.container)[lines.order], CONTAINER, SUPPLIER_MINIMUM)
    code = np.select(
        [filled.count != ahead.count, ahead.count != at_breaks, held, at_breaks != lines.asked],
        [filled_by, *(np.full(lines.n_lines, code) for code in (ORDER_COST, YEAR_OF_SALES, PRICE_BREAK))],
        default=-1,
    )
    changed_by[lines.option] = np.array([*BINDING.values(), ""], dtype=object)[code]
    return SupplierDecision(decided, changed_by, _told(asks, decided, ahead, filled, waits))


def _of_use(lines: SupplierLines, network: Network, targets: Targets, daily: F64, rule: StockRule) -> SupplierLines:
    """Return the lines with no more lots than are needed now and sell in `LONGEST_DAYS` more.

    Under the least cost this holds lines whose prices have breaks. What is asked for, and the smallest lot, remain
    possible. A minimum or a container that would need more is told as out of reach, since more likely it is mistaken.
    """
    size, at = lines.lots.size, np.searchsorted(targets.option, lines.option)
    wish = targets.raw_units[at] + LONGEST_DAYS * daily[network.options.cell[lines.option]]
    of_use = np.maximum(np.ceil(wish / size), np.maximum(lines.asked, lines.lots.least))
    bounded = lines.prices.stepped | (rule.objective != "cost")
    return replace(lines, lots=lines.lots.capped(np.where(bounded, of_use * size, np.inf)))


@dataclass(frozen=True)
class _Asks:
    """What is asked of suppliers: primary lines, and the units of all other options (m,)."""

    network: Network
    numbers: OrderNumbers
    lines: SupplierLines
    given: F64

    def by_order(self, values: F64) -> F64:
        """Return sums of lines' values by order."""
        return self.numbers.sums(self.lines.order, values)

    def given_by_order(self, per_unit: F64) -> F64:
        """Return sums over options that are no lines, by order; ``per_unit`` has a value an option."""
        rows = np.flatnonzero((self.numbers.of_option >= 0) & (self.given > 0))
        return self.numbers.sums(self.numbers.of_option[rows], (per_unit * self.given)[rows])


@dataclass(frozen=True)
class _Ahead:
    """Lots of lines (r,), and of orders (g,) the periods ahead and what waiting saves: order cost per period."""

    count: I64
    periods: I64
    saved: F64


@dataclass(frozen=True)
class _Filled:
    """Lots of lines (r,), and of orders (g,) the gap to the bound and whether a minimum is out of reach."""

    count: I64
    gap: F64
    short: Bools


def _at_breaks(lines: SupplierLines, rule: StockRule) -> I64:
    """Return the lots of lines whose prices have breaks; under a target only those that are asked for may grow."""
    free = lines.asked > 0 if rule.objective != "cost" else np.ones(lines.n_lines, dtype=bool)
    rows = np.flatnonzero(lines.prices.stepped & free & (lines.lots.least <= lines.lots.most))
    found = lines.asked.copy()
    if len(rows):
        some = lines.take(rows)
        found[rows] = best_at_breaks(some, some.floor)
    return found


def _ahead(asks: _Asks, start: I64, targets: Targets, daily: F64, most_periods: int) -> _Ahead:
    """Return the lots with as many periods ahead as make an order cheapest per period, order by order."""
    lines, order_cost = asks.lines, asks.numbers.order_cost
    options, cells = asks.network.options, asks.network.cells
    cell, at = options.cell[lines.option], np.searchsorted(targets.option, lines.option)
    raw = targets.raw_units[at]
    surplus = np.where(raw > 0, 0.0, np.maximum(targets.position - targets.order_up_to, 0.0)[at])
    period = (options.next_order_date - options.order_date)[lines.option].astype("timedelta64[D]").astype(np.float64)
    holding = asks.by_order(0.5 * cells.holding_cost[cell] * daily[cell] * period * period)
    usual = lines.cost(start)
    best, periods, rate = start, np.zeros(len(order_cost), dtype=np.int64), order_cost + holding
    orders = (order_cost > 0) & (asks.by_order(lines.units(start)) > 0)
    for n in range(1, most_periods + 1) if orders.any() else ():
        wish = np.maximum(raw - surplus + n * period * daily[cell], 0.0)
        count = np.maximum(start, np.rint(lines.lots.at_least(wish) / lines.lots.size).astype(np.int64))
        found = (order_cost + holding + asks.by_order(lines.cost(count) - usual)) / (n + 1)
        better = orders & (found < rate - _TIE)
        best = np.where(better[lines.order], count, best)
        periods, rate = np.where(better, n, periods), np.where(better, found, rate)
    return _Ahead(best, periods, np.maximum(rate - holding, 0.0))


def _filled(asks: _Asks, ahead: _Ahead) -> _Filled:
    """Return the lots once every order keeps to its minimums and fills its containers."""
    lines, numbers = asks.lines, asks.numbers
    count, gap, short = ahead.count.copy(), np.zeros(numbers.n_orders), np.zeros(numbers.n_orders, dtype=bool)
    floor = np.where((ahead.periods > 0)[lines.order], ahead.count, lines.floor)
    value = asks.given_by_order(asks.network.options.unit_cost)
    volume = asks.given_by_order(asks.network.volume[asks.network.options.cell])
    wanted = (asks.by_order(lines.units(count)) > 0) | (asks.given_by_order(np.ones(len(asks.given))) > 0)
    ends = np.bincount(lines.order, minlength=numbers.n_orders).cumsum()
    rows_of = np.split(np.argsort(lines.order, kind="stable"), ends[:-1])
    for order in np.flatnonzero(wanted).tolist():
        rows, terms = rows_of[order], numbers.terms(order)
        if not terms.binding:
            continue
        part = replace(lines.take(rows), asked=count[rows], floor=floor[rows])
        found = fill_order(part, terms, (float(value[order]), float(volume[order])))
        gap[order] = max(float(part.cost(found.count).sum()) - found.bound, 0.0)
        count[rows], short[order] = found.count, bool(found.unreached)
    return _Filled(count, gap, short)


def _waits(asks: _Asks, at_breaks: I64, ahead: _Ahead, filled: _Filled) -> Bools:
    """Return the orders that are cheaper left for the next order day."""
    lines, terms = asks.lines, asks.numbers
    given = asks.given_by_order(np.ones(len(asks.given))) > 0
    fixed = asks.by_order((lines.floor > 0).astype(np.float64)) > 0
    changed = asks.by_order((filled.count != ahead.count).astype(np.float64)) > 0
    placed = asks.by_order(lines.units(filled.count)) > 0
    keeping = asks.by_order(lines.cost(ahead.count) - lines.cost(at_breaks))
    ordering = asks.by_order(lines.cost(filled.count)) - keeping + ahead.saved
    waiting = asks.by_order(lines.cost(np.zeros_like(filled.count)))
    cheaper: Bools = waiting < ordering - _TIE * (1.0 + np.abs(ordering))
    return placed & ~given & ~fixed & ((terms.order_cost > 0) | changed) & cheaper


def _told(asks: _Asks, decided: F64, ahead: _Ahead, filled: _Filled, waits: Bools) -> SupplierOrders:
    """Return the orders that anything is asked of, as they became."""
    network, numbers, lines = asks.network, asks.numbers, asks.lines
    options = network.options
    rows = np.flatnonzero(numbers.of_option >= 0)
    order = numbers.of_option[rows]
    volume = network.volume[options.cell[rows]]
    asked = asks.given.copy()
    asked[lines.option] = lines.units(lines.asked)
    prices = network.prices.take(rows)

    def totals(units: F64) -> tuple[F64, F64, F64]:
        by_option = (units[rows], prices.paid(units[rows]), units[rows] * volume)
        total, value, taken = (numbers.sums(order, values) for values in by_option)
        return total, value, taken

    units, asked_units = totals(decided), totals(asked)
    nothing = lines.cost(np.zeros_like(filled.count))
    grown = asks.by_order((filled.count != ahead.count).astype(np.float64)) > 0
    status = np.select(
        [waits, filled.short, grown, ahead.periods > 0], [WAITS, BELOW_MINIMUM, FILLED, ORDERED_AHEAD], AS_ASKED
    )
    told = SupplierOrders(
        source_id=options.source_id[numbers.first],
        location_id=network.cells.location_id[options.cell[numbers.first]],
        order_date=options.order_date[numbers.first],
        status=status.astype(object),
        n_lines=np.bincount(order, weights=decided[rows] > 0, minlength=numbers.n_orders).astype(np.int64),
        units=units[0], value=units[1], volume=units[2],
        asked_units=asked_units[0], asked_value=asked_units[1], asked_volume=asked_units[2],
        order_cost=numbers.order_cost, min_value=numbers.min_value, min_volume=numbers.min_volume,
        container=numbers.container,
        periods_ahead=np.where(waits, 0, ahead.periods),
        cost_of_waiting=asks.by_order(nothing - lines.cost(filled.count)),
        gap=np.where(waits, 0.0, filled.gap),
    )  # fmt: skip
    return told.take(np.flatnonzero((asked_units[0] > 0) | (units[0] > 0)))


def after_cuts(network: Network, supplied: SupplierDecision, units: F64) -> SupplierDecision:
    """Return the decision with the units (m,) that limits shared by all items leave of it.

    An order that these limits bring below a minimum stays, and what it lacks is told.
    """
    orders, numbers = supplied.orders, order_numbers(network)
    rows = np.flatnonzero(numbers.of_option >= 0)
    order = numbers.of_option[rows]
    bought = units[rows]
    keys = np.column_stack(
        [
            network.options.source_id[numbers.first].astype(str),
            network.cells.location_id[network.options.cell[numbers.first]].astype(str),
            network.options.order_date[numbers.first].astype(str),
        ]
    )
    told = np.column_stack(
        [orders.source_id.astype(str), orders.location_id.astype(str), orders.order_date.astype(str)]
    )
    number = {tuple(key): place for place, key in enumerate(keys.tolist())}
    at = np.array([number[tuple(key)] for key in told.tolist()], dtype=np.int64)
    value = numbers.sums(order, network.prices.take(rows).paid(bought))[at]
    volume = numbers.sums(order, bought * network.volume[network.options.cell[rows]])[at]
    lines = np.bincount(order, weights=bought > 0, minlength=numbers.n_orders).astype(np.int64)[at]
    left = numbers.sums(order, bought)[at]
    cut = left < orders.units
    return SupplierDecision(
        units,
        supplied.rule,
        replace(
            orders,
            n_lines=lines,
            units=left,
            value=value,
            volume=volume,
            status=np.where(cut, LIMITED, orders.status).astype(object),
            cost_of_waiting=np.where(cut, np.nan, orders.cost_of_waiting),
        ),
    )
