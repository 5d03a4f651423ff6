"""The demo world as of a date: its tables, and its true demand from there on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.errors import ConfigError
from experiments.demo_world.assortment import CENTRAL, F64, Texts
from experiments.demo_world.history import Ledger, past
from experiments.demo_world.law import load_law
from experiments.demo_world.master_tables import master_tables
from experiments.demo_world.offer_tables import offer_tables, presale_lines, presale_tables
from experiments.demo_world.promotions import day_of
from experiments.demo_world.scene import Scene, at_cells, exploded, make_scene
from experiments.demo_world.stock_tables import stock_tables

DEFAULT_AS_OF = "2025-10-27"
HISTORY_WEEKS = 52
TRUTH_WEEKS = 53

NOTICE = "The demo world is made up: no such company, goods or sales exist."


@dataclass(frozen=True)
class Truth:
    """What customers will ask for from the as-of date on; for tests and benchmarks only.

    Rows are the stocked items at the warehouses that sell, sorted by item, then location; bundles are
    exploded. Arrays have shape (n_series, n_days), units.

    Parameters
    ----------
    dates
        The days, datetime64[D], shape (n_days,).
    expected
        Mean demand given levels, patterns, prices and festivals; presales aside.
    realised
        What is really asked for; presales aside.
    presale
        Presale units on the day they are to ship.
    """

    item_id: Texts
    location_id: Texts
    dates: npt.NDArray[np.datetime64]
    expected: F64
    realised: F64
    presale: F64


@dataclass(frozen=True)
class DemoWorld:
    """The world of a seed as of a date.

    Parameters
    ----------
    tables
        Contract tables by name.
    truth
        Demand to come; for tests and benchmarks only.
    scene, ledger
        What a simulation goes on with: `advance` places lines, `tables_at` reads the tables of a later day.
    """

    tables: Mapping[str, pd.DataFrame]
    truth: Truth
    scene: Scene
    ledger: Ledger


def build(seed: int = 0, as_of: str = DEFAULT_AS_OF) -> DemoWorld:
    """Return the demo world of a seed as of a date (a Monday).

    The same seed is the same world whatever the date: an earlier date sees less of it.

    Raises
    ------
    ConfigError
        If the date is not a Monday, or leaves no year of history behind it or of truth before it.
    """
    law = load_law()
    today = day_of(law, date.fromisoformat(as_of))
    first, last = 7 * HISTORY_WEEKS, 7 * (law["world"]["n_weeks"] - TRUTH_WEEKS)
    if today % 7 or not first <= today <= last:
        start = law["world"]["start"]
        raise ConfigError(
            f"as_of must be a Monday from {start + timedelta(days=first)} to {start + timedelta(days=last)}",
            as_of,
            f"Leave it out for {DEFAULT_AS_OF}",
        )
    scene = make_scene(law, seed)
    ledger = past(scene, today)
    return DemoWorld(tables_at(scene, ledger), _truth(scene, today), scene, ledger)


def tables_at(scene: Scene, ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Return the contract tables as a company knows them at the start of the ledger's day."""
    today = ledger.state.bucket
    lines = presale_lines(scene, ledger)
    return {
        **stock_tables(scene, ledger, lines),
        **master_tables(scene),
        **offer_tables(scene, today),
        **presale_tables(scene, lines, today),
    }


def _truth(scene: Scene, today: int) -> Truth:
    demand, items = scene.demand, scene.items
    sells = scene.cells.location_id != CENTRAL
    expected, realised, presale = (
        at_cells(by_region[:, :, today:])[sells]
        for by_region in (
            exploded(demand.expected, demand.expected_bundle, items),
            exploded(demand.own, demand.bundle, items),
            scene.presales.due,
        )
    )
    days = np.datetime64(scene.date_of(today), "D") + np.arange(scene.n_days - today)
    return Truth(scene.cells.item_id[sells], scene.cells.location_id[sells], days, expected, realised, presale)
