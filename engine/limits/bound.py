"""A lower bound for every item alone, prices on limits given.

What a giver sends is bought from it by the item's other sites at an asking price; with an asking price at every site
each site decides for itself: lots to buy, units to receive from the cheapest giver, units to give from stock. The sum
of these least costs is below the item's own least cost whatever the asking prices (Lagrangean relaxation of who sends
to whom), and in lots it is as strong as the best mix of lots. Asking prices are raised to the best bound site by site:
a site's price rises while more is asked of it than it would give. This is coordinate ascent by bisection, all items at
once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.limits.problem import Floats, ScarceProblem
from engine.policy.types import F64

_FIRST_AIM = 0.01
_NOBODY = 1e12  # an asking price that nobody pays


@dataclass(frozen=True)
class _Site:
    """A site of all items: what it may buy (``wanted``: units at which one more is not worth its price)."""

    number: int
    buy_price: Floats
    wanted: Floats


@dataclass(frozen=True)
class _Answer:
    cost: Floats
    received: Floats
    given: Floats
    lots: Floats


def item_bounds(problem: ScarceProblem, prices: F64, sweeps: int, steps: int, climbs: int) -> tuple[Floats, Floats]:
    """Return, per item, a lower bound of its cost with limits priced, (n,), and lots bought there, (S, n).

    Trips are charged at their share.

    ``sweeps`` times over the sites, ``steps`` bisections each, then ``climbs`` steps of all sites together.
    """
    buy = problem.buying_price(prices)
    move = problem.moving_price(prices, problem.trip_share())
    sites = [_Site(s, buy[s], problem.curves.reach(s, buy[s])) for s in range(problem.n_sites)]
    lanes = problem.lanes
    outward: list[list[int]] = [np.flatnonzero(lanes.origin == s).tolist() for s in range(problem.n_sites)]
    inward: list[list[int]] = [np.flatnonzero(lanes.dest == s).tolist() for s in range(problem.n_sites)]
    ask = _first_asks(problem, outward)

    def offer(dest: int, but: int | None = None) -> Floats:
        best: Floats = np.full_like(problem.stock[dest], _NOBODY)
        for lane in inward[dest]:
            if lane != but:
                best = np.minimum(best, ask[lanes.origin[lane]] + move[lane])
        return best

    lowest = _lowest_ask(problem)
    highest = problem.curves.value[:, 0].max(axis=0) + 1.0
    for _ in range(sweeps):
        for giver in range(problem.n_sites):
            if outward[giver] and (problem.stock[giver] > 0).any():
                others = [(lane, int(lanes.dest[lane]), offer(int(lanes.dest[lane]), lane)) for lane in outward[giver]]
                _raise_ask(problem, sites, (giver, offer(giver), others, move), ask, (lowest, highest, steps))
    return _climb(problem, sites, (ask, move, inward), climbs)


def _climb(
    problem: ScarceProblem, sites: list[_Site], around: tuple[list[Floats], Floats, list[list[int]]], climbs: int
) -> tuple[Floats, Floats]:
    """Return the best bound (n,) and its lots (S, n) of steps along the subgradient of all asking prices together.

    Where single prices cannot be raised alone, several can together. The length of a step aims at a cost a little above
    the best bound, nearer after each failure (Polyak, Introduction to Optimization, 1987, section 5.3).
    """
    ask, move, inward = around
    origin = problem.lanes.origin
    best = np.full_like(problem.stock[0], -np.inf)
    lots = np.zeros_like(problem.stock)
    aim = np.full_like(problem.stock[0], _FIRST_AIM)
    lowest = _lowest_ask(problem)
    for _ in range(climbs + 1):
        total, slopes = np.zeros_like(problem.stock[0]), [np.zeros_like(problem.stock[0]) for _ in sites]
        bought = []
        for site in sites:
            offers = [ask[origin[lane]] + move[lane] for lane in inward[site.number]]
            offer = np.min(offers, axis=0) if offers else np.full_like(total, _NOBODY)
            answer = _alone(problem, site, offer, ask[site.number])
            total += answer.cost
            bought.append(answer.lots)
            slopes[site.number] -= answer.given
            left = answer.received.copy()
            for lane, one in zip(inward[site.number], offers, strict=True):
                taken = np.where(one <= offer, left, 0.0)
                slopes[origin[lane]] += taken
                left -= taken
        first = np.isinf(best)
        near = np.where(first, 0.0, best)
        aim = np.where(first | (total > near + 0.1 * aim * np.abs(near)), aim, 0.7 * aim).astype(aim.dtype)
        better = total > best
        best = np.where(better, total, best)
        lots = np.where(better, np.array(bought), lots)
        steep = np.sum([slope * slope for slope in slopes], axis=0)
        length = np.divide(best + aim * np.abs(best) - total, steep, out=np.zeros_like(total), where=(steep > 0))
        ask = [
            np.where(problem.stock[s] > 0, np.maximum(ask[s] + length * slope, lowest), ask[s])
            if (np.abs(ask[s]) < _NOBODY).any()
            else ask[s]
            for s, slope in enumerate(slopes)
        ]
    return best, lots


def _lowest_ask(problem: ScarceProblem) -> Floats:
    """Return the asking price from which on no site of the item wants units without end, shape (n,)."""
    return np.asarray(problem.curves.value[:, -1].max(axis=0))


def _first_asks(problem: ScarceProblem, outward: list[list[int]]) -> list[Floats]:
    """Return as asking prices what each site's last unit in stock saves; where nothing can be sent, none."""
    asks, lowest = [], _lowest_ask(problem)
    for site in range(problem.n_sites):
        value, _ = problem.curves.last_unit(site, problem.stock[site])
        gives = (problem.stock[site] > 0) & bool(outward[site])
        # Without stock an asking price costs nothing, so it stands above all that is offered.
        asks.append(
            np.where(gives, np.maximum(value, lowest), _NOBODY if outward[site] else -_NOBODY).astype(
                problem.stock.dtype
            )
        )
    return asks


