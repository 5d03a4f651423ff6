"""What a mean forecast is made of: a level, and factors on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.panel import DemandPanel
from engine.forecast.types import Fitted

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Factors:
    """A mean forecast as a product.

    Parameters
    ----------
    level
        Units per bucket, shape (n,), >= 0.
    by_name
        Factors on it in every future bucket, each of shape (n, horizon), > 0. A name is that of a regressor of the
        panel, or a code of the catalogue's words (``factor-...``).
    """

    level: Doubles
    by_name: Mapping[str, Doubles]

    def mean(self, horizon: int) -> Doubles:
        """Return the mean forecast, shape (n, horizon): the level times all factors."""
        out = np.repeat(self.level[:, None], horizon, axis=1)
        for name in sorted(self.by_name):
            out *= self.by_name[name]
        return out


Explain = Callable[[Fitted, DemandPanel, int], Factors]
"""Takes a fitted model, a panel to forecast and a horizon, and returns what the mean forecast is made of."""
