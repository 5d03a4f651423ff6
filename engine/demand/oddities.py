"""What is odd about a panel, told before anyone wonders about the forecast (docs/odd-series.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel, Floats
from engine.messages import Message, Value

Bools = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]

NAMED = 5
"""Series named in a message; the others are counted."""

MIN_CONSTANT = 8
"""Buckets, all seen in full and all alike, from which on a series counts as constant."""

GAP_SHARE = 0.5
MIN_SPAN = 8
"""A series is full of gaps if more than this share of its buckets, of at least so many, was not seen in full."""

RECENT = {"D": 14, "W": 4, "M": 3}
"""Buckets that tell the newest level."""

EXPLODING = 3.0
MIN_RECENT_UNITS = 20.0
"""A series explodes if its newest buckets sold this many times what as many ever sold before, and so many units."""

BLOCK = 2048
"""Series looked at together, to bound memory."""

GIVEN_SHARE = 0.5
"""A regressor is known of a series if more than this share of its history has a value."""


def odd_series(panel: DemandPanel) -> tuple[Message, ...]:
    """Return a message for each kind of oddity that a panel holds: how many series, and the first five.

    All-zero, one sale and constant exclude each other, in this order. The known future of the panel is taken to be
    the horizon of the forecast.
    """
    h, n_future, bucket = panel.calendar.n_history, panel.calendar.n_future, panel.calendar.bucket
    values: dict[str, dict[str, Value]] = {
        "series-gap-ridden": {"share": GAP_SHARE},
        "series-exploding": {"times": EXPLODING, "n_recent": RECENT[bucket]},
    }
    found: list[Message] = []
    for code, odd in odd_rows(panel).items():
        found += _told(code, panel, odd, values.get(code, {}))
    for name in sorted(panel.regressors):
        missing = missing_ahead(panel, name)
        code = "regressor-missing-ahead" if is_given_ahead(panel, name) else "regressor-not-given-ahead"
        told: dict[str, Value] = {"name": name, "n_buckets": int(missing.any(axis=0).sum()), "horizon": n_future}
        found += _told(code, panel, np.asarray(missing.any(axis=1)), told)
    if panel.n_series and n_future > h:
        found.append(Message("horizon-beyond-history", {"horizon": n_future, "n_buckets": h}))
    return tuple(found)


def usual_ahead(panel: DemandPanel) -> DemandPanel:
    """Return the panel without what `missing_ahead` finds: no forecaster then takes "not given" for a value.

    A regressor that nothing is given of ahead is left out, as if it had never been given; of any other, `filled_ahead`.
    """
    kept = {
        name: filled_ahead(panel, name)
        for name in panel.regressors
        if is_given_ahead(panel, name) or not missing_ahead(panel, name).any()
    }
    return replace(panel, regressors=kept)


def filled_ahead(panel: DemandPanel, name: str) -> Floats:
    """Return a regressor, in its shape, with the mean of a series' own history where it is missing ahead."""
    values, h = panel.regressors[name], panel.calendar.n_history
    missing = missing_ahead(panel, name)
    if not missing.any():
        return values
    past = values[..., :h].astype(np.float64)
    known = np.isfinite(past)
    # A running sum adds in one fixed order, so a series gets the same bits alone and in any batch.
    total = np.cumsum(np.where(known, past, 0.0), axis=-1)[..., -1:]
    usual = (total / np.maximum(known.sum(axis=-1, keepdims=True), 1)).astype(np.float32)
    holes = missing[0] if values.ndim == 1 else missing
    return np.concatenate([values[..., :h], np.where(holes, usual, values[..., h:])], axis=-1)


def odd_rows(panel: DemandPanel) -> dict[str, Bools]:
    """Return by code which series are odd, shape (n,)."""
    out: dict[str, list[Bools]] = {}
    for start in range(0, panel.n_series, BLOCK):
        part = panel.take(np.arange(start, min(start + BLOCK, panel.n_series)))
        h = panel.calendar.n_history
        offer = on_offer(part)[:, :h]
        seen = np.where(offer & (part.available >= 1), part.units, np.float32(np.nan))
        n_sales = (part.units > 0).sum(axis=1)
        on_sale = (part.offered[:, :h] & (part.available > 0)).any(axis=1)
        for code, odd in (
            ("series-all-zero", on_sale & (n_sales == 0)),
            ("series-one-sale", n_sales == 1),
            ("series-constant", constant(seen) & (n_sales > 1)),
            ("series-gap-ridden", gap_ridden(offer, np.isfinite(seen))),
            ("series-exploding", exploding(seen, RECENT[panel.calendar.bucket])),
        ):
            out.setdefault(code, []).append(odd)
    rows = {code: np.concatenate(parts) for code, parts in out.items()}
    return rows | {"series-of-unsold-category": unsold_category(panel)}


