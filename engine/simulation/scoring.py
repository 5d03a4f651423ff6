"""What a simulation reached: cycle service, fill rate, stock value and costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.simulation.types import F64, I64, Shipments, Texts, Trace


@dataclass(frozen=True)
class Cycles:
    """Order cycles: buckets [start, end) of a cell, and the service expected of them (NaN: none stated).

    ``expected_cycle_service`` and ``expected_fill_rate`` lie in [0, 1]; ``expected_demand`` weighs the
    latter, units. All arrays have one row a cycle.
    """

    cell: I64
    start: I64
    end: I64
    expected_cycle_service: F64
    expected_fill_rate: F64
    expected_demand: F64

    def __post_init__(self) -> None:
        n = len(self.cell)
        for name in ("start", "end", "expected_cycle_service", "expected_fill_rate", "expected_demand"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"{name} must have shape {(n,)}. Got {getattr(self, name).shape} instead.")
        if (self.end < self.start).any():
            raise ValueError("end must be >= start. Got cycles that end before they start instead.")

    def take(self, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Cycles:
        """Return the given cycles."""
        return Cycles(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def arrival_cycles(arrived: Shipments, end: int) -> Cycles:
    """Return the cycles between consecutive arrivals at each cell; the last one ends at ``end``.

    Lines that arrive together make one arrival; what they promise is their mean, weighted by units.
    The promise of a line is a cycle service; a fill rate is not stated.
    """
    lines = arrived.lines
    stocked = lines.units > 0
    cell, bucket, units = lines.cell[stocked], arrived.arrives[stocked], lines.units[stocked]
    promise = lines.promise[stocked]
    keys, group = np.unique(np.stack([cell, bucket]), axis=1, return_inverse=True)
    weight = np.bincount(group, weights=units, minlength=keys.shape[1])
    expected = np.bincount(group, weights=units * promise, minlength=keys.shape[1]) / weight
    follows = np.append(keys[0, 1:] == keys[0, :-1], np.zeros(min(keys.shape[1], 1), bool))
    ends = np.where(follows, np.roll(keys[1], -1), end)
    nothing = np.full(keys.shape[1], np.nan)
    return Cycles(keys[0], keys[1], np.maximum(ends, keys[1]), expected, nothing, nothing)


def cycle_units(trace: Trace, cycles: Cycles) -> tuple[F64, F64]:
    """Return demand and short units of each cycle.

    Raises
    ------
    ValueError
        If a cycle reaches beyond the trace.
    """
    return units_between(trace, trace.demand, cycles), units_between(trace, trace.short, cycles)


def units_between(trace: Trace, units: F64, cycles: Cycles) -> F64:
    """Return sums over each cycle's buckets of ``units``, an array of the trace, (n_cells, n_buckets).

    Raises
    ------
    ValueError
        If a cycle reaches beyond the trace.
    """
    if len(cycles.cell) and (cycles.start.min() < trace.start or cycles.end.max() > trace.end):
        raise ValueError(
            f"cycles must lie in buckets [{trace.start}, {trace.end}). "
            f"Got [{cycles.start.min()}, {cycles.end.max()}) instead."
        )
    total = np.concatenate([np.zeros((units.shape[0], 1)), np.cumsum(units, axis=1)], axis=1)
    within: F64 = total[cycles.cell, cycles.end - trace.start] - total[cycles.cell, cycles.start - trace.start]
    return within


def service(trace: Trace, cycles: Cycles, classes: Texts) -> pd.DataFrame:
    """Return what was reached and what was expected, one row a class and one for ``all``.

    Cycle service: of the cycles with demand, the share without shortage; its expectation is the mean
    over the same cycles. Fill rate: 1 - short / demand; its expectation is weighted by expected demand.

    Parameters
    ----------
    classes
        Shape (n_cycles,), such as "A", "B", "C".

    Returns
    -------
    DataFrame
        abc, n_cycles (with demand), demand, short, cycle_service, expected_cycle_service, fill_rate,
        expected_fill_rate.
    """
    demand, short = cycle_units(trace, cycles)
    rows = []
    for label in ("all", *sorted(set(classes))):
        chosen = np.ones(len(classes), bool) if label == "all" else classes == label
        asked = chosen & (demand > 0)
        weight = cycles.expected_demand[chosen]
        rows.append(
            {
                "abc": label,
                "n_cycles": int(asked.sum()),
                "demand": float(demand[chosen].sum()),
                "short": float(short[chosen].sum()),
                "cycle_service": _share((short[asked] <= 0).sum(), asked.sum()),
                "expected_cycle_service": _share(cycles.expected_cycle_service[asked].sum(), asked.sum()),
                "fill_rate": 1.0 - _share(short[chosen].sum(), demand[chosen].sum()),
                "expected_fill_rate": _share((weight * cycles.expected_fill_rate[chosen]).sum(), weight.sum()),
            }
        )
    return pd.DataFrame(rows)


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole > 0 else float("nan")


@dataclass(frozen=True)
class CostRates:
    """Money: holding and backorder per unit and day, shortage once per lost unit; shape (n_cells,)."""

    holding: F64
    shortage: F64
    backorder: F64


def costs(trace: Trace, shipments: Shipments, rates: CostRates, days: I64) -> Mapping[str, float]:
    """Return the cost of a trace by term: holding, shortage, backorder, lines.

    Holding and backorders are charged on the units at each bucket's end, for each of its ``days``
    (shape (n_buckets,)); shortage on units that were lost; ``lines`` are the units times the unit cost of
    the lines sent within the trace.
    """
    within = (shipments.lines.sent >= trace.start) & (shipments.lines.sent < trace.end)
    bought = shipments.lines.take(within)
    return {
        "holding": float((trace.closing @ days) @ rates.holding),
        "shortage": float(trace.lost.sum(axis=1) @ rates.shortage),
        "backorder": float((trace.backlog @ days) @ rates.backorder),
        "lines": float(bought.units @ bought.unit_cost),
    }


def stock_value(trace: Trace, unit_cost: F64) -> F64:
    """Return the value of the stock at each bucket's end, money, shape (n_buckets,)."""
    value: F64 = unit_cost @ trace.closing
    return value
