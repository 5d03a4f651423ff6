"""Features of the global model: what a series tells at an origin, and what is known of a future bucket.

Given a fit, everything is read from one series' own history before the origin and from its known future, so a row
is the same alone or in a batch. Demand is sales over exposure, and counts with it: the share of the bucket on sale
times the known effect of its events, promotions and weekday. No bucket is left out for having sold out early, since it
sold out by selling fast: without those a level comes out low. A bucket without any time on sale, or not on offer,
counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.calendar import Calendar
from engine.demand.censoring import SCALED_SHARE
from engine.demand.oddities import filled_ahead
from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel

Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Codes = Mapping[str, Mapping[str, int]]
"""Per attribute, the code of each text."""


PRICE = "price_relative"
"""The regressor that holds planned prices over the list price."""


START_BUCKETS = {"D": 3.0, "W": 1.0, "M": 1.0}
"""What is expected of a series before it sells counts as much as so many buckets of its own."""

LEAST_LEVEL = 0.02
"""Units per bucket: long-run levels below it are too rare to tell apart."""

CYCLES = (4, 8)
"""Cycles over which the buckets in the target's phase are averaged."""


@dataclass(frozen=True)
class Rhythm:
    """The spans, in buckets, over which a bucket length looks back.

    ``season`` is the short cycle (a week of days; 0 = none), ``year`` the long one, ``around`` half the
    width of the window that is read a year ago. The last of ``half_lives`` gives a series its scale. An age above
    ``mature`` buckets counts as that where the time of the year is not read.
    """

    windows: tuple[int, ...]
    half_lives: tuple[float, ...]
    n_lags: int
    season: int
    year: int
    around: int
    mature: int


RHYTHMS: Mapping[str, Rhythm] = {
    "D": Rhythm((7, 14, 28, 56, 112, 224), (3.0, 10.0, 14.0), 3, 7, 364, 7, 182),
    "W": Rhythm((2, 4, 8, 13, 26, 52), (1.5, 4.0, 6.5), 4, 0, 52, 1, 26),
    "M": Rhythm((2, 3, 6, 12), (1.0, 3.0, 6.0), 3, 0, 12, 0, 6),
}


@dataclass(frozen=True)
class History:
    """Demand as it was seen, and its running sums: column ``t`` holds buckets before ``t`` only.

    ``demand``, its exposure ``seen`` and the ``share`` of the bucket on sale have shape (n, n_history), the sums
    (n, n_history + 1), ``effect`` (n, n_buckets).
    """

    demand: Doubles
    seen: Doubles
    share: Doubles
    effect: Doubles
    total: Doubles
    count: Doubles
    squares: Doubles
    positive: Doubles
    smooth: tuple[Doubles, ...]
    scale: Doubles
    last_sale: Ints
    age: Ints
    cycle_total: Doubles
    cycle_count: Doubles


@dataclass(frozen=True)
class Known:
    """What is known besides demand.

    ``by_bucket`` and ``planned_price`` cover history and future; the running sums are of prices paid, in the history. A
    higher age than ``most_age`` is not told.
    """

    by_bucket: Mapping[str, Singles]
    planned_price: Singles
    price_total: Doubles
    price_count: Doubles
    attributes: Singles
    most_age: float


def read_seen(panel: DemandPanel) -> Doubles:
    """Return the weight in [0, 1] with which each bucket's demand was seen, shape (n, n_history).

    It is the share on sale, and 0 below `SCALED_SHARE` and where not on offer.
    """
    share = panel.available.astype(np.float64)
    return np.where(on_offer(panel)[:, : panel.calendar.n_history] & (share >= SCALED_SHARE), share, 0.0)


