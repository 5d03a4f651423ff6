"""Dated spans laid onto buckets: how many days of each bucket a span covers, and with what value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Calendar, Dates
from engine.demand.keys import SeriesKeys

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
ANY = "*"


@dataclass(frozen=True)
class Scope:
    """Series with the attributes that a dated row may name: item, category, location, region.

    ``category`` and ``region`` are text with "" where not given, shape (n,).
    """

    keys: SeriesKeys
    category: npt.NDArray[np.object_]
    region: npt.NDArray[np.object_]

    @property
    def n_series(self) -> int:
        return len(self.keys.item_id)

    def matches(self, rows: pd.DataFrame) -> tuple[Ints, Ints]:
        """Return row numbers and series of all pairs where the row speaks of the series.

        A row speaks of its item, else of its category, else of every item; there at its location, else in its
        region, else everywhere. Null and ``*`` are "not named"; absent columns too.
        """
        item, category = _named(rows, "item_id"), _named(rows, "category")
        location, region = _named(rows, "location_id"), _named(rows, "region")
        exact = np.flatnonzero((item != "") & (location != ""))
        series = self.keys.rows_of(item[exact], location[exact])
        found = [(exact[series >= 0], series[series >= 0])]
        by_item = np.flatnonzero((item != "") & (location == ""))
        found.append(self._within(by_item, item[by_item], self.keys.item_id))
        by_category = np.flatnonzero((item == "") & (category != ""))
        found.append(self._within(by_category, category[by_category], self.category))
        everything = np.flatnonzero((item == "") & (category == ""))
        found.append((np.repeat(everything, self.n_series), np.tile(np.arange(self.n_series), len(everything))))
        row = np.concatenate([r for r, _ in found])
        series = np.concatenate([s for _, s in found])
        keep = (location[row] == "") | (location[row] == self.keys.location_id[series])
        keep &= (location[row] != "") | (region[row] == "") | (region[row] == self.region[series])
        return row[keep], series[keep]

    def _within(self, rows: Ints, wanted: npt.NDArray[np.object_], of: npt.NDArray[np.object_]) -> tuple[Ints, Ints]:
        """Rows beside each series whose attribute ``of`` is the one wanted."""
        codes, names = pd.factorize(of)
        order = np.argsort(codes, kind="stable")
        count = np.bincount(codes, minlength=len(names))
        first = np.cumsum(count) - count
        code = pd.Index(names, dtype=object).get_indexer(pd.Index(wanted, dtype=object))
        rows, code = rows[code >= 0], code[code >= 0]
        n = count[code]
        within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        return np.repeat(rows, n), order[np.repeat(first[code], n) + within]


def covered_days(
    series: Ints, start: Dates, end: Dates, value: Doubles, calendar: Calendar, n_series: int
) -> tuple[Doubles, Doubles]:
    """Return the days of each bucket that spans cover, and the sum of their values over those days.

    Spans run from ``start`` to ``end``, both included; days covered by two spans count twice. Both results have
    shape (n_series, n_buckets).
    """
    edges = calendar.edges
    begin, after = np.maximum(start, edges[0]), np.minimum(end + 1, edges[-1])
    keep = np.flatnonzero(begin < after)
    series, value, begin, after = series[keep], value[keep], begin[keep], after[keep]
    n_buckets, h = calendar.n_buckets, calendar.n_history
    first = calendar.bucket_of(begin) + h
    last = calendar.bucket_of(after - 1) + h
    # Days from each bucket's first day on, as differences: full buckets by a running sum, both ends corrected.
    days = np.zeros((n_series, n_buckets + 1))
    total = np.zeros((n_series, n_buckets + 1))
    length = calendar.days.astype(np.float64)
    early = (begin - edges[first]).astype(np.float64)
    late = (edges[last + 1] - after).astype(np.float64)
    for sums, size in ((days, np.ones(len(value))), (total, value)):
        np.add.at(sums, (series, first), size)
        np.add.at(sums, (series, last + 1), -size)
        np.cumsum(sums, axis=1, out=sums)
        sums[:, :-1] *= length
        np.add.at(sums, (series, first), -size * early)
        np.add.at(sums, (series, last), -size * late)
    return days[:, :-1], total[:, :-1]


def until_next(series: Ints, start: Dates, end: Dates) -> Dates:
    """Return each span's end, cut to the day before the next span of the same series starts; NaT = open."""
    order = np.lexsort((start, series))
    far = np.datetime64("2200-01-01", "D")
    out = np.where(np.isnat(end), far, end)
    following = np.full(len(start), far)
    same = series[order][1:] == series[order][:-1]
    following[order[:-1][same]] = start[order[1:][same]]
    return np.minimum(out, following - 1)


def dates_of(rows: pd.DataFrame, column: str) -> Dates:
    """Return a date column as datetime64[D], NaT where null."""
    return rows[column].to_numpy("datetime64[ns]").astype("datetime64[D]")


def scope_of(panel_keys: SeriesKeys, static: pd.DataFrame) -> Scope:
    """Return the scope of series from their static attributes (category, region)."""
    return Scope(panel_keys, _named(static, "category"), _named(static, "region"))


def _named(rows: pd.DataFrame, column: str) -> npt.NDArray[np.object_]:
    if column not in rows:
        return np.full(len(rows), "", np.object_)
    text = rows[column].astype(object).where(rows[column].notna(), "").to_numpy(np.object_)
    return np.where(text == ANY, "", text)
