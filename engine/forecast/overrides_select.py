"""Which forecast overrides hold on the day of planning, and the series and days that each speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Calendar, Dates
from engine.demand.keys import SeriesKeys
from engine.demand.panel import DemandPanel
from engine.demand.spans import ANY, dates_of, scope_of
from engine.messages import Message, Value
from engine.tables.tables import Tables

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

ALL, GROUP, ITEM, ITEM_AT_LOCATION = range(4)
LEVELS = (ALL, GROUP, ITEM, ITEM_AT_LOCATION)
"""From coarse to fine. A group is a category, a region or a location; an item may be narrowed to a region."""

_SCOPE = ("item_id", "category", "location_id", "region")
_TOLD = ("override_id", "author", "reason", "operation", "value", *_SCOPE)


@dataclass(frozen=True)
class Changes:
    """``n`` overrides that hold, from coarse to fine; on a level the one that wins an overlap comes last.

    Parameters
    ----------
    told
        What a message tells of each: override_id, author, reason, operation, value and what it names, None where not
        given. An item counts before a category and a location before a region, so only what counts is told.
    level
        One of `LEVELS`, shape (n,).
    value
        Factor of a ``multiply``; else the units meant for the days inside the forecast, shape (n,).
    first_day, last_day
        Days inside the forecast, both included, shape (n,).
    inside
        Share of the override's own days inside the forecast, shape (n,); 1 where an end is open.
    series
        Rows of the panel that each covers, ascending, never empty.
    """

    told: tuple[Mapping[str, Value], ...]
    level: Ints
    value: Doubles
    first_day: Dates
    last_day: Dates
    inside: Doubles
    series: tuple[Ints, ...]


def holding_overrides(tables: Tables, panel: DemandPanel) -> tuple[Changes, tuple[Message, ...]]:
    """Return the forecast overrides that hold for a panel's future, and a note on each that does not.

    One holds if it was known on ``as_of`` (`Tables.known_on`), has not expired by then, has a day inside the
    forecast and covers a series. ``created_at`` ranks rows and hides none. A ``set`` or ``add`` needs both of its
    days, since its value is a total over them; a value must be finite and, but for ``add``, not negative.
    """
    calendar = panel.calendar
    rows = tables.known_on(calendar.as_of)["overrides"]
    rows = rows[rows["kind"] == "forecast"]
    rows, notes = _current(rows, calendar)
    rows, refused = _valid(rows)
    rows = _ranked(rows)
    scope = scope_of(SeriesKeys(panel.item_id, panel.location_id), panel.static)
    row, series = scope.matches(rows)
    n_covered = np.bincount(row, minlength=len(rows))
    covering = n_covered > 0
    notes += refused
    notes += [Message("override-without-series", {"override_id": name}) for name in rows["override_id"][~covering]]
    ordered = series[np.lexsort((series, row))]
    covered = np.split(ordered, np.cumsum(n_covered)[:-1]) if len(rows) else []
    rows = rows[covering]
    first_day, last_day, inside = _days(rows, calendar)
    value = rows["value"].to_numpy(np.float64)
    changes = Changes(
        told=_records(rows, *_TOLD),
        level=rows["level"].to_numpy(np.int64),
        value=np.where(rows["operation"] == "multiply", value, value * inside),
        first_day=first_day,
        last_day=last_day,
        inside=inside,
        series=tuple(part for part in covered if len(part)),
    )
    return changes, tuple(notes)


def _current(rows: pd.DataFrame, calendar: Calendar) -> tuple[pd.DataFrame, list[Message]]:
    """Leave out what has expired and what has no day inside the forecast; both are counted."""
    first, after = (pd.Timestamp(day) for day in (calendar.as_of, calendar.edges[-1]))
    expired = rows["expires_on"] <= first
    outside = ~expired & ((rows["end_date"] < first) | (rows["start_date"] >= after))
    notes = _counted("override-expired", rows[expired]) + _counted("override-outside-forecast", rows[outside])
    return rows[~expired & ~outside], notes


def _counted(code: str, rows: pd.DataFrame) -> list[Message]:
    return [Message(code, {"count": len(rows), "first": str(rows["override_id"].iloc[0])})] if len(rows) else []


def _valid(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[Message]]:
    """Leave out, and name, what cannot be applied."""
    value = rows["value"].to_numpy(np.float64)
    multiplies, adds = (rows["operation"] == name for name in ("multiply", "add"))
    refused = ~np.isfinite(value) | ((value < 0) & ~adds)
    undated = ~multiplies & (rows["start_date"].isna() | rows["end_date"].isna())
    notes = _named("override-value-refused", rows[refused])
    notes += _named("override-without-dates", rows[undated & ~refused])
    return rows[~refused & ~undated], notes


def _named(code: str, rows: pd.DataFrame) -> list[Message]:
    # Text, since a message cannot hold a number that is not finite.
    values = rows.assign(value=rows["value"].map("{:g}".format))
    return [Message(code, row) for row in _records(values, "override_id", "operation", "value")]


def _ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with their level, sorted by it, then from the earliest to the latest made."""
    named = {name: rows[name].mask(rows[name].eq(ANY).fillna(False)) for name in _SCOPE}
    item, location = named["item_id"].notna(), named["location_id"].notna()
    named["category"] = named["category"].mask(item)
    named["region"] = named["region"].mask(location)
    group = named["category"].notna() | location | named["region"].notna()
    level = np.select([item & location, item, group], [ITEM_AT_LOCATION, ITEM, GROUP], ALL)
    ranked = rows.assign(**named, level=level)
    return ranked.sort_values(["level", "created_at", "override_id"], na_position="first", ignore_index=True)


def _records(rows: pd.DataFrame, *columns: str) -> tuple[dict[str, Value], ...]:
    given = rows[list(columns)].to_dict("records")
    return tuple({str(name): None if pd.isna(value) else value for name, value in row.items()} for row in given)


def _days(rows: pd.DataFrame, calendar: Calendar) -> tuple[Dates, Dates, Doubles]:
    """Return the first and the last day of each row inside the forecast, and the share of its days that these are."""
    start, end = dates_of(rows, "start_date"), dates_of(rows, "end_date")
    last_of_all = calendar.edges[-1] - 1
    first = np.where(np.isnat(start), calendar.as_of, np.maximum(start, calendar.as_of))
    last = np.where(np.isnat(end), last_of_all, np.minimum(end, last_of_all))
    dated = ~np.isnat(start) & ~np.isnat(end)
    n_own = np.where(dated, (end - start).astype(np.float64) + 1, 1)
    n_inside = np.where(dated, (last - first).astype(np.float64) + 1, 1)
    return first, last, n_inside / n_own
