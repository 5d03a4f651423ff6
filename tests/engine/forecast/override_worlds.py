"""A small world of items and places with overrides, for the tests of overrides."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.demand.panel import DemandPanel
from engine.execution import Run
from engine.forecast.overrides import with_overrides
from engine.forecast.params import ForecastParams
from engine.forecast.streams import Streams
from engine.forecast.types import FittedState, SamplePaths
from engine.tables import Tables

N_PATHS = 200
CONFIG = PlanConfig(forecast=ForecastParams(n_paths=N_PATHS))
MONDAY = np.datetime64("2025-03-03")
DATES = ("start_date", "end_date", "created_at", "expires_on", "known_from")
CATEGORY = {"a": "tea", "b": "tea", "c": "pots"}
REGION = {"x": "north", "y": "south"}
KEYS = [(item, place) for item in CATEGORY for place in REGION]


def panel_of(bucket="D", n_future=14, divisible=False):
    """Items a, b (tea) and c (pots) at x (north) and y (south), on offer throughout, without history."""
    items, places = (np.array(ids, dtype=object) for ids in zip(*KEYS, strict=True))
    n = len(KEYS)
    static = pd.DataFrame(
        {
            "category": pd.array([CATEGORY[item] for item in items], dtype="string[pyarrow]"),
            "region": pd.array([REGION[place] for place in places], dtype="string[pyarrow]"),
            "divisible": np.full(n, divisible),
        }
    )
    none = np.zeros((n, 0), np.float32)
    return DemandPanel(
        Calendar(bucket, MONDAY, 0, n_future), items, places, none, none, np.ones((n, n_future), bool), none,
        np.tile(np.array([[0, n_future]], np.int32), (n, 1)), static, {},
    )  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A fitted model of given means per bucket: paths that are all alike, or Poisson draws."""

    mean: dict = field(default_factory=dict)
    default: float = 10.0
    poisson: bool = False
    notes: tuple = ()

    def sample(self, panel, horizon, n_paths, streams):
        units = np.empty((panel.n_series, n_paths, horizon), np.float32)
        for row, key in enumerate(zip(panel.item_id, panel.location_id, strict=True)):
            mean = self.mean.get(key, self.default)
            units[row] = streams.series(*key).poisson(mean, (horizon, n_paths)).T if self.poisson else mean
        return SamplePaths(panel.item_id, panel.location_id, units)

    def state(self):
        return FittedState(text={"default": str(self.default)})


def table(*rows):
    """The tables with these overrides; ids o0, o1, ... unless given."""
    frame = pd.DataFrame([{"override_id": f"o{number}", **row} for number, row in enumerate(rows)])
    return Tables.of({"overrides": frame.assign(**{c: pd.to_datetime(frame[c]) for c in DATES if c in frame})})


def days(first, last):
    """Start and end, in days from the Monday of the plan."""
    return {"start_date": str(MONDAY + first), "end_date": str(MONDAY + last)}


def overridden(rows, fitted=Made(), panel=None):
    """Units of all series by key (n_paths, horizon), and the notes."""
    panel = panel_of() if panel is None else panel
    changed, notes = with_overrides(fitted, panel, table(*rows), CONFIG, Run())
    units = changed.sample(panel, panel.calendar.n_future, N_PATHS, Streams(CONFIG.seed)).units
    return dict(zip(KEYS, units, strict=True)), notes


def values_of(notes, code):
    return [dict(note.values) for note in notes if note.code == code]
