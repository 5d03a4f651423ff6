"""What an order reaches: shortage, stock left and the two service levels, exact on the sampled paths.

All read `engine.policy.curve.Needs` at a *reach* of shape (r, P): ``base + units``, the stock that counts from landing
on in the coordinates of the levels.
"""

from __future__ import annotations

import numpy as np

from engine.policy.curve import Needs, option_blocks, path_needs
from engine.policy.types import F64, I64, Bools, Cells, Options, Scenarios, StockRule

UNIT_TOLERANCE = 1e-6
"""A shortage of less than a millionth of a unit is rounding, not a shortage."""


def short_units(needs: Needs, reach: F64, rule: StockRule) -> F64:
    """Return the demand of the interval that is not met from stock at once, shape (r, P).

    Backorders: the units of each segment that lie above the reach. Lost sales: ``max(0, need - units)``, less what of
    it is owed since before ``as_of``.
    """
    if rule.backordered:
        short: F64 = np.clip(needs.upper - reach, 0.0, needs.upper - needs.lower).sum(axis=0)
        return short
    return np.maximum(needs.peak - reach, 0.0) - np.maximum(needs.landed - reach, 0.0)


def stock_before_next(needs: Needs, reach: F64, rule: StockRule) -> F64:
    """Return stock on hand just before the next arrival, shape (r, P)."""
    if rule.backordered:
        return np.maximum(reach - needs.end, 0.0)
    return np.maximum(reach, needs.peak) - needs.end


def asks(needs: Needs) -> Bools:
    """Return whether a path has demand in the interval, shape (r, P)."""
    return needs.demand > UNIT_TOLERANCE


def cycle_service(needs: Needs, reach: F64) -> F64:
    """Return the share of the paths with demand that see no shortage, shape (r,); 1 where none has demand."""
    active = asks(needs)
    served = active & (needs.peak <= reach + UNIT_TOLERANCE)
    n_active = np.count_nonzero(active, axis=1)
    share: F64 = np.where(n_active > 0, np.count_nonzero(served, axis=1) / np.maximum(n_active, 1), 1.0)
    return share


def fill_rate(needs: Needs, reach: F64, rule: StockRule) -> F64:
    """Return 1 - E[short] / E[demand] over the interval, shape (r,); 1 where there is no demand."""
    demand = needs.demand.sum(axis=1)
    short = short_units(needs, reach, rule).sum(axis=1)
    share: F64 = 1.0 - np.divide(short, demand, out=np.zeros_like(demand), where=demand > 0)
    return share


def expected_service(
    cells: Cells, options: Options, scenarios: Scenarios, rule: StockRule, units: F64
) -> tuple[F64, F64]:
    """Return expected cycle service and fill rate, each (m,), if each option alone brought ``units`` (m,)."""
    cycle, fill = np.empty(options.n_options), np.empty(options.n_options)
    owed = scenarios.owes(options.cell)
    for rows in option_blocks(scenarios, np.arange(options.n_options), owed):
        here = rule.where(bool(owed[rows[0]]))
        cycle[rows], fill[rows] = _service_of_rows(cells, options.cell[rows], scenarios, rows, here, units)
    return cycle, fill


def _service_of_rows(
    cells: Cells, cell_rows: I64, scenarios: Scenarios, rows: I64, rule: StockRule, units: F64
) -> tuple[F64, F64]:
    needs = path_needs(cells, cell_rows, scenarios, rows, rule)
    reach = needs.base + units[rows, None]
    return cycle_service(needs, reach), fill_rate(needs, reach, rule)
