"""Which buckets the sales cover: their length, the complete ones, and the day of the plan."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.demand.calendar import Bucket, Calendar, Dates, bucket_start
from engine.demand.params import TimeParams
from engine.errors import ConfigError, DataError
from engine.messages import Message
from engine.tables.tables import Tables

WORDS = {"D": "days", "W": "weeks", "M": "months"}
ORDER = ("D", "W", "M")


def choose_calendar(
    tables: Tables, time: TimeParams, as_of: np.datetime64 | None = None
) -> tuple[Calendar, tuple[Message, ...]]:
    """Return the complete buckets of history before ``as_of`` (``n_future`` 0), and what was decided on the way.

    Without ``as_of`` it is the day after the last complete bucket of `sales`. A first or last bucket that the
    dates cover only in part is left out and listed; a missing weekday on which nothing is ever sold (a shop
    closed on Sundays) does not make a bucket incomplete.

    Raises
    ------
    DataError
        If `sales` holds no complete bucket.
    ConfigError
        If the bucket is shorter than the spacing of the dates, or ``as_of`` is not the first day of a bucket
        after the first complete one and at most the day after the last.
    """
    dates = unique_dates(tables["sales"])
    if len(dates) == 0:
        raise DataError("`sales` holds at least one dated row", "none", "Give the sales to plan from")
    spacing = spacing_of(dates)
    bucket: Bucket = spacing if time.bucket == "auto" else time.bucket
    if ORDER.index(bucket) < ORDER.index(spacing):
        raise ConfigError(
            "time.bucket is at least as long as the spacing of the sales dates",
            f"{bucket} for sales in {WORDS[spacing]}",
            f'Set time.bucket = "{spacing}" or "auto"',
        )
    first, end, dropped = _complete(dates, spacing, bucket)
    notes = [Message("bucket-read-from-dates", {"bucket": bucket})] if time.bucket == "auto" else []
    if first >= end:
        finding = f"dates from {dates[0]} to {dates[-1]} in {WORDS[bucket]}"
        raise DataError("`sales` covers at least one complete bucket", finding, "Give more sales or a shorter bucket")
    day = end if as_of is None else _checked(as_of.astype("datetime64[D]"), first, end, bucket)
    n_history = int(-Calendar(bucket, day, 0, 0).bucket_of(np.array([first]))[0])
    notes += [note for note in dropped if as_of is None or note.code == "first-bucket-dropped"]
    return Calendar(bucket, day, n_history, 0), tuple(notes)


def unique_dates(rows: pd.DataFrame, column: str = "date") -> Dates:
    """Return the distinct dates of a table, ascending, datetime64[D]."""
    dates = rows[column].dropna().unique()
    return np.sort(np.asarray(dates, "datetime64[ns]").astype("datetime64[D]"))


def spacing_of(dates: Dates) -> Bucket:
    """Return the longest bucket that keeps all distinct ``dates`` apart: one date a month, a week, or a day.

    Months need all dates on the first or all on the last day, weeks all on one weekday. A single date is a day.
    """
    if len(dates) < 2:
        return "D"
    if _month_ends(dates) or _month_ends(dates - 1):
        return "M"
    return "W" if (np.diff(dates).astype(np.int64) % 7 == 0).all() else "D"


def _month_ends(dates: Dates) -> bool:
    return bool((bucket_start(dates + 1, "M") == dates + 1).all())


def _complete(dates: Dates, spacing: Bucket, bucket: Bucket) -> tuple[np.datetime64, np.datetime64, list[Message]]:
    """First day of the first complete bucket, day after the last, and notes on those left out."""
    covered = bucket_start(dates[[0, -1]], spacing)
    start, end = covered[0], _next(covered[1], spacing)
    first, last = bucket_start(dates[[0, -1]], bucket)
    closed = _closed_weekdays(dates) if spacing == "D" else frozenset()
    notes = []
    if not _idle(first, start, closed):
        notes.append(Message("first-bucket-dropped", {"date": str(first), "from": str(start)}))
        first = _next(first, bucket)
    after = _next(last, bucket)
    if not _idle(end, after, closed):
        notes.append(Message("last-bucket-dropped", {"date": str(last), "until": str(end - 1)}))
        after = last
    return first, after, notes


def _next(start: np.datetime64, bucket: Bucket) -> np.datetime64:
    following: np.datetime64 = Calendar(bucket, start, 0, 1).edges[1]
    return following


def _closed_weekdays(dates: Dates) -> frozenset[int]:
    """Weekdays (Monday = 0) without a sale in at least four weeks of dates."""
    if (dates[-1] - dates[0]).astype(np.int64) < 28:
        return frozenset()
    return frozenset(range(7)) - frozenset(((dates.astype(np.int64) + 3) % 7).tolist())


def _idle(start: np.datetime64, end: np.datetime64, closed: frozenset[int]) -> bool:
    """Whether all days in [start, end) are closed weekdays."""
    days = np.arange(start, end, dtype="datetime64[D]").astype(np.int64)
    return set(((days + 3) % 7).tolist()) <= closed


def _checked(as_of: np.datetime64, first: np.datetime64, end: np.datetime64, bucket: Bucket) -> np.datetime64:
    if bucket_start(np.array([as_of]), bucket)[0] != as_of:
        label = {"W": "a Monday", "M": "the first of a month"}[bucket]
        start = bucket_start(np.array([as_of]), bucket)[0]
        raise ConfigError(f"as-of is {label} for {WORDS[bucket]}", str(as_of), f"Use {start}")
    if not first < as_of <= end:
        raise ConfigError(
            "as-of is after the first complete bucket and at most the day after the last",
            f"{as_of}, with complete buckets from {first} to {end - 1}",
            f"Use {end}, or leave it out",
        )
    return as_of
