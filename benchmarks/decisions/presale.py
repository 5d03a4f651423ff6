"""Presales before a festival: what ships locally on the first day, of what foresight could have shipped.

    .venv/bin/python -m benchmarks.decisions.presale [--first 200] [--worlds 20]

Twenty random worlds (`benchmarks.decisions.presale_worlds`, seeds 200 to 219), two weeks before the presale closes. A
plan is made with default settings from the tables of that day; then the final orders and the ordinary demand until
shipping begins are let in, and the first day of shipping is counted. Beside it stand doing nothing, perfect foresight
(the same stock and lanes, final orders and demand known) and two splits by historical share, both at their least cost:
of what the presale needs, and of all stock. Writes benchmarks/results/presale.md.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.decisions.presale_moves import foresight, move_cost, split_of_stock, split_of_the_presale
from benchmarks.decisions.presale_worlds import F64, LEAD_DAYS, World, item_ids, make_world, site_ids
from benchmarks.measure import write_table
from engine import make_plan
from engine.config import PlanConfig
from engine.plan.types import Plan
from engine.tables import Tables
from models.seasonal_naive import SeasonalNaive


@dataclass(frozen=True)
class Outcome:
    """Share of the final orders shipped locally on the first day, mean days waited, and cost of the moves."""

    share: float
    days: float
    cost: float


@dataclass(frozen=True)
class Planned:
    """A plan, its moves, and those of them that its allocations ship presale orders from, (items, from, to)."""

    plan: Plan
    moves: F64
    for_presale: F64


def planned(world: World) -> Planned:
    """Return the plan of a world's tables with default settings."""
    plan = make_plan(Tables.of(world.tables), PlanConfig(), SeasonalNaive())
    n_items, n_sites = world.stock.shape
    sites = {name: number for number, name in enumerate(site_ids(n_sites))}
    items = {name: number for number, name in enumerate(item_ids(n_items))}
    lines = plan.tables["transfers"]
    allocated = plan.tables["presale_allocations"].groupby("line_id")["units"].sum()
    at = (lines["item_id"].map(items), lines["origin_id"].map(sites), lines["dest_id"].map(sites))
    place = tuple(column.to_numpy(np.int64) for column in at)
    moves, for_presale = np.zeros((2, n_items, n_sites, n_sites))
    np.add.at(moves, place, lines["units"].to_numpy(np.float64))
    np.add.at(for_presale, place, allocated.reindex(lines["line_id"]).fillna(0.0).to_numpy(np.float64))
    return Planned(plan, moves, for_presale)


def within(world: World, made: Planned, budget: float) -> F64:
    """Return those of a plan's moves that cost no more than a budget; only the plan itself is read.

    First what is listed to ship presale orders, the trips with the largest margin for their cost first; then, as far as
    the budget goes, what else the plan sends over those lanes, and over others.
    """
    if move_cost(world.lanes, made.moves) <= budget:
        return made.moves
    listed = world.tables["items"]
    margin = (listed["unit_price"] - listed["unit_cost"]).to_numpy(np.float64)[:, None, None] * made.for_presale
    costs = (made.for_presale * world.lanes.unit_cost).sum(axis=0) + world.lanes.trip_cost
    lanes = np.argsort(-margin.sum(axis=0) / costs, axis=None, kind="stable").tolist()
    kept = np.zeros(made.moves.shape)
    for wanted in (made.for_presale, made.moves):
        for lane in lanes:
            giver, taker = divmod(lane, costs.shape[1])
            left = budget - move_cost(world.lanes, kept)
            left -= 0.0 if kept[:, giver, taker].any() else float(world.lanes.trip_cost[giver, taker])
            for item in np.argsort(-margin[:, giver, taker], kind="stable").tolist():
                more = wanted[item, giver, taker] - kept[item, giver, taker]
                price = more * world.lanes.unit_cost[giver, taker]
                if 0 < price <= left:
                    kept[item, giver, taker] += more
                    left -= price
    return kept


def outcome(world: World, moves: F64) -> Outcome:
    """Return what happens if so much is sent today, (items, from, to).

    What a site lacks on the first day is then sent by sites with units to spare, over the quickest lanes first; what no
    site has waits for an order placed today.
    """
    in_time = np.where(world.lanes.days <= world.ship_bucket, moves, 0.0)
    there = np.maximum(world.stock + in_time.sum(axis=1) - moves.sum(axis=2) - world.ordinary, 0.0)
    local = np.minimum(there, world.final)
    missing, spare = world.final - local, there - local
    waited = 0.0
    quickest = np.dstack(
        np.unravel_index(np.argsort(world.lanes.days, axis=None, kind="stable"), world.lanes.days.shape)
    )
    for giver, taker in quickest[0].tolist():
        if giver != taker:
            sent = np.minimum(missing[:, taker], spare[:, giver])
            missing[:, taker] -= sent
            spare[:, giver] -= sent
            waited += float(sent.sum()) * float(world.lanes.days[giver, taker])
    waited += float(missing.sum()) * (LEAD_DAYS - world.ship_bucket)
    total = float(world.final.sum())
    return Outcome(float(local.sum()) / total, waited / total, move_cost(world.lanes, moves))


