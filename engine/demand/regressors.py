"""Known-future regressors: events, promotions, planned prices and whatever the user knows of days to come."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.demand.calendar import Calendar, Dates
from engine.demand.events import festival_table, holiday_table, lead_and_lag
from engine.demand.panel import Floats
from engine.demand.params import DemandParams
from engine.demand.spans import Scope, covered_days, dates_of, until_next
from engine.messages import Message
from engine.tables.tables import Tables

Doubles = npt.NDArray[np.float64]
Regressors = dict[str, Floats]

MAX_LOCAL = 8
"""Most regressors of one source that differ by series, each an array (n, n_buckets); more are pooled by kind."""


def event_regressors(
    tables: Tables, demand: DemandParams, calendar: Calendar, scope: Scope
) -> tuple[Regressors, tuple[Message, ...]]:
    """Return `event_<name>`, and `event_<name>_lead` and `_lag` of events that hold everywhere.

    The first is the share of the bucket's days inside the event. The lead rises from 0 to 1 on the eve over the
    event's lead days, the lag falls from 1 on the day after; both are means over the bucket's days. An
    event of the `events` table for a location or region has the first alone, shape (n, n_buckets).
    """
    events = _events(tables, demand, calendar)
    local = events["location_id"].notna() | events["region"].notna()
    found: Regressors = {}
    for name, rows in events[~local].groupby("event", sort=True):
        found.update(_common_event(str(name), rows, calendar))
    there, notes = _few_names(events[local], "event", "events-pooled-by-kind")
    for name, rows in there.groupby("event", sort=True):
        key = _free(f"event_{slug(str(name))}", found, "_local")
        found[key] = _share(rows, dates_of(rows, "start_date"), dates_of(rows, "end_date"), calendar, scope)
    return found, notes


def promotion_regressors(tables: Tables, calendar: Calendar, scope: Scope) -> tuple[Regressors, tuple[Message, ...]]:
    """Return `promotion_<kind>` (share of days) and `promotion_<kind>_depth` (mean discount), shape (n, n_buckets).

    Promotions without a kind are `promotion_any`. Where several of a kind overlap, their discounts add up to 1 at most.
    """
    rows = tables["promotions"]
    rows = rows.assign(kind=rows["kind"].fillna("any"), end_date=rows["end_date"].fillna(rows["start_date"]))
    rows, notes = _few_names(rows.assign(kind_of_all="any"), "kind", "promotions-pooled", "kind_of_all")
    found: Regressors = {}
    days = calendar.days.astype(np.float64)
    for kind, part in rows.groupby("kind", sort=True):
        row, series = scope.matches(part)
        start, end = dates_of(part, "start_date")[row], dates_of(part, "end_date")[row]
        discount = part["discount"].fillna(0).to_numpy(np.float64)[row]
        covered, depth = covered_days(series, start, end, discount, calendar, scope.n_series)
        found[f"promotion_{slug(str(kind))}"] = np.clip(covered / days, 0, 1).astype(np.float32)
        found[f"promotion_{slug(str(kind))}_depth"] = np.clip(depth / days, 0, 1).astype(np.float32)
    return found, notes


def price_plan(tables: Tables, calendar: Calendar, scope: Scope) -> Floats:
    """Return the price of `prices` in every bucket, a mean over its days, NaN where none holds; (n, n_buckets).

    A row holds to its end or to the day before the item's next one there. A location's row goes before ``*``.
    """
    price = np.full((scope.n_series, calendar.n_buckets), np.nan)
    rows = tables["prices"].dropna(subset=["price"])
    everywhere = (rows["location_id"] == "*").to_numpy(np.bool_)
    for part in (rows[~everywhere], rows[everywhere]):
        row, series = scope.matches(part)
        start = dates_of(part, "start_date")[row]
        end = until_next(series, start, dates_of(part, "end_date")[row])
        value = part["price"].to_numpy(np.float64)[row]
        days, total = covered_days(series, start, end, value, calendar, scope.n_series)
        mean = total / np.where(days > 0, days, 1)
        price = np.where(np.isnan(price) & (days > 0), mean, price)
    return price.astype(np.float32)


def relative_price(price: Floats, unit_price: Doubles) -> Floats:
    """Return planned prices over the list price, or over the series' median planned price where it has none."""
    known = np.isfinite(price)
    middle = np.full(len(price), np.nan)
    rows = np.flatnonzero(known.any(axis=1))
    middle[rows] = np.nanmedian(price[rows], axis=1)
    reference = np.where(unit_price > 0, unit_price, middle)
    return (price / np.where(reference > 0, reference, np.nan)[:, None]).astype(np.float32)


