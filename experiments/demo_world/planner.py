"""How stock was planned in the demo world's past: a moving average, days of cover, and some foresight.

It is meant to be ordinary: it knows festivals and promotions roughly, is late on shifts of level, and
leaves the stock-outs and the excess that a better plan would avoid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.simulation import Lines, StockState, join_lines
from experiments.demo_world.assortment import CENTRAL, F64, I64, SITES
from experiments.demo_world.links import FAR, NEAR, WAREHOUSES, closed_spans
from experiments.demo_world.scene import Scene


@dataclass(frozen=True)
class _View:
    """What the planner sees on a Monday: stock and position by item and site, and mean sales a day by region."""

    day: int
    on_hand: F64
    position: F64
    rate: F64


def decide(scene: Scene, state: StockState, served: Sequence[F64]) -> Lines:
    """Return the transfers and orders of a Monday.

    Parameters
    ----------
    served
        Units served by cell and day, shape (n_cells, 7) each, of the last weeks; none at the start.
    """
    view = _see(scene, state, served)
    direct = _direct(scene, view)
    transfers, moved = _transfers(scene, view, direct)
    parts = [transfers]
    if not any(first <= view.day <= last for first, last in closed_spans(scene.law)):
        parts += [_lines(scene, view, direct[:, place], (NEAR, site)) for place, site in enumerate(WAREHOUSES)]
        parts += _purchases(scene, view, view.on_hand[:, 0] - moved, direct.sum(axis=1))
    return join_lines(parts)


def _see(scene: Scene, state: StockState, served: Sequence[F64]) -> _View:
    shape = (scene.items.n_items, len(SITES))
    lines = state.inbound.lines
    inbound = np.bincount(lines.cell, weights=lines.units, minlength=scene.cells.n_cells)
    guess = scene.items.level[:, None] * scene.items.share
    if served:
        rate = np.concatenate(served, axis=1).mean(axis=1).reshape(shape)[:, 1:]
        # About a launch there are no sales to go by: the buyer's guess stands in.
        young = (scene.items.launch > 0) & (state.bucket < scene.items.launch + 28)
        rate = np.where(young[:, None], np.maximum(rate, 0.5 * guess), rate)
    else:
        rate = guess
    soon = (scene.items.launch - 45 <= state.bucket) & (scene.items.end > state.bucket + 14)
    on_hand = state.on_hand.reshape(shape)
    return _View(state.bucket, on_hand, on_hand + inbound.reshape(shape), rate * soon[:, None])


def _foresight(scene: Scene, day: int, n_days: int) -> F64:
    """Return the factor by which festivals and promotions are expected to move sales, shape (n_items,)."""
    window = scene.law["planner"]["window_days"]
    lift = np.exp(0.8 * scene.offers.log_lift[:, max(day - window, 0) : day + n_days])
    n_past = min(day, window)
    if n_past == 0:
        return np.ones(scene.items.n_items)
    ratio: F64 = lift[:, n_past:].mean(axis=1) / lift[:, :n_past].mean(axis=1)
    return ratio


def _presale_due(scene: Scene, day: int, n_days: int) -> F64:
    """Return the presale units to be shipped within ``n_days``, shape (n_items, 3)."""
    due: F64 = scene.presales.due[:, :, day : day + n_days].sum(axis=2)
    return due


def _direct(scene: Scene, view: _View) -> F64:
    """Return what is asked of the near supplier straight to the warehouses, shape (n_items, 3)."""
    has_link = np.zeros(scene.items.n_items, bool)
    has_link[scene.links.loc[scene.links["location_id"] != CENTRAL, "item"]] = True
    is_turn = (view.day // 7) % scene.law["planner"]["direct_every_weeks"] == 0
    units: F64 = np.ceil(7.0 * view.rate) * (has_link[:, None] & is_turn)
    return units


def _transfers(scene: Scene, view: _View, direct: F64) -> tuple[Lines, F64]:
    """Return the transfers from the centre, rationed where it holds too little, and the units it gives."""
    said, lanes = scene.law["planner"], scene.law["supply"]["lane_lead_time_days"]
    wanted = np.zeros_like(view.rate)
    for place, site in enumerate(WAREHOUSES):
        days = lanes[site] + 7
        rate = view.rate[:, place] * _foresight(scene, view.day, days)
        buffer = said["warehouse_buffer"] * 7.0 * rate + said["warehouse_factor"] * np.sqrt(7.0 * rate)
        level = rate * days + buffer + _presale_due(scene, view.day, days)[:, place]
        wanted[:, place] = np.ceil((level - view.position[:, place + 1] - direct[:, place]).clip(0.0))
    held = view.on_hand[:, 0]
    asked = wanted.sum(axis=1)
    share = np.divide(held, asked, out=np.ones_like(held), where=asked > held)
    given: F64 = np.floor(wanted * share[:, None])
    parts = [_lines(scene, view, given[:, place], (CENTRAL, site)) for place, site in enumerate(WAREHOUSES)]
    return join_lines(parts), given.sum(axis=1)


def _purchases(scene: Scene, view: _View, central: F64, direct: F64) -> list[Lines]:
    """Return the orders to the centre: up to a level of all stock there is, and some in a hurry."""
    said, items = scene.law["planner"], scene.items
    parts, ordered = [], np.zeros(items.n_items)
    for source, law in ((FAR, "far"), (NEAR, "near")):
        days = scene.law["supply"][law]["lead_time_days"] + 14
        days += sum(8 for first, _ in closed_spans(scene.law) if view.day <= first < view.day + days)
        rate = view.rate.sum(axis=1) * _foresight(scene, view.day, days)
        buffer = said["central_buffer_days"] * rate + said["central_factor"] * np.sqrt(days * rate)
        level = rate * days + buffer + _presale_due(scene, view.day, days).sum(axis=1)
        missing = (level - view.position.sum(axis=1) - direct).clip(0.0)
        main = items.near_only if source == NEAR else ~items.near_only
        units = np.where(main, missing, 0.0)
        if source == NEAR:
            coming = central + view.position[:, 0] - view.on_hand[:, 0]
            short_soon = items.near_too & (central < 5.0 * rate) & (coming < 25.0 * rate)
            units = units + np.where(short_soon, 10.0 * rate, 0.0)
        packed: F64 = np.ceil(units / items.pack) * items.pack
        ordered = ordered + packed
        parts.append(_lines(scene, view, packed, (source, CENTRAL)))
    return parts


def _lines(scene: Scene, view: _View, units: F64, link: tuple[str, str]) -> Lines:
    """Return lines for the items with units over a link (source, site), numbered within one order."""
    source, site = link
    item = np.flatnonzero(units > 0)
    n = len(item)
    moved = source == CENTRAL
    order = f"{'TR' if moved else 'PO'}-{scene.date_of(view.day):%Y%m%d}-{source}-{site}"
    days, cost = _terms(scene, item, link)
    return Lines(
        line_id=np.array([f"{order}/{number}" for number in range(1, n + 1)], object),
        cell=scene.cells.row(item, site),
        origin=scene.cells.row(item, source) if moved else np.full(n, -1),
        source_id=np.full(n, source, object),
        units=units[item].astype(np.float64),
        unit_cost=cost,
        sent=np.full(n, view.day),
        due=np.full(n, view.day) + days,
        promise=np.full(n, np.nan),
    )


def _terms(scene: Scene, item: I64, link: tuple[str, str]) -> tuple[I64, F64]:
    """Return lead time in days and unit cost of a link for items."""
    source, site = link
    said = scene.law["supply"]
    if source == CENTRAL:
        return np.full(len(item), said["lane_lead_time_days"][site]), np.full(len(item), said["lane_unit_cost"])
    rows = scene.links[(scene.links["source_id"] == source) & (scene.links["location_id"] == site)]
    terms = rows.set_index("item").loc[item]
    return terms["lead_time_days"].to_numpy(np.int64), terms["unit_cost"].to_numpy(float)