def read_history(panel: DemandPanel, start: Doubles, effect: Doubles) -> History:
    """Return the panel's demand with weights and the running sums that features are read from.

    ``start`` is the demand per bucket to expect of each series before anything was seen of it, shape (n,). It counts
    as `START_BUCKETS` that were seen just before the first one. ``effect`` is the known factor on demand in every
    bucket, shape (n, n_buckets), > 0.
    """
    n, h = panel.units.shape
    rhythm = RHYTHMS[panel.calendar.bucket]
    offer = on_offer(panel)[:, :h]
    share = np.where(offer, panel.available.astype(np.float64), 0.0)
    seen = share * effect[:, :h]
    weighted = np.where(seen > 0, panel.units.astype(np.float64), 0.0)
    demand = np.divide(weighted, seen, out=np.zeros((n, h)), where=seen > 0)
    n_start = START_BUCKETS[panel.calendar.bucket]
    begun = np.logical_or.accumulate(seen > 0, axis=1)
    total, count = _running(weighted, 1), _running(seen, 1)
    # One bucket more at the long-run level: it holds a level above zero, and pulls it neither up nor down on average.
    usual = np.maximum((total + n_start * start[:, None]) / (count + n_start), LEAST_LEVEL)
    smooth = []
    for half_life in rhythm.half_lives:
        keep = 0.5 ** (1 / half_life)
        above, below, level = n_start * start, np.full(n, n_start), np.zeros((n, h + 1))
        for t in range(h + 1):
            level[:, t] = (above + usual[:, t]) / (below + 1)
            if t < h:
                kept = np.where(begun[:, t], keep, 1.0)
                above, below = kept * above + weighted[:, t], kept * below + seen[:, t]
        smooth.append(level)
    sold_at = np.where(demand > 0, np.arange(h), -1)
    first = np.full((n, 1), -1)
    step = rhythm.season or 1
    return History(
        demand=demand,
        seen=seen,
        share=share,
        effect=effect,
        total=total,
        count=count,
        squares=_running(demand * weighted, 1),
        positive=_running(np.where(demand > 0, seen, 0.0), 1),
        smooth=tuple(smooth),
        scale=smooth[-1],
        last_sale=np.concatenate([first, np.maximum.accumulate(sold_at, axis=1)], axis=1),
        age=np.concatenate([np.zeros((n, 1), np.int64), np.cumsum(offer, axis=1)], axis=1),
        cycle_total=_running(weighted, step),
        cycle_count=_running(seen, step),
    )


def calendar_features(calendar: Calendar) -> dict[str, Singles]:
    """Return what the date alone tells of every bucket, each of shape (n_buckets,)."""
    starts = calendar.starts
    month_start = starts.astype("datetime64[M]")
    day_of_year = (starts - starts.astype("datetime64[Y]")).astype(np.float32)
    out = {"day_of_year": day_of_year}
    if calendar.bucket == "D":
        out["weekday"] = ((starts.astype(np.int64) + 3) % 7).astype(np.float32)
        out["day_of_month"] = (starts - month_start).astype(np.float32)
    return out


def coded(panel: DemandPanel, codes: Codes) -> dict[str, npt.NDArray[np.int64]]:
    """Return the code of every series by attribute, -1 for a text unknown at the fit or a missing attribute."""
    static = panel.static.assign(location_id=panel.location_id)
    out = {}
    for name, code in codes.items():
        texts = static[name].astype("string").fillna("").tolist() if name in static else []
        known = [code.get(text, -1) for text in texts]
        out[name] = np.array(known or [-1] * panel.n_series, dtype=np.int64)
    return out


def read_known(panel: DemandPanel, codes: Codes, names: tuple[str, ...], is_yearly: bool = True) -> Known:
    """Return regressors, prices and attributes in the order a model was fitted with.

    Parameters
    ----------
    panel
        The panel to read.
    codes
        For every attribute column, the code of each text known at the fit; another text is NaN (unknown).
    names
        Regressors of the fit; one that the panel lacks is NaN (not given).
    is_yearly
        Whether the time of the year is told, and the age of old series; else they are the same for all. In a history of
        hardly more than a year both would tell one date from another.
    """
    n, b = panel.n_series, panel.calendar.n_buckets
    absent = np.full(b, np.nan, np.float32)
    by_bucket = calendar_features(panel.calendar)
    if not is_yearly:
        by_bucket["day_of_year"] = np.zeros(b, np.float32)
    for name in names:
        by_bucket[name] = np.asarray(filled_ahead(panel, name), np.float32) if name in panel.regressors else absent
    planned = np.broadcast_to(np.asarray(panel.regressors.get(PRICE, absent), np.float32), (n, b))
    paid = panel.price
    seen = np.isfinite(paid)
    attributes = np.full((n, len(codes)), np.nan, np.float32)
    for column, values in enumerate(coded(panel, codes).values()):
        attributes[:, column] = np.where(values >= 0, values, np.nan)
    return Known(
        by_bucket=by_bucket,
        planned_price=planned,
        price_total=_running(np.where(seen, paid, 0).astype(np.float64), 1),
        price_count=_running(seen.astype(np.float64), 1),
        attributes=attributes,
        most_age=np.inf if is_yearly else RHYTHMS[panel.calendar.bucket].mature,
    )


def n_features(rhythm: Rhythm, regressors: tuple[str, ...], n_attributes: int) -> int:
    """Return the number of columns of `feature_rows`."""
    n_calendar = 3 if rhythm.season else 1
    n_levels = len(rhythm.windows) + len(rhythm.half_lives) - 1 + rhythm.n_lags + (len(CYCLES) if rhythm.season else 0)
    return 1 + n_levels + 2 + 5 + 2 + n_calendar + len(regressors) + n_attributes


