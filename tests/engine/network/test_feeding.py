"""Planned lines of cells that feed each other: short weeks by hand, and random networks walked day by day."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor

import numpy as np
import pandas as pd
import pytest

from engine.network.ahead import look_ahead
from engine.network.follow import later_orders
from engine.network.planned import planned_lines
from engine.network.problem import Limits
from engine.network.projection import projection_rows
from engine.network.sharing import fair_share, share_out
from engine.network.steady import Band, Meant, Steady
from engine.policy.lots import Lots
from tests.engine.network.test_planned import AS_OF, build, constant, decide, random_paths, rule_of, table


def chain(stock, items=("A",), places=("R1", "R2"), tiers=1, multiple=None, volume=None, **frames):
    """Return items at shops, fed on Mondays by a centre C that buys from S, or with two tiers from D, which buys."""
    lanes = table(
        "origin_id dest_id item_id lead_time_days role order_weekdays trip_capacity_volume",
        *(("C", place, "*", 2.0, "replenish", "1", volume) for place in places),
        *(("D", "C", "*", 3.0, "replenish", "1", None) for _ in range(tiers - 1)),
    )
    supply = table(
        "item_id source_id location_id lead_time_days review_period_days unit_cost order_multiple",
        ("*", "S", "CD"[tiers - 1], 10.0, 7.0, 4.0, multiple),
    )
    volumes = table(
        "item_id unit_cost unit_price volume", *((item, 4.0, 12.0, 1.0 + k) for k, item in enumerate(items))
    )
    inventory = table("item_id location_id on_hand", *((*key, float(units)) for key, units in stock.items()))
    at = [(item, place) for item in items for place in places]
    return build(at, lanes=lanes, supply=supply, inventory=inventory, items=volumes, **frames)


def lines_of(network, paths, unmet="lost", units=None):
    """Return the planned units by item, place and day."""
    rule = rule_of(network, unmet)
    targets, decision = decide(network, paths, rule, units)
    lines = planned_lines("test", network, decision, targets, rule)
    days = (lines["order_date"] - pd.Timestamp(AS_OF)).dt.days.tolist()
    keys = zip(lines["item_id"], lines["location_id"], days, strict=True)
    return dict(zip(keys, lines["units"].tolist(), strict=True)), targets, decision


def test_what_a_centre_cannot_send_is_shared_and_asked_for_again():
    due = table(
        "order_id line_no item_id location_id units due_date", ("P", 1, "A", "C", 90.0, pd.Timestamp("2025-11-08"))
    )
    network = chain({("A", "C"): 40, ("A", "R1"): 40, ("A", "R2"): 60}, open_orders=due)
    # R1 sells 4 a day and R2 6; nothing is sent today.
    planned, targets, decision = lines_of(network, constant(network, 0.0, 4.0, 6.0), units=np.zeros(3))
    assert targets.safety_stock[1:].tolist() == [0.0, 0.0]
    # Day 7 answers for days 7 to 15, 36 and 54 units: 12 and 18 are left, so 24 and 36 are asked for. Of those 60 the
    # centre has 40, two thirds. On day 14 nothing is left at either: 36 and 54, which is what came on day 12.
    assert [planned["A", "R1", 7], planned["A", "R2", 7]] == [16.0, 24.0]
    assert [planned["A", "R1", 14], planned["A", "R2", 14]] == [36.0, 54.0]
    # On days 14 and 15 there is none to sell; of 36 and 54 that land on day 16, 16 and 24 are left on day 21. So 20 and
    # 30 are asked for, which the centre has: on day 7 its 130 lacked 70 of the 200 that are asked for by day 21 where
    # all is served.
    assert planned["A", "C", 7] == 70.0
    assert [planned["A", "R1", 21], planned["A", "R2", 21]] == [20.0, 30.0]
    # The centre's stock is what came less what was sent: day 7 takes all of it, day 14 all of the 90.
    rule = rule_of(network)
    rows = projection_rows(network, decision, targets, rule, np.array([0]))
    assert rows["stock_mean"].to_numpy()[[6, 7, 11, 12, 13, 14]].tolist() == [40.0, 0.0, 0.0, 90.0, 90.0, 0.0]
    shops = projection_rows(network, decision, targets, rule, np.array([1, 2]))["stock_mean"].to_numpy()
    assert shops.reshape(2, -1)[:, [8, 9, 13, 15, 16]].tolist() == [[4, 16, 0, 0, 32], [6, 24, 0, 0, 48]]


def test_what_a_centre_owes_its_shops_counts_in_its_own_orders():
    # With 40 in stock 20 of day 7 stay asked for, with 60 none: 20 more are ordered on day 7, and on day 14 as many.
    orders = []
    for stock in (40, 60):
        network = chain({("A", "C"): stock, ("A", "R1"): 40, ("A", "R2"): 60})
        planned, _, _ = lines_of(network, constant(network, 0.0, 4.0, 6.0), units=np.zeros(3))
        orders.append((planned["A", "C", 7], planned["A", "C", 14]))
    assert orders[0][0] - orders[1][0] == 20.0
    assert orders[0][1] == orders[1][1]


def test_a_trip_carries_what_fits_and_the_rest_goes_with_the_next():
    # Two items sell 4 a day at R1 and have 40 there; a unit of B has twice the volume. Day 7 asks for 24 of each, of
    # which a trip of 36 carries 12 each; so it does of the 36 of each that are asked for on day 14.
    network = chain(
        {(item, place): units for item in "AB" for place, units in (("C", 900), ("R1", 40))}, ("A", "B"), ("R1",),
        volume=36.0,
    )  # fmt: skip
    planned, _, _ = lines_of(network, constant(network, 0.0, 4.0, 0.0, 4.0), units=np.zeros(4))
    assert [planned[item, "R1", day] for day in (7, 14) for item in "AB"] == [12.0] * 4


@pytest.mark.parametrize(("meant", "units"), [((15.0, 25.0), [15.0, 25.0]), ((11.0, 29.0), [16.0, 24.0])])
def test_a_planned_share_stays_as_meant_within_the_band(meant, units):
    # As in the first test: 24 and 36 are asked for on day 7, of which 40 are there, afresh 16 and 24.
    network = chain({("A", "C"): 40, ("A", "R1"): 40, ("A", "R2"): 60})
    rule = rule_of(network)
    targets, decision = decide(network, constant(network, 0.0, 4.0, 6.0), rule, np.zeros(3))
    shops = network.primary_of[1:]
    known = np.where(np.isin(np.arange(3), shops), 8, 0)
    before = Meant(shops, np.array([7, 7]), np.array(meant), known)
    lines = planned_lines(
        "test", network, decision, targets, rule, Steady(before, Band(np.full(3, 2.0), np.full(3, 2.0)))
    )
    assert lines.loc[lines["order_date"] == pd.Timestamp(AS_OF + 7), "units"].tolist()[1:] == units


def test_a_centre_that_nothing_supplies_shares_what_it_has():
    # As in the first test on day 7, but the centre orders nothing: after that it has nothing to send.
    network = chain({("A", "C"): 40, ("A", "R1"): 40, ("A", "R2"): 60})
    options = network.options
    network = replace(network, options=replace(options, primary=options.primary & (options.origin_cell >= 0)))
    planned, targets, _ = lines_of(network, constant(network, 0.0, 4.0, 6.0), units=np.zeros(3))
    assert len(targets.option) == 2
    assert planned == {("A", "R1", 7): 16.0, ("A", "R2", 7): 24.0}


def walked(network, targets, decision, rule):
    """Return planned units by option and day, with one number for each cell and day."""
    cells, options = network.cells, network.options
    ahead = look_ahead(network, decision, np.arange(cells.n_cells))
    later = later_orders(ahead.network, targets, np.arange(len(targets.option)), ahead.mean)
    horizon = 2 * network.horizon
    coming = np.zeros((cells.n_cells, 2 * horizon))
    coming[:, : network.horizon] = cells.arrivals
    rows = np.flatnonzero(options.arrival < network.horizon)
    np.add.at(coming, (options.cell[rows], options.arrival[rows]), decision.units[rows])
    stock, asking, planned = cells.net.copy(), {}, {}
    demand = ahead.leaving(np.arange(cells.n_cells))
    giver = {int(c): int(o) for c, o in zip(options.cell[later.option], options.origin_cell[later.option], strict=True)}
    for day in range(horizon):
        asked, step_of = {}, {}
        for row, step in zip(*np.nonzero(later.day == day), strict=True):
            if later.bucket[row, step] >= horizon:
                continue
            cell, until = int(later.cell[row]), int(later.until[row, step])
            position = (
                stock[cell]
                + coming[cell, day : min(until, horizon)].sum()
                + coming[cell, horizon:].sum() * (until > horizon)
            )
            position -= sum(units for place, units in asking.items() if giver[place] == cell)
            wish = later.level[row, step] - position
            size, least, most = (float(x[row]) for x in (later.lots.size, later.lots.least, later.lots.most))
            lots = min(max(ceil(wish / size - 1e-9), least), most) if wish > 0 and wish >= later.gap[row] else 0
            asked[cell], step_of[cell] = lots * size, (row, step)
        granted = dict(asked)
        fed = [cell for cell in asked if giver[cell] >= 0]
        if fed:
            lane = [int(options.lane[network.primary_of[cell]]) for cell in fed]
            room = network.lanes["trip_capacity_volume"].to_numpy(float)
            limits, bounds = [], []
            for number in sorted({one for one in lane if np.isfinite(room[one])}):
                limits += [(len(bounds), k, network.volume[fed[k]]) for k in range(len(fed)) if lane[k] == number]
                bounds.append(room[number])
            for place in sorted({giver[cell] for cell in fed}):
                limits += [(len(bounds), k, 1.0) for k in range(len(fed)) if giver[fed[k]] == place]
                bounds.append(floor(max(stock[place] + coming[place, day], 0.0)))
            of, k, weight = (np.array(column) for column in zip(*limits, strict=True))
            at = [step_of[cell][0] for cell in fed]
            lots = Lots(later.lots.size[at], later.lots.least[at], later.lots.most[at])
            shares = fair_share(np.array([asked[cell] for cell in fed]), lots, Limits(of, k, weight, np.array(bounds)))
            granted.update(zip(fed, shares.tolist(), strict=True))
        leaving = demand[:, day].copy()
        for cell, units in granted.items():
            row, step = step_of[cell]
            coming[cell, min(int(later.arrival[row, step]), horizon)] += units
            if giver[cell] >= 0:
                asking[cell] = asked[cell] - units
                leaving[giver[cell]] += units
            if units and day < network.horizon:
                planned[int(later.option[row]), day] = units
        owed = np.minimum(stock, 0.0)
        stock = stock + coming[:, day] - leaving
        if not rule.backordered:
            stock = np.maximum(stock, np.minimum(owed + coming[:, day], 0.0))
    return planned


@pytest.mark.parametrize("seed", range(30))
def test_lines_are_those_of_a_plain_walk(seed):
    rng = np.random.default_rng(seed)
    items = tuple(f"I{k}" for k in range(int(rng.integers(1, 4))))
    tiers, places = int(rng.integers(1, 3)), ("R1", "R2", "R3")[: int(rng.integers(1, 4))]
    stock = {
        (item, place): rng.integers(0, 25 if place in places else 80)
        for item in items
        for place in (*places, "C", "D")[: len(places) + tiers]
    }
    volume = float(rng.integers(20, 90)) if seed % 3 else None
    network = chain(stock, items, places, tiers, float(rng.integers(1, 7)), volume)
    rule = rule_of(network, ("lost", "backordered")[seed % 2])
    targets, decision = decide(network, random_paths(network, seed), rule)
    lines = planned_lines("test", network, decision, targets, rule)
    cell = network.rows_of((lines["item_id"].to_numpy(object), lines["location_id"].to_numpy(object)))
    days = (lines["order_date"] - pd.Timestamp(AS_OF)).dt.days.tolist()
    found = dict(zip(zip(network.primary_of[cell].tolist(), days, strict=True), lines["units"].tolist(), strict=True))
    assert found == walked(network, targets, decision, rule)


@pytest.mark.parametrize("seed", range(20))
def test_many_limits_at_once_are_shared_as_one_after_the_other(seed):
    rng = np.random.default_rng(seed)
    n, n_cases, n_limits = int(rng.integers(1, 12)), 3, int(rng.integers(1, 4))
    size, least = rng.choice([1.0, 3.0, 0.5], n), rng.integers(1, 4, n)
    lots = Lots(size, least, np.full(n, 1000))
    asked = size[:, None] * np.where(
        rng.random((n, n_cases)) < 0.2, 0, least[:, None] + rng.integers(0, 20, (n, n_cases))
    )
    group, weight = rng.integers(0, n_limits, n), rng.choice([1.0, 2.5], n)
    bound = rng.integers(0, 60, (n_limits, n_cases)).astype(float)
    dealt = share_out(asked, lots, weight, group, bound)
    for case in range(n_cases):
        limits = Limits(group, np.arange(n), weight, bound[:, case])
        assert dealt[:, case].tolist() == fair_share(asked[:, case], lots, limits).tolist()
