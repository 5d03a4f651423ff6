"""Order and transfer lines: their identity, and their tables from the decided units per option."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np
import pandas as pd

from engine.plan.reasons import LineFacts, line_reasons
from engine.plan.tables import plan_table
from engine.policy.types import F64, I64, Cells, Days, Options, Texts

LineKind = Literal["purchase", "transfer"]


@dataclass(frozen=True)
class LineKeys:
    """What identifies lines, arrays of one length; ``kind`` is "purchase" or "transfer"."""

    item_id: Texts
    source_id: Texts
    dest_id: Texts
    kind: Texts
    order_date: Days


def line_ids(scope: str, keys: LineKeys) -> Texts:
    """Return one id per line: a hash of plan scope, item, source, destination, kind and order date.

    The same need has the same id in every run of a scope, so a line that was released once is known again.
    An id is an L and 16 characters of base 32 (80 bits): never a number to a spreadsheet, safe in a URL.

    Raises
    ------
    ValueError
        Two lines share all of what identifies them.
    """
    dates = keys.order_date.astype("datetime64[D]").astype(str)
    ids = [
        _line_id((scope, *parts))
        for parts in zip(keys.item_id, keys.source_id, keys.dest_id, keys.kind, dates, strict=True)
    ]
    repeats = len(ids) - len(set(ids))
    if repeats:
        raise ValueError(f"lines must differ in item, source, destination, kind or date. Got {repeats} repeats.")
    return np.array(ids, dtype=object)


def order_lines(scope: str, cells: Cells, options: Options, facts: LineFacts) -> pd.DataFrame:
    """Return the table ``orders``: purchases of more than nothing, sorted by item, place, date and source."""
    rows = np.flatnonzero((facts.units > 0) & (options.origin_cell < 0))
    columns = _line_columns(scope, cells, options, facts, rows)
    columns["source_id"] = options.source_id[rows]
    columns["location_id"] = columns.pop("dest_id")
    return _sorted(plan_table("orders", columns), ["item_id", "location_id", "order_date", "source_id"])


def transfer_lines(scope: str, cells: Cells, options: Options, facts: LineFacts) -> pd.DataFrame:
    """Return the table ``transfers``: moves of more than nothing between own sites; sorted as ``orders``."""
    rows = np.flatnonzero((facts.units > 0) & (options.origin_cell >= 0))
    columns = _line_columns(scope, cells, options, facts, rows)
    columns["origin_id"] = cells.location_id[options.origin_cell[rows]]
    return _sorted(plan_table("transfers", columns), ["item_id", "dest_id", "order_date", "origin_id"])


def option_line_ids(scope: str, cells: Cells, options: Options, rows: I64 | None = None) -> Texts:
    """Return the line id that each option (or each of the given rows) has if it is used."""
    chosen = np.arange(options.n_options) if rows is None else rows
    kind = np.where(options.origin_cell[chosen] < 0, "purchase", "transfer").astype(object)
    keys = LineKeys(
        cells.item_id[options.cell[chosen]],
        options.source_id[chosen],
        cells.location_id[options.cell[chosen]],
        kind,
        options.order_date[chosen],
    )
    return line_ids(scope, keys)


def _line_columns(
    scope: str, cells: Cells, options: Options, facts: LineFacts, rows: I64
) -> dict[str, Texts | F64 | Days]:
    reasons = line_reasons(cells, options, facts, rows)
    return {
        "line_id": option_line_ids(scope, cells, options, rows),
        "item_id": cells.item_id[options.cell[rows]],
        "dest_id": cells.location_id[options.cell[rows]],
        "units": facts.units[rows],
        "order_date": options.order_date[rows],
        "available_date": options.available_date[rows],
        "unit_cost": options.unit_cost[rows],
        # Four decimals of money, so that a product does not end in the noise of its last bits.
        "value": np.round(facts.units[rows] * options.unit_cost[rows], 4),
        "expected_service": facts.expected_service[rows],
        "cost_of_waiting": np.round(facts.cost_of_waiting[rows], 4),
        "reason_code": reasons.code,
        "reason_values": reasons.values,
    }


def _sorted(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    # Text of Arrow sorts by code point, as Python does.
    return table.sort_values(list(by), kind="stable", ignore_index=True)


def _line_id(parts: Sequence[str]) -> str:
    digest = blake2b(digest_size=10)
    for part in parts:
        text = str(part).encode()
        digest.update(len(text).to_bytes(4, "little") + text)
    return "L" + b32encode(digest.digest()).decode()
