"""Fair share: what each receiver gets where a giver's stock or a trip's volume does not suffice for all."""

from __future__ import annotations

import numpy as np

from engine.network.problem import Limits
from engine.policy.lots import Lots
from engine.policy.types import F64, I64

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
        granted[rows] = _deal(granted[rows], part, limits.coefficient[entries], float(limits.bound[limit]))
    return granted


def _deal(asked: F64, lots: Lots, weight: F64, bound: float) -> F64:
    total = float(weight @ asked)
    if total <= bound + _SLACK:
        return asked
    wanted = np.rint(asked / lots.size).astype(np.int64)
    share = max(bound, 0.0) / total
    counts = np.floor(share * wanted + _SLACK).astype(np.int64)
    counts[counts < lots.least] = 0
    cost = weight * lots.size
    left = bound - float(cost @ counts)
    while True:
        step: I64 = np.where(counts == 0, lots.least, 1)
        fits = (counts + step <= wanted) & (cost * step <= left + _SLACK)
        if not fits.any():
            return np.asarray(counts * lots.size, dtype=np.float64)
        row = int(np.argmin(np.where(fits, counts / wanted, np.inf)))
        counts[row] += step[row]
        left -= float(cost[row] * step[row])
