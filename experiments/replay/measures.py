"""What a walk is worth: units, stock and money by cell and week, over the weeks that count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.policy.types import F64, Bools
from engine.simulation import Trace, arrival_cycles, cycle_units
from engine.simulation.types import TRACED
from experiments.replay.walk import Pace, Walked
from experiments.replay.world import World

COST_TERMS = (
    *("holding", "shortage", "backorder", "presale", "expired", "left-over", "price-above-cost", "lane", "trip"),
    "order",
)
PRESALE_UNITS = ("presale_units", "presale_before", "presale_on_time", "presale_served", "presale_days")


@dataclass(frozen=True)
class Score:
    """What one policy reached in one world, by cell and scored week.

    Parameters
    ----------
    units
        Arrays (n_cells, n_weeks) by name: units of demand, short, lost, served, expired; mean stock and its value;
        buckets in which something was asked for (``asked``) and those of them in which not all was there (``ran_out``);
        buckets in which the shop had run out and this policy had not (``marked``), and what was sold beyond what the
        shop sold (``beyond_sales``). Of presales: units that were to leave (``presale_units``), those of them that
        waited as the first counted day began (``presale_before``), those that left on their first day
        (``presale_on_time``), all that left (``presale_served``), and units times days waited (``presale_days``).
    costs
        Money (n_cells, n_weeks) by term, as in `COST_TERMS`.
    totals
        Figures of the whole: order_lines, orders (one a source, place and day), transfers, units_bought, value_bought,
        units_moved, opening_value (of the first scored bucket), closing_value, n_cycles (with demand) and
        n_cycles_short.
    """

    policy: str
    assumption: str
    units: Mapping[str, F64]
    costs: Mapping[str, F64]
    totals: Mapping[str, float]


def score(world: World, walked: Walked, pace: Pace, first_scored: int, policy: str) -> Score:
    """Return what a walk reached from bucket ``first_scored`` on; what was decided before counts for nothing."""
    trace = since(walked.trace, first_scored)
    per_week = 7 // world.network.bucket_days
    lines = walked.lines[(walked.lines["sent"] >= first_scored) & (walked.lines["units"] > 0)]
    units = {name: by_week(array, per_week) for name, array in _units(world, trace, first_scored).items()}
    value = unit_value(world)
    units["stock"] = units["stock"] / per_week
    units["stock_value"] = value[:, None] * units["stock"]
    costs = {name: by_week(array, per_week) for name, array in _stock_costs(world, trace, pace).items()}
    week = (lines["sent"].to_numpy(np.int64) - first_scored) // per_week
    for name, money in _line_costs(world, lines).items():
        costs[name] = np.zeros_like(costs["holding"])
        np.add.at(costs[name], (lines["cell"].to_numpy(np.int64), week), money)
    costs["left-over"] = np.zeros_like(costs["holding"])
    costs["left-over"][:, -1] = _written_off(world, owned(trace)[:, -1])
    totals = {
        **_line_totals(world, lines),
        "opening_value": float(value @ (trace.opening if trace.door is None else trace.opening + trace.door.opening)),
        "closing_value": float(value @ owned(trace)[:, -1] - costs["left-over"].sum()),
        **_cycles(world, walked, trace),
    }
    return Score(policy, world.assumption, units, {name: costs[name] for name in COST_TERMS}, totals)


def since(trace: Trace, bucket: int) -> Trace:
    """Return the part of a trace from a bucket on."""
    cut = bucket - trace.start
    opening = trace.closing[:, cut - 1] if cut else trace.opening
    presale = None if trace.presale is None else trace.presale.columns(cut)
    columns = {name: getattr(trace, name)[:, cut:] for name in TRACED}
    door = None if trace.door is None else trace.door.columns(cut)
    return Trace(start=bucket, opening=opening, presale=presale, door=door, **columns)


def owned(trace: Trace) -> F64:
    """Return stock at the end of every bucket, what waits at the door of its site included, units, (n_cells, n)."""
    return trace.closing if trace.door is None else trace.closing + trace.door.waiting


def by_week(buckets: F64, per_week: int) -> F64:
    """Return sums over weeks, shape (n_cells, n_weeks)."""
    sums: F64 = buckets.reshape(len(buckets), -1, per_week).sum(axis=2)
    return sums


def unit_value(world: World) -> F64:
    """Return what a unit in stock is worth: its unit cost, else its price, else 1, shape (n_cells,)."""
    cells = world.network.cells
    value = np.where(np.isnan(cells.unit_cost), cells.unit_price, cells.unit_cost)
    return np.where(np.isnan(value), 1.0, value)


def _units(world: World, trace: Trace, first: int) -> dict[str, F64]:
    columns = slice(first - world.first, trace.end - world.first)
    served = trace.demand - trace.lost
    ours_lasted = world.censored[:, columns] & (trace.closing > 0)
    beyond = np.maximum(served - world.units[:, first : trace.end], 0.0)
    return {
        "demand": trace.demand,
        "short": trace.short,
        "lost": trace.lost,
        "served": served,
        "expired": trace.expired,
        "stock": owned(trace),
        "asked": (trace.demand > 0).astype(np.float64),
        "ran_out": (trace.short > 0).astype(np.float64),
        "marked": (ours_lasted & world.network.demanded[:, None]).astype(np.float64),
        "beyond_sales": beyond,
        **_presale_units(world, trace),
    }


def _presale_units(world: World, trace: Trace) -> dict[str, F64]:
    course, none = trace.presale, np.zeros_like(trace.demand)
    if course is None:
        return dict.fromkeys(PRESALE_UNITS, none)
    before = none.copy()
    before[:, 0] = (course.waiting + course.served + course.cancelled - course.asked)[:, 0]
    days = world.calendar.days[trace.start : trace.end].astype(np.float64)
    return dict(zip(PRESALE_UNITS, (course.asked, before, course.on_time, course.served, course.waiting * days),
                    strict=True))  # fmt: skip


def _stock_costs(world: World, trace: Trace, pace: Pace) -> dict[str, F64]:
    """Return holding on stock at each bucket's end, shortage once a unit, late units by day, and what expired.

    A presale order that does not leave on its first day costs what a plan counts: the shortage cost, once, or by days
    where unmet demand is owed.
    """
    cells = world.network.cells
    days = world.calendar.days[trace.start : trace.end].astype(np.float64)
    # A unit that another site serves is charged as a lost one.
    charged = trace.short if pace.unmet == "served_elsewhere" else trace.lost
    presale = np.zeros_like(trace.demand)
    if trace.presale is not None and pace.unmet == "backordered":
        presale = cells.backorder_cost[:, None] * trace.presale.waiting * days
    elif trace.presale is not None:
        presale = cells.shortage_cost[:, None] * (trace.presale.asked - trace.presale.on_time)
    return {
        "presale": presale,
        "holding": cells.holding_cost[:, None] * owned(trace) * days,
        "shortage": cells.shortage_cost[:, None] * charged,
        "backorder": cells.backorder_cost[:, None] * trace.backlog * days,
        "expired": unit_value(world)[:, None] * trace.expired,
    }


def _line_costs(world: World, lines: pd.DataFrame) -> dict[str, F64]:
    """Return money by line: prices above unit cost, lanes, and shares of trips and orders that several lines share."""
    network = world.network
    cell, origin = lines["cell"].to_numpy(np.int64), lines["origin"].to_numpy(np.int64)
    units, price = lines["units"].to_numpy(np.float64), lines["unit_cost"].to_numpy(np.float64)
    moved = origin >= 0
    cost = network.cells.unit_cost[cell]
    extra = np.where(moved | np.isnan(cost), 0.0, (price - cost) * units)
    shared = pd.DataFrame(
        {
            "source": lines["source_id"].to_numpy(object),
            "place": network.cells.location_id[cell],
            "day": lines["order_date"].to_numpy(),
        }
    )
    return {
        "price-above-cost": extra,
        "lane": np.where(moved, price * units, 0.0),
        "trip": _shared(shared, moved, _trip_costs(world, shared)),
        "order": _shared(shared, ~moved, _order_costs(world, shared)),
    }


def _shared(lines: pd.DataFrame, chosen: Bools, cost: F64) -> F64:
    """Return each chosen line's even share of what one order or trip of its source, place and day costs."""
    number = lines[chosen].groupby(["source", "place", "day"], sort=False).ngroup().to_numpy()
    share = np.zeros(len(lines))
    share[chosen] = cost[chosen] / np.maximum(np.bincount(number, minlength=1)[number], 1)
    return share


