"""Presales before all other help, and what of them waits (step 0 of `engine.network.decide`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.help import Given, priced_cells
from engine.network.params import NetworkParams
from engine.network.presale_moves import presale_moves
from engine.network.presale_paths import PresalePaths, waiting
from engine.network.tiers import (
    TierDemand,
    with_arrivals,
    with_sends,
)
from engine.network.types import Network
from engine.plan.types import SolveReport
from engine.policy.types import F64, Bools, Scenarios, StockRule


@dataclass(frozen=True)
class Waits:
    """Demand and presales once presale orders that nothing serves in time wait, and the cells (n,) that this moved."""

    demand: TierDemand
    presales: PresalePaths
    cell: Bools


def still_waiting(network: Network, demand: TierDemand, rule: StockRule, units: F64, presales: PresalePaths) -> Waits:
    """Return what still waits if today's options other than primary links bring ``units``."""
    moved = np.zeros(network.cells.n_cells, dtype=bool)
    if not len(presales.cell):
        return Waits(demand, presales, moved)
    helping = np.where(network.options.primary, 0.0, units)
    now = with_sends(demand.later, network.options, helping)
    found = waiting(network, with_arrivals(network.cells, network.options, helping), now, presales, rule)
    rows = np.flatnonzero((found.units != presales.units).any(axis=(1, 2)))
    moved[presales.cell[rows]] = True
    change = found.units[rows] - presales.units[rows]

    def shifted(scenarios: Scenarios) -> Scenarios:
        paths = scenarios.paths.copy()
        paths[presales.cell[rows]] = np.maximum(paths[presales.cell[rows]] + change, 0.0)
        return replace(scenarios, paths=paths)

    again = demand.again.shifted(presales.cell[rows], change)
    return Waits(replace(demand, own=shifted(demand.own), later=shifted(demand.later), again=again), found, moved)


def for_presales(
    network: Network,
    demand: TierDemand,
    rule: StockRule,
    given: Given,
    known: tuple[F64, PresalePaths],
    params: NetworkParams,
) -> tuple[F64, SolveReport | None]:
    """Return what comes for presales by links that are not primary (step 0), and the report; price as in step 1."""
    start, presales = known
    options = network.options
    if not len(presales.cell) or options.primary.all():
        return np.zeros(options.n_options), None
    asked = np.isin(network.cells.item_id, network.cells.item_id[presales.cell])
    priced = priced_cells(network, demand, rule, np.flatnonzero(asked))
    own_price = network.cells.shortage_cost
    implied = priced.backorder_cost if rule.backordered else priced.shortage_cost
    cells = replace(priced, shortage_cost=np.maximum(own_price, implied))
    return presale_moves(network, demand.later, presales, rule, (cells, start), params)
