"""Fair share: what each receiver gets where a giver's stock or a trip's volume does not suffice for all."""

from __future__ import annotations

import numpy as np

from engine.network.problem import Limits
from engine.policy.lots import Lots
from engine.policy.types import F64, I64, Bools

_SLACK = 1e-6


def fair_share(asked: F64, lots: Lots, limits: Limits) -> F64:
    """Return what of ``asked`` is granted under limits, in whole lots.

    Where a limit is exceeded everyone first gets the same share of what was asked, cut to whole lots; then lots are
    dealt one at a time to whoever has the smallest share so far (the first of equals) and still fits. Limits
    are dealt with in their order, so that what a trip cannot carry no longer draws on stock.

    Parameters
    ----------
    asked
        Units, feasible lots each, shape (m,).
    lots
        Feasible quantities, shape (m,).
    limits
        Limits with coefficients >= 0.
    """
    granted = asked.copy()
    used = np.zeros(len(limits.bound))
    np.add.at(used, limits.row, limits.coefficient * granted[limits.option])
    for limit in np.flatnonzero(used > limits.bound + _SLACK).tolist():
        entries = np.flatnonzero((limits.row == limit) & (granted[limits.option] > 0))
        rows = limits.option[entries]
        part = Lots(lots.size[rows], lots.least[rows], lots.most[rows])
        one = np.zeros(len(rows), dtype=np.int64)
        bound = limits.bound[limit : limit + 1, None]
        granted[rows] = share_out(granted[rows, None], part, limits.coefficient[entries], one, bound)[:, 0]
    return granted


def share_out(asked: F64, lots: Lots, weight: F64, group: I64, bound: F64) -> F64:
    """Return what of ``asked`` is granted where each row is under one limit, by the rule of `fair_share`.

    All limits are dealt with at once, in whole arrays; as many rounds are made as lots are left over in one of them.

    Parameters
    ----------
    asked
        Units, feasible lots each, shape (m, P): rows, and cases that share nothing.
    lots
        Feasible quantities, shape (m,).
    weight
        What a unit of a row uses of its limit, >= 0, shape (m,).
    group
        Number of each row's limit, shape (m,).
    bound
        Limits, shape (g, P).
    """
    order = np.argsort(group, kind="stable")
    rows, group = asked[order], group[order]
    used = np.zeros(bound.shape)
    np.add.at(used, group, weight[order, None] * rows)
    over: Bools = used > bound + _SLACK
    some: Bools = np.any(over, axis=1)[group]
    if not some.any():
        return asked
    order, rows, group = order[some], rows[some], group[some]
    first = np.flatnonzero(np.diff(group, prepend=-1))
    limit, group = group[first], np.repeat(np.arange(len(first)), np.diff(first, append=len(group)))
    part = Lots(lots.size[order, None], lots.least[order, None], lots.most[order, None])
    granted = asked.copy()
    dealt = _deal(rows, part, weight[order, None], (group, first), (bound[limit], used[limit]))
    granted[order] = np.where(over[limit][group], dealt, rows)
    return granted


def _deal(asked: F64, lots: Lots, weight: F64, groups: tuple[I64, I64], limits: tuple[F64, F64]) -> F64:
    """Deal limits and what was asked of them: ``groups`` holds the sorted group of each row, and the first of each."""
    group, first = groups
    bound, used = limits
    wanted = np.rint(asked / lots.size).astype(np.int64)
    share = np.minimum(np.maximum(bound, 0.0) / np.maximum(used, _SLACK), 1.0)
    counts = np.floor(share[group] * wanted + _SLACK).astype(np.int64)
    counts[counts < lots.least] = 0
    cost = weight * lots.size
    left = bound - np.add.reduceat(cost * counts, first, axis=0)
    row = np.arange(len(asked))[:, None]
    while True:
        step: I64 = np.where(counts == 0, lots.least, 1)
        fits = (counts + step <= wanted) & (cost * step <= left[group] + _SLACK)
        if not fits.any():
            return np.asarray(counts * lots.size, dtype=np.float64)
        so_far = np.where(fits, counts / np.maximum(wanted, 1), np.inf)
        least = fits & (so_far == np.minimum.reduceat(so_far, first, axis=0)[group])
        next_one = np.minimum.reduceat(np.where(least, row, len(asked)), first, axis=0)
        chosen = row == next_one[group]
        counts += np.where(chosen, step, 0)
        left -= np.add.reduceat(np.where(chosen, cost * step, 0.0), first, axis=0)