def _order_costs(world: World, lines: pd.DataFrame) -> F64:
    """Return what an order at each line's supplier costs."""
    suppliers = world.tables["suppliers"].dropna(subset=["order_cost"])
    cost = dict(zip(suppliers["source_id"].astype(str), suppliers["order_cost"], strict=True))
    return np.array([cost.get(source, 0.0) for source in lines["source"]], dtype=np.float64)


def _trip_costs(world: World, lines: pd.DataFrame) -> F64:
    """Return what the trip of each line's lane and day costs: one carries all, for no policy is shown its room."""
    lanes = world.network.lanes
    ends = zip(lanes["origin_id"], lanes["dest_id"], strict=True)
    known = dict(zip(ends, lanes["trip_cost"].to_numpy(np.float64), strict=True))
    return np.array([known.get(ends, 0.0) for ends in zip(lines["source"], lines["place"], strict=True)], np.float64)


def _written_off(world: World, closing: F64) -> F64:
    """Return what stock of items that are no longer sold at the end lost against its value, shape (n_cells,)."""
    cells, end = world.network.cells, world.calendar.edges[world.end]
    items = world.tables["items"].set_index("item_id")["end_date"].reindex(cells.item_id).to_numpy()
    pairs = world.tables["item_locations"].set_index(["item_id", "location_id"])["end_date"]
    own = pairs.reindex(world.index).to_numpy()
    last = np.where(np.isnat(own), items, own)
    over = ~np.isnat(last) & (last < end)
    salvage = np.nan_to_num(cells.salvage_value, nan=0.0)
    return np.where(over, np.maximum(unit_value(world) - salvage, 0.0) * closing, 0.0)


