"""Lead times as distributions: the bucket in which each order arrives on each path, and what receipts teach."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import gammaincinv

from engine.demand.calendar import Calendar
from engine.forecast.streams import Streams
from engine.policy.types import F64, I32, I64, Cells, Days, Options, Texts

PRIOR_ORDERS = 5.0
"""A source's pooled lead time weighs as much as this many orders when one destination's is estimated."""

_QUANTILE_LIMIT = 1e-9


def arrival_buckets(
    options: Options, cells: Cells, calendar: Calendar, n_paths: int, streams: Streams
) -> tuple[I32, I32]:
    """Return the first bucket served by the order at t1 and by the one at t2 on every path, each (m, n_paths).

    The mean lead time of an order is its available date less its order date; with a standard deviation it is drawn
    from the gamma distribution of that mean and deviation and rounded to whole days. All items of one link and order
    date share their draws, as they share a truck. An order at t2 never arrives before the one at t1. With fixed lead
    times the arrays are views of one column and take no memory.
    """
    fixed_first = np.maximum(calendar.arrival_bucket(options.available_date), 0).astype(np.int32)
    fixed_second = np.maximum(calendar.arrival_bucket(options.next_available_date), fixed_first).astype(np.int32)
    shape = (options.n_options, n_paths)
    random = np.flatnonzero(options.lead_time_sd_days > 0)
    first = np.broadcast_to(fixed_first[:, None], shape)
    second = np.broadcast_to(fixed_second[:, None], shape)
    if len(random) == 0:
        return first, second
    first, second = first.copy(), second.copy()
    drawn = options.take(random)
    location = cells.location_id[drawn.cell]
    sd = drawn.lead_time_sd_days
    link = np.array(
        [f"{source} to {place}" for source, place in zip(drawn.source_id, location, strict=True)], dtype=object
    )
    first[random] = _draw(link, (drawn.order_date, drawn.available_date), sd, (calendar, n_paths, streams))
    second[random] = _draw(link, (drawn.next_order_date, drawn.next_available_date), sd, (calendar, n_paths, streams))
    np.maximum(first, second, out=second)
    return first, second


def _draw(link: Texts, dates: tuple[Days, Days], sd_days: F64, world: tuple[Calendar, int, Streams]) -> I32:
    """Return the arrival buckets (r, n_paths) of orders over links; equal orders are drawn once."""
    calendar, n_paths, streams = world
    order, available = dates
    mean_days = (available - order) / np.timedelta64(1, "D")
    orders = pd.DataFrame({"link": link, "order": order, "mean_days": mean_days, "sd_days": sd_days})
    number = orders.groupby(list(orders.columns), sort=False).ngroup().to_numpy()
    _, row_of = np.unique(number, return_index=True)
    buckets = np.empty((len(row_of), n_paths), dtype=np.int32)
    for kind, row in enumerate(row_of):
        generator = streams.common(f"lead time {link[row]}", order[row])
        days = lead_time_days(generator.random(n_paths), float(mean_days[row]), float(sd_days[row]))
        buckets[kind] = np.maximum(calendar.arrival_bucket(order[row] + days), 0)
    return buckets[number]


def lead_time_days(shares: F64, mean_days: float, sd_days: float) -> I64:
    """Return the quantiles of a gamma lead time at ``shares`` in [0, 1), in whole days.

    The gamma distribution is the usual non-negative, right-skewed model of lead times (Burgin, The gamma distribution
    and inventory control, Operational Research Quarterly 26, 1975).

    Raises
    ------
    ValueError
        If the mean is not > 0 or the deviation is negative.
    """
    if not mean_days > 0 or not sd_days >= 0:
        raise ValueError(f"lead time must have mean > 0 and deviation >= 0. Got {mean_days} and {sd_days} instead.")
    if sd_days == 0:
        return np.full(shares.shape, round(mean_days), dtype=np.int64)
    shape = (mean_days / sd_days) ** 2
    quantile = gammaincinv(shape, np.clip(shares, _QUANTILE_LIMIT, 1 - _QUANTILE_LIMIT)) * (mean_days / shape)
    whole: I64 = np.rint(quantile).astype(np.int64)
    return whole


def learn_lead_times(receipts: pd.DataFrame, open_orders: pd.DataFrame, as_of: np.datetime64) -> pd.DataFrame:
    """Return lead times by source and location as receipts and open orders before ``as_of`` show them.

    An order line still open is right-censored: its lead time is at least its age, unless its goods came and wait at the
    door of their site (``arrived_on``). Leaving overdue orders out would make a failing supplier look fast. Mean and
    deviation come from the product-limit estimate (Kaplan and Meier, Journal of the American Statistical Association
    53, 1958), the largest observation taken as complete (Efron 1967). Both moments are then drawn towards those of all
    orders of the source, which count as `PRIOR_ORDERS` orders.

    Parameters
    ----------
    receipts, open_orders
        Contract tables. Rows without source, location or ordering date say nothing and are passed over, as are
        drafts and what lies on or after ``as_of``.

    Returns
    -------
    pd.DataFrame
        ``source_id``, ``location_id``, ``mean_days``, ``sd_days``, ``n`` (receipts) and ``n_censored``, for pairs with
        at least one receipt, sorted by both ids.
    """
    orders = _observed(receipts, open_orders, as_of)
    pairs = ["source_id", "location_id"]
    counts = orders.groupby(pairs, sort=True)["complete"].agg(n="sum", n_lines="count")
    counts = counts[counts["n"] > 0]
    pooled = {source: _moments(group) for source, group in orders.groupby("source_id", sort=True)}
    own = {pair: _moments(group) for pair, group in orders.groupby(pairs, sort=True)}
    rows = []
    for pair, n, n_lines in counts.itertuples():
        weight = n / (n + PRIOR_ORDERS)
        first, second = (weight * np.array(own[pair]) + (1 - weight) * np.array(pooled[pair[0]])).tolist()
        rows.append((*pair, first, float(np.sqrt(max(second - first * first, 0.0))), int(n), int(n_lines - n)))
    learnt = pd.DataFrame(rows, columns=[*pairs, "mean_days", "sd_days", "n", "n_censored"])
    return learnt.astype({**dict.fromkeys(pairs, "string[pyarrow]"), "mean_days": "float64", "sd_days": "float64",
                          "n": "int64", "n_censored": "int64"})  # fmt: skip


def _observed(receipts: pd.DataFrame, open_orders: pd.DataFrame, as_of: np.datetime64) -> pd.DataFrame:
    """Return source, location, days and whether complete, one row an order line."""
    day = pd.Timestamp(as_of)
    columns = ["source_id", "location_id", "days", "complete"]
    done = receipts[(receipts["received_on"] < day) & (receipts["received_on"] >= receipts["ordered_on"])]
    done = done.assign(days=(done["received_on"] - done["ordered_on"]).dt.days, complete=True)
    waiting = open_orders[(open_orders["ordered_on"] < day) & (open_orders["status"] != "draft").fillna(True)]
    waiting = waiting[~(waiting["arrived_on"] < waiting["ordered_on"])]
    there = waiting["arrived_on"] < day
    until = waiting["arrived_on"].where(there, day)
    waiting = waiting.assign(days=(until - waiting["ordered_on"]).dt.days, complete=there)
    parts = [part[columns] for part in (done, waiting) if len(part)]
    if not parts:
        return pd.DataFrame({"source_id": [], "location_id": [], "days": [], "complete": []})
    return pd.concat(parts).dropna(subset=columns[:3]).astype({"days": "float64", "complete": "bool"})


def _moments(orders: pd.DataFrame) -> tuple[float, float]:
    """Return E[days] and E[days ** 2] of the product-limit distribution."""
    days, complete = orders["days"].to_numpy(), orders["complete"].to_numpy()
    times, at = np.unique(days, return_inverse=True)
    done = np.bincount(at, weights=complete, minlength=len(times))
    leaving = np.bincount(at, minlength=len(times))
    at_risk = leaving[::-1].cumsum()[::-1]
    survival = np.cumprod(1.0 - done / at_risk)
    survival[-1] = 0.0
    share = -np.diff(survival, prepend=1.0)
    return float(share @ times), float(share @ (times * times))
