"""The dates of `sales`: their spacing, gaps, labels of weeks, and the day of planning."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.demand.calendar import Bucket, Calendar, bucket_start
from engine.messages import Value
from engine.tables.breach import Breach, Rule
from engine.tables.sheet import Sheet, Weight, rows_breach, table_breach

Dates = npt.NDArray[np.datetime64]

# Shops close for a few days; a longer run of days without any sale is told.
_USUAL_GAP_DAYS = 3


def spacing(dates: Dates) -> Bucket:
    """Return the bucket that dates are spaced by.

    Months if all are firsts of a month and span more than one, weeks if all fall on one weekday, else days.

    Parameters
    ----------
    dates
        Distinct dates.
    """
    days = np.unique(dates.astype("datetime64[D]"))
    if len(days) < 2:
        return "D"
    if (days == bucket_start(days, "M")).all():
        return "M"
    return "W" if (np.diff(days).astype(np.int64) % 7 == 0).all() else "D"


def check_timeline(sales: Sheet, as_of: np.datetime64 | None) -> tuple[Breach, ...]:
    """Return the breaches of the dates of ``sales`` and of the day of planning."""
    cells = sales.column("date")
    days = np.unique(cells.used().astype("datetime64[D]"))
    bucket = spacing(days)
    starts = np.unique(bucket_start(days, bucket))
    breaches: list[Breach] = []
    labelled = bucket_start(cells.values.astype("datetime64[D]"), bucket) == cells.values.astype("datetime64[D]")
    if bucket == "W" and not labelled.all():
        values: dict[str, Value] = {"weekday": int((days[0] - np.datetime64("1970-01-05", "D")).astype(int) % 7 + 1)}
        rows = cells.rows_where(~labelled)
        breaches.append(rows_breach(sales, Rule.LABELS, "week-label", rows, Weight("noted", (), values)))
    breaches += _gaps(starts, bucket)
    if as_of is not None:
        breaches += _as_of(starts, bucket, days, as_of)
    return tuple(breaches)


def _gaps(starts: Dates, bucket: Bucket) -> tuple[Breach, ...]:
    number = Calendar(bucket, starts[0], 0, 0).bucket_of(starts)
    run = np.diff(number) - 1
    long = np.flatnonzero(run > (_USUAL_GAP_DAYS if bucket == "D" else 0))
    if not len(long):
        return ()
    longest = long[np.argmax(run[long])]
    values: dict[str, Value] = {
        "bucket": bucket,
        "n_gaps": len(long),
        "longest": int(run[longest]),
        "last_before": str(starts[longest]),
        "first_after": str(starts[longest + 1]),
    }
    n_buckets = int(number[-1]) + 1
    weight = Weight("noted", (), values)
    return (table_breach("sales", Rule.GAPS, "gap", weight, int(run[long].sum()), n_buckets),)


def _as_of(starts: Dates, bucket: Bucket, days: Dates, as_of: np.datetime64) -> tuple[Breach, ...]:
    as_of = np.array([as_of], "datetime64[D]")[0]
    first_end = _end(starts[0], bucket)
    # A week or month labelled otherwise than by its first day still ends a bucket after its label.
    last_end = max(_end(starts[-1], bucket), _end(days[-1], "D"))
    if first_end <= as_of <= last_end:
        return ()
    early = as_of < first_end
    values: dict[str, Value] = {
        "as_of": str(as_of),
        "bucket": bucket,
        "earliest": str(first_end),
        "latest": str(last_end),
    }
    code = "as-of-too-early" if early else "as-of-too-late"
    return (table_breach("sales", Rule.AS_OF, code, Weight("fatal", (), values), 1, 1),)


def _end(start: np.datetime64, bucket: Bucket) -> np.datetime64:
    first = bucket_start(np.array([start], "datetime64[D]"), bucket)[0]
    end: np.datetime64 = Calendar(bucket, first, 0, 1).edges[1]
    return end
