"""The stock mix in a plan: fill rates of all cells from one aggregate target, and the curve of stock to service.

Each part is asked for its compact curves first (paths are drawn for that and again for the decision, from the same
seeds, so that none is kept), then one price is found over all parts, and then each part is planned with the fill rates
that the price gives its cells. Those take the place of `Cells.target`; all that follows reads them as any other.

- An item's or a place's own ``service_target`` overrides the mix, which neither raises nor lowers it: what the cell
  reaches by it counts.
- A site that feeds others is left out: its demand is theirs, and would count twice. It keeps its own target.
- Where orders cannot reach a floor or the aggregate, what they can reach is aimed for, and the plan lists it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.errors import DataError
from engine.execution import Run
from engine.messages import Message
from engine.network.parts import NetworkPart
from engine.network.shelf_life import within_shelf_life
from engine.network.terms import align, counted, own_targets
from engine.network.tiers import tier_demand
from engine.network.types import Network
from engine.plan.part import PartWork, draw, stock_rule
from engine.plan.tables import empty_table, plan_table
from engine.policy.mix_curves import CLASSES, LEVELS, MixCurves, Seats, join_mix_curves, mix_curves
from engine.policy.params import AggregateParams
from engine.policy.stock_mix import Goal, Ladder, Mix, mix_targets
from engine.policy.types import F64, I64, Bools
from engine.tables import Tables

_REACHED = 1e-6


@dataclass(frozen=True)
class Worth:
    """What cells are worth in the mix; arrays (n,).

    ``weight`` of a unit of demand, ``unit_value`` of a unit of stock, ``held``: planned at its own target.
    """

    weight: F64
    unit_value: F64
    held: Bools


@dataclass(frozen=True)
class MixWork:
    """What `part_curves` needs: a part and the worth of its cells."""

    part: PartWork
    worth: Worth


@dataclass(frozen=True)
class MixedPlan:
    """Parts with the targets of the mix, the table ``stock_to_service``, and what is to be told.

    ``demand`` (weighted units a day, by cell of the network) and ``share`` are what the mix counts and reaches.
    """

    work: list[PartWork]
    table: pd.DataFrame
    notes: tuple[Message, ...]
    demand: F64
    share: float

    def after_limits(self, targets: pd.DataFrame, network: Network) -> tuple[Message, ...]:
        """Return what is left of the mix once places have shared what trips, givers and suppliers cannot bring."""
        cell = network.rows_of((targets["item_id"].to_numpy(object), targets["location_id"].to_numpy(object)))
        demand = self.demand[cell]
        if not demand.sum() > 0:
            return ()
        share = float(demand @ targets["expected_fill_rate"].to_numpy(np.float64) / demand.sum())
        if share >= self.share - _REACHED:
            return ()
        return (Message("stock-mix-after-limits", {"mix": self.share, "reached": share}),)


def unmixed(work: list[PartWork], network: Network) -> MixedPlan:
    """Return the parts as they are, for a plan without an aggregate target."""
    return MixedPlan(work, empty_table("stock_to_service"), (), np.zeros(network.cells.n_cells), 0.0)


def with_mix(
    work: Sequence[PartWork], split: Sequence[NetworkPart], network: Network, tables: Tables, run: Run
) -> MixedPlan:
    """Return the parts with the fill rates of the stock mix as targets.

    Raises
    ------
    DataError
        If demand is weighted by revenue or margin and a price or cost is not known.
    """
    params = work[0].config.targets.aggregate
    worth, notes = cell_worth(network, tables, params)
    run.step("mix", 0, len(work))
    curves = []
    asked = [MixWork(one, _of_rows(worth, part.cell_rows)) for one, part in zip(work, split, strict=True)]
    for found in run.executor_for(len(work)).map(part_curves, asked):
        curves.append(found)
        run.step("mix", len(curves), len(work))
    rows = [part.cell_rows for part in split]
    ladder = Ladder.of(join_mix_curves(curves, rows))
    goal = Goal(params.share, params.floor_by_class)
    mix = ladder.reach(goal)
    target = network.cells.target.copy()
    found_targets = mix_targets(ladder.curves, mix)
    free = ~worth.held[ladder.curves.cell] & ~np.isnan(found_targets)
    target[ladder.curves.cell[free]] = found_targets[free]
    demand = np.zeros(network.cells.n_cells)
    demand[ladder.curves.cell] = ladder.curves.demand
    return MixedPlan(
        work=[_aimed(one, target[at]) for one, at in zip(work, rows, strict=True)],
        table=stock_to_service(ladder, goal, mix),
        notes=(*notes, *_told(ladder.curves, mix, params)),
        demand=demand,
        share=mix.share,
    )


def cell_worth(network: Network, tables: Tables, params: AggregateParams) -> tuple[Worth, list[Message]]:
    """Return the worth of all cells, and what was assumed for it."""
    cells, keys = network.cells, (network.cells.item_id, network.cells.location_id)
    value = np.where(np.isnan(cells.unit_cost), cells.unit_price, cells.unit_cost)
    unknown = np.isnan(value)
    weight = {
        "units": np.ones(cells.n_cells),
        "revenue": cells.unit_price,
        "margin": cells.unit_price - cells.unit_cost,
    }[params.weight]
    seated = _seated(network)
    unpriced = seated & np.isnan(weight)
    if unpriced.any():
        row = int(np.flatnonzero(unpriced)[0])
        raise DataError(
            f"An aggregate target by {params.weight} needs a price of every item, by margin also its unit cost",
            f"{int(unpriced.sum())} items at locations without, first {keys[0][row]} at {keys[1][row]}",
            'Give items.unit_price and items.unit_cost, or set targets.aggregate.weight = "units".',
        )
    own = ~np.isnan(own_targets(align(tables, keys)))
    notes = [
        *counted("stock-mix-price-for-cost", keys, seated & np.isnan(cells.unit_cost) & ~unknown),
        *counted("stock-mix-assumed-value", keys, seated & unknown),
        *counted("stock-mix-own-targets", keys, seated & own),
        *counted("stock-mix-feeders", keys, _feeds(network)),
        *counted("stock-mix-no-weight", keys, seated & ~(weight > 0), weight=params.weight),
    ]
    return Worth(np.where(weight > 0, weight, 0.0), np.where(unknown, 1.0, value), own), notes


def part_curves(work: MixWork) -> MixCurves:
    """Return the curves of a part's cells that take part."""
    network, worth = work.part.network, work.worth
    rule = stock_rule(network, work.part.config)
    scenarios, _, _ = draw(work.part, rule)
    takes_part = _seated(network) & (worth.weight > 0)
    every = tier_demand(network, scenarios, rule).for_targets(network.options)
    # Perishables are promised no more than may be ordered of them.
    options = within_shelf_life(network, every, rule)[0].options
    rows = np.flatnonzero(options.primary & takes_part[options.cell])
    cell = options.cell[rows]
    seats = Seats(rows, worth.weight[cell], worth.unit_value[cell], worth.held[cell])
    return mix_curves(network.cells, options, scenarios, rule, seats)