def _raise_ask(
    problem: ScarceProblem,
    sites: list[_Site],
    around: tuple[int, Floats, list[tuple[int, int, Floats]], Floats],
    ask: list[Floats],
    bracket: tuple[Floats, Floats, int],
) -> None:
    """Set one site's asking prices, in place, to the best found by bisection, never to worse ones."""
    giver, offered, others, move = around
    low, high, steps = bracket[0].copy(), bracket[1].copy(), bracket[2]
    best_cost: Floats | None = None
    best = trial = ask[giver]
    for _ in range(steps + 1):
        answer = _alone(problem, sites[giver], offered, trial)
        cost, asked = answer.cost, -answer.given
        for lane, dest, other in others:
            through = trial + move[lane]
            taken = _alone(problem, sites[dest], np.minimum(other, through), ask[dest])
            cost = cost + taken.cost
            asked = asked + np.where(through <= other, taken.received, 0.0)
        if best_cost is None:
            best_cost, best = cost, trial
        else:
            better = cost > best_cost
            best_cost, best = np.where(better, cost, best_cost), np.where(better, trial, best)
        low = np.where(asked > 0, np.maximum(low, trial), low)
        high = np.where(asked > 0, high, np.minimum(high, trial))
        trial = 0.5 * (low + high)
    held = problem.stock[giver] > 0
    ask[giver] = np.where(held, best, ask[giver])


def _alone(problem: ScarceProblem, site: _Site, offer: Floats, ask: Floats) -> _Answer:
    """Return the least cost of a site that may buy lots, receive at ``offer`` and give from stock at ``ask``."""
    curves, number = problem.curves, site.number
    stock, bought = problem.stock[number], problem.purchases
    up, down = curves.reach(number, offer), curves.reach(number, ask)
    all_goes = ask > offer
    size, least, most = bought.size[number], bought.least[number], bought.most[number]

    def at(lots: Floats) -> _Answer:
        free = stock + lots * size
        given = np.where(all_goes, stock, np.clip(free - down, 0.0, stock))
        received = np.maximum(up - (free - given), 0.0)
        units = free - given + received
        cost = curves.nothing[number] - curves.worth(number, units)
        cost += site.buy_price * (lots * size) + offer * received - ask * given
        return _Answer(cost, received, given, lots)

    answer = at(np.zeros_like(stock))
    buys = (most >= least) & (most > 0) & (site.buy_price <= offer)
    if not buys.any():
        return answer
    goes = np.where(ask > site.buy_price, stock, 0.0)
    count = np.floor(np.maximum(site.wanted - stock + goes, 0.0) / size)
    for extra in (0.0, 1.0):
        other = at(np.clip(count + extra, least, np.maximum(most, least)))
        better = buys & (other.cost < answer.cost)
        answer = _Answer(
            *(
                np.where(better, getattr(other, name), getattr(answer, name))
                for name in ("cost", "received", "given", "lots")
            )
        )
    return answer
