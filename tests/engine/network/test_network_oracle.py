"""Whole decisions on tiny random networks against brute force, with cost and service counted in plain Python."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.forecast.streams import Streams
from engine.network.build import build_network
from engine.network.decide import solve_network
from engine.network.formulate import formulate, sharing_limits
from engine.network.params import NetworkParams
from engine.network.sharing import fair_share
from engine.network.tiers import demand_after, tier_demand
from engine.policy.lead_times import arrival_buckets
from engine.policy.params import TargetParams
from engine.policy.targets import stock_targets
from engine.policy.types import Scenarios, StockRule
from engine.tables import Tables
from tests.engine.policy.plain import walk

CALENDAR = Calendar("D", np.datetime64("2025-10-27"), 30, 1)
EXACT = NetworkParams(relative_gap=1e-7)
DAILY = "1,2,3,4,5,6,7"


def table(columns, *rows):
    return pd.DataFrame([dict(zip(columns.split(), row, strict=True)) for row in rows])


def tiny(seed, objective, tiered):
    """Return a network of two sites and an item: R fed by C, or both supplied; laterals between them."""
    rng = np.random.default_rng(seed)
    trip = float(rng.choice([0.0, 1.5]))
    lanes = [("R", "C", "*", 1.0, trip, 0.2, "lateral", DAILY)]
    lanes.append(("C", "R", "*", 1.0, trip, 0.1, "replenish" if tiered else "lateral", DAILY))
    supply = [("*", "S", "C", 2.0, 3.0, float(rng.choice([0, 1])), float(rng.choice([1, 2, 3])))]
    if not tiered:
        supply.append(("*", "S", "R", 3.0, 2.0, 0.0, 2.0))
    frames = {
        "sales": table("item_id location_id date units", ("A", "R", pd.Timestamp("2025-10-20"), 5.0)),
        "items": table("item_id unit_cost unit_price", ("A", 5.0, 12.0)),
        "lanes": table("origin_id dest_id item_id lead_time_days trip_cost unit_cost role order_weekdays", *lanes),
        "supply": table(
            "item_id source_id location_id lead_time_days review_period_days lead_time_sd_days order_multiple", *supply
        ),
        "inventory": table(
            "item_id location_id on_hand", ("A", "C", float(rng.integers(0, 5))), ("A", "R", float(rng.integers(0, 5)))
        ),
    }
    keys = (np.array(["A", "A"], dtype=object), np.array(["C", "R"], dtype=object))
    config = PlanConfig(targets=TargetParams(objective=objective, service=0.75))
    network = build_network(Tables.of(frames), config, CALENDAR, keys)
    cells = replace(network.cells, holding_cost=np.full(2, 0.25), shortage_cost=rng.uniform(1, 9, 2))
    return replace(network, cells=cells)


def solve(network, objective, seed):
    rng = np.random.default_rng(1000 + seed)
    n_paths = int(rng.integers(3, 6))
    rate = rng.uniform(0.1, 0.8, (2, 1, 1))
    paths = rng.poisson(rate, (2, n_paths, network.horizon)).astype(np.float32)
    arrival = arrival_buckets(network.options, network.cells, network.calendar, n_paths, Streams(seed))
    rule = StockRule(objective, "lost", np.ones(network.horizon, dtype=np.int64))
    demand = tier_demand(network, Scenarios(paths, *arrival), rule)
    targets = stock_targets(network.cells, network.options, demand.for_targets(network.options), rule)
    return demand, targets, rule, solve_network(network, demand, rule, targets, EXACT)


def plain_cost(network, scenarios, cell, units, until, priced=True):
    """Return the mean over paths of what a cell costs until a bucket; stock left by `left_loss`; unmet if priced."""
    cells, options = network.cells, network.options
    total = 0.0
    for k in range(scenarios.n_paths):
        stock = float(cells.available[cell])
        for bucket in range(until):
            stock += float(cells.arrivals[cell, bucket])
            for row, amount in enumerate(units):
                if options.cell[row] == cell and scenarios.arrival[row, k] == bucket:
                    stock += amount
            for row, amount in enumerate(units):
                if options.origin_cell[row] == cell and options.send_bucket[row] == bucket:
                    stock -= amount
            stock -= float(scenarios.paths[cell, k, bucket])
            if stock < 0:
                total += float(cells.shortage_cost[cell]) * -stock if priced else 0.0
                stock = 0.0
            total += float(cells.holding_cost[cell]) * stock
        total += left_loss(network, scenarios, cell, stock)
    return total / scenarios.n_paths


def left_loss(network, scenarios, cell, stock):
    """Each unit left waits its turn, up to what it cost: the integral of min(holding * j / daily demand, unit cost)."""
    daily = float(scenarios.paths[cell].astype(float).sum(axis=1).mean()) / scenarios.horizon
    cap, holding = float(network.cells.unit_cost[cell]), float(network.cells.holding_cost[cell])
    if daily == 0:
        return cap * stock
    turn = cap * daily / holding
    waits = min(stock, turn)
    return holding / daily * waits**2 / 2 + cap * (stock - waits)


def charges(network, units):
    """Return lane costs and trips: a lane on a day is paid once."""
    options = network.options
    used = [row for row in range(len(units)) if units[row] > 0 and options.origin_cell[row] >= 0]
    trips = {(int(options.lane[row]), options.order_date[row]) for row in used}
    trip_cost = network.lanes["trip_cost"].tolist()
    return sum(options.unit_cost[row] * units[row] for row in used) + sum(trip_cost[lane] for lane, _ in trips)


def every_decision(network, scenarios):
    """Yield all whole lots that anything could be good for, givers sending no more than they hold."""
    cells, options = network.cells, network.options
    useful = int(scenarios.paths.sum(axis=2).max(axis=1).sum() + cells.available.sum())
    choices = []
    for row in range(options.n_options):
        giver = options.origin_cell[row]
        most = useful if giver < 0 else int(cells.available[giver])
        step = int(options.multiple[row])
        choices.append(range(0, most + step, step) if giver < 0 else range(0, most + 1, step))
    for units in itertools.product(*choices):
        sent = [sum(u for row, u in enumerate(units) if options.origin_cell[row] == cell) for cell in range(2)]
        if all(sent[cell] <= cells.available[cell] for cell in range(2)):
            yield np.array(units, dtype=float)


@pytest.mark.parametrize("tiered", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_the_least_cost_plan_equals_brute_force(seed, tiered):
    network = tiny(seed, "cost", tiered)
    demand, targets, rule, decision = solve(network, "cost", seed)
    options = network.options
    scenarios = demand.later
    if tiered:
        # Later orders as they follow from today's own orders, shared where the feeder has too little.
        own = np.zeros(options.n_options)
        own[targets.option] = targets.order_units
        frame = formulate(network, demand.later, rule)
        start = fair_share(own, frame.problem.lots, sharing_limits(frame))
        scenarios = demand_after(network, demand, targets, np.where(options.origin_cell >= 0, start, 0.0), rule).later
    until = min(int(options.next_arrival.max()), network.horizon)
    cache = {}

    def value(units):
        found = charges(network, units)
        for cell in range(2):
            near = (options.cell == cell) | (options.origin_cell == cell)
            key = (cell, *units[near])
            if key not in cache:
                cache[key] = plain_cost(network, scenarios, cell, np.where(near, units, 0.0), until)
            found += cache[key]
        return found

    best = min(value(units) for units in every_decision(network, scenarios))
    assert decision.report.status == "optimal"
    assert value(decision.units) == pytest.approx(best, rel=1e-6)
    assert decision.report.objective == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("objective", ["cycle_service", "fill_rate"])
@pytest.mark.parametrize("tiered", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_own_rules_take_the_least_lots_that_meet_the_target_given_the_rest(seed, tiered, objective):
    network = tiny(seed, objective, tiered)
    _, _, rule, decision = solve(network, objective, seed)
    cells, options = network.cells, network.options
    # What C cannot give R before its own order lands is asked again; C sells too, so what it lacks then is lost.
    paths = decision.for_targets(options).paths
    checked = 0
    for row in np.flatnonzero(options.primary & (decision.rule != "fair-share")).tolist():
        cell = int(options.cell[row])
        inbound = cells.arrivals[cell].copy()
        for other in np.flatnonzero(~options.primary & (options.cell == cell)).tolist():
            inbound[options.arrival[other]] += decision.units[other]

        def service(units, row=row, cell=cell, inbound=inbound):
            told = [
                walk(
                    (float(cells.available[cell]), 0.0), inbound, paths[cell, k].astype(float),
                    (units, int(decision.demand.arrival[row, k]), int(decision.demand.next_arrival[row, k])),
                    "lost", rule.bucket_days,
                )
                for k in range(paths.shape[1])
            ]  # fmt: skip
            asked = [one for one in told if one.demand > 0]
            if not asked:
                return 1.0
            if objective == "cycle_service":
                # The k-th smallest of n needs covers the one to come with probability k / (n + 1).
                n_clean = sum(one.clean for one in asked)
                return 1.0 if n_clean == len(asked) else n_clean / (len(asked) + 1)
            return 1 - sum(one.short for one in asked) / sum(one.demand for one in asked)

        step = float(options.multiple[row])
        lots = [k * step for k in range(int(paths[cell].sum(axis=1).max() / step) + 2)]
        least = next(units for units in lots if service(units) >= cells.target[cell] - 1e-9)
        assert decision.units[row] == least
        checked += 1
    assert checked


@pytest.mark.parametrize("objective", ["cost", "fill_rate"])
@pytest.mark.parametrize("tiered", [False, True])
def test_the_cost_of_waiting_is_counted_until_the_next_order_of_the_receiver(tiered, objective):
    seen = 0
    for seed in range(6):
        network = tiny(seed, objective, tiered)
        _, _, _, decision = solve(network, objective, seed)
        options, units, scenarios = network.options, decision.units, decision.later
        for row in np.flatnonzero(units).tolist():
            cell, giver = int(options.cell[row]), int(options.origin_cell[row])
            until = int(options.next_arrival[network.primary_of[cell]])
            without = units.copy()
            without[row] = 0.0
            worth = charges(network, without) - charges(network, units)
            worth += plain_cost(network, scenarios, cell, without, until)
            worth -= plain_cost(network, scenarios, cell, units, until)
            if giver >= 0:
                # What a feeder's receivers order later is ordered again if it is not there: no loss.
                priced = not options.primary[row]
                worth += plain_cost(network, scenarios, giver, without, until, priced)
                worth -= plain_cost(network, scenarios, giver, units, until, priced)
            assert decision.cost_of_waiting[row] == pytest.approx(worth, abs=1e-6)
            seen += 1
    assert seen > 5
