"""restock in the game: the tables that a company would have on each Monday, and `engine.make_plan`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from benchmarks.vn2.game import F64, History, Policy, Stock
from engine.config import PlanConfig
from engine.execution import Run
from engine.forecast.types import Fitted, Forecaster
from engine.plan.make import make_plan
from engine.plan.types import Plan
from engine.tables.tables import Tables
from experiments.replay.frozen import Frozen, Remembering

MASTERS = ("items", "locations", "supply")
"""Tables that say the same on every Monday."""

WEEKS_HELD = 1.5
"""Weeks for which the plan charges a unit left at the end of the week that an order serves. The plan looks no further,
but such a unit may be left again a week later. Chosen among 1, 1.5 and 2 on windows before the eight latest."""


def with_weeks_held(imported: Mapping[str, pd.DataFrame], weeks: float) -> dict[str, pd.DataFrame]:
    """Return the tables with the holding cost of so many weeks in place of one."""
    items = imported["items"]
    return {**imported, "items": items.assign(holding_cost=items["holding_cost"] * weeks)}


def restock_policy(
    imported: Mapping[str, pd.DataFrame], config: PlanConfig, build: Callable[[], Forecaster], run: Run
) -> Policy:
    """Return a policy for one window: it fits at its first order and stays frozen for the others.

    Parameters
    ----------
    imported
        Tables of `experiments.importers.vn2`, of which `MASTERS` are read.
    config
        Settings of the plan.
    build
        Makes the forecaster.
    run
        Executor and progress of the plans.
    """
    fits: list[Fitted] = []
    masters = {name: imported[name] for name in MASTERS}

    def order(past: History, stock: Stock) -> F64:
        forecaster: Forecaster = Frozen("frozen", fits[0]) if fits else Remembering(build(), fits)
        return ordered(make_plan(tables_at(masters, past, stock), config, forecaster, run, past.today), past)

    return order


def tables_at(masters: Mapping[str, pd.DataFrame], past: History, stock: Stock) -> Tables:
    """Return the tables of a Monday: sales before it, the stock on it, and what is on its way."""
    n, n_weeks = past.units.shape
    sales = pd.DataFrame(
        {
            "item_id": np.repeat(past.item_id, n_weeks),
            "location_id": np.repeat(past.location_id, n_weeks),
            "date": np.tile(past.weeks, n).astype("datetime64[ns]"),
            "units": past.units.ravel(),
            "in_stock": past.in_stock.astype(np.float64).ravel(),
        }
    )
    inventory = pd.DataFrame({"item_id": past.item_id, "location_id": past.location_id, "on_hand": stock.on_hand})
    frames = {
        **masters,
        "sales": sales,
        "inventory": inventory,
        "open_orders": _open_orders(past, stock),
        "item_locations": _item_locations(past),
    }
    return Tables.of(frames)


def ordered(plan: Plan, past: History) -> F64:
    """Return the units that a plan orders on its own day, one entry an item-location."""
    orders = plan.tables["orders"]
    now = orders[orders["order_date"] == pd.Timestamp(past.today)]
    keys = pd.MultiIndex.from_arrays([past.item_id, past.location_id])
    units = now.groupby([now["item_id"].astype(object), now["location_id"].astype(object)])["units"].sum()
    return units.reindex(keys, fill_value=0.0).to_numpy(np.float64)


def _open_orders(past: History, stock: Stock) -> pd.DataFrame:
    parts = []
    for week in range(stock.due.shape[1]):
        rows = np.flatnonzero(stock.due[:, week] > 0)
        due = pd.Timestamp(past.today) + pd.Timedelta(weeks=week)
        parts.append(
            pd.DataFrame(
                {
                    "order_id": f"due-{due:%Y-%m-%d}",
                    "line_no": np.arange(1.0, len(rows) + 1),
                    "item_id": past.item_id[rows],
                    "location_id": past.location_id[rows],
                    "units": stock.due[rows, week],
                    "due_date": due,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _item_locations(past: History) -> pd.DataFrame:
    """Return since when each pair is on sale; one that was never in stock before today is not active yet."""
    seen = past.in_stock.any(axis=1)
    first = past.in_stock.argmax(axis=1)
    launch = np.where(seen & (first > 0), past.weeks[first], np.datetime64("NaT", "D"))
    return pd.DataFrame(
        {
            "item_id": past.item_id,
            "location_id": past.location_id,
            "active": seen,
            "launch_date": launch.astype("datetime64[ns]"),
        }
    )
