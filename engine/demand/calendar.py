"""Buckets of time: the one place where dates and bucket numbers are turned into each other (docs/design.md, 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Bucket = Literal["D", "W", "M"]
Dates = npt.NDArray[np.datetime64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Calendar:
    """Consecutive buckets: a complete history, then the future from ``as_of``.

    Parameters
    ----------
    bucket
        "D" days, "W" weeks labelled by their Monday, "M" months labelled by their first day.
    as_of
        First day of the first future bucket (datetime64[D]); a Monday for weeks, a first for months.
    n_history, n_future
        Complete buckets before ``as_of`` and buckets from it on.
    """

    bucket: Bucket
    as_of: np.datetime64
    n_history: int
    n_future: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "as_of", np.asarray(self.as_of, "datetime64[D]")[()])
        if self.bucket not in ("D", "W", "M"):
            raise ValueError(f"bucket must be D, W or M. Got {self.bucket!r} instead.")
        if self.n_history < 0 or self.n_future < 0:
            raise ValueError(f"bucket counts must be >= 0. Got {self.n_history} and {self.n_future} instead.")
        if bucket_start(np.array([self.as_of], "datetime64[D]"), self.bucket)[0] != self.as_of:
            raise ValueError(f"as_of must be the first day of a bucket {self.bucket}. Got {self.as_of} instead.")

    @property
    def n_buckets(self) -> int:
        return self.n_history + self.n_future

    @property
    def starts(self) -> Dates:
        """First day of every bucket, shape (n_buckets,), datetime64[D]."""
        return self.edges[:-1]

    @property
    def edges(self) -> Dates:
        """First day of every bucket and the day after the last, shape (n_buckets + 1,), datetime64[D]."""
        steps = np.arange(-self.n_history, self.n_future + 1)
        if self.bucket == "M":
            months: Dates = (self.as_of.astype("datetime64[M]") + steps).astype("datetime64[D]")
            return months
        days: Dates = self.as_of + steps * (7 if self.bucket == "W" else 1)
        return days

    @property
    def days(self) -> Ints:
        """Days in every bucket, shape (n_buckets,)."""
        return np.diff(self.edges).astype(np.int64)

    def bucket_of(self, dates: Dates) -> Ints:
        """Return the bucket each date lies in, counted from ``as_of`` (history is negative)."""
        return self._from_as_of(bucket_start(dates.astype("datetime64[D]"), self.bucket))

    def arrival_bucket(self, dates: Dates) -> Ints:
        """Return the first bucket that an arrival on each date serves, counted from ``as_of``.

        An arrival on a bucket's first day serves that bucket; one inside a bucket counts from the next.
        """
        days = dates.astype("datetime64[D]")
        start = bucket_start(days, self.bucket)
        return self._from_as_of(start) + (days > start)

    def _from_as_of(self, starts: Dates) -> Ints:
        if self.bucket == "M":
            months: Ints = (starts.astype("datetime64[M]") - self.as_of.astype("datetime64[M]")).astype(np.int64)
            return months
        buckets: Ints = (starts - self.as_of).astype(np.int64) // (7 if self.bucket == "W" else 1)
        return buckets


def bucket_start(dates: Dates, bucket: Bucket) -> Dates:
    """Return the first day of the bucket that each date lies in (same shape, datetime64[D])."""
    days = dates.astype("datetime64[D]")
    if bucket == "D":
        return days
    if bucket == "W":
        monday = np.datetime64("1970-01-05", "D")
        return monday + (days - monday).astype(np.int64) // 7 * 7
    return days.astype("datetime64[M]").astype("datetime64[D]")
