"""How much a sale sells: a part's own past sizes, mixed with what sold next after sizes like them.

The sizes of a series on one path come from a Polya urn (Blackwell and MacQueen 1973, Annals of Statistics 1): the next
size is one of the series' own, the later ones weighing more; or one drawn earlier on that very path; or, with a fixed
weight, a new one: the size that followed elsewhere after as many sales of about that mean, brought to the mean at hand.
So a pack stays a pack, what is not known of the sizes stays the same along a path, and a size that was never sold can
come. A series without a sale takes first sales, of series of about its price where prices are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

from engine.demand.censoring import expected_demand
from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel
from models.sale_chain import Doubles, Evidence, evenly, rate_over

Ints = npt.NDArray[np.int64]

N_OWN = 40
"""Latest sizes of its own that a series draws from."""

MEAN_KEEP = 0.9
"""Weight of a sale in the mean size, over that of the sale after it."""

SALES_FROM = (0, 1, 2, 3, 5, 10)
"""Past sales from which on a series belongs to the next class; what follows is learnt by class."""

MIN_SIZES = 24
"""A class with fewer sizes than this takes those of all classes with a past sale; with fewer still, assumed ones."""

WINDOW_SHARE = 0.04
WINDOW_MIN, WINDOW_MAX = 20, 300
"""Neighbours on each side, in mean size or price, to draw a new size from: a share of the class, within bounds."""

CAP_RATIO = 20.0
"""A new size is at most this multiple of the mean."""

MAX_SIZES = 20_000
"""Sizes kept of a class; beyond it every k-th by mean is."""

SELDOM = 0.5
"""An item with a lesser chance of a sale in a plain bucket sells one size, or two, at a time: where demand is higher
it sells sizes more often, not larger ones."""

ASSUMED_SHAPE = 1.5
"""Where too little was sold to learn from, ratios to the mean are gamma of this shape and mean 1."""


@dataclass(frozen=True)
class OwnSizes:
    """Latest sizes of each series.

    Parameters
    ----------
    size
        Shape (n, N_OWN), latest first, 0 beyond the last.
    count
        Sales in the history, shape (n,).
    mean
        Mean size, later sales weighing more (`MEAN_KEEP`), shape (n,); 0 without a sale.
    """

    size: Doubles
    count: Ints
    mean: Doubles


@dataclass(frozen=True)
class SizePool:
    """Sizes to draw new ones from, by class of `SALES_FROM`.

    Parameters
    ----------
    edge
        Class ``c`` is the rows [edge[c], edge[c + 1]); shape (n_classes + 1,).
    key
        Mean of the sizes before, or the price for the first class; ascending in each class, shape (rows,).
    value
        Size over that mean, or the size itself for the first class; shape (rows,).
    assumed
        True if there was too little to learn from.
    """

    edge: Ints
    key: Doubles
    value: Doubles
    assumed: bool

    def window(self, own: OwnSizes, price: Doubles) -> tuple[Ints, Ints, Doubles]:
        """Return the rows [low, high) that each series draws a new size from, and the factor on it; shape (n,) each."""
        kind = np.searchsorted(SALES_FROM, own.count, side="right") - 1
        wanted = np.where(kind == 0, price, own.mean)
        low, high = np.zeros(len(kind), np.int64), np.zeros(len(kind), np.int64)
        for c in range(len(SALES_FROM)):
            mine = kind == c
            first, last = int(self.edge[c]), int(self.edge[c + 1])
            key = self.key[first:last]
            width = int(np.clip(round(WINDOW_SHARE * len(key)), WINDOW_MIN, WINDOW_MAX))
            left, right = (np.searchsorted(key, wanted[mine], side=side) for side in ("left", "right"))
            # Rows of the very same key are all as near: small counts share few means, and unknown prices one.
            middle = np.clip((left + right) // 2, width, max(width, len(key) - width))
            low[mine] = first + np.clip(np.minimum(left, middle - width), 0, len(key) - 1)
            high[mine] = first + np.clip(np.maximum(right, middle + width), 1, len(key))
        return low, high, np.where(kind == 0, 1.0, own.mean)


def read_sizes(panel: DemandPanel) -> Doubles:
    """Return the size of every sale, 0 without one, shape (n, n_history); stock-outs count as `expected_demand`."""
    sold = on_offer(panel)[:, : panel.calendar.n_history] & (panel.units > 0)
    return np.where(sold, expected_demand(panel), np.float32(0)).astype(np.float64)


def size_factor(rate: Doubles, exposure: Doubles) -> Doubles:
    """Return the factor on a sale's mean size in a bucket worth ``exposure`` plain ones, each with a sale of ``rate``.

    Mean demand grows by the exposure: as far as the chance of a sale does not, the size does.
    """
    if (exposure == 1).all():
        return np.ones(np.broadcast_shapes(rate.shape, exposure.shape))
    return np.asarray(np.where(exposure == 1, 1.0, exposure * rate / rate_over(rate, exposure)))


def plain_sizes(panel: DemandPanel, evidence: Evidence, rate: Doubles) -> Doubles:
    """Return the sizes of all sales as they would have been in plain buckets, 0 without one, shape (n, n_history).

    ``rate`` is the chance of a sale in a plain bucket, shape (n,); what sells seldom keeps its sizes (`SELDOM`).
    """
    factor = size_factor(rate[:, None], evidence.exposure)
    return read_sizes(panel) / np.where(rate[:, None] < SELDOM, 1.0, factor)


def listed_price(panel: DemandPanel) -> Doubles:
    """Return the listed price of each series, shape (n,); 0 where it is not known."""
    if "unit_price" not in panel.static:
        return np.zeros(panel.n_series)
    price = panel.static["unit_price"].to_numpy(np.float64, na_value=np.nan)
    return np.where(price > 0, price, 0.0)


def own_sizes(size: Doubles) -> OwnSizes:
    """Return the latest sizes of each series from the sizes by bucket, shape (n, n_history), 0 where none was sold."""
    n, n_history = size.shape
    latest = np.zeros((n, N_OWN))
    count, total, weight = np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
    kept = MEAN_KEEP ** np.arange(n_history)
    for t in range(n_history - 1, -1, -1):
        rows = np.flatnonzero(size[:, t] > 0)
        place = count[rows]
        fits = place < N_OWN
        latest[rows[fits], place[fits]] = size[rows[fits], t]
        total[rows] += kept[place] * size[rows, t]
        weight[rows] += kept[place]
        count[rows] += 1
    return OwnSizes(latest, count, total / np.maximum(weight, 1))


def learn_sizes(size: Doubles, price: Doubles) -> SizePool:
    """Return the pool of what followed sizes known before, from the sizes by bucket (n, n_history)."""
    count, mean, paid, sold = _followed(size, price)
    kind = np.searchsorted(SALES_FROM, count, side="right") - 1
    ratio = np.minimum(sold / np.where(kind > 0, mean, 1), CAP_RATIO)
    again = kind > 0
    assumed = int(again.sum()) < MIN_SIZES
    usual = gammaincinv(ASSUMED_SHAPE, (np.arange(MIN_SIZES) + 0.5) / MIN_SIZES) / ASSUMED_SHAPE
    parts: list[tuple[Doubles, Doubles]] = []
    for c in range(len(SALES_FROM)):
        rows = kind == c
        if rows.sum() < MIN_SIZES:
            rows = again if c else np.ones(len(kind), np.bool_)
        if rows.sum() >= MIN_SIZES:
            parts.append(_sorted(*((mean[rows], ratio[rows]) if c else (paid[rows], sold[rows]))))
        else:
            level = sold.mean() if len(sold) and not c else 1.0
            parts.append((np.zeros(MIN_SIZES), usual * level))
    edge = np.cumsum([0, *(len(key) for key, _ in parts)])
    return SizePool(edge, np.concatenate([k for k, _ in parts]), np.concatenate([v for _, v in parts]), assumed)


def _followed(size: Doubles, price: Doubles) -> tuple[Ints, Doubles, Doubles, Doubles]:
    """Return of every sale the number of sales before it, their mean size, the series' price and the size."""
    n, n_history = size.shape
    count, total, weight = np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
    counts, means, rows_of, sizes = [np.zeros(0, np.int64)], [np.zeros(0)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for t in range(n_history):
        rows = np.flatnonzero(size[:, t] > 0)
        sold = size[rows, t]
        counts.append(count[rows])
        means.append(total[rows] / np.maximum(weight[rows], 1))
        rows_of.append(rows)
        sizes.append(sold)
        total[rows] = MEAN_KEEP * total[rows] + sold
        weight[rows] = MEAN_KEEP * weight[rows] + 1
        count[rows] += 1
    return np.concatenate(counts), np.concatenate(means), price[np.concatenate(rows_of)], np.concatenate(sizes)


def _sorted(key: Doubles, value: Doubles) -> tuple[Doubles, Doubles]:
    """Return both in the order of the key, at most `MAX_SIZES` of them."""
    order = np.lexsort((value, key))
    order = order[evenly(len(order), MAX_SIZES)]
    return key[order], value[order]
