"""Reads calendar dates."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import numpy.typing as npt

from engine.tables.breach import Rule
from engine.tables.cells import Cells
from engine.tables.parsed import Fault, Mended, Parsed, fault, mended
from engine.tables.repairs import DAY_FIRST, DROP_TIME, MONTH_FIRST, OPEN_END, YEAR_FIRST

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9:.]+)(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?").fullmatch
_LOCAL = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})(?: ([0-9:.]+))?").fullmatch
_YEAR_FIRST = re.compile(
    r"([0-9]{4})(?:[./-]([0-9]{1,2})[./-]([0-9]{1,2})|([0-9]{2})([0-9]{2}))(?: ([0-9:.]+))?"
).fullmatch
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_FAR = np.datetime64(f"{_LAST_YEAR + 1}-01-01", "D")
_EARLY = np.datetime64(f"{_FIRST_YEAR}-01-01", "D")

FINE, BLANK, UNKNOWN, LOCAL, IMPOSSIBLE, FAR = range(6)


def parse_dates(cells: Cells, repairs: frozenset[str]) -> Parsed:
    """Return a column of dates (datetime64[ns], midnight) between 1970 and 2199."""
    if cells.is_text:
        days, state, timed = _from_text(cells, repairs)
    elif cells.values.dtype.kind == "M":
        days, state, timed = _from_typed(cells.values)
    else:
        days = np.full(len(cells.values), np.datetime64("NaT"), "datetime64[D]")
        state, timed = np.full(len(days), UNKNOWN), np.zeros(len(days), bool)
    faults: tuple[Fault, ...] = ()
    mends: tuple[Mended, ...] = ()
    shown = _shown(cells)
    faults += fault(Rule.DATES, "no-date", shown, state == UNKNOWN)
    faults += fault(Rule.DATES, "local-date", shown, state == LOCAL, _local_repairs(shown, state == LOCAL))
    faults += fault(Rule.CALENDAR, "no-such-day", shown, state == IMPOSSIBLE)
    if OPEN_END in repairs:
        mends += mended(OPEN_END, Rule.CALENDAR, cells, state == FAR)
    else:
        faults += fault(Rule.CALENDAR, "far-date", shown, state == FAR, (OPEN_END,))
    bad = state != FINE
    if DROP_TIME in repairs:
        mends += mended(DROP_TIME, Rule.TIME_OF_DAY, cells, timed & ~bad)
    else:
        faults += fault(Rule.TIME_OF_DAY, "time-of-day", shown, timed & ~bad, (DROP_TIME,))
        bad |= timed
    if cells.is_text:
        for name in (DAY_FIRST, MONTH_FIRST, YEAR_FIRST):
            if name in repairs:
                mends += mended(name, Rule.DATES, cells, ~bad & _read_by(shown, name))
    days[bad] = np.datetime64("NaT")
    return Parsed(Cells(cells.codes, days.astype("datetime64[ns]")).without(bad), faults, mends)


def _from_text(
    cells: Cells, repairs: frozenset[str]
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    n = len(cells.values)
    days = np.full(n, np.datetime64("NaT"), "datetime64[D]")
    state, timed = np.full(n, FINE), np.zeros(n, bool)
    for number, value in enumerate(cells.values):
        text = value.strip()
        found = _split(text, repairs)
        if not text:
            state[number] = BLANK
        elif found is None:
            state[number] = LOCAL if _LOCAL(text) or _YEAR_FIRST(text) else UNKNOWN
        else:
            year, month, day, time = found
            timed[number] = time.strip("0:.") != ""
            if year > _LAST_YEAR:
                state[number] = FAR
            elif not _exists(year, month, day):
                state[number] = IMPOSSIBLE
            else:
                days[number] = np.datetime64(f"{year:04}-{month:02}-{day:02}", "D")
    return days, state, timed


def _from_typed(
    values: npt.NDArray[np.datetime64],
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    days = values.astype("datetime64[D]")
    timed = days.astype(values.dtype) != values
    state = np.where(days >= _FAR, FAR, np.where(days < _EARLY, IMPOSSIBLE, FINE))
    return days, state, timed


def _split(text: str, repairs: frozenset[str]) -> tuple[int, int, int, str] | None:
    """Return year, month, day and time of a text, or None if no permitted form fits."""
    if match := _ISO(text):
        year, month, day, time = match.groups("")
    elif (match := _LOCAL(text)) and DAY_FIRST in repairs:
        day, month, year, time = match.groups("")
    elif (match := _LOCAL(text)) and MONTH_FIRST in repairs:
        month, day, year, time = match.groups("")
    elif (match := _YEAR_FIRST(text)) and YEAR_FIRST in repairs:
        year, parted_month, parted_day, joined_month, joined_day, time = match.groups("")
        month, day = parted_month or joined_month, parted_day or joined_day
    else:
        return None
    return int(year), int(month), int(day), time


def _exists(year: int, month: int, day: int) -> bool:
    if year < _FIRST_YEAR:
        return False
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _local_repairs(cells: Cells, marked: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the repairs under which every marked text is a day that exists."""
    repairs = []
    for name in (DAY_FIRST, MONTH_FIRST, YEAR_FIRST):
        found = [_split(text.strip(), frozenset({name})) for text in cells.values[marked]]
        if all(parts is not None and _exists(*parts[:3]) for parts in found):
            repairs.append(name)
    return tuple(repairs)


def _read_by(cells: Cells, name: str) -> npt.NDArray[np.bool_]:
    form = _YEAR_FIRST if name == YEAR_FIRST else _LOCAL
    return np.array([form(value.strip()) is not None for value in cells.values], bool)


def _shown(cells: Cells) -> Cells:
    """Return the cells with values as they are shown in a message."""
    if cells.is_text:
        return cells
    texts = np.empty(len(cells.values), dtype=object)
    if cells.values.dtype.kind == "M":
        texts[:] = [str(value).replace("T", " ")[:19] for value in cells.values]
    else:
        texts[:] = [str(value) for value in cells.values.tolist()]
    return Cells(cells.codes, texts)
