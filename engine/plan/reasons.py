"""Why each line has its units: the rule that bound it, the numbers behind it, the cost of doing nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.network.steady import KEPT_AS_PLANNED
from engine.network.supplier_types import REASON_CODES as SUPPLIER_ORDER_CODES
from engine.network.types import BINDING
from engine.policy.types import F64, I64, Cells, Options, Targets, Texts

OWN_RULES: Mapping[str, str] = MappingProxyType(
    {
        "": "target",
        "owed": "owed",
        "min-stock": "min-stock",
        "minimum": "lot-minimum",
        "multiple": "lot-multiple",
        "maximum": "lot-maximum",
        "max-stock": "shelf-limit",
        "shelf-life": "shelf-life",
    }
)
"""What bound a cell's own decision (`Targets.binding`) to the rule that is told."""

RULES = tuple(dict.fromkeys((*BINDING.values(), *OWN_RULES.values(), KEPT_AS_PLANNED)))
REASON_CODES = (
    *(f"{kind}-{rule}" for kind in ("order", "transfer") for rule in RULES),
    *("stock-ordered", "stock-enough", "stock-held-back"),
    *SUPPLIER_ORDER_CODES,
)
"""Every reason code of order lines, transfer lines, targets and supplier orders."""


@dataclass(frozen=True)
class LineFacts:
    """What is known of each option, arrays of the options' length; NaN where unknown.

    Parameters
    ----------
    units
        Decided units, 0 for an option that is not used.
    rule
        What decided them, one of `RULES`.
    need
        What the receiving cell's own rule asks for before lots and shelf; units.
    interval_demand
        Mean demand over [arrival, next arrival); units.
    protection_demand
        Mean demand from ``as_of`` to the next arrival; units.
    safety_stock
        Order-up-to - mean demand over the protection interval; units.
    expected_service
        Share that the decision as a whole reaches at the receiving cell.
    cost_of_waiting
        Expected cost with this line left out - expected cost as decided, until the receiver's next order arrives;
        money. Below 0 where the units cost more to bring and keep than they save: the price of a service target.
    """

    units: F64
    rule: Texts
    need: F64
    interval_demand: F64
    protection_demand: F64
    safety_stock: F64
    expected_service: F64
    cost_of_waiting: F64

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"facts must have one length. Got {lengths} instead.")
        unknown = sorted(set(self.rule.tolist()) - set(RULES))
        if unknown:
            raise ValueError(f"rule must be one of {sorted(RULES)}. Got {unknown} instead.")


@dataclass(frozen=True)
class Reasons:
    """Codes, and values as JSON, one per row."""

    code: Texts
    values: Texts


def line_reasons(cells: Cells, options: Options, facts: LineFacts, rows: I64) -> Reasons:
    """Return why each of the given options has its units."""
    kind = np.where(options.origin_cell[rows] < 0, "order-", "transfer-").astype(object)
    cell = options.cell[rows]
    values = {
        "units": facts.units[rows],
        "need": facts.need[rows],
        "interval_demand": facts.interval_demand[rows],
        "protection_demand": facts.protection_demand[rows],
        "safety_stock": facts.safety_stock[rows],
        "available": cells.available[cell],
        "inbound": inbound_before_next(cells, options, rows),
        "backorders": cells.backorders[cell],
        "arrives": options.available_date[rows],
        "next_arrives": options.next_available_date[rows],
        "minimum": options.min_units[rows],
        "multiple": options.multiple[rows],
        "maximum": np.minimum(options.max_units[rows], cells.max_stock[cell]),
        "source": options.source_id[rows],
        # A line that saves no money does not say that it does; the column holds the sign.
        "cost_of_waiting": np.where(facts.cost_of_waiting[rows] > 0, facts.cost_of_waiting[rows], np.nan),
    }
    return Reasons(kind + facts.rule[rows], json_rows(values))


def inbound_before_next(cells: Cells, options: Options, rows: I64) -> F64:
    """Return the inbound units of each given option's cell that come before its next arrival, as in a position."""
    due = np.arange(cells.arrivals.shape[1]) < options.next_arrival[rows, None]
    return np.asarray((cells.arrivals[options.cell[rows]] * due).sum(axis=1))


def target_reasons(cells: Cells, options: Options, targets: Targets, units: F64) -> Reasons:
    """Return why each target's cell receives units or none; ``units`` as decided, one number per option."""
    cell = options.cell[targets.option]
    total = np.bincount(options.cell, weights=units, minlength=cells.n_cells)[cell]
    code = np.select(
        [total > 0, targets.position > targets.reorder_point],
        ["stock-ordered", "stock-enough"],
        default="stock-held-back",
    ).astype(object)
    values = {
        "units": total,
        "position": targets.position,
        "reorder_point": targets.reorder_point,
        "order_up_to": targets.order_up_to,
        "protection_demand": targets.protection_demand,
        "safety_stock": targets.safety_stock,
        "next_arrives": options.next_available_date[targets.option],
    }
    return Reasons(code, json_rows(values))


def json_rows(columns: Mapping[str, npt.NDArray[Any]]) -> Texts:
    """Return each row of the columns as JSON, keys sorted; numbers to six decimals; null: not finite, or no date."""
    names = sorted(columns)
    lists = [_plain(columns[name]) for name in names]
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    return np.array([encode(dict(zip(names, row, strict=True))) for row in zip(*lists, strict=True)], dtype=object)


def _plain(values: npt.NDArray[Any]) -> list[object]:
    if values.dtype.kind == "M":
        texts = values.astype("datetime64[D]").astype(str).tolist()
        return [None if unknown else text for text, unknown in zip(texts, np.isnat(values).tolist(), strict=True)]
    if values.dtype.kind == "f":
        # Adding zero turns -0.0 into 0.0, so that equal numbers are equal text.
        rounded = np.round(values.astype(np.float64), 6) + 0.0
        finite = np.isfinite(rounded).tolist()
        return [number if known else None for number, known in zip(rounded.tolist(), finite, strict=True)]
    return list(values.tolist())
