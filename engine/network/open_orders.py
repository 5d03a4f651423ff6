"""Open orders of the network as arrays: the lines that can still be changed, and where each of them lands."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from engine.messages import Message
from engine.network.terms import number
from engine.network.types import Network
from engine.policy.types import F64, I64, Days, Texts
from engine.tables import Tables


@dataclass(frozen=True)
class OpenLines:
    """Purchases that are on order and not shipped yet, arrays of one length.

    Parameters
    ----------
    source_id
        "" where not given.
    cell
        Receiving cell.
    option
        Today's purchase link from the same source (the cell's primary one where no source is given), -1 for none.
    units
        Still to come.
    due
        Day on which the line is due.
    bucket
        First bucket that it serves.
    """

    order_id: Texts
    line_no: Texts
    source_id: Texts
    cell: I64
    option: I64
    units: F64
    due: Days
    bucket: I64

    @property
    def n_lines(self) -> int:
        return len(self.cell)

    def rows(self, rows: I64) -> OpenLines:
        """Return some lines, in the given order."""
        chosen: dict[str, Any] = {f.name: getattr(self, f.name)[rows] for f in fields(self)}
        return OpenLines(**chosen)

    def take(self, cell_rows: I64, option_rows: I64) -> OpenLines:
        """Return the lines of some cells, with cells and options numbered as in the given rows."""
        cell = pd.Index(cell_rows).get_indexer(pd.Index(self.cell))
        option = pd.Index(option_rows).get_indexer(pd.Index(self.option))
        inside = np.flatnonzero(cell >= 0)
        return replace(self, cell=cell.astype(np.int64), option=option.astype(np.int64)).rows(inside)


def open_lines(tables: Tables, network: Network) -> tuple[OpenLines, tuple[Message, ...]]:
    """Return the open order lines that can still be changed, sorted by order and line, and what is left aside.

    A shipped line is past changing, as is one whose goods stand at the door, an overdue one is past its day, and a
    draft is not inbound: the plan orders what it needs. Transfers are decided anew as long as they have not left, so
    those on order are not judged, and that is told.
    """
    as_of = network.calendar.as_of
    orders = tables.known_on(as_of)["open_orders"]
    orders = orders[(orders["status"] == "firm") & (orders["units"] > 0) & (orders["due_date"] >= pd.Timestamp(as_of))]
    orders = orders[~(orders["arrived_on"] <= pd.Timestamp(as_of))]
    moved = orders["kind"] == "transfer"
    notes = (Message("open-transfers-not-judged", {"count": int(moved.sum())}),) if moved.any() else ()
    orders = orders[~moved].sort_values(["order_id", "line_no"], kind="stable")
    cell = network.rows_of((orders["item_id"].to_numpy(object), orders["location_id"].to_numpy(object)))
    due = orders["due_date"].to_numpy().astype("datetime64[D]")
    source = orders["source_id"].fillna("").to_numpy(object)
    lines = OpenLines(
        order_id=orders["order_id"].to_numpy(object),
        line_no=orders["line_no"].to_numpy(object),
        source_id=source,
        cell=cell,
        option=_options(network, cell, source),
        units=number(orders, "units"),
        due=due,
        bucket=network.calendar.arrival_bucket(due),
    )
    return lines.rows(np.flatnonzero(cell >= 0)), notes


def _options(network: Network, cell: I64, source: Texts) -> I64:
    options = network.options
    bought = np.flatnonzero(options.origin_cell < 0)
    index = pd.MultiIndex.from_arrays([options.cell[bought], options.source_id[bought]])
    found = index.get_indexer(pd.MultiIndex.from_arrays([cell, source]))
    option = np.where(found >= 0, bought[found] if len(bought) else -1, -1)
    primary = network.primary_of[cell]
    usual = (source == "") & (primary >= 0)
    usual[usual] = options.origin_cell[primary[usual]] < 0
    return np.where(usual, primary, option).astype(np.int64)
