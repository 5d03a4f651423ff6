"""Presale orders come first: what lateral transfers and second sources bring for them, before all other help.

Least expected cost of the first day of shipping, by `engine.network.coupled`: from ``as_of`` until the last presale of
an item within the horizon has begun to ship, a unit that is not at its site when it is asked for costs what a lost one
does, ordinary demand before that day included; ordinary demand from that day on does not count, so a neighbour keeps
nothing back for it. What is sent, its trips and prices are weighed against that; keeping stock costs nothing here,
since what is left over is ordinary stock. Primary links may adapt, in parts of lots: they decide for themselves later
(`engine.network.decide`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.network.coupled import solve_coupled
from engine.network.expected import SampleCost
from engine.network.formulate import formulate, paid_trips, restrict
from engine.network.params import NetworkParams
from engine.network.presale_paths import PresalePaths
from engine.network.types import Network
from engine.plan.types import SolveReport
from engine.policy.cost import CostHorizon
from engine.policy.interval_cost import LeftOver
from engine.policy.types import F64, I64, Cells, Scenarios, StockRule


def presale_moves(
    network: Network,
    scenarios: Scenarios,
    presales: PresalePaths,
    rule: StockRule,
    priced: tuple[Cells, F64],
    params: NetworkParams,
) -> tuple[F64, SolveReport | None]:
    """Return the units of options that are not primary, shape (m,), and how they were found (None: nothing to ask).

    Parameters
    ----------
    network
        Cells and options.
    scenarios, presales
        Demand without today's orders of fed cells, and what of it is presales.
    rule
        Days of the buckets.
    priced
        The cells with the price of a unit that is not there, and what primary links ask for if left to themselves,
        shape (m,): the trips of that are made anyway.
    params
        Limits of the coupled solve.
    """
    cells, start = priced
    options = network.options
    units = np.zeros(options.n_options)
    ends = _ends(network, presales)
    in_time = options.arrival < ends[options.cell]
    secondary = in_time & ~options.primary
    if not secondary.any():
        return units, None
    # Least cost does without what givers keep back for ordinary demand: only trips, stock and shelves limit.
    costing = replace(rule, objective="cost", unmet="lost")
    problem = paid_trips(formulate(network, scenarios, costing).problem, start)
    item_of = _items(network)[options.cell]
    rows = np.flatnonzero(in_time & np.isin(item_of, item_of[secondary]))
    problem = replace(restrict(problem, rows, np.where(in_time, 0.0, start)), whole=secondary[rows])
    n = network.cells.n_cells
    zero = np.zeros(n)
    cost = SampleCost(
        replace(cells, holding_cost=zero),
        options,
        _until_shipping(scenarios, presales, ends),
        CostHorizon(ends[:, None], np.full((n, 1), network.horizon), LeftOver(zero, zero, zero)),
        costing,
        rows,
    )
    solution = solve_coupled(problem, cost, np.zeros(len(rows)), params)
    units[rows] = np.where(secondary[rows], solution.units, 0.0)
    return units, solution.report


def _items(network: Network) -> I64:
    """Return a number for the item of every cell."""
    return np.unique(network.cells.item_id.astype(str), return_inverse=True)[1].reshape(-1)


def _ends(network: Network, presales: PresalePaths) -> I64:
    """Return, by cell, the bucket after the last in which a presale of its item begins to ship; 0 without any."""
    item = _items(network)
    by_item = np.zeros(int(item.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(by_item, item[presales.cell], presales.last + 1)
    return by_item[item]


def _until_shipping(scenarios: Scenarios, presales: PresalePaths, ends: I64) -> Scenarios:
    """Return the scenarios with nothing but presales on the last day that counts."""
    paths = scenarios.paths.copy()
    rows = np.flatnonzero(ends > 0)
    paths[rows, :, ends[rows] - 1] = 0.0
    last = ends[presales.cell] - 1
    paths[presales.cell, :, last] = presales.units[np.arange(len(last)), :, last]
    return replace(scenarios, paths=paths)
