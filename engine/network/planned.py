"""What follows today's decision: planned lines on later order days.

They follow the policy of `engine.network.follow` beyond today along mean demand, one forecast of orders. Cells that
feed each other are followed together (`engine.network.feeding`): a planned transfer is what its giver can send on that
day, as far as trips carry it, so the lines are what the plan of that day decides where all goes as foreseen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.network.ahead import arriving_today, families, feeders, joined_by_trips, look_ahead, walk_of
from engine.network.decision import Decision
from engine.network.feeding import blocks
from engine.network.follow import follow
from engine.network.steady import Steady
from engine.network.types import Network
from engine.plan.lines import LineKeys, line_ids
from engine.plan.tables import plan_table
from engine.policy.types import F64, I64, Days, StockRule, Targets


@dataclass(frozen=True)
class _Planned:
    """Planned orders of options, arrays of one length."""

    option: I64
    units: F64
    order_date: Days
    available_date: Days


def planned_lines(
    scope: str,
    network: Network,
    decision: Decision,
    targets: Targets,
    rule: StockRule,
    steady: Steady | None = None,
) -> pd.DataFrame:
    """Return the table ``planned``, sorted by item, location, order date and source.

    Lists what primary links are expected to order on their order days after today's and within the horizon, also
    where it lands behind it; what lands behind a further horizon, after a long closure, is left out.

    Parameters
    ----------
    scope
        What line ids are hashed with, as for the lines of today.
    network, decision
        Stock, links, and what is decided on them today.
    targets
        Levels of all primary options.
    rule
        What becomes of unmet demand.
    steady
        What holds lines to an older plan.
    """
    planned = _planned(network, decision, targets, rule, steady)
    cells, options = network.cells, network.options
    cell = options.cell[planned.option]
    kind = np.where(options.origin_cell[planned.option] < 0, "purchase", "transfer").astype(object)
    item, source, location = cells.item_id[cell], options.source_id[planned.option], cells.location_id[cell]
    return plan_table(
        "planned",
        {
            "line_id": line_ids(scope, LineKeys(item, source, location, kind, planned.order_date)),
            "kind": kind,
            "item_id": item,
            "source_id": source,
            "location_id": location,
            "units": planned.units,
            "order_date": planned.order_date,
            "available_date": planned.available_date,
        },
    )


def _planned(
    network: Network, decision: Decision, targets: Targets, rule: StockRule, steady: Steady | None
) -> _Planned:
    walked = np.union1d(network.options.cell[targets.option], np.flatnonzero(feeders(network)))
    ahead = look_ahead(network, decision, walked)
    arriving = ahead.network.cells.arrivals + arriving_today(ahead.network.cells, network, decision)
    option, day, arrival_day = ([np.zeros(0, dtype=np.int64)] for _ in range(3))
    units: list[F64] = [np.zeros(0)]
    family = joined_by_trips(network, families(network))
    for rows in blocks(family[walked], ahead.network.horizon + 1):
        later, feeding = walk_of(ahead.network, targets, walked[rows], ahead.mean)
        path = ahead.leaving(later.cell)[:, None].astype(np.float32)
        held = None if steady is None else steady.later(later.option, later.day)
        ordered = follow(ahead.network, later, path, arriving[later.cell], rule, held, feeding).ordered[:, 0]
        row, step = np.nonzero((ordered > 0) & (later.bucket < network.horizon))
        option.append(later.option[row])
        units.append(ordered[row, step])
        day.append(later.day[row, step])
        arrival_day.append(later.arrival_day[row, step])
    found = [np.concatenate(column) for column in (option, day, arrival_day)]
    # Options are sorted by their cell's key, so lines come in the order of the table.
    order = np.lexsort((found[1], found[0]))
    as_of = network.calendar.as_of
    return _Planned(
        option=found[0][order],
        units=np.concatenate(units)[order],
        order_date=as_of + found[1][order],
        available_date=as_of + found[2][order],
    )
