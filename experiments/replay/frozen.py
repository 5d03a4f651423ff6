"""Forecasters that are fitted now and then and stay frozen between, for walks that plan every week."""

from __future__ import annotations

from dataclasses import dataclass

from engine.demand.panel import DemandPanel
from engine.forecast.types import Fitted, FittedState, Forecaster
from models.best_of import BestOf, Chosen


@dataclass(frozen=True)
class Frozen:
    """A forecaster that was fitted before: it learns nothing new, and samples from newer panels."""

    name: str
    fitted: Fitted

    def fit(self, panel: DemandPanel) -> Fitted:
        """Return the earlier fit."""
        return self.fitted

    def from_state(self, state: FittedState) -> Fitted:
        """Return the earlier fit."""
        return self.fitted


@dataclass(frozen=True)
class Refitted:
    """The models that were chosen before, fitted to newer data; the choice itself is not made again."""

    forecaster: BestOf
    chosen: Chosen

    @property
    def name(self) -> str:
        return self.forecaster.name

    def fit(self, panel: DemandPanel) -> Fitted:
        """Return the same models, fitted anew."""
        return self.forecaster.refit(panel, self.chosen)

    def from_state(self, state: FittedState) -> Fitted:
        """Return a fit from its state."""
        return self.forecaster.from_state(state)


@dataclass(frozen=True)
class Remembering:
    """A forecaster that keeps what it fits, in ``fits``, for `Frozen`."""

    forecaster: Forecaster
    fits: list[Fitted]

    @property
    def name(self) -> str:
        return self.forecaster.name

    def fit(self, panel: DemandPanel) -> Fitted:
        """Return the fit, and keep it."""
        fitted = self.forecaster.fit(panel)
        self.fits.append(fitted)
        return fitted

    def from_state(self, state: FittedState) -> Fitted:
        """Return a fit from its state."""
        return self.forecaster.from_state(state)