def stock_to_service(ladder: Ladder, goal: Goal, mix: Mix) -> pd.DataFrame:
    """Return the table: the mix at several fill rates, floors held, and all cells at one service beside it.

    Settings that lead to the same stock are told once.
    """
    found = [(level, ladder.reach(replace(goal, share=level))) for level in LEVELS if level != goal.share]
    points = sorted([*found, (goal.share, mix)], key=lambda point: point[0])
    kept: list[tuple[float, Mix]] = []
    for level, point in points:
        told = point is mix or all(point.value != other.value for _, other in [*kept, (goal.share, mix)])
        kept += [(level, point)] if told else []
    curves = ladder.curves
    demand = np.bincount(curves.abc, weights=curves.demand, minlength=len(CLASSES))
    by_class = np.array([point.share_by_class for _, point in kept])
    reached = np.array([point.share for _, point in kept])
    uniform = curves.uniform
    asked = np.divide(1.0, demand, out=np.full(len(CLASSES), np.nan), where=demand > 0)
    uniform_by_class = (1.0 - uniform.short * asked).reshape(-1, len(CLASSES))
    uniform_share = 1.0 - uniform.short.sum(axis=2).ravel() / max(float(demand.sum()), np.finfo(float).tiny)
    of_class = np.concatenate([by_class, uniform_by_class])
    n = len(LEVELS)
    none = np.full(2 * n, np.nan)
    return plan_table(
        "stock_to_service",
        {
            "policy": ["mix"] * len(kept) + ["uniform-fill-rate"] * n + ["uniform-cycle-service"] * n,
            "setting": [*(level for level, _ in kept), *LEVELS, *LEVELS],
            "service": np.concatenate([reached, uniform_share]),
            **{f"service_{letter.lower()}": of_class[:, k] for k, letter in enumerate(CLASSES)},
            "stock_value": np.concatenate([[point.value for _, point in kept], uniform.value.ravel()]),
            "next_unit_value": np.concatenate([[point.price for _, point in kept], none]),
            "chosen": np.array([*(int(point is mix) for _, point in kept), *np.zeros(2 * n, np.int64)]),
        },
    )


def _told(curves: MixCurves, mix: Mix, params: AggregateParams) -> list[Message]:
    """Return what the mix reaches, and what it could not."""
    facts = {"asked": params.share, "reached": mix.share, "weight": params.weight}
    gap = (mix.value - mix.bound) / max(mix.value, np.finfo(float).tiny)
    notes = [Message("stock-mix", {**facts, "value": mix.value, "gap": gap, "count": curves.n_cells})]
    if mix.share < params.share - _REACHED:
        notes.append(Message("stock-mix-relaxed", facts))
    for letter, reached in zip(CLASSES, mix.share_by_class.tolist(), strict=True):
        floor = params.floor_by_class.get(letter, 0.0)
        if reached < floor - _REACHED:
            notes.append(Message("stock-mix-floor-relaxed", {"abc": letter, "asked": floor, "reached": reached}))
    return notes


def _feeds(network: Network) -> Bools:
    options = network.options
    feeds = np.zeros(network.cells.n_cells, dtype=bool)
    feeds[options.origin_cell[options.primary & (options.origin_cell >= 0)]] = True
    return feeds


def _seated(network: Network) -> Bools:
    return (network.primary_of >= 0) & ~_feeds(network)


def _of_rows(worth: Worth, rows: I64) -> Worth:
    return Worth(worth.weight[rows], worth.unit_value[rows], worth.held[rows])


def _aimed(work: PartWork, target: F64) -> PartWork:
    network = work.network
    return replace(work, network=replace(network, cells=replace(network.cells, target=target)))
