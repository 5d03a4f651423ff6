"""What a plan is worth to its presales, against doing nothing today and against a split by historical share.

All three are read off the same mean course of stock as ``presale_allocations``. The plan counts with the lines that it
plans for later order days, since what can wait until then is not moved today. *Nothing*: no order and no move is made.
*Historical*: purchases are made as planned, and instead of the plan's moves, those of `engine.network.presale_split`,
all of them today.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.network.decision import Decision
from engine.network.presale import Presale
from engine.network.presale_allocation import (
    SHORT,
    TRANSFER,
    Shares,
    ordinary_demand,
    presale_needs,
    promised_days,
    served,
)
from engine.network.presale_later import with_planned
from engine.network.presale_split import historical_moves
from engine.network.types import Network
from engine.plan.tables import empty_table, plan_table
from engine.policy.types import F64


def presale_summary(presale: Presale, network: Network, decision: Decision, planned: pd.DataFrame) -> pd.DataFrame:
    """Return the table ``presale_summary``, one row per presale and item that ships within the horizon.

    ``units`` are the mean units to be shipped; ``share_local`` those of them that ship from the site of their region
    on the first day of shipping (on ``as_of`` where that has passed); ``waiting_days`` the mean days from then to the
    day that is promised; ``move_cost`` what the moved units among them cost on their lanes, each with its part, by
    units, of its trip.
    """
    needs = presale_needs(presale, network)
    if needs.empty:
        return empty_table("presale_summary")
    options, units = network.options, decision.units
    staying = ordinary_demand(decision.later.paths, decision.presales)
    by_history = historical_moves(presale, network, needs, staying, units)
    by_history = np.where(options.origin_cell >= 0, by_history, units)
    bought = planned[planned["kind"] == "purchase"]
    cases = {
        "": (*with_planned(network, units, planned), ordinary_demand(decision.demand.paths, decision.presales)),
        "_nothing": (network, np.zeros(options.n_options), staying),
        "_historical": (*with_planned(network, by_history, bought), _with_sends(network, staying, by_history)),
    }
    key = ["presale_id", "item_id"]
    rows, group = np.unique(needs[key].astype(str).to_numpy(str), axis=0, return_inverse=True)
    total = np.bincount(group.reshape(-1), weights=needs["units"].to_numpy(np.float64))
    columns: dict[str, npt.ArrayLike] = {"presale_id": rows[:, 0], "item_id": rows[:, 1], "units": total}
    for case, (lines, brought, ordinary) in cases.items():
        shares = served(needs, lines, brought, ordinary)
        of = group.reshape(-1)[shares.need]
        local, days = _local_and_days(needs, shares, lines)
        columns[f"share_local{case}"] = np.bincount(of, weights=shares.units * local, minlength=len(rows)) / total
        columns[f"waiting_days{case}"] = np.bincount(of, weights=shares.units * days, minlength=len(rows)) / total
        if case != "_nothing":
            cost = np.bincount(of, weights=_move_cost(shares, lines, brought), minlength=len(rows))
            columns[f"move_cost{case}"] = np.round(cost, 4)
    return plan_table("presale_summary", columns)


def _local_and_days(needs: pd.DataFrame, shares: Shares, network: Network) -> tuple[F64, F64]:
    """Return for every share whether it ships on the first day (1 or 0), and the days that it waits."""
    of = needs.iloc[shares.need].reset_index(drop=True)
    on_time = (shares.kind != SHORT) & (shares.bucket <= of["bucket"].to_numpy(np.int64))
    first = np.maximum(of["ships"].to_numpy().astype("datetime64[D]"), network.calendar.as_of)
    days = (promised_days(of, shares, network) - first).astype(np.int64)
    return on_time.astype(np.float64), days.astype(np.float64)


def _with_sends(network: Network, ordinary: F64, units: F64) -> F64:
    """Return mean demand with the units that lanes take from their givers."""
    options = network.options
    rows = np.flatnonzero((options.origin_cell >= 0) & (units > 0) & (options.send_bucket < network.horizon))
    demand = ordinary.copy()
    np.add.at(demand, (options.origin_cell[rows], options.send_bucket[rows]), units[rows])
    return demand


def _move_cost(shares: Shares, network: Network, units: F64) -> F64:
    """Return what each share cost to move: its lane's cost of a unit, and its part of the trip."""
    options = network.options
    lane = np.flatnonzero((options.lane >= 0) & (units > 0))
    per_unit = np.zeros(options.n_options)
    if len(lane):
        day = options.order_date[lane].astype("datetime64[D]").astype(np.int64)
        _, trip = np.unique(np.column_stack([options.lane[lane], day]), axis=0, return_inverse=True)
        carried = np.bincount(trip.reshape(-1), weights=units[lane])[trip.reshape(-1)]
        cost = network.lanes["trip_cost"].to_numpy(np.float64)[options.lane[lane]]
        per_unit[lane] = options.unit_cost[lane] + cost / carried
    moved = shares.kind == TRANSFER
    return np.where(moved, shares.units * per_unit[np.maximum(shares.option, 0)], 0.0)
