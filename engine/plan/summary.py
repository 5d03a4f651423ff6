"""Per cell, what alerts and labels are read off: demand to come, exposure to shortage, and past sales."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel
from engine.network.decision import Decision
from engine.network.tiers import with_arrivals
from engine.network.types import Network
from engine.plan.exposure import NextArrival, SalesFacts, facts_of_cells, next_arrival, sales_facts, shortage_before
from engine.plan.params import AlertParams
from engine.policy.classes import xyz_classes
from engine.policy.types import F64, I64, Texts


@dataclass(frozen=True)
class CellSummary:
    """What alerts need of each cell, arrays of ``n`` rows; see `engine.plan.alerts.AlertInputs`."""

    mean_demand: F64
    next_arrival: NextArrival
    stock_out_probability: F64
    expected_short: F64
    sales: SalesFacts


def summarise(
    panel: DemandPanel, series: I64, network: Network, decision: Decision, params: AlertParams
) -> CellSummary:
    """Return the summary of the cells; ``series`` is each cell's row in ``panel``, -1 for none."""
    cells, paths = network.cells, decision.demand.paths
    coming = next_arrival(cells.arrivals, network.options, decision.units)
    decided = with_arrivals(cells, network.options, decision.units)
    probability, short = shortage_before(cells.net, decided.arrivals, paths, coming.bucket)
    # By dates alone: a run without sales that takes an item off offer is just what dead stock is read off.
    on_sale = panel.available * panel.offered[:, : panel.calendar.n_history]
    return CellSummary(
        mean_demand=paths.mean(axis=1, dtype=np.float64),
        next_arrival=coming,
        stock_out_probability=probability,
        expected_short=short,
        sales=facts_of_cells(sales_facts(panel.units, on_sale, network.bucket_days, params), series),
    )


def whole_summary(parts: list[CellSummary], rows: list[I64]) -> CellSummary:
    """Return the summary of all cells from those of parts, whose cells lie at the given ``rows``."""
    order = np.argsort(np.concatenate(rows), kind="stable")

    def joined(arrays: list[F64]) -> F64:
        return np.concatenate(arrays)[order]

    sales = SalesFacts(*(joined([getattr(part.sales, f.name) for part in parts]) for f in fields(SalesFacts)))
    return CellSummary(
        mean_demand=joined([part.mean_demand for part in parts]),
        next_arrival=NextArrival(
            *(
                np.concatenate([getattr(part.next_arrival, f.name) for part in parts])[order]
                for f in fields(NextArrival)
            )
        ),
        stock_out_probability=joined([part.stock_out_probability for part in parts]),
        expected_short=joined([part.expected_short for part in parts]),
        sales=sales,
    )


def weekly_classes(panel: DemandPanel) -> Texts:
    """Return the XYZ class of each series, from whole weeks on offer and on sale; days are added up to weeks."""
    offer = on_offer(panel)[:, : panel.calendar.n_history]
    seen = offer & (panel.available >= 1)
    if panel.calendar.bucket == "W":
        return xyz_classes(panel.units.astype(np.float64), seen)
    n_weeks = panel.calendar.n_history // 7
    last = panel.calendar.n_history - 7 * n_weeks
    shape = (panel.n_series, n_weeks, 7)
    units = panel.units[:, last:].reshape(shape).sum(axis=2, dtype=np.float64)
    return xyz_classes(units, np.all(seen[:, last:].reshape(shape), axis=2))
