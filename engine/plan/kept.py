"""What keeping lines as an older plan meant them moved, in money and service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from engine.messages import Message
from engine.network.decision import Decision
from engine.network.expected import SampleCost, cost_changes
from engine.network.tiers import with_arrivals
from engine.network.types import Network
from engine.policy.cost import own_horizon
from engine.policy.service import expected_service
from engine.policy.types import StockRule


@dataclass(frozen=True)
class Kept:
    """Lines of today that were kept, those among them that are kept at nothing, and what that moved in sum.

    Parameters
    ----------
    lines, left_out
        Lines kept, and those of them that the older plan did not mean to order.
    cost
        Expected cost as kept less that of the fresh answer, each line taken alone, trips and order costs apart; money.
    service
        Sum over the lines of the share that their cell reaches as kept less as found afresh.
    """

    lines: int = 0
    left_out: int = 0
    cost: float = 0.0
    service: float = 0.0


NOTHING_KEPT = Kept()


def kept_today(network: Network, decision: Decision, rule: StockRule) -> Kept:
    """Return what was kept of a decision; each cell counts until its next order arrives, as in the plan's costs."""
    if decision.fresh is None:
        return NOTHING_KEPT
    cells, options = network.cells, network.options
    rows = np.flatnonzero(decision.fresh != decision.units)
    if not len(rows):
        return NOTHING_KEPT
    change = decision.fresh[rows] - decision.units[rows]
    everything = np.arange(options.n_options)
    horizon = own_horizon(cells, options, decision.later, rule)
    cost = SampleCost(cells, options, decision.later, horizon, rule, everything)
    demand = decision.for_targets(options)
    part = replace(demand, arrival=demand.arrival[rows], next_arrival=demand.next_arrival[rows])
    helped = with_arrivals(cells, options, np.where(options.primary, 0.0, decision.units))
    measure = 1 if rule.objective == "fill_rate" else 0
    as_kept, afresh = (
        expected_service(helped, options.take(rows), part, rule, units)[measure]
        for units in (decision.units[rows], decision.fresh[rows])
    )
    return Kept(
        lines=len(rows),
        left_out=int(np.count_nonzero(decision.units[rows] == 0)),
        cost=-float(cost_changes(cost, decision.units, rows, change).sum()),
        service=float((as_kept - afresh).sum()),
    )


def kept_notes(parts: Iterable[Kept]) -> list[Message]:
    """Return what is told of all lines of today that were kept."""
    kept = list(parts)
    lines = sum(one.lines for one in kept)
    if not lines:
        return []
    values = {
        "count": lines,
        "left_out": sum(one.left_out for one in kept),
        "cost": round(sum(one.cost for one in kept), 2),
        "points": round(100.0 * sum(one.service for one in kept) / lines, 2),
    }
    return [Message("lines-kept", values)]