def constant(seen: Floats) -> Bools:
    """Return which series sold the same units, above zero, in every bucket seen in full, shape (n,).

    ``seen`` (n, n_history) is NaN where not; see `engine.demand.censoring.observed`.
    """
    known = np.isfinite(seen)
    low = np.where(known, seen, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known, seen, -np.inf).max(axis=1, initial=-np.inf)
    return np.asarray((known.sum(axis=1) >= MIN_CONSTANT) & (low == high) & (low > 0))


def gap_ridden(offer: Bools, known: Bools) -> Bools:
    """Return which series were mostly out of stock or unlisted between their first and last bucket on offer, (n,).

    Both are of shape (n, n_history); ``known`` says where demand was seen in full.
    """
    begun = np.logical_or.accumulate(offer, axis=1)
    ended = np.logical_or.accumulate(offer[:, ::-1], axis=1)[:, ::-1]
    n_span = (begun & ended).sum(axis=1)
    n_gaps = (begun & ended & ~known).sum(axis=1)
    return np.asarray((n_span >= MIN_SPAN) & (n_gaps > GAP_SHARE * n_span))


def exploding(seen: Floats, width: int) -> Bools:
    """Return which series sold in their newest ``width`` buckets far more than in as many ever before, shape (n,).

    Windows are means of the buckets seen in full, at least half of them (``seen`` as for `constant`). A peak that comes
    every year was there before and does not count, nor does a series that never sold before.
    """
    n, h = seen.shape
    if h < 2 * width:
        return np.zeros(n, np.bool_)
    mean = np.nan_to_num(_window_means(seen, width))
    recent, highest = mean[:, -1], mean[:, : h - 2 * width + 1].max(axis=1)
    return np.asarray((highest > 0) & (recent > EXPLODING * highest) & (recent * width >= MIN_RECENT_UNITS))


def unsold_category(panel: DemandPanel) -> Bools:
    """Return which series are of a category, one of several, of which nothing was ever sold, shape (n,)."""
    if "category" not in panel.static:
        return np.zeros(panel.n_series, np.bool_)
    category = panel.static["category"]
    sold = np.flatnonzero((panel.units > 0).any(axis=1))
    known = set(category.iloc[sold].dropna())
    unsold = category.notna() & ~category.isin(known) & bool(known)
    return unsold.to_numpy(np.bool_)


def missing_ahead(panel: DemandPanel, name: str) -> Bools:
    """Return where a regressor that is known of a series' history lacks a value in the future, (n, n_future)."""
    h = panel.calendar.n_history
    given = np.isfinite(panel.regressors[name])
    past, ahead = given[..., :h], given[..., h:]
    usual = past.sum(axis=-1, keepdims=True) > GIVEN_SHARE * h
    return np.broadcast_to(usual & ~ahead, (panel.n_series, panel.calendar.n_future))


def is_given_ahead(panel: DemandPanel, name: str) -> bool:
    """Return whether a regressor has any value in the future, for any series."""
    return bool(np.isfinite(panel.regressors[name][..., panel.calendar.n_history :]).any())


def _told(code: str, panel: DemandPanel, odd: Bools, values: Mapping[str, Value]) -> tuple[Message, ...]:
    rows = np.flatnonzero(odd)
    if not len(rows):
        return ()
    first = "; ".join(f"{panel.item_id[r]} at {panel.location_id[r]}" for r in rows[:NAMED])
    return (Message(code, {"n_series": len(rows), "first": first, **values}),)


def _window_means(seen: Floats, width: int) -> Doubles:
    """Return the mean of the known among every ``width`` buckets in a row, (n, n_history - width + 1); else NaN."""
    known = np.isfinite(seen)
    sums, counts = (
        np.concatenate([np.zeros((len(seen), 1)), np.cumsum(values, axis=1, dtype=np.float64)], axis=1)
        for values in (np.where(known, seen, 0), known)
    )
    total, count = sums[:, width:] - sums[:, :-width], counts[:, width:] - counts[:, :-width]
    return np.where(2 * count >= width, total / np.maximum(count, 1), np.nan)
