"""Supplier orders against brute force over all lots of all lines, and rules worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from engine.policy.aims import daily_demand
from engine.policy.cost import cost_of_orders, own_horizon
from engine.policy.price_lines import price_lines
from tests.engine.network.supplier_worlds import decide, scenarios_of, world

NONE = np.zeros(0)


def paid(breaks, price, units):
    """Return what units cost, break by break; ``breaks`` of (units, price, kind), ascending."""
    total, last, since = price * units, price, 0.0
    base = 0.0
    for start, lower, kind in breaks:
        if units < start:
            break
        base = base + last * (start - since) if kind == "incremental" else lower * start
        last, since = lower, start
        total = base + last * (units - since)
    return total


def without_breaks(price):
    return price_lines(price, NONE.astype(int), NONE, NONE, NONE.astype(bool))


def tables_of_costs(network, scenarios, rule, breaks, most):
    """Return expected cost and value of 0 to ``most`` lots of every line, (n, most + 1) each, by the cost of orders."""
    cells, options = network.cells, network.options
    prices, sizes = options.unit_cost, np.maximum(options.multiple, 1.0)
    horizon = own_horizon(cells, options, scenarios, rule)
    cost, value = (np.zeros((cells.n_cells, most + 1)) for _ in range(2))
    for k in range(most + 1):
        units = k * sizes
        terms, _ = cost_of_orders(cells, options, scenarios, units, horizon, rule)
        value[:, k] = [paid(breaks[i], prices[i], units[i]) for i in range(cells.n_cells)]
        cost[:, k] = terms.total + value[:, k] - np.minimum(prices, 4.0) * units
    return cost, value


def feasible(counts, least, most):
    return all(k == 0 or low <= k <= high for k, low, high in zip(counts, least, most, strict=True))


def next_volume(counts, least, most, volumes):
    steps = [(max(low, 1) if k == 0 else 1) for k, low in zip(counts, least, strict=True)]
    grows = [s * v for k, s, v, high in zip(counts, steps, volumes, most, strict=True) if k + s <= high and v > 0]
    return min(grows, default=np.inf)


def meets(counts, value, volumes, terms):
    """Return whether lots reach the minimums."""
    worth = sum(value[i, k] for i, k in enumerate(counts))
    takes = sum(volumes[i] * k for i, k in enumerate(counts))
    return worth >= terms.get("min_order_value", 0) - 1e-9 and takes >= terms.get("min_order_volume", 0) - 1e-9


def brute_force(cost, value, volumes, rules, terms, floor):
    """Return the least cost of nothing and of every order that keeps to the terms."""
    least, most = rules
    n = len(least)
    counts = [c for c in product(range(cost.shape[1]), repeat=n) if feasible(c, least, most)]
    counts = [c for c in counts if all(k >= low for k, low in zip(c, floor, strict=True))]
    total = {c: sum(cost[i, k] for i, k in enumerate(c)) for c in counts}
    asked = min(counts, key=lambda c: (total[c], c)) if not any(floor) else tuple(floor)
    orders = [c for c in counts if any(c)]
    if any(floor) and "container_volume" not in terms and meets(asked, value, volumes, terms):
        return total[asked] + terms.get("order_cost", 0.0)
    worth = {c: sum(value[i, k] for i, k in enumerate(c)) for c in orders}
    takes = {c: sum(volumes[i] * k for i, k in enumerate(c)) for c in orders}
    orders = [c for c in orders if worth[c] >= terms.get("min_order_value", 0) - 1e-9]
    orders = [c for c in orders if takes[c] >= terms.get("min_order_volume", 0) - 1e-9]
    if "container_volume" in terms:
        box = terms["container_volume"]
        wanted = max(sum(volumes[i] * k for i, k in enumerate(asked)), terms.get("min_order_volume", 0)) / box
        full = {c: next((n_boxes for n_boxes in range(60) if takes[c] <= n_boxes * box + 1e-9), None) for c in orders}
        full = {c: m for c, m in full.items()
                if takes[c] + next_volume(c, least, most, volumes) > m * box + 1e-9}  # fmt: skip
        number = int(np.ceil(wanted - 1e-9))
        fits = [c for c, m in full.items() if m in (int(np.floor(wanted + 1e-9)), number)]
        while not fits and number < 60:
            number += 1
            fits = [c for c, m in full.items() if m == number]
        orders = fits
    best = min(total[c] for c in orders) + terms.get("order_cost", 0.0)
    return best if any(floor) else min(best, total[(0,) * n])


@cache
def plain_world(objective, n_items):
    return world(objective, n_items)


def random_world(seed, objective, n_items, most):
    """Return a network with terms and breaks drawn by the seed, its demand, and both as plain numbers."""
    rng = np.random.default_rng([seed, n_items])
    sizes = rng.choice([1.0, 2.0, 5.0], n_items)
    least = rng.choice([1, 2, 3], n_items, p=[0.6, 0.2, 0.2])
    prices = rng.choice([3.0, 4.0, 4.5], n_items)
    volumes = rng.choice([0.5, 1.0, 1.7], n_items)
    container = float(rng.choice([6.0, 11.0, 20.0]))
    choices = {
        "order_cost": float(rng.choice([2.0, 8.0, 25.0, 60.0])),
        "min_order_value": float(0.5 * rng.uniform(0.2, 1.0) * most * (sizes * prices * 0.7).sum()),
        "min_order_volume": float(0.5 * rng.uniform(0.2, 1.0) * most * (sizes * volumes).sum()),
    }
    terms = {name: value for name, value in choices.items() if rng.random() < 0.5}
    if rng.random() < 0.4:
        terms["container_volume"] = container
    breaks = []
    for size in sizes.tolist():
        kind = str(rng.choice(["all_units", "incremental"]))
        starts = sorted(rng.choice(np.arange(2, most), 2, replace=False) * size)
        lower = sorted(rng.uniform(2.4, 4.4, 2).round(2), reverse=True)
        breaks.append([(float(a), float(b), kind) for a, b in zip(starts, lower, strict=True)] * (rng.random() < 0.6))
    rows = [(i, *one) for i, row in enumerate(breaks) for one in row]
    row, start, lower, kind = (np.array(column) for column in zip(*rows, strict=True)) if rows else (NONE,) * 4
    base = plain_world(objective, n_items)
    cells = replace(
        base.cells, available=rng.integers(0, 8, n_items).astype(float), holding_cost=rng.choice([0.01, 0.1], n_items),
        salvage_value=rng.choice([0.0, 3.0], n_items),
    )  # fmt: skip
    options = replace(base.options, min_units=least * sizes, multiple=sizes, max_units=most * sizes, unit_cost=prices)
    network = replace(
        base, cells=cells, options=options, volume=volumes, suppliers=base.suppliers.assign(**terms),
        prices=price_lines(prices, row.astype(int), start.astype(float), lower.astype(float), kind == "incremental"),
    )  # fmt: skip
    scenarios = scenarios_of(network, rng.uniform(0.2, 1.2, n_items), seed)
    return network, scenarios, (breaks, volumes * sizes, (least, np.full(n_items, most)), terms)


def cost_as_decided(decision, tables, sizes, order_cost):
    counts = np.rint(decision.units / sizes).astype(int)
    total = sum(tables[0][i, k] for i, k in enumerate(counts))
    return total + (order_cost if counts.any() else 0.0)


@pytest.mark.parametrize(("n_items", "most", "seeds"), [(1, 30, range(40)), (2, 11, range(110)), (3, 6, range(60))])
def test_orders_of_least_cost_are_those_of_brute_force(n_items, most, seeds):
    seen, bound = set(), 0
    for seed in seeds:
        network, scenarios, (breaks, volumes, rules, terms) = random_world(seed, "cost", n_items, most)
        decision, targets, rule = decide(network, scenarios)
        tables = tables_of_costs(network, scenarios, rule, breaks, most)
        sizes = network.options.multiple
        # A price break adds no more than sells in a year: all at one price may take any lots.
        of_use = targets.raw_units + 365.0 * daily_demand(network.cells, scenarios.paths, rule)
        of_use = np.maximum(np.ceil(of_use / sizes), np.maximum(rules[0], targets.order_units / sizes)).astype(int)
        highest = np.where([bool(one) for one in breaks], np.minimum(rules[1], of_use), rules[1])
        bound += int((highest < rules[1]).sum())
        least = brute_force(*tables, volumes, (rules[0], highest), terms, (0,) * n_items)
        assert cost_as_decided(decision, tables, sizes, terms.get("order_cost", 0.0)) == pytest.approx(least), seed
        seen |= set(decision.supplier_orders.status) | set(decision.rule)
    assert seen >= {"waits", "filled", "as-asked"} - ({"filled"} if n_items == 1 else set())
    assert "price-break" in seen
    assert bound > 0 or n_items > 1


@pytest.mark.parametrize("objective", ["cycle_service", "days_of_cover"])
def test_under_a_target_lines_only_grow_and_do_so_at_least_cost(objective):
    seen = set()
    for seed in range(60):
        network, scenarios, (_, volumes, rules, terms) = random_world(seed, objective, 2, 11)
        network = replace(network, prices=without_breaks(network.options.unit_cost))
        decision, targets, rule = decide(network, scenarios, objective)
        asked = np.rint(targets.order_units / network.options.multiple).astype(int)
        if not asked.any():
            continue
        tables = tables_of_costs(network, scenarios, rule, [[], []], 11)
        least = brute_force(*tables, volumes, rules, terms, tuple(asked.tolist()))
        found = cost_as_decided(decision, tables, network.options.multiple, terms.get("order_cost", 0.0))
        assert (decision.units >= targets.order_units).all()
        if terms.get("min_order_value", 0) <= tables[1][:, -1].sum():
            assert found == pytest.approx(least), seed
        seen |= set(decision.supplier_orders.status)
    assert {"filled", "as-asked"} <= seen
    assert "waits" not in seen
