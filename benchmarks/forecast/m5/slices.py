"""Which series a run is about: all, some stores, or fewer evenly spaced ones; and the fixed sample of 1,000."""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt

from benchmarks.forecast.m5.panels import FIRST_DAY, LAST_TRAINING_DAY, Sales
from engine.demand.panel import Floats

SAMPLE_SERIES, SAMPLE_STRATA, SAMPLE_SEED = 1000, 10, 1913

VELOCITIES = (0.25, 1.0, 4.0)
VELOCITY_NAMES = ("under 0.25 a day", "0.25 to 1", "1 to 4", "4 and more")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose series, cutoff and workers."""
    parser.add_argument("--last-day", type=int, default=LAST_TRAINING_DAY, help="number of the last training day")
    parser.add_argument("--stores", default="all", help="such as CA_1,TX_2")
    parser.add_argument("--n-series", type=int, help="only so many series, evenly spaced")
    parser.add_argument("--workers", type=int, default=2)


def as_arguments(options: argparse.Namespace) -> list[str]:
    """Return the options of `add_arguments` for another process."""
    said = ["--last-day", str(options.last_day), "--stores", options.stores, "--workers", str(options.workers)]
    return said if options.n_series is None else [*said, "--n-series", str(options.n_series)]


def sliced(sales: Sales, stores: str = "all", n_series: int | None = None) -> Sales:
    """Return the series of the named stores ("all": of every store), at most ``n_series`` of them.

    Raises
    ------
    ValueError
        If a store is unknown.
    """
    known = set(sales.items["store_id"])
    wanted = sorted(known) if stores == "all" else stores.split(",")
    if unknown := sorted(set(wanted) - known):
        raise ValueError(f"stores must be among {', '.join(sorted(known))}. Got {', '.join(unknown)} instead.")
    rows = np.flatnonzero(sales.items["store_id"].isin(wanted))
    if n_series is not None and n_series < len(rows):
        rows = rows[np.linspace(0, len(rows) - 1, n_series).astype(np.int64)]
    return sales.take(rows)


def sample_ids(sales: Sales) -> frozenset[str]:
    """Return the ids of the fixed sample of all series: from each tenth by units up to d1913 the same number.

    The sample is the same at every cutoff, so it is drawn from ``sales`` before `sliced`.
    """
    units = sales.units[:, : LAST_TRAINING_DAY - FIRST_DAY + 1].sum(axis=1, dtype=np.float64)
    by_velocity = np.argsort(units, kind="stable")
    generator = np.random.default_rng(SAMPLE_SEED)
    n_each = SAMPLE_SERIES // SAMPLE_STRATA
    chosen = [
        generator.choice(stratum, min(n_each, len(stratum)), replace=False)
        for stratum in np.array_split(by_velocity, SAMPLE_STRATA)
    ]
    return frozenset(sales.items["id"].iloc[np.concatenate(chosen)])


def velocity_classes(units: Floats, on_sale: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the class of each series in `VELOCITY_NAMES` by units a day on sale, of (n, n_days) both."""
    days = np.maximum(on_sale.sum(axis=1), 1)
    return np.searchsorted(VELOCITIES, units.sum(axis=1, dtype=np.float64) / days, side="right")
