"""What each presale ships from: stock, inbound units, and today's orders and transfers.

Read off the mean course of each cell from ``as_of`` on: receipts first, then what is owed from before, then presales
by date (they come before all other demand of their day), then the mean of ordinary demand, what is sent to other
sites included. Ordinary demand that finds nothing is not carried on; a presale is, and takes from what
arrives next. Units are taken from stock first, then from inbound, transfers and orders, each by arrival. Nothing is
moved here: every move is a line of ``orders`` or ``transfers``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.network.decision import Decision
from engine.network.presale import Presale
from engine.network.presale_paths import PresalePaths
from engine.network.types import Network
from engine.plan.lines import option_line_ids
from engine.plan.reasons import json_rows
from engine.plan.tables import empty_table, plan_table
from engine.policy.types import F32, F64, I64, Days, Texts

STOCK, INBOUND, TRANSFER, ORDER, SHORT = "stock", "inbound", "transfer", "order", "short"
SUPPLY_KINDS = (STOCK, INBOUND, TRANSFER, ORDER, SHORT)
"""Where units come from, in the order in which they are taken; of ``short`` ones there are none yet."""

AFTER_SHIP_BY, NOT_COVERED_YET, NOT_IN_TIME = "presale-after-ship-by", "presale-not-covered-yet", "presale-short"
REASON_CODES = (*(f"presale-from-{kind}" for kind in SUPPLY_KINDS[:-1]), AFTER_SHIP_BY, NOT_COVERED_YET, NOT_IN_TIME)
"""From where units ship in time; from anywhere, but too late; what a later order may bring in time; what none does."""

_NOISE = 1e-6


@dataclass(frozen=True)
class _Pools:
    """Units that a cell has or gets, in the order in which they are taken; arrays of one length.

    ``bucket`` is the first that they serve, ``option`` the line that brings them, -1 for stock and inbound.
    """

    kind: Texts
    option: I64
    bucket: I64
    units: F64


@dataclass(frozen=True)
class Shares:
    """Units of needs (by row) from where, and in which bucket; arrays of one length."""

    need: I64
    kind: Texts
    option: I64
    bucket: I64
    units: F64


_Taken = tuple[int, str, int, int, float]
"""Fields of one row of `Shares`."""


def presale_allocations(presale: Presale, network: Network, decision: Decision, scope: str) -> pd.DataFrame:
    """Return the table ``presale_allocations``: from what each presale's units ship, and when.

    Placed are the mean units to be shipped by presale, item, region and site, rounded up to whole units. What ships
    within the horizon is placed; later presales are listed by `engine.network.presale.presale_demand`.
    ``promised_date`` is the first day of shipping, or the arrival of the units where that is later; of
    units that nothing brings yet it is the arrival of the next order; without a link the day after the horizon.

    Parameters
    ----------
    presale
        Demand of the network's cells.
    network
        Cells and options.
    decision
        Today's decision on them.
    scope
        Scope of line ids, as in ``orders`` and ``transfers``.
    """
    needs = presale_needs(presale, network)
    if needs.empty:
        return empty_table("presale_allocations")
    ordinary = ordinary_demand(decision.demand.paths, decision.presales)
    return _table(needs, served(needs, network, decision.units, ordinary), network, scope)


def served(needs: pd.DataFrame, network: Network, units: F64, ordinary: F64) -> Shares:
    """Return what presales ship from.

    Parameters
    ----------
    needs
        As from `presale_needs`, at least one.
    network
        Cells and options.
    units
        Units of every option, shape (m,).
    ordinary
        Mean demand of all cells other than presales, units sent included, shape (n, horizon).
    """
    cell = needs["cell"].to_numpy(np.int64)
    taken: list[_Taken] = []
    for number in np.unique(cell).tolist():
        course = ordinary[number], float(network.cells.backorders[number]), float(network.cells.step[number])
        taken += _serve(_pools(number, network, units), needs[cell == number], course)
    need, kind, option, bucket, share = zip(*taken, strict=True)
    return Shares(np.array(need), np.array(kind, object), np.array(option), np.array(bucket), np.array(share))


def ordinary_demand(paths: F32, presales: PresalePaths) -> F64:
    """Return the mean of demand paths other than presales, shape (n, horizon)."""
    mean = paths.mean(axis=1, dtype=np.float64)
    mean[presales.cell] -= presales.mean
    return np.asarray(np.maximum(mean, 0.0))


def presale_needs(presale: Presale, network: Network) -> pd.DataFrame:
    """Return one row per presale, item, region and site, in that order, with the units to be placed."""
    rows = presale.rows.assign(
        committed=presale.committed,
        expected_cancellations=presale.expected_cancellations,
        still_to_come=presale.still_to_come,
        expected=presale.expected,
    )
    rows = rows[rows["bucket"] < network.horizon]
    key = ["presale_id", "item_id", "region", "location_id"]
    sums = ["committed", "expected_cancellations", "still_to_come", "expected"]
    firsts = ["cell", "bucket", "ships", "ships_by"]
    kinds: dict[str, str] = {**dict.fromkeys(sums, "sum"), **dict.fromkeys(firsts, "first")}
    needs = rows.groupby(key, sort=True).agg(kinds).reset_index()
    step = network.cells.step[needs["cell"].to_numpy(np.int64)]
    units = np.ceil(needs["expected"].to_numpy(np.float64) / step - _NOISE) * step
    needs = needs.assign(units=units)
    return needs[needs["units"] > 0].sort_values(["bucket", *key], kind="stable", ignore_index=True)


def _pools(cell: int, network: Network, decided: F64) -> _Pools:
    cells, options = network.cells, network.options
    due = np.flatnonzero(cells.arrivals[cell] > 0)
    lines = np.flatnonzero((options.cell == cell) & (decided > 0))
    kind = np.where(options.origin_cell[lines] >= 0, TRANSFER, ORDER).astype(object)
    # Options of a cell are sorted by arrival; transfers go before orders.
    first = np.argsort(kind != TRANSFER, kind="stable")
    lines, kind = lines[first], kind[first]
    return _Pools(
        kind=np.concatenate([np.array([STOCK, *[INBOUND] * len(due)], dtype=object), kind]),
        option=np.concatenate([np.full(1 + len(due), -1), lines]),
        bucket=np.concatenate([[0], due, options.arrival[lines]]),
        units=np.concatenate([cells.available[[cell]], cells.arrivals[cell, due], decided[lines]]),
    )


def _serve(pools: _Pools, needs: pd.DataFrame, course: tuple[F64, float, float]) -> list[_Taken]:
    """Return who gets what; ``course`` is ordinary demand by bucket, units owed from before, and the step of units."""
    ordinary, owed, step = course
    left, wanted = pools.units.copy(), needs["units"].to_numpy(np.float64).copy()
    due, row = needs["bucket"].to_numpy(np.int64), needs.index.to_numpy(np.int64).tolist()
    taken: list[_Taken] = []
    for bucket, demand in enumerate(ordinary.tolist()):
        here = np.flatnonzero((pools.bucket <= bucket) & (left > 0))
        owed -= _take(left, here, owed)
        for place in np.flatnonzero((due <= bucket) & (wanted > 0)).tolist():
            for pool in here.tolist():
                units = math.floor(min(wanted[place], left[pool]) / step + _NOISE) * step
                if units > 0:
                    wanted[place] -= units
                    left[pool] = max(0.0, left[pool] - units)
                    taken.append((row[place], pools.kind[pool], int(pools.option[pool]), bucket, units))
        _take(left, here, demand)
    short = np.flatnonzero(wanted > _NOISE * step).tolist()
    return taken + [(row[place], SHORT, -1, int(due[place]), float(wanted[place])) for place in short]


def _take(left: F64, pools: I64, units: float) -> float:
    """Take units out of ``left``, pool by pool, and return how many there were."""
    taken = 0.0
    for pool in pools.tolist():
        part = min(float(left[pool]), units - taken)
        left[pool] -= part
        taken += part
    return taken


def _table(needs: pd.DataFrame, shares: Shares, network: Network, scope: str) -> pd.DataFrame:
    of = needs.iloc[shares.need].reset_index(drop=True)
    units = np.round(shares.units, 6)
    used = np.unique(shares.option[shares.option >= 0])
    ids = dict(zip(used.tolist(), option_line_ids(scope, network.cells, network.options, used), strict=True))
    missing = shares.kind == SHORT
    short = np.bincount(shares.need, weights=np.where(missing, units, 0.0), minlength=len(needs))[shares.need]
    promised, last = promised_days(of, shares, network), of["ships_by"].to_numpy().astype("datetime64[D]")
    late = promised > last
    code = np.where(late, AFTER_SHIP_BY, "presale-from-" + shares.kind)
    code = np.where(missing, np.where(late, NOT_IN_TIME, NOT_COVERED_YET), code)
    values = {
        **{name: of[name].to_numpy(np.float64) for name in ("committed", "expected_cancellations", "still_to_come")},
        "needed": of["units"].to_numpy(np.float64),
        "short": short,
        "units": units,
        "supply": shares.kind,
        "ships": of["ships"].to_numpy().astype("datetime64[D]"),
        "ships_by": last,
        "promised": promised,
    }
    key = ["presale_id", "item_id", "region", "location_id"]
    table = plan_table(
        "presale_allocations",
        {
            **{name: of[name].to_numpy(object) for name in key},
            "units": units,
            "supply_kind": shares.kind,
            "line_id": np.array([ids.get(number, "") for number in shares.option.tolist()], dtype=object),
            "promised_date": promised,
            "reason_code": code.astype(object),
            "reason_values": json_rows(values),
        },
    )
    return table.sort_values(key, kind="stable", ignore_index=True)


def promised_days(of: pd.DataFrame, shares: Shares, network: Network) -> Days:
    """Return the day on which each share ships; ``of`` is the need of each."""
    calendar, options = network.calendar, network.options
    starts = calendar.edges[calendar.n_history :]
    arrives = starts[shares.bucket]
    by_line = shares.option >= 0
    arrives[by_line] = options.available_date[shares.option[by_line]].astype("datetime64[D]")
    short = shares.kind == SHORT
    arrives[short] = _next_arrival(network)[of["cell"].to_numpy(np.int64)[short]]
    ships = np.maximum(of["ships"].to_numpy().astype("datetime64[D]"), calendar.as_of)
    return np.asarray(np.maximum(ships, arrives))


def _next_arrival(network: Network) -> Days:
    """Return the day on which the next order after today's arrives, by cell; without a link the horizon's end.

    It is the primary link's; that of another link, whose giver may have nothing to give, only where there is none.
    """
    options = network.options
    links = pd.DataFrame({"cell": options.cell, "primary": options.primary, "date": options.next_available_date})
    first = links.dropna().sort_values(["primary", "date"], ascending=[False, True], kind="stable")
    dates = first.drop_duplicates("cell").set_index("cell")["date"].reindex(np.arange(network.cells.n_cells))
    days = dates.to_numpy().astype("datetime64[D]")
    return np.where(np.isnat(days), network.calendar.edges[-1], days)
