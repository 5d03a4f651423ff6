"""Stock-outs laid over days that were fully stocked: the demand behind them is then known."""

from __future__ import annotations

import numpy as np

from benchmarks.forecast.censoring_data import Bools, HourlySales, Ints

MASKED = 0.4
"""Share of the fully stocked days that a stock-out is drawn for."""

ROUNDING = 1e-4


def transplanted(sales: HourlySales, generator: np.random.Generator) -> Bools:
    """Return hours out of stock on fully stocked days, taken from other days; shape (n, n_days, 24).

    The other day is one of the series' own that ran out, or one of any series where it has none. Nothing of the masked
    day's demand is in them.
    """
    stocked = sales.stocked
    chosen = stocked & (generator.random(stocked.shape) < MASKED)
    day, found = _drawn_days(~stocked, generator)
    own = np.take_along_axis(sales.out, day[:, :, None], axis=1)
    pool = sales.out[~stocked]
    other = pool[generator.integers(0, len(pool), stocked.shape)]
    return np.where(found[:, None, None], own, other) & chosen[:, :, None]


def depleted(sales: HourlySales, generator: np.random.Generator) -> Bools:
    """Return hours out of stock on fully stocked days that end when a drawn stock is sold; shape (n, n_days, 24).

    The stock is what another fully stocked day of the series sold, drawn at random. The day goes out of stock with
    the end of the hour in which that much had sold: sales are known by the hour.
    """
    stocked = sales.stocked
    chosen = stocked & (generator.random(stocked.shape) < MASKED)
    day, found = _drawn_days(stocked, generator)
    total = sales.sold.sum(axis=2, dtype=np.float64)
    stock = np.take_along_axis(total, day, axis=1)
    gone = np.cumsum(sales.sold, axis=2, dtype=np.float64) >= stock[:, :, None] - ROUNDING
    out = np.zeros(gone.shape, np.bool_)
    out[:, :, 1:] = gone[:, :, :-1]
    return out & (chosen & found[:, None])[:, :, None]


def _drawn_days(eligible: Bools, generator: np.random.Generator) -> tuple[Ints, Bools]:
    """Return a random eligible day of the same series for each day (n, n_days), and whether it has any (n,)."""
    count = eligible.sum(axis=1)
    first = np.argsort(~eligible, axis=1, kind="stable")
    place = (generator.random(eligible.shape) * count[:, None]).astype(np.int64)
    return np.take_along_axis(first, place, axis=1), count > 0
