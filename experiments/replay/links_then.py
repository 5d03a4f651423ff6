"""The links of every day of a walk, as a plan of that day would have them: made once, for all rules that ask."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from engine.config import PlanConfig
from engine.network.build import build_network
from engine.network.types import Network
from engine.policy.lots import lots
from engine.policy.types import F64, I64, Days
from experiments.replay.view import NOT_YET, OrderLines, View
from experiments.replay.world import World


@dataclass(frozen=True)
class Links:
    """The usual link of each cell on a day; arrays of one row a link, units 0 days behind as in `Options`.

    Parameters
    ----------
    network
        Links, lots and costs as known that day; it holds no stock.
    rows
        The world's cell of each of its cells.
    primary
        Rows of the usual links in its options.
    """

    network: Network
    rows: I64
    primary: I64

    @property
    def cell(self) -> I64:
        """The world's cell that each usual link supplies."""
        return self.rows[self.network.options.cell[self.primary]]


@dataclass(frozen=True)
class LinkBook:
    """Links by day; what it holds depends on the day alone, so walks of one world may share it."""

    world: World
    config: PlanConfig
    _by_day: dict[int, Links] = field(default_factory=dict)

    def at(self, view: View) -> Links:
        """Return the links of a view's day for the cells known then; receipts before the replay teach lead times."""
        if view.today not in self._by_day:
            self._by_day[view.today] = self._links(view)
        return self._by_day[view.today]

    def _links(self, view: View) -> Links:
        cells, known = self.world.network.cells, np.flatnonzero(view.known)
        tables = replace(view.tables, frames={**view.tables.frames, "receipts": view.receipts})
        # Rules need no prices, and the service objectives ask for none.
        config = replace(self.config, targets=replace(self.config.targets, objective="cycle_service"))
        keys = (cells.item_id[known], cells.location_id[known])
        network = build_network(tables, config, view.calendar, keys, cells.abc[known])
        rows = self.world.rows_of(network.cells.item_id, network.cells.location_id)
        return Links(network, rows, np.flatnonzero(network.options.primary))


def lines_over(world: World, view: View, links: Links, wanted: F64, name: str) -> OrderLines:
    """Return lines of the units wanted over the usual links that may be ordered before the next step, in whole lots."""
    network = links.network
    chosen = network.options.take(links.primary)
    allowed = lots(chosen.min_units, chosen.multiple, chosen.max_units, network.cells.step[chosen.cell])
    units = allowed.at_least(wanted)
    now = np.flatnonzero((units > 0) & (world.bucket_of(chosen.order_date) < view.until))
    kept = chosen.take(now)
    return OrderLines(
        line_id=np.array([f"{name}-{view.calendar.as_of}-{number}" for number in range(len(now))], object),
        cell=links.rows[kept.cell],
        origin=np.where(kept.origin_cell >= 0, links.rows[kept.origin_cell], -1),
        source_id=kept.source_id,
        units=units[now],
        unit_cost=kept.unit_cost,
        order_date=kept.order_date,
        available_date=kept.available_date,
        received_on=no_days(len(now)),
        promise=np.full(len(now), np.nan),
    )


def no_days(n: int) -> Days:
    """Return so many days that are not known."""
    return np.full(n, NOT_YET)
