"""The stock mix: the least stock value that reaches one fill rate over all cells, with a floor for each class.

One price on unmet demand, for all cells: each takes the steps up its hull (`engine.policy.hull`) that cost no more,
and the price is the least at which the aggregate is reached. A class whose floor asks for more has a higher price of
its own. As hulls are convex, sorting all steps by price once gives the solution at every price, and so the whole
curve of stock to service.

**What is guaranteed.** With steps that could be taken in part the solution is optimal, and its stock value is a
``bound`` below which no choice among the cells' points reaches the target (duality; the constraints are nested, so the
greedy order is optimal: Federgruen and Groenevelt 1986, Operations Research 34). With whole orders every step but the
last is that solution's; the last gap, of a class's floor and of the aggregate, is closed by the step of least value
that closes it alone, among those that stand next in some cell. So the value exceeds the bound by at most what those
closing steps cost, one a floor and one for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.policy.hull import Steps
from engine.policy.mix_curves import CLASSES, MixCurves
from engine.policy.types import F64, I64, Bools

_SLACK = 1e-9


@dataclass(frozen=True)
class Goal:
    """The fill rate asked for over all, and the least of a class as a whole."""

    share: float
    floor_by_class: Mapping[str, float]


@dataclass(frozen=True)
class Mix:
    """A solution.

    Parameters
    ----------
    taken
        Steps taken of each cell's ``up``, shape (c,).
    price
        Price on a weighted unit a day that is short, over all: stock value of the next one served.
    price_by_class
        The same by class of `CLASSES`, where a floor may ask for more.
    value, bound
        Stock value, and a value below which the goal cannot be reached.
    share, share_by_class
        Fill rate reached over all and by class (NaN: a class without demand).
    """

    taken: I64
    price: float
    price_by_class: F64
    value: float
    bound: float
    share: float
    share_by_class: F64


@dataclass(frozen=True)
class Ladder:
    """All steps of all cells in the order of their prices, for any number of goals."""

    curves: MixCurves
    steps: Steps

    @classmethod
    def of(cls, curves: MixCurves) -> Ladder:
        """Return the ladder of the curves; equal prices in the order of the cells."""
        return cls(curves, curves.up.take(np.argsort(curves.up.price, kind="stable")))

    def reach(self, goal: Goal) -> Mix:
        """Return the least stock value that reaches the goal, or comes as near to it as orders can."""
        steps, curves = self.steps, self.curves
        abc = curves.abc[steps.row]
        n = len(CLASSES)
        demand, short = (np.bincount(curves.abc, weights=w, minlength=n) for w in (curves.demand, curves.short))
        taken, part = np.zeros(steps.n_steps, dtype=bool), np.zeros(steps.n_steps)
        of_class = np.zeros(n)
        for number, letter in enumerate(CLASSES):
            here = np.flatnonzero(abc == number)
            gap = short[number] - (1.0 - goal.floor_by_class.get(letter, 0.0)) * demand[number]
            of_class[number] = self._close(here, gap, taken, part)
        everything = np.arange(steps.n_steps)
        gap = float(short.sum()) - (1.0 - goal.share) * float(demand.sum())
        price = self._close(everything, gap, taken, part)
        left = short - np.bincount(abc[taken], weights=steps.saved[taken], minlength=n)
        return Mix(
            taken=np.bincount(steps.row[taken], minlength=curves.n_cells),
            price=price,
            price_by_class=np.maximum(of_class, price),
            value=float(curves.value.sum() + steps.value[taken].sum()),
            bound=float(curves.value.sum() + steps.value @ part),
            share=1.0 - float(left.sum()) / max(float(demand.sum()), np.finfo(float).tiny),
            share_by_class=1.0 - np.divide(left, demand, out=np.full(n, np.nan), where=demand > 0),
        )

    def _close(self, rows: I64, gap: float, taken: Bools, part: F64) -> float:
        """Take steps among ``rows`` until a gap of weighted units a day is closed, and return the price that does it.

        ``taken`` marks whole steps, ``part`` the share of each in the solution in parts; both are changed. What is
        taken already counts towards the gap. The price is 0 where nothing more is needed.
        """
        saved = self.steps.saved[rows]
        tolerance = _SLACK * max(1.0, abs(gap))
        price, rest = 0.0, gap - float(saved @ part[rows])
        if rest > tolerance:
            in_parts = saved * (1.0 - part[rows])
            before = np.cumsum(in_parts) - in_parts
            more = np.clip((rest - before) / saved, 0.0, 1.0 - part[rows])
            part[rows] += more
            price = float(self.steps.price[rows[more > 0]].max(initial=0.0))
        fresh = rows[~taken[rows]]
        rest = gap - float(saved[taken[rows]].sum())
        if rest > tolerance:
            sums = np.cumsum(self.steps.saved[fresh])
            n_whole = int(np.searchsorted(sums, rest - tolerance))
            taken[fresh[:n_whole]] = True
            if n_whole < len(fresh):
                rest -= float(sums[n_whole - 1]) if n_whole else 0.0
                taken[self._closing(fresh[n_whole:], rest - tolerance)] = True
        return price

    def _closing(self, fresh: I64, rest: float) -> int:
        """Return the step of least value that closes the rest alone, among those that stand next in their cells."""
        _, first = np.unique(self.steps.row[fresh], return_index=True)
        next_ones = fresh[np.sort(first)]
        # The first of them does, whatever rounding says.
        enough = next_ones[self.steps.saved[next_ones] >= min(rest, float(self.steps.saved[fresh[0]]))]
        return int(enough[np.argmin(self.steps.value[enough])])


def mix_targets(curves: MixCurves, mix: Mix) -> F64:
    """Return the fill rate that each cell is to reach, shape (c,); NaN where no demand asks for one.

    A cell that the mix orders for gets what its order reaches. One that has enough gets what the price would buy if
    it had less, which is at most what it reaches as it stands.
    """
    first_up = np.searchsorted(curves.up.row, np.arange(curves.n_cells))
    target = curves.least_fill.copy()
    ordered = mix.taken > 0
    target[ordered] = curves.up.fill[(first_up + mix.taken - 1)[ordered]]
    down = curves.down
    affordable = down.price <= mix.price_by_class[curves.abc[down.row]]
    n_down = np.bincount(down.row[affordable], minlength=curves.n_cells)
    first_down = np.searchsorted(down.row, np.arange(curves.n_cells))
    kept = ~ordered & (n_down > 0)
    target[kept] = down.fill[(first_down + n_down - 1)[kept]]
    return np.where(curves.demand > 0, target, np.nan)
