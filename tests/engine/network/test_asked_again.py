"""What a centre orders where its shops ask again for what they do not get, against plain walks, day by day."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pandas as pd
import pytest

from engine.network.decide import solve_network
from engine.network.follow import later_orders
from engine.network.params import NetworkParams
from engine.network.problem import Limits
from engine.network.sharing import fair_share
from engine.network.tiers import tier_demand
from engine.policy.lots import Lots
from engine.policy.order_now import build_curves, order_now
from engine.policy.targets import stock_targets
from tests.engine.network.test_feeding import chain
from tests.engine.network.test_planned import constant, random_paths, rule_of, scenarios_of, table

CENTRE = 0


def solved(network, paths, rule):
    """Return targets and decision as a plan makes them, and the demand before it."""
    demand = tier_demand(network, scenarios_of(network, paths), rule)
    targets = stock_targets(network.cells, network.options, demand.for_targets(network.options), rule)
    return demand, targets, solve_network(network, demand, rule, targets, NetworkParams())


def walked(network, targets, decision, units, path):
    """Walk one path with ``units`` bought by the centre today; shops order up to their levels, from what it has.

    Returns what the centre misses by day, of what shops and its own customers ask for.
    """
    cells, options = network.cells, network.options
    n, horizon = cells.n_cells, network.horizon
    mean = decision.demand.paths.mean(axis=1, dtype=np.float64)
    later = later_orders(network, targets, np.flatnonzero(options.origin_cell[targets.option] == CENTRE), mean)
    stock, coming = cells.net.astype(float), np.zeros((n, 2 * horizon))
    coming[:, :horizon] = cells.arrivals
    bought = decision.units.copy()
    bought[network.primary_of[CENTRE]] = units
    np.add.at(coming, (options.cell, options.arrival), bought)
    stock[CENTRE] -= bought[options.origin_cell == CENTRE].sum()
    missed = np.zeros(horizon)
    for day in range(horizon):
        stock += coming[:, day]
        rows, asks = [], []
        for row, step in zip(*np.nonzero(later.bucket == day), strict=True):
            cell = int(later.cell[row])
            position = stock[cell] + coming[cell, day + 1 : later.until[row, step]].sum()
            wish = later.level[row, step] - position
            if wish >= later.gap[row] and wish > 0:
                rows.append((row, step, cell))
                asks.append(float(ceil(wish - 1e-9)))
        if rows:
            ones = np.ones(len(rows))
            lots = Lots(ones, np.ones(len(rows), dtype=np.int64), np.full(len(rows), 10**6))
            there = Limits(np.zeros(len(rows), dtype=np.int64), np.arange(len(rows)), ones, np.array([stock[CENTRE]]))
            got = fair_share(np.array(asks), lots, there)
            for (row, step, cell), granted in zip(rows, got.tolist(), strict=True):
                coming[cell, later.arrival[row, step]] += granted
                stock[CENTRE] -= granted
            missed[day] = sum(asks) - got.sum()
        short = path[:, day] - stock
        missed[day] += max(short[CENTRE], 0.0)
        stock = np.maximum(-short, 0.0)
    return missed


def clean_share(network, targets, decision, units):
    """Return on how many paths the centre gives all that is asked from its delivery to the next."""
    option = network.primary_of[CENTRE]
    interval = slice(int(network.options.arrival[option]), int(network.options.next_arrival[option]))
    paths = decision.own.paths.astype(float)
    return sum(
        not (walked(network, targets, decision, units, paths[:, k])[interval] > 0).any() for k in range(paths.shape[1])
    )


def short_chain(seed, units=8):
    """Return a centre that has too little for two shops until its order lands, some of which comes late."""
    rng = np.random.default_rng(seed)
    stock = {("A", place): float(rng.integers(0, most)) for place, most in (("C", 30), ("R1", 60), ("R2", 60))}
    day = pd.Timestamp("2025-10-27") + pd.Timedelta(days=int(rng.integers(4, 10)))
    due = table("order_id line_no item_id location_id units due_date", ("P", 1, "A", "C", float(10 * units), day))
    return chain(stock, open_orders=due)


@pytest.mark.parametrize("sells", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_a_centre_orders_the_least_that_gives_shops_all_they_ask_again(seed, sells):
    network = short_chain(seed, units=seed)
    rule = rule_of(network)
    paths = random_paths(network, seed).astype(np.float32)
    if sells:
        paths[CENTRE] = np.random.default_rng(100 + seed).poisson(1.5, paths[CENTRE].shape)
    _, targets, decision = solved(network, paths, rule)
    units = decision.units[network.primary_of[CENTRE]]
    n = paths.shape[1]
    enough = min(0.99 * (n + 1), n)
    assert network.cells.target[CENTRE] == 0.99
    assert clean_share(network, targets, decision, units) >= enough
    assert units == 0 or clean_share(network, targets, decision, units - 1) < enough
    assert decision.cycle_service[CENTRE] == clean_share(network, targets, decision, units) / n


@pytest.mark.parametrize("stock", [60, 40, 20, 0])
def test_by_hand_shops_ask_again_for_what_customers_waited_for(stock):
    # R1 sells 4 a day and R2 6; nothing is sent today. Day 7 answers for nine days, 36 and 54 units: 12 and 18 are left
    # of 40 and 60, so 60 are asked for. Where all of it comes on day 9, 8 and 12 are left on day 14, and 70 are asked
    # for. Of less, nothing is left on day 14 once 20 are missing: then 90 are asked for, however much was missing,
    # since customers of days on which the shops have nothing walk away.
    network = chain({("A", "C"): stock, ("A", "R1"): 40, ("A", "R2"): 60})
    demand, targets, _ = solved(network, constant(network, 0.0, 4.0, 6.0), rule_of(network))
    assert not demand.first.any()
    asked = demand.for_targets(network.options).paths[CENTRE]
    assert asked[:, [7, 14]].tolist() == [[stock, 70.0 if stock == 60 else 90.0]] * 2
    assert targets.order_units[0] == (70.0 if stock == 60 else 90.0)
    # Least-cost help may come before that, so it looks at what is asked for in full.
    assert demand.all_orders(network.options).paths[CENTRE][:, [7, 14]].tolist() == [[60.0, 70.0]] * 2


def test_only_a_centre_without_customers_owes_what_it_lacks():
    network = chain({("A", "C"): 40, ("A", "R1"): 40, ("A", "R2"): 60})
    for own, owed in ((0.0, True), (1.0, False)):
        demand = tier_demand(network, scenarios_of(network, constant(network, own, 4.0, 6.0)), rule_of(network))
        assert demand.for_targets(network.options).owed.tolist() == [owed, False, False]
    for rule in (rule_of(network, "backordered"), replace(rule_of(network), objective="cost")):
        demand = tier_demand(network, scenarios_of(network, constant(network, 0.0, 4.0, 6.0)), rule)
        found, full = (scenarios(network.options) for scenarios in (demand.for_targets, demand.all_orders))
        assert found.owed is None
        assert (found.paths == full.paths).all()


def test_inbound_that_comes_after_what_is_asked_does_not_suffice():
    # 80 units land on day 8, a day after 60 are asked for and nothing is there. On day 14 the shops ask for 90, so 10
    # are ordered, and the level of the centre is 90. Counted as lost, the 60 would leave the 80 to serve the 70 of a
    # day 14 before which the shops had all they asked for.
    due = table(
        "order_id line_no item_id location_id units due_date", ("P", 1, "A", "C", 80.0, pd.Timestamp("2025-11-04"))
    )
    network = chain({("A", "C"): 0, ("A", "R1"): 40, ("A", "R2"): 60}, open_orders=due)
    _, targets, decision = solved(network, constant(network, 0.0, 4.0, 6.0), rule_of(network))
    assert decision.units[network.primary_of[CENTRE]] == targets.order_units[0] == 10.0
    assert targets.order_up_to[0] == 90.0


@pytest.mark.parametrize("seed", range(4))
def test_order_now_answers_as_the_plan_did(seed):
    network = short_chain(seed, units=seed)
    rule = rule_of(network)
    demand, targets, _ = solved(network, random_paths(network, seed).astype(np.float32), rule)
    curves = build_curves(network.cells, network.options, demand.for_targets(network.options), rule)
    found = order_now(curves, np.arange(3)).targets
    assert found.order_units.tolist() == targets.order_units.tolist()
    assert found.order_up_to.tolist() == targets.order_up_to.tolist()


@pytest.mark.parametrize("seed", range(6))
def test_an_upper_centre_gives_no_more_than_it_has_until_its_own_order_lands(seed):
    network = chain(
        {("A", place): np.random.default_rng(seed).integers(0, most) for place, most in
         (("D", 40), ("C", 60), ("R1", 60), ("R2", 60))}, tiers=2,
    )  # fmt: skip
    paths = random_paths(network, seed).astype(np.float32)
    demand, _, _ = solved(network, paths, rule_of(network))
    options, lands = network.options, int(network.options.arrival[network.primary_of[1]])
    found = demand.for_targets(options).paths[1]
    sent = np.cumsum(found[:, :lands], axis=1)
    there = network.cells.net[1] + np.cumsum(network.cells.arrivals[1, :lands])
    first = demand.first[options.origin_cell == 1].sum()
    assert (sent - first <= np.maximum(there - first, 0.0) + 1e-6).all()
    full = demand.all_orders(options).paths[1]
    assert (found.sum(axis=1) <= full.sum(axis=1) + 1e-6).all()
