"""What a forecaster that chose among candidates tells of its choice."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from engine.demand.panel import DemandPanel, Ids
from engine.forecast.types import Fitted


@runtime_checkable
class Choice(Protocol):
    """A `Fitted` that chose: its backtest, and the name of the model chosen for each series."""

    @property
    def backtest(self) -> pd.DataFrame: ...

    def model_of(self, item_id: Ids, location_id: Ids) -> Ids: ...


def backtest_of(fitted: Fitted) -> pd.DataFrame:
    """Return the backtest by which a forecaster chose; empty for one that did not choose."""
    return fitted.backtest if isinstance(fitted, Choice) else pd.DataFrame()


def models_of(fitted: Fitted, panel: DemandPanel) -> Ids:
    """Return the name of the model behind each series, shape (n,); "" where there was no choice."""
    if isinstance(fitted, Choice):
        return fitted.model_of(panel.item_id, panel.location_id)
    return np.full(panel.n_series, "", dtype=object)
