"""Settings of alerts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AlertParams:
    """When a planner is called: thresholds in days, factors and shares.

    Parameters
    ----------
    stock_out_risk
        Probability of running out before the next arrival from which on it is told, in (0, 1].
    best_seller_cover_days
        Days of mean demand that the stock of an A item should last.
    excess_cover_days
        Days of mean demand beyond which stock and inbound are excess.
    dead_days
        Days without a sale, while in stock, that make stock dead.
    jump_factor
        Sales of the last days over what was usual before, from which on they are a jump.
    jump_days, usual_days
        Length of the last days and of the time before them; whole buckets are used.
    """

    stock_out_risk: float = 0.25
    best_seller_cover_days: float = 3.0
    excess_cover_days: float = 180.0
    dead_days: int = 180
    jump_factor: float = 3.0
    jump_days: int = 7
    usual_days: int = 56

    def __post_init__(self) -> None:
        if not 0 < self.stock_out_risk <= 1:
            raise ValueError(f"stock_out_risk must lie in (0, 1]. Got {self.stock_out_risk} instead.")
        if self.jump_factor <= 1:
            raise ValueError(f"jump_factor must be > 1. Got {self.jump_factor} instead.")
        for name in ("best_seller_cover_days", "excess_cover_days", "dead_days", "jump_days", "usual_days"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0. Got {getattr(self, name)} instead.")
