"""Settings of the LSTM."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LstmParams:
    """Settings of the net and its training.

    ``n_windows`` are drawn by ``seed`` and gone through ``n_epochs`` times, ``batch`` at once, with ``n_steps`` buckets
    to forecast of each. ``n_hidden`` units read the history, ``n_decoder`` forecast a bucket. ``beta``: 0 weighs all
    buckets alike, 1 by their variance (Seitzer et al., 2022, ICLR, On the Pitfalls of Heteroscedastic Uncertainty
    Estimation).
    """

    n_hidden: int = 40
    n_decoder: int = 64
    n_windows: int = 40_000
    n_steps: int = 8
    n_epochs: int = 6
    batch: int = 256
    learning_rate: float = 3e-3
    dropout: float = 0.1
    beta: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_hidden", "n_decoder", "n_windows", "n_steps", "n_epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1. Got {getattr(self, name)} instead.")
        if not 0 < self.learning_rate < 1:
            raise ValueError(f"learning_rate must lie in (0, 1). Got {self.learning_rate} instead.")
        for name, end in (("dropout", 0.9), ("beta", 1.0)):
            if not 0 <= getattr(self, name) <= end:
                raise ValueError(f"{name} must lie in [0, {end:g}]. Got {getattr(self, name)} instead.")
