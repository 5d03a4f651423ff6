"""What calibration is measured on: a panel to fit, and later ones to sample with the demand that followed each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.forecast_quick.panels import m5_panel, vn2_panel
from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.demand.panel import DemandPanel
from engine.forecast.backtest import Actuals, actuals_after
from engine.network.build import build_network
from engine.policy.classes import abc_classes
from engine.tables import Tables
from experiments.demo_world import DemoWorld, build
from experiments.settings import read_settings

SEEDS = (10, 11, 12)
QUARTERS = ("2024-10-28", "2025-01-27", "2025-04-28", "2025-07-28")
"""All of them end before the demo world's default date."""

WEEKS, EVERY = 13, 2
BACKS = {"vn2": (16, 13, 10, 7, 4), "m5": (56, 42, 28, 14)}


@dataclass(frozen=True)
class Cutoff:
    """A panel, the demand that followed it, and the ABC class of its series."""

    panel: DemandPanel
    actuals: Actuals
    abc: npt.NDArray[np.object_]


def quarters() -> Iterator[list[Cutoff]]:
    """Yield, per quarter of the demo world and seed, every second Monday; what truly was asked for followed."""
    for seed in SEEDS:
        for start in QUARTERS:
            days = [np.datetime64(start) + 7 * week for week in range(0, WEEKS, EVERY)]
            yield [_of_world(build(seed, str(day)), day) for day in days]


def public(name: str) -> Iterator[list[Cutoff]]:
    """Yield the cutoffs of a public data set, earliest first."""
    panel = {"vn2": vn2_panel, "m5": m5_panel}[name]()
    horizon = int(panel.interval[:, 1].max())
    pasts = [panel.cut(back) for back in BACKS[name]]
    yield [
        Cutoff(past, actuals_after(panel, back, horizon), _classes(past))
        for past, back in zip(pasts, BACKS[name], strict=True)
    ]


def _of_world(world: DemoWorld, day: np.datetime64) -> Cutoff:
    settings = read_settings(Path("configs/demo.toml"))
    tables = Tables.of(world.tables)
    calendar, _ = choose_calendar(tables, settings.time, day)
    keys = demand_keys(tables, calendar)
    network = build_network(tables, settings, calendar, keys)
    panel, _ = build_panel(tables, settings, network.calendar, keys, network.interval_for(keys))
    truth = world.truth
    place = pd.MultiIndex.from_arrays([truth.item_id, truth.location_id])
    rows = place.get_indexer(pd.MultiIndex.from_arrays([panel.item_id, panel.location_id]))
    panel = panel.take(np.flatnonzero(rows >= 0))
    units = truth.realised[rows[rows >= 0], : int(panel.interval[:, 1].max())]
    return Cutoff(panel, Actuals(units, np.ones(units.shape, np.bool_)), _classes(panel))


def _classes(panel: DemandPanel) -> npt.NDArray[np.object_]:
    year = {"D": 364, "W": 52, "M": 12}[panel.calendar.bucket]
    price = np.ones(panel.n_series)
    if "unit_price" in panel.static:
        price = panel.static["unit_price"].to_numpy(np.float64, na_value=1.0)
    return abc_classes(panel.units[:, -year:].sum(axis=1, dtype=np.float64) * price)
