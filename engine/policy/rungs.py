"""Stock held and demand unmet at many order quantities at once, exact on the sampled paths.

On every path both are sums of hinges ``max(0, x - q)`` in the units q ordered (`engine.policy.curve`), so the kinks x
of all paths are sorted into the gaps between evenly spaced quantities once, and the hinges of all quantities follow
from sums over the gaps: the work does not grow with the number of quantities.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.policy.curve import Needs
from engine.policy.service import UNIT_TOLERANCE, asks
from engine.policy.types import F64, StockRule


@dataclass(frozen=True)
class Rungs:
    """What ``r`` options reach at ``k`` quantities each, shape (r, k).

    Parameters
    ----------
    units
        Quantities, ascending. Below 0: as if so many units fewer had been there at landing, down to none.
    held
        Mean stock on hand at the end of a bucket of the interval, weighted by the bucket's days.
    short
        Mean demand of the interval that is not met from stock at once.
    calm
        Paths with demand that see no shortage.
    """

    units: F64
    held: F64
    short: F64
    calm: F64


@dataclass(frozen=True)
class Kinks:
    """The needs of a block as kinks in the units ordered; ``needs`` must have a segment for every bucket."""

    needs: Needs
    rule: StockRule

    @cached_property
    def days(self) -> F64:
        """Mean days of the interval, shape (r,)."""
        days = np.broadcast_to(self.needs.days, self.needs.upper.shape)
        mean: F64 = days.sum(axis=0).mean(axis=1)
        return mean

    @cached_property
    def _stock(self) -> F64:
        levels = self.needs.upper if self.rule.backordered else self.needs.running_peak
        return levels - self.needs.base

    @cached_property
    def _short(self) -> tuple[F64, F64]:
        needs = self.needs
        if self.rule.backordered:
            return needs.upper - needs.base, needs.lower - needs.base
        return (needs.peak - needs.base)[None], (needs.landed - needs.base)[None]

    def rungs(self, top: F64, gap: F64, n: int) -> Rungs:
        """Return what ``n`` quantities reach, ``gap`` (r,) > 0 apart, the last of them ``top`` (r,)."""
        bottom = top - (n - 1) * gap
        units = bottom[:, None] + gap[:, None] * np.arange(n)
        n_paths = self.needs.base.shape[1]
        days = np.broadcast_to(self.needs.days, self.needs.upper.shape)
        total_days = days.sum(axis=(0, 2))
        sold_by = (days * (self.needs.upper - self.needs.base)).sum(axis=(0, 2))
        beyond, _ = _hinges(self._stock, days, (bottom, gap, n))
        unit_days = units * total_days[:, None] + beyond - sold_by[:, None]
        held = np.divide(unit_days, total_days[:, None], out=np.zeros_like(units), where=total_days[:, None] > 0)
        above, below = self._short
        one = np.ones(1)
        short = _hinges(above, one, (bottom, gap, n))[0] - _hinges(below, one, (bottom, gap, n))[0]
        active = asks(self.needs)
        need = (self.needs.peak - self.needs.base - UNIT_TOLERANCE)[None]
        _, troubled = _hinges(need, active[None].astype(np.float64), (bottom, gap, n))
        calm = np.count_nonzero(active, axis=1)[:, None] - troubled
        return Rungs(units, np.maximum(held, 0.0), np.maximum(short, 0.0) / n_paths, calm)


def _hinges(kinks: F64, weight: F64, grid: tuple[F64, F64, int]) -> tuple[F64, F64]:
    """Return the weighted sums of ``max(0, kink - q)`` and of the kinks above q, each (r, n); kinks are (s, r, P)."""
    bottom, gap, n = grid
    n_rows = len(bottom)
    above_bottom = kinks - bottom[:, None]
    # The number of quantities below a kink.
    place = np.clip(np.ceil(above_bottom / gap[:, None]), 0, n).astype(np.int64)
    place += (np.arange(n_rows) * (n + 1))[:, None]
    weights = np.broadcast_to(weight, kinks.shape)

    def sums(values: F64) -> F64:
        by_gap = np.bincount(place.ravel(), weights=values.ravel(), minlength=n_rows * (n + 1))
        from_above: F64 = by_gap.reshape(n_rows, n + 1)[:, :0:-1].cumsum(axis=1)[:, ::-1]
        return from_above

    counted = sums(weights)
    hinges = sums(weights * above_bottom) - gap[:, None] * np.arange(n) * counted
    return hinges, counted
