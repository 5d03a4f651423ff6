"""When goods come: by the links of the replay's world, whatever a policy expects of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.network.build import build_network
from engine.network.dates import LinkDays, Links, link_days
from engine.network.types import Network
from engine.policy.types import F64, I64, Days, Texts
from engine.tables import Tables

_REACH_DAYS = 366
"""Days for which one set of day tables is read; they reach a lead time and a year further (`engine.network.dates`)."""


@dataclass(frozen=True)
class Ways:
    """Links from a day on, one row a link.

    Parameters
    ----------
    keys
        Source and cell of each link.
    days
        Lead times, and the days on which goods leave and come in: all closures count, told or not.
    sd_days
        Standard deviation of the lead time, shape (n_links,).
    """

    keys: pd.MultiIndex
    days: LinkDays
    sd_days: F64

    def rows_of(self, source_id: Texts, cell: I64) -> I64:
        """Return the row of each link, -1 where there is none."""
        return self.keys.get_indexer(pd.MultiIndex.from_arrays([source_id, cell])).astype(np.int64)

    def come_on(self, rows: I64, order_date: Days) -> Days:
        """Return the days on which goods ordered over links come, if they are on time."""
        own = self.days
        own = replace(own, **{name: getattr(own, name)[rows] for name in _BY_LINK})
        dates: Days = own.as_of + own.arrival_day((order_date - own.as_of).astype(np.int64))
        return dates


_BY_LINK = ("order_row", "ship_row", "receive_row", "lead_days", "review_days")


def ways_of(
    network: Network, tables: Tables, receipts: pd.DataFrame, closures: pd.DataFrame, config: PlanConfig,
    end: np.datetime64,
) -> tuple[Ways, ...]:  # fmt: skip
    """Return the ways of a world from each day on which they change, in the order of the days.

    Parameters
    ----------
    network
        The links as known on the first day, the calendar's ``as_of``.
    tables
        What policies are told of.
    receipts
        Those before the first day teach lead times, as they teach policies.
    closures
        All of them, announced or not.
    config, end
        Settings of the world, and the day after its last.
    """
    first, places = network.calendar.as_of, network.cells
    keys = (places.item_id[network.demanded], places.location_id[network.demanded])
    abc = places.abc[network.demanded]
    early = receipts[receipts["received_on"] < pd.Timestamp(first)]
    # The service objectives ask for no prices.
    config = replace(config, targets=replace(config.targets, objective="cycle_service"))
    found = []
    for day in _days_of_change(tables["supply"], first, end):
        then = network
        if day > first:
            known = tables.known_on(day)
            known = replace(known, frames={**known.frames, "receipts": early})
            then = build_network(known, config, Calendar("D", day, 0, 0), keys, abc)
        found.append(_ways(then, network, closures))
    return tuple(found)


def on_time(ways: Sequence[Ways], source_id: Texts, cell: I64, order_date: Days) -> tuple[Days, F64]:
    """Return when each order comes if it is on time, and the deviation of its lead time, each of shape (n_lines,).

    The day is NaT for an order before the first day or over a link that the world does not have.
    """
    starts = np.array([one.days.as_of for one in ways])
    number = np.searchsorted(starts, order_date, side="right") - 1
    comes, sd_days = np.full(len(cell), np.datetime64("NaT", "D")), np.zeros(len(cell))
    for k in np.unique(np.maximum(number, 0)):
        lines = np.flatnonzero(np.maximum(number, 0) == k)
        rows = ways[k].rows_of(source_id[lines], cell[lines])
        lines, rows = lines[rows >= 0], rows[rows >= 0]
        sd_days[lines] = ways[k].sd_days[rows]
        lines, rows = lines[number[lines] >= 0], rows[number[lines] >= 0]
        comes[lines] = ways[k].come_on(rows, order_date[lines])
    return comes, sd_days


def usual_days(network: Network, source_id: Texts, cell: I64) -> I64:
    """Return the mean lead time of links, in days.

    Of a link that the network does not have it is that of the cell's usual one; where the cell has none either it is 0,
    since nobody could say when such goods come.
    """
    options = network.options
    keys = pd.MultiIndex.from_arrays([options.source_id, options.cell])
    rows = keys.get_indexer(pd.MultiIndex.from_arrays([source_id, cell]))
    rows = np.where(rows >= 0, rows, network.primary_of[cell])
    days = np.append(network.days.lead_days, 0)
    return days[rows]


def _days_of_change(supply: pd.DataFrame, first: np.datetime64, end: np.datetime64) -> Days:
    """Return the first day, and later ones on which a row of supply begins or becomes known; one a year at least."""
    told = [supply[name].dropna().to_numpy().astype("datetime64[D]") for name in ("valid_from", "known_from")]
    yearly = np.arange(first, np.maximum(end, first + 1), _REACH_DAYS)
    days = np.unique(np.concatenate([yearly, *told]))
    found: Days = days[(days >= first) & ((days < end) | (days == first))]
    return found


def _ways(then: Network, world: Network, closures: pd.DataFrame) -> Ways:
    """Return the ways of a network of a day, by the cells of the world's own."""
    options, cells = then.options, then.cells
    rows = world.rows_of((cells.item_id, cells.location_id))
    links = Links(
        origin_id=options.source_id,
        dest_id=cells.location_id[options.cell],
        lead_time_days=then.days.lead_days.astype(np.float64),
        review_period_days=then.days.review_days,
        order_weekdays=np.full(options.n_options, "", object),
        is_lane=options.origin_cell >= 0,
    )
    keys = pd.MultiIndex.from_arrays([options.source_id, rows[options.cell]])
    return Ways(keys, link_days(links, then.calendar.as_of, closures), options.lead_time_sd_days)
