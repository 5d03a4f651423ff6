"""A fitted model with something on top of its paths that belongs to a run, such as overrides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.demand.panel import Ids
from engine.forecast.choice import Choice, backtest_of
from engine.forecast.types import Fitted, FittedState
from engine.messages import Message


@dataclass(frozen=True)
class OnTop:
    """What such a model tells of itself (notes, choice, state) is the ``fitted`` model's own."""

    fitted: Fitted

    @property
    def notes(self) -> tuple[Message, ...]:
        return self.fitted.notes

    @property
    def backtest(self) -> pd.DataFrame:
        """Return the backtest of the model."""
        return backtest_of(self.fitted)

    def model_of(self, item_id: Ids, location_id: Ids) -> Ids:
        """Return the name of the model chosen for each series, "" where there was no choice."""
        if isinstance(self.fitted, Choice):
            return self.fitted.model_of(item_id, location_id)
        return np.full(len(item_id), "", dtype=object)

    def state(self) -> FittedState:
        return self.fitted.state()
