"""Settings of the forecast."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ForecastParams:
    """Candidates, their choice by backtest, and the size of the forecast.

    ``n_cutoffs`` rolling origins are scored; a challenger must beat the baseline's loss by the share ``margin``.
    """

    models: tuple[str, ...] = ("seasonal_naive", "arima", "prophet", "boosting")
    n_paths: int = 200
    max_local_fits: int = 200
    n_cutoffs: int = 3
    margin: float = 0.02
    quantiles: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95)

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("models must name at least one forecaster. Got none instead.")
        for name, least in (("n_paths", 2), ("max_local_fits", 0), ("n_cutoffs", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be >= {least}. Got {getattr(self, name)} instead.")
        if not 0 <= self.margin < 1:
            raise ValueError(f"margin must lie in [0, 1). Got {self.margin} instead.")
        if not all(0 < q < 1 for q in self.quantiles):
            raise ValueError(f"quantiles must lie in (0, 1). Got {self.quantiles} instead.")
