"""What a unit costs and what stock is for: money and targets of every cell, with their defaults listed.

An item's row at a location overrides the item, which overrides its class, which overrides the configuration
(docs/design.md, 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.errors import DataError
from engine.messages import Message, Value
from engine.network.types import Keys
from engine.policy.types import F64, I64, Bools, Texts
from engine.tables import Tables

DAYS_PER_YEAR = 365.0
_DEFAULT_LATENESS_DAYS = 7.0  # a unit owed for this long costs as much as a lost one


@dataclass(frozen=True)
class Terms:
    """Money, targets and limits of cells, all of shape (n,); see `engine.policy.types.Cells`."""

    divisible: Bools
    unit_cost: F64
    unit_price: F64
    holding_cost: F64
    shortage_cost: F64
    backorder_cost: F64
    salvage_value: F64
    target: F64
    min_stock: F64
    max_stock: F64
    volume: F64
    sellable_days: F64
    end_date: pd.Series


@dataclass(frozen=True)
class CellFrames:
    """Rows of ``items`` and ``item_locations`` aligned with cells (all-null where there is none)."""

    keys: Keys
    items: pd.DataFrame
    pairs: pd.DataFrame


def align(tables: Tables, keys: Keys) -> CellFrames:
    """Return the rows of ``items`` and ``item_locations`` of every cell."""
    items = tables["items"].drop_duplicates("item_id").set_index("item_id")
    pairs = tables["item_locations"].drop_duplicates(["item_id", "location_id"])
    pairs = pairs.set_index(["item_id", "location_id"])
    return CellFrames(
        keys=keys,
        items=items.reindex(pd.Index(keys[0], dtype=items.index.dtype)).reset_index(drop=True),
        pairs=pairs.reindex(pd.MultiIndex.from_arrays(list(keys))).reset_index(drop=True),
    )


def number(frame: pd.DataFrame, column: str) -> F64:
    """Return a numeric column as float64, NaN where null."""
    return np.asarray(frame[column].astype("float64"), dtype=np.float64)


def counted(code: str, keys: Keys, where: Bools, **values: Value) -> list[Message]:
    """Return one message that counts the cells concerned and names the first, or none."""
    rows = np.flatnonzero(where)
    if not len(rows):
        return []
    first = f"{keys[0][rows[0]]} @ {keys[1][rows[0]]}"
    return [Message(code, {"count": len(rows), "first": first, **values})]


def cell_terms(
    tables: Tables, config: PlanConfig, frames: CellFrames, classes: tuple[Texts, Bools], purchase_cost: F64
) -> tuple[Terms, list[Message]]:
    """Return the terms of cells and the assumptions made for them.

    Parameters
    ----------
    tables, config
        Data and settings.
    frames
        Rows of items and item-locations by cell.
    classes
        ABC class of every cell, and whether it feeds others, for its target.
    purchase_cost
        Purchase price of the item from the links, NaN where not given; stands in for ``items.unit_cost``.

    Raises
    ------
    DataError
        If the objective is ``cost`` and a holding or shortage cost is neither given nor follows from prices.
    """
    keys, items, pairs = frames.keys, frames.items, frames.pairs
    notes: list[Message] = []

    def fill(values: F64, default: F64, code: str, **facts: Value) -> F64:
        use = np.isnan(values) & ~np.isnan(default)
        notes.extend(counted(code, keys, use, **facts))
        return np.where(use, default, values)

    unit_cost = fill(number(items, "unit_cost"), purchase_cost, "assumed-unit-cost-from-supply")
    unit_price = fill(number(items, "unit_price"), _sales_price(tables, keys), "assumed-price-from-sales")
    notes.extend(counted("missing-unit-cost", keys, np.isnan(unit_cost)))
    share = config.costs.holding_share_per_year
    holding = _first_given(number(pairs, "holding_cost"), number(items, "holding_cost"))
    holding = fill(holding, share * unit_cost / DAYS_PER_YEAR, "assumed-holding-cost", share_per_year=share)
    shortage = _first_given(number(pairs, "shortage_cost"), number(items, "shortage_cost"))
    shortage = fill(shortage, np.maximum(unit_price - unit_cost, 0.0), "assumed-shortage-cost")
    holding, shortage = _money_without_prices(config, keys, (holding, shortage, unit_price), fill)
    if config.targets.objective == "cost":
        notes.extend(counted("shortage-costs-nothing", keys, shortage == 0))
    backorder = number(items, "backorder_cost")
    if config.demand.unmet == "backordered":
        backorder = fill(
            backorder,
            shortage / _DEFAULT_LATENESS_DAYS,
            "assumed-backorder-cost",
            days=_DEFAULT_LATENESS_DAYS,
        )
    terms = Terms(
        divisible=items["divisible"].astype("boolean").fillna(False).to_numpy(dtype=bool),
        unit_cost=unit_cost,
        unit_price=unit_price,
        holding_cost=holding,
        shortage_cost=shortage,
        backorder_cost=np.nan_to_num(backorder, nan=0.0),
        salvage_value=number(items, "salvage_value"),
        target=_targets(config, frames, *classes),
        min_stock=np.nan_to_num(number(pairs, "min_stock"), nan=0.0),
        max_stock=np.nan_to_num(number(pairs, "max_stock"), nan=np.inf),
        volume=np.nan_to_num(number(items, "volume"), nan=0.0),
        sellable_days=_sellable_days(items),
        end_date=pairs["end_date"].fillna(items["end_date"]),
    )
    notes.extend(counted("shelf-life-from-arrival", keys, np.isfinite(terms.sellable_days)))
    return terms, notes


def _sellable_days(items: pd.DataFrame) -> F64:
    """Return shelf life less the days that must remain, 0 at the least; inf where none is given."""
    left = number(items, "shelf_life_days") - np.nan_to_num(number(items, "min_remaining_days"), nan=0.0)
    return np.where(np.isnan(left), np.inf, np.maximum(left, 0.0))


def own_targets(frames: CellFrames) -> F64:
    """Return the service target of each cell's own row, or its item's; NaN where neither is given."""
    return _first_given(number(frames.pairs, "service_target"), number(frames.items, "service_target"))


def end_buckets(terms: Terms, calendar: Calendar, horizon: int) -> I64:
    """Return the first bucket in which each cell no longer sells, ``horizon`` where it goes on selling."""
    dates = terms.end_date.to_numpy().astype("datetime64[D]")
    ends = ~np.isnat(dates)
    buckets = np.full(len(dates), horizon, dtype=np.int64)
    buckets[ends] = calendar.arrival_bucket(dates[ends] + 1)
    return np.clip(buckets, 0, horizon)


def _first_given(*candidates: F64) -> F64:
    values = candidates[0]
    for candidate in candidates[1:]:
        values = np.where(np.isnan(values), candidate, values)
    return values


def _money_without_prices(
    config: PlanConfig, keys: Keys, money: tuple[F64, F64, F64], fill: Callable[..., F64]
) -> tuple[F64, F64]:
    """Return holding and shortage costs that are never NaN.

    The least-cost objective needs real money. The service objectives price shortage at what the target implies, so
    there only ratios count and a holding cost may stand on the price, or on a unit value of 1.
    """
    holding, shortage, unit_price = money
    share = config.costs.holding_share_per_year
    if config.targets.objective == "cost":
        missing = np.isnan(holding) | np.isnan(shortage)
        if missing.any():
            row = int(np.flatnonzero(missing)[0])
            raise DataError(
                "The objective cost needs a holding and a shortage cost for every item",
                f"{int(missing.sum())} items at locations without, first {keys[0][row]} at {keys[1][row]}",
                "Give items.unit_cost and items.unit_price, or holding_cost and shortage_cost.",
            )
        return holding, shortage
    holding = fill(holding, share * unit_price / DAYS_PER_YEAR, "assumed-holding-cost-from-price", share_per_year=share)
    one = np.ones_like(holding)
    holding = fill(holding, share * one / DAYS_PER_YEAR, "assumed-unit-value", share_per_year=share)
    shortage = fill(shortage, unit_price, "assumed-shortage-cost-from-price")
    return holding, fill(shortage, one, "assumed-shortage-value")


def _targets(config: PlanConfig, frames: CellFrames, abc: Texts, feeders: Bools) -> F64:
    if config.targets.objective == "days_of_cover":
        own = _first_given(number(frames.pairs, "cover_days"), number(frames.items, "cover_days"))
        return np.where(np.isnan(own), config.targets.cover_days, own)
    own = own_targets(frames)
    aggregate = config.targets.aggregate
    service = aggregate.share if aggregate.asked else config.targets.service
    by_class = np.array([config.targets.by_class.get(str(letter), service) for letter in abc])
    by_class = np.where(feeders, np.maximum(by_class, config.targets.feeder_service), by_class)
    return np.where(np.isnan(own), by_class.astype(np.float64), own)


def _sales_price(tables: Tables, keys: Keys) -> F64:
    """Return each item's median price over its sales rows with units, NaN where none is given."""
    if not tables.has("sales", "price"):
        return np.full(len(keys[0]), np.nan)
    sales = tables["sales"]
    sold = sales[(sales["units"] > 0) & sales["price"].notna()]
    median = sold.groupby("item_id", observed=True)["price"].median()
    return median.reindex(pd.Index(keys[0], dtype=median.index.dtype)).to_numpy(dtype=np.float64)
