"""Lot rules: which quantities may be ordered.

One rule: a quantity is 0 or a whole number of lots between the minimum and the maximum. A wish is raised to the next
such quantity, and cut to the largest one only where the maximum binds; where no quantity fits, nothing is ordered.
Lots are counted in integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.policy.types import F64, I64

_NO_LIMIT = np.iinfo(np.int64).max // 4
_SLACK = 1e-9
"""Shares of a lot below this are rounding of a division, not a need."""


@dataclass(frozen=True)
class Lots:
    """Feasible quantities ``0`` and ``k * size`` for ``least <= k <= most``; arrays of one shape.

    ``least > most`` says that only 0 is feasible.
    """

    size: F64
    least: I64
    most: I64

    def at_least(self, units: F64) -> F64:
        """Return the least feasible quantity >= units, or the largest feasible one where none is; 0 stays 0."""
        count = np.minimum(np.maximum(count_up(units, self.size), self.least), self.most)
        return np.where((units > 0) & (self.least <= self.most), count * self.size, 0.0)

    def below(self, units: F64) -> F64:
        """Return the largest feasible quantity < units, 0 at the least."""
        count = np.minimum(count_up(units, self.size) - 1, self.most)
        return np.where((count >= self.least) & (self.least <= self.most), count * self.size, 0.0)

    def capped(self, units: F64) -> Lots:
        """Return the quantities that are at most ``units``."""
        return Lots(self.size, self.least, np.minimum(self.most, count_down(units, self.size)))

    def smallest(self) -> F64:
        """Return the smallest feasible quantity above 0, inf where there is none."""
        return np.where(self.least <= self.most, self.least * self.size, np.inf)


def lots(min_units: F64, multiple: F64, max_units: F64, step: F64) -> Lots:
    """Return the feasible quantities of lot rules.

    Parameters
    ----------
    min_units, multiple, max_units
        As in `Options`: 0, 0 and inf where there is no rule.
    step
        Smallest difference of two quantities, used where there is no multiple.
    """
    size = np.where(multiple > 0, multiple, step)
    return Lots(size, np.maximum(count_up(min_units, size), 1), count_down(max_units, size))


def count_up(units: F64, size: F64) -> I64:
    """Return how many lots of ``size`` reach ``units``, at least 0."""
    return _whole(np.ceil(units / size - _SLACK))


def count_down(units: F64, size: F64) -> I64:
    """Return how many lots of ``size`` fit into ``units``, at least 0."""
    return _whole(np.floor(units / size + _SLACK))


def _whole(count: F64) -> I64:
    return np.clip(count, 0, _NO_LIMIT).astype(np.int64)
