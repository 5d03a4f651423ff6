"""The forecaster that settings ask for: candidates by name, chosen among by backtest."""

from __future__ import annotations

from engine.execution import Run
from experiments.settings import Settings
from models.best_of import BestOf
from models.registry import create


def build_forecaster(settings: Settings, run: Run) -> BestOf:
    """Return the best of the candidates in ``settings.forecast.models``."""
    candidates = [create(name, settings.models.get(name), settings.forecast, run) for name in settings.forecast.models]
    return BestOf(candidates, settings.forecast, run)
