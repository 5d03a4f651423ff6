"""Decisions on small networks: tiers, help, own rules, and the conservation of stock in every one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.forecast.streams import Streams
from engine.network.build import build_network
from engine.network.decide import solve_network
from engine.network.follow import follow, later_orders
from engine.network.formulate import formulate
from engine.network.params import NetworkParams
from engine.network.tiers import depths, tier_demand, with_sends
from engine.policy.lead_times import arrival_buckets
from engine.policy.params import TargetParams
from engine.policy.targets import stock_targets
from engine.policy.types import Scenarios, StockRule
from engine.tables import Tables

CALENDAR = Calendar("D", np.datetime64("2025-10-27"), 30, 1)  # a Monday
OBJECTIVES = ("cost", "cycle_service", "fill_rate", "days_of_cover")


def table(columns, *rows):
    return pd.DataFrame([dict(zip(columns.split(), row, strict=True)) for row in rows])


def network_of(objective, items, stock, lateral_trip=4.0, capacity=None):
    """Return a central site C that feeds R1 and R2, which can help each other within a day."""
    lanes = table(
        "origin_id dest_id item_id lead_time_days trip_cost unit_cost role order_weekdays trip_capacity_volume",
        ("C", "R1", "*", 4.0, 3.0, 0.1, "replenish", "1", capacity),
        ("C", "R2", "*", 4.0, 3.0, 0.1, "replenish", "1", capacity),
        ("R1", "R2", "*", 1.0, lateral_trip, 0.2, "lateral", None, None),
        ("R2", "R1", "*", 1.0, lateral_trip, 0.2, "lateral", None, None),
    )
    frames = {
        "sales": table("item_id location_id date units", (items[0], "R1", pd.Timestamp("2025-10-20"), 5.0)),
        "items": table("item_id unit_cost unit_price volume", *[(item, 5.0, 20.0, 1.0) for item in items]),
        "lanes": lanes,
        "supply": table(
            "item_id source_id location_id lead_time_days review_period_days order_multiple", ("*", "S", "C", 5, 7, 6.0)
        ),
        "inventory": table(
            "item_id location_id on_hand",
            *[(item, place, float(units)) for item, row in zip(items, stock, strict=True)
              for place, units in zip(("C", "R1", "R2"), row, strict=True)],
        ),
    }  # fmt: skip
    keys = tuple(
        np.array(column, dtype=object) for column in zip(*[(i, r) for i in items for r in ("R1", "R2")], strict=True)
    )
    config = PlanConfig(targets=TargetParams(objective=objective, service=0.9, cover_days=5))
    return build_network(Tables.of(frames), config, CALENDAR, keys)


def decide(network, objective, rate=1.5, seed=0, n_paths=20, unmet="lost"):
    rng = np.random.default_rng(seed)
    paths = np.zeros((network.cells.n_cells, n_paths, network.horizon), dtype=np.float32)
    paths[network.demanded] = rng.poisson(rate, paths[network.demanded].shape)
    first, second = arrival_buckets(network.options, network.cells, network.calendar, n_paths, Streams(0))
    rule = StockRule(objective, unmet, network.calendar.days[network.calendar.n_history :])
    demand = tier_demand(network, Scenarios(paths, first, second), rule)
    targets = stock_targets(network.cells, network.options, demand.for_targets(network.options), rule)
    return paths, demand, targets, solve_network(network, demand, rule, targets, NetworkParams())


def option(network, source, place, item="A"):
    cells, options = network.cells, network.options
    match = (options.source_id == source) & (cells.location_id[options.cell] == place)
    return int(np.flatnonzero(match & (cells.item_id[options.cell] == item))[0])


def test_a_central_site_sees_what_the_regions_order_later_and_today_apart():
    network = network_of("cycle_service", ["A"], [(50, 9, 9)])
    paths, demand, _, _ = decide(network, "cycle_service")
    assert depths(network).tolist() == [1, 0, 0]
    assert demand.first[option(network, "C", "R1")] > 0
    ordered = demand.later.paths[0]
    assert not ordered[:, 0].any()  # today's orders are decisions
    assert set(np.flatnonzero(ordered.any(axis=0)) % 7) == {0}  # later ones fall on Mondays
    every = demand.all_orders(network.options).paths[0]
    assert every[:, 0].tolist() == [demand.first.sum()] * 20
    # Over the horizon the regions pass on what they sell: orders are demand, less the stock they start with.
    passed_on = every.sum(axis=1).mean()
    assert passed_on == pytest.approx(paths[1:].sum(axis=(0, 2)).mean(), rel=0.5)


def steady_demand():
    """Return a centre with two sites that sell two units a day on every path, and its tier demand."""
    network = network_of("cycle_service", ["A"], [(500, 22, 22)])
    first, second = (
        np.repeat(x[:, None], 3, 1).astype(np.int32) for x in (network.options.arrival, network.options.next_arrival)
    )
    paths = np.zeros((3, 3, network.horizon), dtype=np.float32)
    paths[1:] = 2.0
    rule = StockRule("cycle_service", "lost", np.ones(network.horizon, dtype=np.int64))
    demand = tier_demand(network, Scenarios(paths, first, second), rule)
    return network, demand


def test_steady_demand_is_passed_on_unit_by_unit():
    network, demand = steady_demand()
    # Two units a day at two sites, ordered once a week: 28 units each later Monday, the same on every path.
    later = demand.later.paths[0]
    mondays = np.arange(7, network.horizon - 11, 7)
    assert (later[:, mondays] == 28).all()


def test_a_lone_region_in_need_is_helped_when_that_pays_and_not_when_the_trip_is_too_dear():
    stock = [(40, 60, 0)]
    cheap = network_of("cycle_service", ["A"], stock, lateral_trip=1.0)
    dear = network_of("cycle_service", ["A"], stock, lateral_trip=10_000.0)
    row = option(cheap, "R1", "R2")
    helped = decide(cheap, "cycle_service")[3]
    assert helped.units[row] > 0
    assert helped.rule[row] == "least-cost"
    assert helped.report.status == "optimal"
    alone = decide(dear, "cycle_service")[3]
    assert alone.units[row] == 0
    assert alone.report.status == "uncoupled"


@pytest.mark.parametrize(("held", "spares"), [(16, False), (26, True)])
def test_a_neighbour_keeps_what_its_target_needs_until_its_own_order_lands(held, spares):
    network = network_of("cycle_service", ["A"], [(400, held, 0)], lateral_trip=0.0)
    paths, _, _, decision = decide(network, "cycle_service", rate=4.0)
    landing = network.options.arrival[option(network, "C", "R1")]
    # Of 20 paths one may run short at a target of 90 %: 0.9 * 21 = 18.9.
    spare = np.sort(held - paths[1, :, :landing].sum(axis=1))[1]
    assert (spare > 0) == spares
    assert decision.units[option(network, "R1", "R2")] == max(spare, 0)


def test_a_region_whose_own_link_is_closed_is_helped():
    network = network_of("cycle_service", ["A"], [(40, 200, 0)], lateral_trip=0.0)
    kept = np.delete(np.arange(network.options.n_options), option(network, "C", "R2"))
    closed = replace(network, options=network.options.take(kept), prices=network.prices.take(kept))
    decision = decide(closed, "cycle_service")[3]
    assert decision.units[option(closed, "R1", "R2")] > 0


def test_primary_links_order_what_their_own_rule_asks_given_the_help():
    network = network_of("cycle_service", ["A"], [(400, 60, 0)], lateral_trip=1.0)
    _, demand, _, decision = decide(network, "cycle_service")
    options, cells = network.options, network.cells
    helping = np.where(options.primary, 0.0, decision.units)
    arrivals = cells.arrivals.copy()
    for row in np.flatnonzero(helping):
        arrivals[options.cell[row], options.arrival[row]] += helping[row]
    rule = StockRule("cycle_service", "lost", np.ones(network.horizon, dtype=np.int64))
    regions = options.primary & (options.origin_cell >= 0)
    sent = with_sends(demand.later, options, helping)
    found = stock_targets(replace(cells, arrivals=arrivals), replace(options, primary=regions), sent, rule)
    assert decision.units[found.option].tolist() == found.order_units.tolist()


def test_a_scarce_central_site_is_shared():
    network = network_of("cycle_service", ["A"], [(7, 0, 0)], lateral_trip=10_000.0)
    decision = decide(network, "cycle_service")[3]
    rows = [option(network, "C", place) for place in ("R1", "R2")]
    assert sorted(decision.units[rows]) == [3.0, 4.0]
    assert set(decision.rule[rows]) == {"fair-share"}


def test_a_trip_carries_no_more_than_its_volume():
    network = network_of("cycle_service", ["A", "B"], [(90, 0, 0), (90, 0, 0)], lateral_trip=10_000.0, capacity=10.0)
    decision = decide(network, "cycle_service")[3]
    rows = [option(network, "C", "R1", item) for item in "AB"]
    assert decision.units[rows].sum() == 10.0


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("unmet", ["lost", "backordered"])
def test_stock_is_conserved(objective, seed, unmet):
    rng = np.random.default_rng(100 + seed)
    stock = rng.integers(0, 40, (2, 3))
    network = network_of(objective, ["A", "B"], stock, lateral_trip=float(rng.choice([0.0, 2.0, 20.0])), capacity=25.0)
    if unmet == "backordered":
        network = replace(network, cells=replace(network.cells, backorder_cost=network.cells.shortage_cost / 7))
    paths, _, _, decision = decide(network, objective, rate=float(rng.uniform(0.5, 3)), seed=seed, unmet=unmet)
    cells, options, units = network.cells, network.options, decision.units
    assert (units >= 0).all()
    in_lots = units / np.where(options.multiple > 0, options.multiple, 1.0)
    assert np.allclose(in_lots, np.rint(in_lots))
    assert (decision.cost_of_waiting[units == 0] == 0).all()
    # Every path, bucket by bucket: opening + received - sent - sold = closing, and nothing is sent that is not there.
    arriving, sent = np.zeros((2, cells.n_cells, network.horizon))
    for row in np.flatnonzero(units):
        arriving[options.cell[row], options.arrival[row]] += units[row]
        if options.origin_cell[row] >= 0:
            sent[options.origin_cell[row], options.send_bucket[row]] += units[row]
    for path in range(paths.shape[1]):
        on_hand = cells.available.copy()
        sold = np.zeros(cells.n_cells)
        for bucket in range(network.horizon):
            on_hand += cells.arrivals[:, bucket] + arriving[:, bucket]
            assert (sent[:, bucket] <= on_hand + 1e-9).all()
            on_hand -= sent[:, bucket]
            sale = np.minimum(paths[:, path, bucket], on_hand)
            on_hand -= sale
            sold += sale
        bought = np.zeros(cells.n_cells)
        outside = (options.origin_cell < 0) & (options.arrival < network.horizon)
        np.add.at(bought, options.cell[outside], units[outside])
        for item in ("A", "B"):
            rows = cells.item_id == item
            opening = cells.available[rows].sum() + cells.arrivals[rows].sum() + bought[rows].sum()
            assert on_hand[rows].sum() + sold[rows].sum() == pytest.approx(opening)


def test_units_and_stock_limits_hold_together_with_the_frame():
    network = network_of("cost", ["A"], [(12, 3, 30)])
    _, demand, _, decision = decide(network, "cost")
    rule = StockRule("cost", "lost", np.ones(network.horizon, dtype=np.int64))
    assert formulate(network, demand.later, rule).problem.is_feasible(decision.units)


def test_a_dear_shortage_makes_every_line_worth_its_cost():
    decision = decide(network_of("cost", ["A"], [(60, 2, 2)]), "cost")[3]
    assert (decision.cost_of_waiting[decision.units > 0] >= -1e-6).all()
    assert decision.report.status == "optimal"


def test_the_same_network_gives_the_same_decision():
    one = decide(network_of("fill_rate", ["A", "B"], [(20, 30, 0), (9, 0, 20)]), "fill_rate")[3]
    two = decide(network_of("fill_rate", ["A", "B"], [(20, 30, 0), (9, 0, 20)]), "fill_rate")[3]
    assert one.units.tobytes() == two.units.tobytes()
    assert one.cost_of_waiting.tobytes() == two.cost_of_waiting.tobytes()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_what_an_empty_centre_refuses_today_is_asked_for_again_and_bought(objective):
    empty = network_of(objective, ["A"], [(0, 0, 0)], lateral_trip=10_000.0)
    paths, demand, targets, decision = decide(empty, objective)
    lanes = [option(empty, "C", place) for place in ("R1", "R2")]
    assert (demand.first[lanes] > 0).all()
    assert (decision.units[lanes] == 0).all()
    # What was not granted is followed anew: the regions start their next Monday with nothing.
    scenarios = Scenarios(paths, demand.own.arrival, demand.own.next_arrival)
    options = empty.options
    rows = np.searchsorted(targets.option, lanes)
    mean = paths.mean(axis=1, dtype=np.float64)
    rule = StockRule(objective, "lost", np.ones(empty.horizon, dtype=np.int64))
    later = later_orders(empty, targets, rows, mean)
    cell = options.cell[lanes]
    ordered = follow(empty, later, paths[cell], empty.cells.arrivals[cell], rule).ordered
    expected = np.zeros(paths.shape[1:])
    for row in range(2):
        for step in range(later.n_steps):
            if later.bucket[row, step] < empty.horizon:
                expected[:, later.bucket[row, step]] += ordered[row, :, step]
    assert decision.demand.paths[0].tolist() == expected.tolist()
    assert decision.later.paths[0].tolist() == expected.tolist()
    assert expected[:, :8].sum() > demand.later.paths[0][:, :8].sum()
    # The centre's own order answers for it: with it the centre's rule asks for nothing more.
    if objective != "cost":
        found = stock_targets(empty.cells, options, replace(scenarios, paths=decision.demand.paths), rule)
        centre = option(empty, "S", "C")
        at = int(np.flatnonzero(found.option == centre)[0])
        assert decision.units[centre] == found.order_units[at]
        assert decision.units[centre] > targets.order_units[at] - demand.first.sum()


def test_a_decision_as_every_cell_asked_leaves_the_demand_as_it_was():
    network = network_of("cycle_service", ["A"], [(500, 9, 4)], lateral_trip=10_000.0)
    _, demand, _, decision = decide(network, "cycle_service")
    assert decision.later is demand.later
    assert decision.units[option(network, "C", "R1")] == demand.first[option(network, "C", "R1")]


def test_an_order_that_lands_behind_the_horizon_is_demand_at_the_feeder():
    network, demand = steady_demand()
    mondays = np.arange(7, network.horizon, 7)
    assert (demand.later.paths[0][:, mondays] == 28).all()


def test_nothing_is_ordered_that_lands_after_the_end_of_sale():
    network = network_of("cycle_service", ["A"], [(500, 0, 0)])
    end = 14  # sold to the second Sunday; an order of Monday the 8th day lands on bucket 11, that of the 15th too late
    network = replace(network, cells=replace(network.cells, end_bucket=np.full(3, end)))
    paths = np.zeros((3, 2, network.horizon), dtype=np.float32)
    paths[1:, :, :end] = 2.0
    first, second = (
        np.repeat(x[:, None], 2, 1).astype(np.int32) for x in (network.options.arrival, network.options.next_arrival)
    )
    rule = StockRule("cycle_service", "lost", np.ones(network.horizon, dtype=np.int64))
    scenarios = Scenarios(paths, first, second)
    targets = stock_targets(network.cells, network.options, scenarios, rule)
    later = later_orders(network, targets, np.arange(len(targets.option)), paths.mean(axis=1))
    landing = later.arrival[later.bucket < network.horizon]
    assert len(landing)
    assert (landing < end).all()
    demand = tier_demand(network, scenarios, rule)
    assert not demand.later.paths[0, :, 8:].any()
