"""What each cell's stock costs and saves: the compact curves from which the stock mix is chosen.

**Stock value** is what is really held: mean stock on hand over [arrival, next arrival), at the end of each bucket and
weighted by its days (what the holding cost is charged on), times the value of a unit. Stock at landing or an
order-up-to level would count what is sold before it is ever on the shelf for a night, and would charge a long review
period no more than a short one. **Service** is demand and shortage of the same interval, a day, so that a cell that
is ordered once a month weighs no more than one that is ordered each week.

A cell's points are its feasible orders from the least that ``min_stock``, units owed and lot rules allow to the one
that covers every path, all of them where they are at most `N_UP`, else that many evenly spaced; of these the hull is
kept (`engine.policy.hull`). Points below that least order say what the cell would hold if it had less: they give a
cell that has more than it should a target, and cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from engine.policy.aims import Aim, Outlook
from engine.policy.block import Block, least_orders
from engine.policy.curve import Needs, option_blocks, path_needs, segment_copies
from engine.policy.hull import Steps, hull_steps, join_steps
from engine.policy.lots import Lots, count_down, count_up, lots
from engine.policy.rungs import Kinks, Rungs
from engine.policy.service import asks
from engine.policy.types import F64, I64, Bools, Cells, Options, Scenarios, StockRule

N_UP, N_DOWN = 64, 32
_SLACK = 1e-9
CLASSES = ("A", "B", "C")
LEVELS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.999)
"""Shares at which the curves beside the plan are told."""


@dataclass(frozen=True)
class Seats:
    """The cells that take part, by their primary options; arrays (c,).

    Parameters
    ----------
    option
        Their primary options, ascending.
    weight
        What a unit of demand counts, >= 0.
    unit_value
        Money in a unit of stock.
    held
        Whether the cell keeps its own ``Cells.target``: its order is given, and only what it reaches counts.
    """

    option: I64
    weight: F64
    unit_value: F64
    held: Bools

    def take(self, rows: I64) -> Seats:
        """Return the given seats, in the given order."""
        return Seats(self.option[rows], self.weight[rows], self.unit_value[rows], self.held[rows])


@dataclass(frozen=True)
class Uniform:
    """All cells at one service: by measure (fill rate, cycle service) and level of `LEVELS`.

    ``value``: stock value, shape (2, levels). ``short``: weighted units a day by class, shape (2, levels, 3).
    """

    value: F64
    short: F64


@dataclass(frozen=True)
class MixCurves:
    """Curves of ``c`` cells.

    Parameters
    ----------
    cell
        Row in `Cells`.
    abc
        Place of the class in `CLASSES`.
    demand
        Weighted units a day.
    value, short, fill
        At the least order: stock value, weighted units short a day, fill rate.
    least_fill
        Fill rate at the lowest point of the hull below the least order, from which ``down`` starts.
    up, down
        Steps above the least order, and those that lead to it; ``row`` counts these cells.
    uniform
        All cells at one service.
    """

    cell: I64
    abc: I64
    demand: F64
    value: F64
    short: F64
    fill: F64
    least_fill: F64
    up: Steps
    down: Steps
    uniform: Uniform

    @property
    def n_cells(self) -> int:
        return len(self.cell)


def mix_curves(cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule, seats: Seats) -> MixCurves:
    """Return the curves of the cells that take part, in the order of ``seats``."""
    seat = np.full(options.n_options, -1)
    seat[seats.option] = np.arange(len(seats.option))
    beyond = Outlook(np.zeros(cells.n_cells), np.zeros(cells.n_cells))
    parts, order = [_NO_CURVES], [np.zeros(0, np.int64)]
    for rows in option_blocks(scenarios, seats.option, n_copies=segment_copies(scenarios, seats.option)):
        block = Block(cells, options, scenarios, rule, beyond, rows)
        parts.append(_block_curves(block, seats.take(seat[rows])))
        order.append(seat[rows])
    return _in_order(_joined(parts), np.concatenate(order))


def join_mix_curves(parts: Sequence[MixCurves], rows: Sequence[I64]) -> MixCurves:
    """Return the curves of several parts as one; ``rows`` are each part's cells in the whole."""
    return _joined([_NO_CURVES, *(replace(part, cell=at[part.cell]) for part, at in zip(parts, rows, strict=True))])


