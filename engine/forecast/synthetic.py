"""A small made-up panel, for tests and the conformance suite. Not a model of any data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.demand.calendar import Bucket, Calendar
from engine.demand.panel import DemandPanel

STARTS = {"D": "2025-03-03", "W": "2025-03-03", "M": "2025-03-01"}


def synthetic_panel(
    n_items: int = 12, n_history: int = 140, n_future: int = 28, bucket: Bucket = "D", seed: int = 0
) -> DemandPanel:
    """Return a panel of ``n_items`` items at two locations, sorted by key.

    Levels run from one unit in a month to some tens in a bucket; demand is over-dispersed, has a weekday
    or yearly pattern and a shock shared by all series. Some buckets are stock-outs, the last item is launched
    late, the last but one ends, and ``promotion`` is a known-future regressor.
    """
    generator = np.random.Generator(np.random.Philox(key=seed))
    calendar = Calendar(bucket, np.datetime64(STARTS[bucket]), n_history, n_future)
    n, b = 2 * n_items, n_history + n_future
    item = np.repeat(np.array([f"item-{i:03d}" for i in range(n_items)], np.object_), 2)
    location = np.tile(np.array(["north", "south"], np.object_), n_items)
    level = np.repeat(np.geomspace(0.05, 40, n_items), 2) * np.tile([1.0, 0.7], n_items)
    season = {"D": 7, "W": 52, "M": 12}[bucket]
    wave = 1 + 0.3 * np.sin(2 * np.pi * np.arange(b) / season)
    promotion = (generator.random((n, b)) < 0.04).astype(np.float32)
    shock = generator.gamma(50, 1 / 50, b)
    mean = level[:, None] * wave * shock * (1 + promotion) * generator.gamma(3, 1 / 3, (n, b))
    demand = generator.poisson(mean).astype(np.float32)
    offered = np.ones((n, b), np.bool_)
    offered[-2:, : n_history * 3 // 4] = False
    offered[-4:-2, n_history + n_future // 4 :] = False
    out = (generator.random((n, n_history)) < 0.03) & offered[:, :n_history]
    units = np.where(
        offered[:, :n_history], np.where(out, np.floor(demand[:, :n_history] / 2), demand[:, :n_history]), 0
    )
    static = pd.DataFrame(
        {
            "category": pd.array(np.where(np.arange(n) % 4 < 2, "tools", "toys"), dtype="string[pyarrow]"),
            "unit_price": np.linspace(5.0, 90.0, n),
            "divisible": np.zeros(n, np.bool_),
        }
    )
    return DemandPanel(
        calendar, item, location, units.astype(np.float32), np.where(out, 0.5, 1.0).astype(np.float32), offered,
        np.broadcast_to(np.linspace(5, 90, n, dtype=np.float32)[:, None], (n, n_history)).copy(),
        np.tile(np.array([[2, 9]] if bucket == "D" else [[1, 3]], np.int32), (n, 1)), static,
        {"promotion": promotion},
    )  # fmt: skip
