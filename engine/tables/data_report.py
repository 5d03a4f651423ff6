"""What the data are: rows, spans, series and how much of each column is filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.tables.sheet import Sheet
from engine.tables.timeline import spacing

_DATES = {
    "sales": "date",
    "stock_history": "date",
    "open_orders": "due_date",
    "receipts": "received_on",
    "events": "start_date",
    "promotions": "start_date",
    "prices": "start_date",
    "regressors": "date",
}


@dataclass(frozen=True)
class TableReport:
    """What a table holds.

    ``n_rows`` of ``n_given`` rows were kept; ``first`` and ``last`` are its dates ("" without); ``n_items``,
    ``n_locations`` and ``n_series`` count distinct ids and pairs of them (0 where the table has none);
    ``bucket`` is the spacing of ``sales``; ``filled`` is the share of rows with a value, by column given.
    """

    table: str
    n_given: int
    n_rows: int
    n_quarantined: int
    first: str
    last: str
    bucket: str
    n_items: int
    n_locations: int
    n_series: int
    filled: Mapping[str, float]


def report_of(sheet: Sheet, n_quarantined: int) -> TableReport:
    """Return the report of a checked table."""
    dates = sheet.column(_DATES[sheet.table]) if sheet.table in _DATES else None
    days = np.unique(dates.used()) if dates is not None else np.empty(0, "datetime64[ns]")
    series = [sheet.cells[name] for name in ("item_id", "location_id") if name in sheet.cells]
    pairs = 0
    if len(series) == 2 and len(sheet):
        items, places = series
        paired = items.codes.astype(np.int64) * (len(places.values) + 1) + places.codes
        # Sheets are sorted by key, so for tables keyed by item first the pairs stand together.
        pairs = len(np.unique(paired[np.append(True, np.diff(paired) != 0)]))
    n_rows = len(sheet)
    return TableReport(
        table=sheet.table,
        n_given=sheet.n_given,
        n_rows=n_rows,
        n_quarantined=n_quarantined,
        first=str(np.datetime_as_string(days[0], unit="D")) if len(days) else "",
        last=str(np.datetime_as_string(days[-1], unit="D")) if len(days) else "",
        bucket=spacing(days) if sheet.table == "sales" and len(days) else "",
        n_items=_n_distinct(sheet, "item_id"),
        n_locations=_n_distinct(sheet, "location_id"),
        n_series=pairs,
        filled={name: float(1 - column.null.mean()) if n_rows else 0.0 for name, column in sheet.cells.items()},
    )


def _n_distinct(sheet: Sheet, name: str) -> int:
    return len(sheet.cells[name].used()) if name in sheet.cells else 0