def _block_curves(block: Block, seats: Seats) -> MixCurves:
    here, rule = block.here, block.rule
    needs = path_needs(block.cells, block.cell_rows, block.scenarios, block.rows, rule, every_bucket=True)
    kinks = Kinks(needs, rule)
    feasible, start = _least_feasible(block, needs, seats)
    top = feasible.at_least(np.maximum((needs.peak - needs.base).max(axis=1), start))
    at_start = kinks.rungs(start, here.step, 1)
    up, in_up = _above(kinks, feasible, (start, np.where(seats.held, start, top)))
    down, in_down = _below(kinks, needs, start, here.step)

    one = np.ones((len(start), 1), dtype=bool)
    above, in_above = _side_by_side([at_start, up]), np.concatenate([one, in_up], axis=1)
    below, in_below = _side_by_side([down, at_start]), np.concatenate([in_down, one], axis=1)
    days, demand = kinks.days, needs.demand.mean(axis=1)
    a_day = np.divide(seats.weight, days, out=np.zeros_like(days), where=days > 0)
    points = _points(above, demand, (seats.unit_value, a_day))
    points_below = _points(below, demand, (seats.unit_value, a_day))
    abc = np.searchsorted(CLASSES, here.abc.astype(str))
    lowest = points_below.fill[np.arange(len(start)), np.argmax(in_below, axis=1)]
    return MixCurves(
        cell=block.cell_rows,
        abc=abc,
        demand=demand * a_day,
        value=points.value[:, 0],
        short=points.short[:, 0],
        fill=points.fill[:, 0],
        least_fill=lowest,
        up=hull_steps(points.value, points.short, points.fill, in_above),
        down=hull_steps(points_below.value, points_below.short, points_below.fill, in_below),
        uniform=_uniform(points, (above.calm, in_above), needs, abc),
    )


@dataclass(frozen=True)
class _Points:
    """Stock value, weighted units short a day, and fill rate, each (r, k)."""

    value: F64
    short: F64
    fill: F64


def _points(rungs: Rungs, demand: F64, worth: tuple[F64, F64]) -> _Points:
    unit_value, a_day = worth
    wanted = demand[:, None]
    missed = np.divide(rungs.short, wanted, out=np.zeros_like(rungs.short), where=wanted > 0)
    return _Points(rungs.held * unit_value[:, None], rungs.short * a_day[:, None], np.clip(1.0 - missed, 0.0, 1.0))


def _least_feasible(block: Block, needs: Needs, seats: Seats) -> tuple[Lots, F64]:
    """Return the feasible orders, and the least that ``min_stock``, what is owed and own targets allow."""
    here, links = block.here, block.links
    nothing = np.zeros(here.n_cells)
    aim = Aim(np.where(seats.held, here.target, 0.0), nothing, here.min_stock, here.step, None)
    wanted = least_orders(needs, aim, block.rule).units
    room = np.maximum(here.max_stock - np.maximum(needs.landing, 0.0).mean(axis=1), 0.0)
    feasible = lots(links.min_units, links.multiple, links.max_units, here.step).capped(room)
    return feasible, feasible.at_least(wanted)