def _line_totals(world: World, lines: pd.DataFrame) -> dict[str, float]:
    bought = lines[lines["origin"] < 0]
    place = world.network.cells.location_id[bought["cell"].to_numpy(np.int64)]
    orders = bought[["source_id", "order_date"]].assign(place=place).drop_duplicates()
    return {
        "order_lines": float(len(bought)),
        "orders": float(len(orders)),
        "transfers": float(len(lines) - len(bought)),
        "units_bought": float(bought["units"].sum()),
        "value_bought": float((bought["units"] * bought["unit_cost"]).sum()),
        "units_moved": float(lines["units"].sum() - bought["units"].sum()),
    }


def _cycles(world: World, walked: Walked, trace: Trace) -> dict[str, float]:
    """Return the order cycles that lie within the scored weeks and had demand, and those of them with a shortage."""
    arrived = walked.arrived
    if arrived.waited.any():
        # What comes in from the door in parts is one delivery, from the first of them on.
        arrived = arrived.take(np.sort(np.unique(arrived.lines.line_id.astype(str), return_index=True)[1]))
    cycles = arrival_cycles(arrived, trace.end)
    cycles = cycles.take((cycles.start >= trace.start) & world.network.demanded[cycles.cell])
    demand, short = cycle_units(trace, cycles)
    asked = demand > 0
    return {"n_cycles": float(asked.sum()), "n_cycles_short": float((short[asked] > 0).sum())}
