"""Stock and cost that plans expect between one delivery and the next, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.build import choose_calendar, demand_keys
from engine.network.build import build_network
from engine.plan.types import Plan
from engine.simulation import Cycles, Trace
from engine.simulation.scoring import cycle_units, units_between
from engine.tables.tables import Tables

KEYS = ["item_id", "location_id"]
RATES = ["holding_cost", "shortage_cost"]


@dataclass(frozen=True)
class Expected:
    """What plans expect of cycles; one entry a cycle, NaN where a plan does not project its cell.

    Parameters
    ----------
    held
        Stock at the end of each day from a delivery to the day before the next, summed; units times days.
    left
        Stock at the end of the day before the next delivery, units.
    daily_demand
        Units a day.
    holding_cost, shortage_cost
        Money per unit and day, and per lost unit.
    """

    held: np.ndarray
    left: np.ndarray
    daily_demand: np.ndarray
    holding_cost: np.ndarray
    shortage_cost: np.ndarray

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Expected:
        """Return the columns of `with_expected`."""
        return cls(*(rows[item.name].to_numpy(float) for item in fields(cls)))


def cost_rates(tables: Tables, config: PlanConfig, as_of: np.datetime64) -> pd.DataFrame:
    """Return item_id, location_id, holding_cost and shortage_cost of every cell."""
    calendar, _ = choose_calendar(tables, config.time, as_of)
    cells = build_network(tables, config, calendar, demand_keys(tables, calendar)).cells
    return pd.DataFrame({name: getattr(cells, name) for name in (*KEYS, *RATES)})


def with_expected(plan: Plan, rates: pd.DataFrame) -> pd.DataFrame:
    """Return the plan's targets with the columns of `Expected`, from its projection."""
    targets = plan.tables["targets"].reset_index(drop=True)
    days = (targets["next_available_date"] - targets["available_date"]).dt.days
    cycles = targets[[*KEYS, "available_date", "next_available_date"]].reset_index(names="cycle")
    rows = plan.tables["projection"].merge(cycles, on=KEYS)
    rows = rows[(rows["date"] >= rows["available_date"]) & (rows["date"] < rows["next_available_date"])]
    by_cycle = rows.sort_values(["cycle", "date"]).groupby("cycle")["stock_mean"]
    found = by_cycle.agg(["count", "sum", "last"]).reindex(targets.index)
    found = found.where(found["count"] == days)
    expected = targets.assign(held=found["sum"], left=found["last"], daily_demand=targets["interval_demand"] / days)
    return expected.merge(rates, on=KEYS, how="left", validate="many_to_one")


def stock_rows(seed: int, trace: Trace, cycles: Cycles, expected: Expected, abc: np.ndarray) -> pd.DataFrame:
    """Return, for each class and for all, what came and what was expected: cost, and days of cover left.

    Only cycles whose cell was projected count. Cost is holding and shortage from one delivery to the next. Days of
    cover are the stock just before the next delivery over the expected daily demand.
    """
    _, short = cycle_units(trace, cycles)
    held = units_between(trace, trace.closing, cycles)
    before_next = trace.closing[cycles.cell, np.maximum(cycles.end - trace.start - 1, 0)]
    short_expected = (1 - cycles.expected_fill_rate) * cycles.expected_demand
    known = np.isfinite(expected.held) & (cycles.end > cycles.start)
    rows = []
    for label in ("all", *sorted(set(abc))):
        at = known & ((abc == label) | (label == "all"))
        holding, shortage, daily = (
            getattr(expected, name)[at] for name in ("holding_cost", "shortage_cost", "daily_demand")
        )
        rows.append(
            {
                "seed": seed,
                "abc": label,
                "n_cycles": int(at.sum()),
                "cost": float(holding @ held[at] + shortage @ short[at]),
                "expected_cost": float(holding @ expected.held[at] + shortage @ short_expected[at]),
                "days": _ratio(before_next[at], daily),
                "expected_days": _ratio(expected.left[at], daily),
            }
        )
    return pd.DataFrame(rows)


def _ratio(units: np.ndarray, daily: np.ndarray) -> float:
    return float(units.sum() / daily.sum()) if daily.sum() > 0 else float("nan")