def _above(kinks: Kinks, feasible: Lots, span: tuple[F64, F64]) -> tuple[Rungs, Bools]:
    """Return points from the first lot above the least order to the top, and which of them are feasible."""
    start, top = span
    first = np.maximum(count_up(start, feasible.size) + 1, feasible.least)
    n_lots = count_down(top, feasible.size) - first + 1
    gap = feasible.size * np.maximum(-(-n_lots // N_UP), 1)
    rungs = kinks.rungs(top, gap, N_UP)
    low = (first * feasible.size - 0.5 * feasible.size)[:, None]
    return rungs, (rungs.units > low) & (n_lots > 0)[:, None]


def _below(kinks: Kinks, needs: Needs, start: F64, step: F64) -> tuple[Rungs, Bools]:
    """Return points below the least order, from nothing at landing on any path, and which of them tell anything."""
    bare = np.minimum(-count_up(np.maximum(needs.landing, 0.0).max(axis=1), step) * step, start)
    enough = np.maximum(np.ceil((needs.peak - needs.base).max(axis=1) / step) * step, bare)
    top = np.minimum(enough, start)
    n_steps = np.rint((top - bare) / step)
    gap = step * np.maximum(np.ceil(n_steps / (N_DOWN - 1)), 1.0)
    rungs = kinks.rungs(top, gap, N_DOWN)
    return rungs, (rungs.units > (bare - 0.5 * step)[:, None]) & (rungs.units < (start - 0.5 * step)[:, None])


def _uniform(points: _Points, reach: tuple[F64, Bools], needs: Needs, abc: I64) -> Uniform:
    """Return stock value and shortage where every cell takes its least point of each level, or its last."""
    calm, usable = reach
    n_active = np.count_nonzero(asks(needs), axis=1)[:, None]
    last = usable.shape[1] - 1 - np.argmax(usable[:, ::-1], axis=1)
    row = np.arange(len(last))
    values, shorts = np.zeros((2, len(LEVELS))), np.zeros((2, len(LEVELS), len(CLASSES)))
    for number, level in enumerate(LEVELS):
        # As `engine.policy.aims.objective_met` asks.
        enough = np.minimum(level * (n_active + 1), n_active)
        for measure, met in enumerate((points.fill >= level - _SLACK, calm >= enough - _SLACK)):
            reached = met & usable
            at = np.where(reached.any(axis=1), np.argmax(reached, axis=1), last)
            values[measure, number] = points.value[row, at].sum()
            shorts[measure, number] = np.bincount(abc, weights=points.short[row, at], minlength=len(CLASSES))
    return Uniform(values, shorts)


def _side_by_side(rungs: Sequence[Rungs]) -> Rungs:
    return Rungs(*(np.concatenate([getattr(one, f.name) for one in rungs], axis=1) for f in fields(Rungs)))


def _joined(parts: Sequence[MixCurves]) -> MixCurves:
    """Return parts as one, one behind the other."""
    first = np.cumsum([0, *(part.n_cells for part in parts)])
    columns: dict[str, Any] = {name: np.concatenate([getattr(p, name) for p in parts]) for name in _BY_CELL}
    for name in ("up", "down"):
        steps = [getattr(part, name) for part in parts]
        columns[name] = join_steps([replace(s, row=s.row + at) for s, at in zip(steps, first[:-1], strict=True)])
    value, short = parts[0].uniform.value, parts[0].uniform.short
    for part in parts[1:]:
        value, short = value + part.uniform.value, short + part.uniform.short
    return MixCurves(**columns, uniform=Uniform(value, short))


def _in_order(curves: MixCurves, place: I64) -> MixCurves:
    """Return the curves with each cell at its ``place``."""
    order = np.argsort(place)
    columns: dict[str, Any] = {name: getattr(curves, name)[order] for name in _BY_CELL}
    for name in ("up", "down"):
        steps: Steps = getattr(curves, name)
        moved = replace(steps, row=place[steps.row])
        columns[name] = moved.take(np.argsort(moved.row, kind="stable"))
    return MixCurves(**columns, uniform=curves.uniform)


_BY_CELL = ("cell", "abc", "demand", "value", "short", "fill", "least_fill")
_WHOLE, _REAL = np.zeros(0, np.int64), np.zeros(0)
_NO_STEPS = Steps(_WHOLE, _REAL, _REAL, _REAL, _REAL)
_NO_CURVES = MixCurves(
    cell=_WHOLE, abc=_WHOLE, demand=_REAL, value=_REAL, short=_REAL, fill=_REAL, least_fill=_REAL,
    up=_NO_STEPS, down=_NO_STEPS,
    uniform=Uniform(np.zeros((2, len(LEVELS))), np.zeros((2, len(LEVELS), len(CLASSES)))),
)  # fmt: skip
