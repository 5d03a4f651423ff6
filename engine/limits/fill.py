"""A feasible decision from one that asks for too much: what saves least is taken back, what saves most fills the room.

Everything is ranked over all items at once by what it saves per priced unit of the limits. Both go in rounds, since
each change alters what the next one at the same cell saves.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.limits.moves import Change, State, edges_of, fewer_lots, fewer_moved, more_lots, more_moved
from engine.limits.problem import Floats, ScarceProblem, Use
from engine.policy.types import F64, I64, Bools

_SLACK = 1e-6  # of a limit, as a share
_SAVES = 1e-7
_MOST_ROUNDS = 200


def excess(problem: ScarceProblem, state: State) -> F64:
    """Return by how much each limit is exceeded, 0 where it is not."""
    over = problem.used(state.lots, state.moved) - problem.bound
    return np.where(over > _SLACK * np.maximum(1.0, np.abs(problem.bound)), over, 0.0)


def take_back(problem: ScarceProblem, state: State, prices: F64) -> None:
    """Take back, in place, purchases and moves until every limit holds."""
    for _ in range(_MOST_ROUNDS):
        over = excess(problem, state)
        if not over.any():
            return
        for limit in np.flatnonzero(over).tolist():
            _take_back_of(problem, state, prices, limit)
    raise RuntimeError("limits must hold once all is taken back. Got limits that do not instead.")


def _take_back_of(problem: ScarceProblem, state: State, prices: F64, limit: int) -> None:
    over = float(excess(problem, state)[limit])
    if over <= 0:
        return
    buy, move = problem.buying_price(prices), problem.moving_price(prices, problem.trip_share())
    rows, changes, uses = [], [], []
    edges = edges_of(problem, state)
    for number, amount in _users(problem, limit):
        if number < problem.n_sites:
            change = fewer_lots(problem, state, number, edges[number], buy[number])
            freed = -change.by * problem.purchases.size[number] * amount
        else:
            lane = number - problem.n_sites
            change = fewer_moved(problem, state, lane, edges, move[lane])
            freed = -change.by * amount
        rows.append(number)
        changes.append(change)
        uses.append(freed)
    freed = np.array(uses)
    loss = np.array([-change.gain for change in changes])
    rate = np.divide(loss, freed, out=np.full(loss.shape, np.inf), where=freed > 0)
    pick = rate.argmin(axis=0)
    items = np.flatnonzero(np.isfinite(rate[pick, np.arange(problem.n_items)]))
    order = items[np.argsort(rate[pick[items], items], kind="stable")]
    released = freed[pick[order], order]
    before = np.cumsum(released, dtype=np.float64) - released
    order = order[before < over]
    # The last one gives back only as much as is needed.
    spare = before[: len(order)] + released[: len(order)] - over
    for place, number in enumerate(rows):
        mine = order[pick[order] == place]
        by = np.zeros(problem.n_items, dtype=problem.stock.dtype)
        by[mine] = changes[place].by[mine]
        if len(order) and spare[-1] > 0 and pick[order[-1]] == place:
            last = order[-1]
            kept = np.floor(spare[-1] / (released[len(order) - 1] / -by[last]) + 1e-9)
            least = problem.purchases.least[number, last] if number < problem.n_sites else 1.0
            # What stays must be a feasible order.
            stays = (state.lots[number, last] if number < problem.n_sites else least) + by[last] + kept
            by[last] += kept if stays >= least else 0.0
        if number < problem.n_sites:
            state.buy(problem, number, by)
        else:
            state.move(problem, number - problem.n_sites, by)


def _users(problem: ScarceProblem, limit: int) -> Iterable[tuple[int, Floats]]:
    """Yield the rows (sites' purchases, then lanes) that use a limit, with how much a unit of each item does."""
    for site in range(problem.n_sites):
        amount = _amount(problem.purchases.uses, site, limit)
        if amount is not None:
            yield site, amount
    for lane in range(problem.lanes.n_lanes):
        amount = _amount(problem.lanes.uses, lane, limit)
        if int(problem.lanes.resource[lane]) == limit:
            amount = problem.lanes.volume if amount is None else amount + problem.lanes.volume
        if amount is not None:
            yield problem.n_sites + lane, amount


def _amount(uses: tuple[Use, ...], row: int, limit: int) -> Floats | None:
    found = None
    for use in uses:
        mine = use.resource[row] == limit
        if mine.any():
            here = np.where(mine, use.amount[row], 0.0)
            found = here if found is None else found + here
    return found


def fill(problem: ScarceProblem, state: State, prices: F64) -> None:
    """Use, in place, the room that limits leave, for what still saves: the most per priced unit of the limits first.

    A trip that is not made yet is not begun.
    """
    for _ in range(_MOST_ROUNDS):
        if not _fill_round(problem, state, prices):
            return


def _fill_round(problem: ScarceProblem, state: State, prices: F64) -> bool:
    room = np.append(np.maximum(problem.bound - problem.used(state.lots, state.moved), 0.0), np.inf)
    n_sites, lanes = problem.n_sites, problem.lanes
    best = np.zeros(problem.n_items)
    row = np.full(problem.n_items, -1)
    by = np.zeros(problem.n_items, dtype=problem.stock.dtype)
    padded = np.append(prices, 0.0)

    def consider(number: int, change: Change, size: Floats | float, pairs: list[tuple[I64, Floats]]) -> None:
        nonlocal best, row, by
        units = change.by * size
        priced = np.zeros(problem.n_items)
        for resource, amount in pairs:
            priced += padded[resource] * amount * units
        saves = (units > 0) & (change.gain > _SAVES)
        rate = np.where(saves, change.gain / np.maximum(priced, 1e-9), 0.0)
        better = rate > best
        best, row, by = np.where(better, rate, best), np.where(better, number, row), np.where(better, change.by, by)

    edges = edges_of(problem, state)
    made: Bools = np.asarray((state.moved > 0).any(axis=1))
    for number, pairs, size in _rows(problem):
        fits = np.full(problem.n_items, np.inf)
        for resource, amount in pairs:
            fits = np.minimum(fits, room[resource] / (amount * size))
        most = np.floor(fits + 1e-6).astype(problem.stock.dtype)
        if number < n_sites:
            change = more_lots(problem, state, number, edges[number], problem.purchases.charge[number], most)
        elif made[number - n_sites]:
            price = np.full_like(problem.stock[0], lanes.charge[number - n_sites])
            change = more_moved(problem, state, number - n_sites, edges, price, most)
        else:
            continue
        consider(number, change, size, pairs)
    chosen = np.flatnonzero(row >= 0)
    if not len(chosen):
        return False
    order = chosen[np.argsort(-best[chosen], kind="stable")]
    kept = _within(problem, order, (row, by), room)
    for number, _, _ in _rows(problem):
        mine = order[kept & np.asarray(row[order] == number)]
        if not len(mine):
            continue
        change_by = np.zeros(problem.n_items, dtype=problem.stock.dtype)
        change_by[mine] = by[mine]
        if number < n_sites:
            state.buy(problem, number, change_by)
        else:
            state.move(problem, number - n_sites, change_by)
    return True


def _rows(problem: ScarceProblem) -> Iterable[tuple[int, list[tuple[I64, Floats]], Floats | float]]:
    """Yield every row with the limits that its items use, what of them a unit uses, and the units of a lot."""
    for site in range(problem.n_sites):
        pairs = [(use.resource[site], use.amount[site]) for use in problem.purchases.uses]
        yield site, pairs, problem.purchases.size[site]
    lanes = problem.lanes
    for lane in range(lanes.n_lanes):
        pairs = [(use.resource[lane], use.amount[lane]) for use in lanes.uses]
        pairs.append((np.full(problem.n_items, lanes.resource[lane]), lanes.volume))
        yield problem.n_sites + lane, pairs, 1.0


def _within(problem: ScarceProblem, order: I64, found: tuple[I64, Floats], room: F64) -> Bools:
    """Return which changes, best first, are made: those within half the room, so that the next round ranks anew.

    The first that uses a limit is always made, so that every round makes at least one.
    """
    row, by = found
    kept = np.ones(len(order), dtype=bool)
    place = np.full(problem.n_items, -1)
    place[order] = np.arange(len(order))
    resources, amounts, places = [], [], []
    for number, pairs, size in _rows(problem):
        mine = order[row[order] == number]
        if not len(mine):
            continue
        units = by[mine] * (size[mine] if isinstance(size, np.ndarray) else size)
        for resource, amount in pairs:
            resources.append(resource[mine])
            amounts.append((amount[mine] * units).astype(np.float64))
            places.append(place[mine])
    resource, amount, at = (np.concatenate(part) for part in (resources, amounts, places))
    used = np.isfinite(room[resource])
    resource, amount, at = resource[used], amount[used], at[used]
    by_rank = np.lexsort((at, resource))
    resource, amount, at = resource[by_rank], amount[by_rank], at[by_rank]
    total = np.cumsum(amount)
    first = np.searchsorted(resource, resource)
    total = total - (total[first] - amount[first])
    fits = (total <= 0.5 * room[resource]) | (np.arange(len(at)) == first)
    kept[at[~fits]] = False
    kept[0] = True
    return kept