def known_needs(world: World, plan: Plan) -> tuple[F64, F64]:
    """Return what a planner reads off the plan: units of the presale by item, and ordinary demand until it ships."""
    n_items, n_sites = world.stock.shape
    summary = plan.tables["presale_summary"].set_index("item_id")["units"]
    total = summary.reindex(item_ids(n_items)).fillna(0.0).to_numpy(np.float64)
    forecast = plan.tables["forecast"]
    before = forecast[forecast["date"] < pd.Timestamp(plan.as_of) + pd.Timedelta(days=world.ship_bucket)]
    sums = before.groupby(["item_id", "location_id"])["mean"].sum()
    keys = pd.MultiIndex.from_product([item_ids(n_items), site_ids(n_sites)])
    return total, sums.reindex(keys).fillna(0.0).to_numpy(np.float64).reshape(n_items, n_sites)


def play(seed: int) -> dict[str, Outcome]:
    """Return what every way of placing the goods of a world comes to."""
    world = make_world(seed)
    made = planned(world)
    total, ordinary = known_needs(world, made.plan)
    found = {
        "nothing": outcome(world, np.zeros(made.moves.shape)),
        "plan": outcome(world, made.moves),
        "foresight": outcome(world, foresight(world)),
    }
    for name, split in (("stock", split_of_stock), ("presale", split_of_the_presale)):
        found[f"{name} split"] = outcome(world, split(world, total, ordinary))
        found[f"plan within {name} split"] = outcome(world, within(world, made, found[f"{name} split"].cost))
    return found


def main(arguments: list[str]) -> None:
    """Play the worlds and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=200)
    parser.add_argument("--worlds", type=int, default=20)
    asked = parser.parse_args(arguments)
    found = {}
    for seed in range(asked.first, asked.first + asked.worlds):
        found[seed] = play(seed)
        print(seed, _row(str(seed), found[seed]), file=sys.stderr, flush=True)
    write_table("presale", "Presales: what ships locally on the first day", rows_of(found), notes(found))


def rows_of(found: dict[int, dict[str, Outcome]]) -> list[dict[str, object]]:
    """Return one row a world, and the mean."""
    names = list(next(iter(found.values())))
    mean = {
        name: Outcome(*(float(np.mean([getattr(one[name], field) for one in found.values()])) for field in _FIELDS))
        for name in names
    }
    return [*(_row(str(seed), one) for seed, one in found.items()), _row("mean", mean)]


_FIELDS = ("share", "days", "cost")


def _row(world: str, found: dict[str, Outcome]) -> dict[str, object]:
    def told(name: str) -> str:
        one = found[name]
        return f"{one.share:.1%} / {one.days:.2f} / {one.cost:,.0f}"

    return {
        "world": world,
        "of the attainable": f"{found['plan'].share / found['foresight'].share:.1%}",
        **{name: told(name) for name in found},
    }


def notes(found: dict[int, dict[str, Outcome]]) -> list[str]:
    """Return what is asked and whether it is reached."""
    parts = [one["plan"].share / one["foresight"].share for one in found.values()]
    lines = [
        "Share of the final orders shipped from their own region's site on the first day / mean days waited / cost of "
        "moves. A plan also moves for ordinary demand, and against bad luck. *Plan within a split*: those of its moves "
        "that cost no more than the split's (`within`).",
        "",
        f"Of the attainable share: least {min(parts):.1%}, mean {np.mean(parts):.1%}; at least 95 % in "
        f"{sum(part >= 0.95 for part in parts)} of {len(parts)} worlds.",
    ]
    for name in ("stock", "presale"):
        ours, theirs = ([one[key] for one in found.values()] for key in (f"plan within {name} split", f"{name} split"))
        pairs = list(zip(ours, theirs, strict=True))
        above, below = (sum(np.sign(a.share - b.share) == sign for a, b in pairs) for sign in (1, -1))
        as_made = sum(one["plan"].share > one[f"{name} split"].share for one in found.values())
        lines += [
            "",
            f"Against the split of the {name}, at no higher cost: share above in {above}, below in {below} of "
            f"{len(pairs)}; mean days waited {np.mean([a.days for a in ours]):.2f} against "
            f"{np.mean([b.days for b in theirs]):.2f}. The plan as made: above in {as_made}, mean cost "
            f"{np.mean([one['plan'].cost for one in found.values()]):,.0f} against "
            f"{np.mean([b.cost for b in theirs]):,.0f}.",
        ]
    return lines


if __name__ == "__main__":
    main(sys.argv[1:])
