"""Proposals for open orders: advance, postpone, increase, decrease, cancel, each with what it saves.

A line's changes are costed on the sampled paths as all decisions are (`engine.policy.cost`): with stock, inbound and
today's decision as they are, from ``as_of`` until the cell's next order arrives; under service and cover objectives
unmet demand is priced as the target implies. Units that land only then join what is left and are held until they
sell. The proposals are messages: targets and orders of the plan count on open orders as they stand.

- Nothing is done to a line due within ``frozen_days``, and no line is moved to a day within them, by more than
  ``advance_days`` forward, to a day that the place does not receive, or beyond the arrival of the next order.
- Units proposed are feasible ones of the line's link (its lots, at most ``increase_share`` more than now, and at most
  what the place may hold), or none. More of a perishable is not proposed: what expires is not costed here.
- A line due only when the next order arrives, or later, may be advanced; the rest is judged once it is nearer.
- A change must save `OpenOrderParams.least_gain` and the least share of the line's value. Of those that do, the best
  is proposed; a new date rather than new units where these save no more than that threshold on top.
- Lines of one cell are changed one after the other, the greatest gain first, each given those before, so gains add up.

Cost being convex, its slopes bound what a change can save; only changes that could reach the threshold are costed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from engine.network.expected import flows, take_horizon
from engine.network.open_orders import OpenLines
from engine.network.params import OpenOrderParams
from engine.network.types import Network
from engine.policy.aims import least_steps
from engine.policy.cost import CostHorizon, ExpectedCost, expected_cost, whole_horizon
from engine.policy.interval_cost import price_above_cost
from engine.policy.lots import Lots, count_up, lots
from engine.policy.types import F32, F64, I64, Bools, Cells, Scenarios, StockRule, Texts

ADVANCE, POSTPONE, INCREASE, DECREASE, CANCEL = "advance", "postpone", "increase", "decrease", "cancel"

_BLOCK_VALUES = 2**21  # values of an array over rows, paths and buckets: 16 MB
_SURE = 1e-9


@dataclass(frozen=True)
class OpenChanges:
    """Proposed changes, arrays of one length, in the order of their lines.

    ``line`` is the row in `OpenLines`; ``units`` and ``bucket`` are proposed; ``gain``, ``unmet_saved`` and
    ``keeping_saved`` (holding and what is left over) are money, ``threshold`` what the gain had to reach.
    """

    line: I64
    change: Texts
    units: F64
    bucket: I64
    gain: F64
    unmet_saved: F64
    keeping_saved: F64
    threshold: F64


@dataclass(frozen=True)
class _World:
    """The cells that have open lines, with demand and what today's decision brings; rows are those cells."""

    cells: Cells
    paths: F32
    arriving: F64
    horizon: CostHorizon
    rule: StockRule

    def cost(self, cell: I64, arrivals: F64, late: F64) -> ExpectedCost:
        """Return what each row costs: a cell with inbound ``arrivals`` (r, H) and units that land too late (r,)."""
        terms, slope = np.zeros((4, len(cell))), np.zeros(arrivals.shape)
        size = max(1, _BLOCK_VALUES // (self.paths.shape[1] * self.paths.shape[2]))
        for start in range(0, len(cell), size):
            rows = slice(start, start + size)
            here = cell[rows]
            cells = replace(self.cells.take(here), arrivals=arrivals[rows])
            horizon = replace(take_horizon(self.horizon, here), late=late[rows])
            none = np.zeros((len(here), arrivals.shape[1]))
            cost = expected_cost(cells, self.paths[here], self.arriving[here], none, horizon, self.rule)
            terms[:, rows] = cost.holding, cost.shortage, cost.backorder, cost.left_over
            slope[rows] = cost.slope
        return ExpectedCost(terms[0], terms[1], terms[2], terms[3], slope)


@dataclass(frozen=True)
class _Lines:
    """Open lines with what may be done to them; ``cell`` counts the cells of `_World`.

    ``until`` is the bucket in which the cell's next order arrives, ``allowed`` (r, H + 1) the buckets to which a line
    may be moved, ``lots`` its feasible quantities, ``extra`` its price above unit cost, ``threshold`` its least gain.
    """

    cell: I64
    bucket: I64
    units: F64
    until: I64
    allowed: Bools
    lots: Lots
    extra: F64
    threshold: F64

    def rows(self, rows: I64) -> _Lines:
        size = Lots(self.lots.size[rows], self.lots.least[rows], self.lots.most[rows])
        names = ("cell", "bucket", "units", "until", "allowed", "extra", "threshold")
        return replace(self, lots=size, **{name: getattr(self, name)[rows] for name in names})


@dataclass(frozen=True)
class _Inbound:
    """What comes to each cell with the changes so far: by bucket (n, H), and too late to serve (n,)."""

    arrivals: F64
    late: F64

    def changed(self, lines: _Lines, bucket: I64, units: F64) -> _Inbound:
        """Return the inbound of each line's cell (r rows) with the line's bucket and units changed."""
        row, horizon = np.arange(len(bucket)), self.arrivals.shape[1]
        wide = np.concatenate([self.arrivals[lines.cell], np.zeros((len(row), 1))], axis=1)
        wide[row, lines.bucket] = np.maximum(wide[row, lines.bucket] - lines.units, 0.0)
        wide[row, np.minimum(bucket, horizon)] += units
        late = self.late[lines.cell] + np.where(bucket < lines.until, 0.0, units)
        return _Inbound(wide[:, :horizon], late)


@dataclass(frozen=True)
class _Tried:
    """Changes that were costed, arrays of one length: ``row`` of the line, where and how much, and what that saves."""

    row: I64
    bucket: I64
    units: F64
    gain: F64
    unmet: F64
    keeping: F64

    def rows(self, rows: I64) -> _Tried:
        return _Tried(*(getattr(self, f.name)[rows] for f in fields(self)))


def open_changes(
    lines: OpenLines, network: Network, priced: Cells, demand: Scenarios, units: F64, rule: StockRule,
    params: OpenOrderParams,
) -> OpenChanges:  # fmt: skip
    """Return the changes that are proposed.

    Parameters
    ----------
    lines, network
        Open lines, and the cells and options that they belong to.
    priced
        The cells, with unmet demand priced as targets imply where there is one.
    demand
        Demand, with what is sent today.
    units
        Decided units of every option, shape (m,).
    rule, params
        What becomes of unmet demand; thresholds.
    """
    kept = np.flatnonzero(lines.due >= network.calendar.as_of + params.frozen_days)
    some = lines.rows(kept)
    where = np.unique(some.cell)
    world = _world(where, network, priced, demand, units, rule)
    every = _lines(some, np.searchsorted(where, some.cell), world, network, params)
    inbound = _Inbound(world.cells.arrivals.copy(), np.zeros(len(where)))
    rows = np.arange(some.n_lines)
    made: list[_Tried] = []
    while len(rows):
        here = every.rows(rows)
        best = _first_of_cells(_best(world, here, inbound), here.cell)
        now = here.rows(best.row)
        then = inbound.changed(now, best.bucket, best.units)
        inbound.arrivals[now.cell], inbound.late[now.cell] = then.arrivals, then.late
        made.append(replace(best, row=rows[best.row]))
        # Only the other lines of a changed cell can have come to be worth more or less.
        again = np.isin(here.cell, now.cell)
        again[best.row] = False
        rows = rows[again]
    return _proposals(made, every, kept)


def _world(where: I64, network: Network, priced: Cells, demand: Scenarios, units: F64, rule: StockRule) -> _World:
    options = network.options
    place = np.full(network.cells.n_cells, -1, dtype=np.int64)
    place[where] = np.arange(len(where))
    into = np.flatnonzero(place[options.cell] >= 0)
    part = options.take(into)
    # What is sent away is in the demand already.
    part = replace(part, cell=place[part.cell], origin_cell=np.full(len(into), -1))
    paths = demand.paths[where]
    some = Scenarios(paths, demand.arrival[into], demand.next_arrival[into])
    cells = priced.take(where)
    arriving, _ = flows(cells, part, some, units[into])
    return _World(cells, paths, arriving, take_horizon(whole_horizon(priced, options, demand, rule), where), rule)


def _lines(some: OpenLines, cell: I64, world: _World, network: Network, params: OpenOrderParams) -> _Lines:
    options, cells = network.options, world.cells
    linked = some.option >= 0
    option = np.where(linked, some.option, 0)

    def of_link(values: F64, without: float) -> F64:
        taken = values[option] if len(values) else np.zeros(len(option))
        return np.where(linked, taken, without)

    value = some.units * np.nan_to_num(cells.unit_cost[cell], nan=0.0)
    feasible = lots(
        of_link(options.min_units, 0.0), of_link(options.multiple, 0.0), of_link(options.max_units, np.inf),
        cells.step[cell],
    )  # fmt: skip
    inbound = cells.arrivals[cell].sum(axis=1)
    decided = world.arriving if world.arriving.ndim == 2 else world.arriving.mean(axis=1)
    room = np.maximum(cells.max_stock[cell] - cells.net[cell] - inbound - decided[cell].sum(axis=1), 0.0)
    until = world.horizon.until[cell, 0]
    perishes = np.isfinite(network.sellable_days[some.cell])
    more = np.where(perishes, 0.0, np.minimum(room, params.increase_share * some.units))
    return _Lines(
        cell=cell,
        bucket=np.minimum(some.bucket, network.horizon),
        units=some.units,
        until=until,
        allowed=_allowed(some, until, network, params),
        lots=feasible.capped(some.units + more),
        extra=of_link(price_above_cost(network.cells, options), 0.0),
        threshold=np.maximum(params.least_gain, params.least_share * value),
    )


def _allowed(some: OpenLines, until: I64, network: Network, params: OpenOrderParams) -> Bools:
    """Return the buckets on whose first day a line may arrive instead, shape (r, H + 1)."""
    calendar = network.calendar
    day = calendar.edges[calendar.n_history :].astype("datetime64[D]")
    earliest = np.maximum(some.due - params.advance_days, calendar.as_of + params.frozen_days)
    allowed = (day >= earliest[:, None]) & (np.arange(len(day)) <= until[:, None])
    allowed &= np.arange(len(day)) != some.bucket[:, None]
    # Any link to a cell knows when its place receives.
    link = np.full(network.cells.n_cells, -1, dtype=np.int64)
    link[network.options.cell] = np.arange(network.options.n_options)
    known = np.flatnonzero(link[some.cell] >= 0)
    offset = (day - calendar.as_of).astype(np.int64)
    row = network.days.receive_row[link[some.cell[known]]]
    allowed[known] &= network.days.receives[row[:, None], np.minimum(offset, network.days.n_days)] == offset
    return np.asarray(allowed)


def _best(world: _World, lines: _Lines, inbound: _Inbound) -> _Tried:
    """Return the best change of each line that has one worth its threshold."""
    row, horizon = np.arange(len(lines.cell)), inbound.arrivals.shape[1]
    inside = lines.bucket < lines.until
    arrivals, late = inbound.arrivals[lines.cell], inbound.late[lines.cell]
    now = world.cost(lines.cell, arrivals, late)
    # What lands too late joins what is left at the end; that is part of what advancing it changes.
    as_is = now if inside.all() else world.cost(lines.cell, arrivals, late + np.where(inside, 0.0, lines.units))
    slope = np.concatenate([now.slope, np.zeros((len(row), 1))], axis=1)
    at_due = np.where(inside, slope[row, np.minimum(lines.bucket, horizon)], 0.0)
    # With units owed and sales lost, receipts serve those owed first, which slopes do not tell.
    unsure = (world.cells.net[lines.cell] < 0) & (not world.rule.backordered)
    bound = (as_is.total - now.total + lines.units * at_due)[:, None] - lines.units[:, None] * slope
    bucket = np.arange(horizon + 1)
    date = lines.allowed & (inside[:, None] | (bucket < lines.until[:, None]))
    date &= (bound >= lines.threshold[:, None] - _SURE) | unsure[:, None]
    less = inside & ((lines.units * (at_due + lines.extra) >= lines.threshold - _SURE) | unsure)
    more = inside & (-(at_due + lines.extra) * _most_asked(world)[lines.cell] >= lines.threshold - _SURE)
    sized = np.flatnonzero(less | more)
    moved, to = np.nonzero(date)
    gone = np.flatnonzero(less)
    units = _least_cost_units(world, lines.rows(sized), inbound)
    tried = _costed(
        world, lines, inbound, as_is,
        np.concatenate([moved, sized, gone]),
        np.concatenate([to, lines.bucket[sized], lines.bucket[gone]]),
        np.concatenate([lines.units[moved], units, np.zeros(len(gone))]),
    )  # fmt: skip
    return _worthwhile(tried, lines)


def _costed(
    world: _World, lines: _Lines, inbound: _Inbound, as_is: ExpectedCost, row: I64, bucket: I64, units: F64
) -> _Tried:
    here = lines.rows(row)
    then = inbound.changed(here, bucket, units)
    cost = world.cost(here.cell, then.arrivals, then.late)
    unmet = (as_is.shortage + as_is.backorder)[row] - cost.shortage - cost.backorder
    keeping = (as_is.holding + as_is.left_over)[row] - cost.holding - cost.left_over
    return _Tried(row, bucket, units, unmet + keeping + here.extra * (here.units - units), unmet, keeping)


def _least_cost_units(world: _World, lines: _Lines, inbound: _Inbound) -> F64:
    """Return each line's units of least cost on its own day, among the feasible ones above nothing."""

    def cost(count: I64) -> F64:
        units = count * lines.lots.size
        then = inbound.changed(lines, lines.bucket, units)
        return np.asarray(world.cost(lines.cell, then.arrivals, then.late).total + lines.extra * units)

    # Beyond what any path asks for, a unit more never pays.
    high = count_up(lines.units + _most_asked(world)[lines.cell], lines.lots.size)
    best = least_steps(lambda count: cost(count + 1) >= cost(np.maximum(count, 0)) - _SURE, high)
    count = np.clip(best, lines.lots.least, np.maximum(lines.lots.most, lines.lots.least))
    # Where no quantity is feasible it stays as it is.
    return np.where(lines.lots.least <= lines.lots.most, count * lines.lots.size, lines.units)


def _most_asked(world: _World) -> F64:
    """Return the most that any path asks of each cell, with what is owed."""
    demand = world.paths.sum(axis=2, dtype=np.float64).max(axis=1, initial=0.0)
    return np.asarray(demand + world.cells.backorders)


def _worthwhile(tried: _Tried, lines: _Lines) -> _Tried:
    """Return the best change of each line, of those that reach the threshold; a new date before new units."""
    threshold = lines.threshold[tried.row]
    tried = tried.rows(np.flatnonzero((tried.gain >= threshold) & (tried.gain > _SURE)))
    dated = tried.units == lines.units[tried.row]
    # Units must save the threshold more than a date does.
    ranked = tried.gain + np.where(dated, lines.threshold[tried.row], 0.0)
    shift = np.abs(tried.bucket - lines.bucket[tried.row])
    change = np.abs(tried.units - lines.units[tried.row])
    order = np.lexsort((change, shift, -np.round(ranked, 9), tried.row))
    first = np.flatnonzero(np.diff(tried.row[order], prepend=-1))
    return tried.rows(order[first])


def _first_of_cells(best: _Tried, cell: I64) -> _Tried:
    """Return the change with the greatest gain in each cell."""
    order = np.lexsort((best.row, -np.round(best.gain, 9), cell[best.row]))
    first = np.flatnonzero(np.diff(cell[best.row[order]], prepend=-1))
    return best.rows(np.sort(order[first]))


def _proposals(made: list[_Tried], lines: _Lines, kept: I64) -> OpenChanges:
    def joined(name: str) -> F64:
        return np.concatenate([np.zeros(0), *(getattr(tried, name) for tried in made)])

    row = joined("row").astype(np.int64)
    order = np.argsort(row, kind="stable")
    row, units, bucket = row[order], joined("units")[order], joined("bucket")[order].astype(np.int64)
    change = np.select(
        [bucket < lines.bucket[row], bucket > lines.bucket[row], units > lines.units[row], units > 0],
        [ADVANCE, POSTPONE, INCREASE, DECREASE],
        default=CANCEL,
    ).astype(object)
    gain, unmet, keeping = (joined(name)[order] for name in ("gain", "unmet", "keeping"))
    return OpenChanges(kept[row], change, units, bucket, gain, unmet, keeping, lines.threshold[row])
