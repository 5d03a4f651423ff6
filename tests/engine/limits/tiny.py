"""Tiny problems with shared limits, and a brute force over all their whole decisions in plain Python."""

from __future__ import annotations

import itertools

import numpy as np

from engine.limits.problem import Curves, Lanes, Purchases, ScarceProblem, Use


def tiny(seed):
    """Return 2 or 3 sites, 1 or 2 items: a budget, two suppliers, the room of sites, lane volumes, lots and trips."""
    rng = np.random.default_rng(seed)
    n_sites, n = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    shape = (n_sites, n)
    ends = np.cumsum(rng.integers(1, 4, (n_sites, 3, n)), axis=1).astype(float)
    ends = np.concatenate([ends, np.full((n_sites, 1, n), np.inf)], axis=1)
    value = -np.sort(-rng.uniform(-1, 10, (n_sites, 4, n)), axis=1)
    value[:, 3] = -rng.uniform(0, 1, shape)
    value = np.minimum.accumulate(value, axis=1)
    lanes = [(0, 1), (1, 0)] if n_sites == 2 else [(0, 1), (0, 2), (1, 2)]
    origin, dest = np.array(lanes).T
    n_lanes = len(lanes)
    stock = rng.integers(0, 3, shape).astype(float)
    volume = rng.choice([1.0, 2.0], n)
    site = np.broadcast_to(3 + np.arange(n_sites)[:, None], shape)
    by_volume = np.broadcast_to(volume, shape)
    bound = np.concatenate(
        [
            rng.choice([4.0, 9.0, np.inf], 1),
            rng.choice([3.0, 6.0, np.inf], 2),
            rng.choice([2.0, 5.0, np.inf], n_sites),
            rng.choice([2.0, 3.0, 6.0], n_lanes),
        ]
    )
    room_of_dest = np.broadcast_to(3 + dest[:, None], (n_lanes, n))
    return ScarceProblem(
        stock=stock,
        curves=Curves(ends, value, rng.uniform(10, 40, shape)),
        purchases=Purchases(
            size=rng.choice([1.0, 2.0, 3.0], shape),
            least=rng.choice([1.0, 1.0, 2.0], shape),
            most=rng.choice([0.0, 2.0, 2.0], shape),
            charge=rng.choice([0.0, 0.5], shape),
            uses=(
                Use(np.zeros(shape, dtype=int), rng.uniform(0.5, 2.0, shape)),
                Use(rng.integers(1, 3, shape), np.ones(shape)),
                Use(site, by_volume),
            ),
        ),
        lanes=Lanes(
            origin=origin,
            dest=dest,
            charge=rng.uniform(0, 0.5, n_lanes),
            trip_cost=rng.choice([0.0, 1.0, 4.0], n_lanes),
            resource=3 + n_sites + np.arange(n_lanes),
            volume=volume,
            uses=(Use(room_of_dest, np.broadcast_to(volume, (n_lanes, n))),),
        ),
        bound=bound,
    )


def item_choices(problem, item):
    """Return (cost without trips, use of every limit, lanes used) of every decision for an item."""
    bought, lanes = problem.purchases, problem.lanes
    lots = []
    for site in range(problem.n_sites):
        least, most = int(bought.least[site, item]), int(bought.most[site, item])
        lots.append([0, *range(least, most + 1)])
    moves = [range(int(problem.stock[origin, item]) + 1) for origin in lanes.origin]
    found = []
    for moved in itertools.product(*moves):
        sent = [
            sum(m for m, origin in zip(moved, lanes.origin, strict=True) if origin == s) for s in range(problem.n_sites)
        ]
        if any(sent[s] > problem.stock[s, item] for s in range(problem.n_sites)):
            continue
        for counts in itertools.product(*lots):
            found.append(one_decision(problem, item, counts, moved))
    return found


def one_decision(problem, item, counts, moved):
    bought, lanes, curves = problem.purchases, problem.lanes, problem.curves
    use, cost = np.zeros(len(problem.bound)), 0.0
    for site, count in enumerate(counts):
        units = count * bought.size[site, item]
        cost += bought.charge[site, item] * units
        for kind in bought.uses:
            use[kind.resource[site, item]] += kind.amount[site, item] * units
        level = problem.stock[site, item] + units
        level += sum(m for m, dest in zip(moved, lanes.dest, strict=True) if dest == site)
        level -= sum(m for m, origin in zip(moved, lanes.origin, strict=True) if origin == site)
        cost += curves.nothing[site, item]
        for unit in range(int(level)):
            segment = int(np.flatnonzero(curves.ends[site, :, item] > unit)[0])
            cost -= curves.value[site, segment, item]
    for lane, units in enumerate(moved):
        cost += lanes.charge[lane] * units
        use[lanes.resource[lane]] += lanes.volume[item] * units
        for kind in lanes.uses:
            use[kind.resource[lane, item]] += kind.amount[lane, item] * units
    return cost, use, tuple(units > 0 for units in moved)


def brute_force(problem):
    """Return the least cost of any whole decision within the limits."""
    best = np.inf
    by_item = []
    for item in range(problem.n_items):
        cheapest = {}
        for cost, use, used_lanes in item_choices(problem, item):
            if (use <= problem.bound + 1e-9).all():
                key = (tuple(np.round(use, 9)), used_lanes)
                if cost < cheapest.get(key, (np.inf,))[0]:
                    cheapest[key] = (cost, use, np.array(used_lanes, dtype=bool))
        costs, uses, lanes = zip(*cheapest.values(), strict=True)
        by_item.append((np.array(costs), np.array(uses), np.array(lanes)))
    first = by_item[0]
    for cost, use, lanes in zip(*first, strict=True):
        if len(by_item) == 1:
            best = min(best, cost + problem.lanes.trip_cost @ lanes)
            continue
        other_cost, other_use, other_lanes = by_item[1]
        fits = (use + other_use <= problem.bound + 1e-9).all(axis=1)
        total = cost + other_cost + (lanes | other_lanes) @ problem.lanes.trip_cost
        best = min(best, total[fits].min(initial=np.inf))
    return best