def feature_rows(history: History, known: Known, rhythm: Rhythm, rows: Ints, origins: Ints, steps: Ints) -> Singles:
    """Return one row of features for each (series, origin, step); levels are relative to the scale at the origin.

    Parameters
    ----------
    history, known
        What was read from the panel.
    rhythm
        Spans of its buckets.
    rows, origins, steps
        Shape (m,): series, origin ``t`` (buckets before it are history) and step; the target is bucket ``t + step``.

    Returns
    -------
    numpy.ndarray
        Shape (m, number of features), float32, NaN where unknown.
    """
    scale = history.scale[rows, origins]
    target = origins + steps
    columns: list[npt.NDArray[np.generic]] = [steps.astype(np.float32)]
    for window in rhythm.windows:
        columns.append(_filled(_mean(history, rows, origins - window, origins) / scale))
    columns += [smooth[rows, origins] / scale for smooth in history.smooth[:-1]]
    for lag in range(1, rhythm.n_lags + 1):
        at = np.maximum(origins - lag, 0)
        seen = (origins >= lag) & (history.share[rows, at] >= SCALED_SHARE)
        columns.append(np.where(seen, history.demand[rows, at] / scale, 1.0))
    if rhythm.season:
        columns += [_filled(_cycle_mean(history, rhythm.season, rows, origins, target, n) / scale) for n in CYCLES]
    # As many whole years back as bring the target before the origin.
    back = rhythm.year * (steps // rhythm.year + 1)
    a_year_ago = target - back
    around = _mean(history, rows, a_year_ago - rhythm.around, np.minimum(a_year_ago + rhythm.around + 1, origins))
    then = np.where(origins > back, history.scale[rows, np.maximum(origins - back, 0)], np.nan)
    columns += [around / scale, around / then]
    year = rhythm.windows[-1]
    count = _difference(history.count, rows, origins - year, origins)
    mean = _mean(history, rows, origins - year, origins)
    squares = _ratio(_difference(history.squares, rows, origins - year, origins), count)
    columns += [
        np.log(scale),
        np.sqrt(np.maximum(squares - mean**2, 0)) / np.maximum(mean, 1e-3),
        _ratio(_difference(history.positive, rows, origins - year, origins), count),
        _difference(history.count, rows, history.last_sale[rows, origins] + 1, origins),
        np.minimum(history.age[rows, origins], known.most_age),
    ]
    past = np.maximum(origins - 1, 0)
    month = rhythm.windows[2]
    usual = _mean_price(known, rows, origins - year, origins)
    columns += [
        known.planned_price[rows, target] / known.planned_price[rows, past],
        _mean_price(known, rows, origins - month, origins) / usual,
    ]
    for values in known.by_bucket.values():
        columns.append(values[target] if values.ndim == 1 else values[rows, target])
    columns += list(known.attributes[rows].T)
    out = np.empty((len(rows), len(columns)), np.float32)
    for i, column in enumerate(columns):
        out[:, i] = column
    return out


def _running(values: Doubles, step: int) -> Doubles:
    """Return sums of every ``step``-th value before each column: out[t + step] = values[t] + out[t]."""
    n, h = values.shape
    out = np.zeros((n, h + step))
    for t in range(h):
        out[:, t + step] = out[:, t] + values[:, t]
    return out


def _filled(relative: Doubles) -> Doubles:
    """Return levels relative to the scale with 1 where nothing was seen: a long stock-out is not a launch."""
    return np.where(np.isfinite(relative), relative, 1.0)


def _difference(sums: Doubles, rows: Ints, start: Ints, end: Ints) -> Doubles:
    return sums[rows, np.maximum(end, 0)] - sums[rows, np.clip(start, 0, None)]


def _ratio(above: Doubles, below: Doubles) -> Doubles:
    return np.where(below > 1e-9, above / np.where(below > 1e-9, below, 1.0), np.nan)


def _mean(history: History, rows: Ints, start: Ints, end: Ints) -> Doubles:
    """Return the mean of what was seen in [start, end), NaN where nothing was."""
    return _ratio(_difference(history.total, rows, start, end), _difference(history.count, rows, start, end))


def _mean_price(known: Known, rows: Ints, start: Ints, end: Ints) -> Doubles:
    """Return the mean price paid in [start, end), NaN where none was seen."""
    total = _difference(known.price_total, rows, start, end)
    return _ratio(total, _difference(known.price_count, rows, start, end))


def _cycle_mean(history: History, season: int, rows: Ints, origins: Ints, target: Ints, n_cycles: int) -> Doubles:
    """Return the mean of the last ``n_cycles`` buckets before the origin in the target's phase of the cycle."""
    latest = target - season * ((target - origins) // season + 1)
    end = np.maximum(latest + season, 0)
    # A start before the first cycle of the history reads the sum of nothing, which is kept in columns 0..season-1.
    start = np.maximum(latest + season - season * n_cycles, end % season)
    start = np.minimum(start, end)
    above = history.cycle_total[rows, end] - history.cycle_total[rows, start]
    return _ratio(above, history.cycle_count[rows, end] - history.cycle_count[rows, start])
