"""The tables of a plan from arrays: targets, forecast, projection, assumptions, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from engine.messages import Message
from engine.plan.reasons import OWN_RULES, LineFacts, inbound_before_next, target_reasons
from engine.plan.tables import plan_table
from engine.policy.params import Objective
from engine.policy.types import F64, Cells, Options, Targets, Texts


class Decided(Protocol):
    """What was decided today: `engine.network.decide.Decision`, as far as a plan tells it."""

    @property
    def units(self) -> F64:
        """Units of every option."""
        ...

    @property
    def rule(self) -> Texts:
        """What decided them, by option: a name of `engine.network.types.BINDING`."""
        ...

    @property
    def cost_of_waiting(self) -> F64:
        """Expected cost with an option's units left out less that as decided, by option; money."""
        ...

    @property
    def cycle_service(self) -> F64:
        """What each cell reaches over the interval of its primary option; NaN without one."""
        ...

    @property
    def fill_rate(self) -> F64:
        """The same."""
        ...


@dataclass(frozen=True)
class CellLabels:
    """Texts per cell: the XYZ class, and the forecaster that was chosen for it."""

    xyz: Texts
    model: Texts


def promised_service(decided: Decided, objective: Objective) -> F64:
    """Return the share that a line promises, per cell: fill rate if that is the objective, else cycle service."""
    return decided.fill_rate if objective == "fill_rate" else decided.cycle_service


def line_facts(options: Options, targets: Targets, decided: Decided, objective: Objective) -> LineFacts:
    """Return what is known of every option: its cell's target, and what was decided.

    Where the decision is the cell's own ("target"), what bound that one is told instead.
    """
    service = promised_service(decided, objective)

    def of_cell(values: F64) -> F64:
        # An option that is not primary answers to the target of its cell's primary one.
        spread = np.full(len(service), np.nan)
        spread[options.cell[targets.option]] = values
        return spread[options.cell]

    told = decided.rule.copy()
    own = np.array([OWN_RULES[name] for name in targets.binding], dtype=object)
    if objective == "cost":
        own[own == "target"] = "least-cost"
    kept = (decided.rule[targets.option] == "target") & (decided.units[targets.option] == targets.order_units)
    told[targets.option[kept]] = own[kept]
    return LineFacts(
        units=decided.units,
        rule=told,
        need=of_cell(targets.raw_units),
        interval_demand=of_cell(targets.interval_demand),
        protection_demand=of_cell(targets.protection_demand),
        safety_stock=of_cell(targets.safety_stock),
        expected_service=service[options.cell],
        cost_of_waiting=decided.cost_of_waiting,
    )


@dataclass(frozen=True)
class TargetInputs:
    """What `targets_table` reads."""

    cells: Cells
    options: Options
    targets: Targets
    decided: Decided
    labels: CellLabels
    objective: Objective


def targets_table(inputs: TargetInputs) -> pd.DataFrame:
    """Return the table ``targets``, one row per cell with a primary option, sorted by item and location."""
    cells, options, targets = inputs.cells, inputs.options, inputs.targets
    cell = options.cell[targets.option]
    reasons = target_reasons(cells, options, targets, inputs.decided.units)
    decided = np.bincount(options.cell, weights=inputs.decided.units, minlength=cells.n_cells)
    table = plan_table(
        "targets",
        {
            "item_id": cells.item_id[cell],
            "location_id": cells.location_id[cell],
            "source_id": options.source_id[targets.option],
            "abc": cells.abc[cell],
            "xyz": inputs.labels.xyz[cell],
            "objective": np.full(len(cell), inputs.objective, dtype=object),
            "target": cells.target[cell],
            "order_date": options.order_date[targets.option],
            "available_date": options.available_date[targets.option],
            "next_available_date": options.next_available_date[targets.option],
            "interval_demand": targets.interval_demand,
            "protection_demand": targets.protection_demand,
            "safety_stock": targets.safety_stock,
            "reorder_point": targets.reorder_point,
            "order_up_to": targets.order_up_to,
            "stock_at_landing": targets.stock_at_landing,
            "available": cells.available[cell],
            "inbound": inbound_before_next(cells, options, targets.option),
            "backorders": cells.backorders[cell],
            "position": targets.position,
            "order_units": decided[cell],
            "expected_cycle_service": inputs.decided.cycle_service[cell],
            "expected_fill_rate": inputs.decided.fill_rate[cell],
            "expected_service": promised_service(inputs.decided, inputs.objective)[cell],
            "model": inputs.labels.model[cell],
            "reason_code": reasons.code,
            "reason_values": reasons.values,
        },
    )
    return table.sort_values(["item_id", "location_id"], kind="stable", ignore_index=True)


def assumption_tables(messages: Sequence[Message]) -> dict[str, pd.DataFrame]:
    """Return ``assumptions`` (one row per code, counted) and ``assumption_details`` (one row per case).

    Rows are sorted by code; the case shown for a code is its first by its values as text, so the order in
    which assumptions were made, by one process or by several, does not matter.
    """
    made = pd.DataFrame(
        {
            "assumption_code": [message.code for message in messages],
            "assumption_values": [message.values_json() for message in messages],
        },
        dtype="string[pyarrow]",
    )
    key = ["assumption_code", "assumption_values"]
    cases = made.groupby(key, sort=True).size().rename("count").reset_index()
    codes = cases.groupby("assumption_code", sort=True).agg(
        assumption_values=("assumption_values", "first"), count=("count", "sum")
    )
    return {
        "assumptions": plan_table("assumptions", _columns(codes.reset_index())),
        "assumption_details": plan_table("assumption_details", _columns(cases)),
    }


def costs_table(terms: Mapping[str, float]) -> pd.DataFrame:
    """Return the table ``costs``: expected money by term, in the order given."""
    return plan_table("costs", {"term": list(terms), "value": np.array(list(terms.values()), dtype=np.float64)})


def _columns(frame: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): column for name, column in frame.items()}