def user_regressors(tables: Tables, calendar: Calendar, scope: Scope) -> tuple[Regressors, tuple[Message, ...]]:
    """Return `user_<name>` of the rows of `regressors` known ahead: the mean of the bucket's values, NaN = not given.

    Rows that name neither item, category, location nor region give shape (n_buckets,). Of several rows for a series the
    most specific wins. Regressors that are not known ahead are listed and not used.
    """
    rows = tables["regressors"].dropna(subset=["value"])
    known = rows["known_future"].to_numpy(np.bool_)
    names = sorted(set(rows.loc[~known, "name"]))
    notes = [Message("regressor-not-known-ahead", {"name": str(name)}) for name in names]
    rows = rows[known]
    bucket = calendar.bucket_of(dates_of(rows, "date")) + calendar.n_history
    inside = (bucket >= 0) & (bucket < calendar.n_buckets)
    rows = rows[inside].assign(bucket=bucket[inside], weight=_specificity(rows[inside]))
    found: Regressors = {}
    for name, part in rows.groupby("name", sort=True):
        common = bool((part["weight"] == 0).all())
        values = _user_values(part, calendar, scope)
        found[f"user_{slug(str(name))}"] = values[0] if common and len(values) else values
    return found, tuple(notes)


def slug(name: str) -> str:
    """Return a name in lower case, with one underscore for whatever is not a letter or digit."""
    return re.sub(r"[^\w]+", "_", name.casefold()).strip("_")


def _events(tables: Tables, demand: DemandParams, calendar: Calendar) -> pd.DataFrame:
    """Events of the table, chosen festivals and holidays, each with an end."""
    edges = calendar.edges
    years = range(edges[0].astype(object).year - 1, edges[-1].astype(object).year + 2)
    parts = [tables["events"]]
    if demand.shopping_festivals:
        parts.append(festival_table(years, demand.shopping_festivals))
    if demand.holiday_country:
        parts.append(holiday_table(years, demand.holiday_country))
    events = pd.concat([part for part in parts if len(part)], ignore_index=True) if any(map(len, parts)) else parts[0]
    return events.assign(end_date=events["end_date"].fillna(events["start_date"]))


def _common_event(name: str, rows: pd.DataFrame, calendar: Calendar) -> Regressors:
    edges = calendar.edges
    days = np.arange(edges[0], edges[-1], dtype="datetime64[D]")
    inside, lead, lag = (np.zeros(len(days)) for _ in range(3))
    n_lead, n_lag = lead_and_lag(name)
    for start, end in zip(dates_of(rows, "start_date"), dates_of(rows, "end_date"), strict=True):
        ahead, behind = (start - days).astype(np.float64), (days - end).astype(np.float64)
        inside = np.maximum(inside, (ahead <= 0) & (behind <= 0))
        lead = np.maximum(lead, np.where(ahead > 0, 1 - (ahead - 1) / n_lead, 0))
        lag = np.maximum(lag, np.where(behind > 0, 1 - (behind - 1) / n_lag, 0))
    key = f"event_{slug(name)}"
    return {
        key: _bucket_mean(inside, calendar),
        f"{key}_lead": _bucket_mean(np.where(inside > 0, 0, lead), calendar),
        f"{key}_lag": _bucket_mean(np.where(inside > 0, 0, lag), calendar),
    }


def _bucket_mean(daily: Doubles, calendar: Calendar) -> Floats:
    first = np.cumsum(calendar.days) - calendar.days
    return (
        (np.add.reduceat(daily, first) / calendar.days).astype(np.float32) if len(daily) else daily.astype(np.float32)
    )


def _share(rows: pd.DataFrame, start: Dates, end: Dates, calendar: Calendar, scope: Scope) -> Floats:
    row, series = scope.matches(rows)
    days, _ = covered_days(series, start[row], end[row], np.ones(len(row)), calendar, scope.n_series)
    return np.clip(days / calendar.days, 0, 1).astype(np.float32)


def _few_names(
    rows: pd.DataFrame, column: str, code: str, pool: str = "kind"
) -> tuple[pd.DataFrame, tuple[Message, ...]]:
    """Name rows by ``pool`` instead of ``column`` where that has more than `MAX_LOCAL` names; a note if so."""
    n_names = rows[column].nunique()
    if n_names <= MAX_LOCAL:
        return rows, ()
    pooled = rows[pool].fillna("any")
    most = set(pooled.value_counts(sort=True).sort_index(kind="stable").nlargest(MAX_LOCAL - 1).index)
    return rows.assign(**{column: pooled.where(pooled.isin(most), "other")}), (Message(code, {"n_names": n_names}),)


def _free(key: str, taken: Mapping[str, Floats], suffix: str) -> str:
    return key + suffix if key in taken else key


def _specificity(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    item = np.where(rows["item_id"].notna(), 4, np.where(rows["category"].notna(), 2, 0))
    return (item + np.where(rows["location_id"].notna() | rows["region"].notna(), 1, 0)).astype(np.int64)


def _user_values(rows: pd.DataFrame, calendar: Calendar, scope: Scope) -> Floats:
    out = np.full((scope.n_series, calendar.n_buckets), np.nan, np.float32)
    for _, part in rows.groupby("weight", sort=True):
        row, series = scope.matches(part)
        flat = series * calendar.n_buckets + part["bucket"].to_numpy(np.int64)[row]
        count = np.bincount(flat, minlength=out.size).reshape(out.shape)
        total = np.bincount(flat, part["value"].to_numpy(np.float64)[row], out.size).reshape(out.shape)
        out = np.where(count > 0, total / np.maximum(count, 1), out).astype(np.float32)
    return out
