"""Settings of the coupled decisions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkParams:
    """Limits of the coupled solve, in work and never in seconds, and of ordering ahead.

    ``relative_gap`` is the proven gap to stop at. ``max_joint_options``: more options than these that hang together
    by the cost of shared trips are decided trips first, lots second; the gap to the bound is then reported.
    ``max_periods_ahead``: most review periods beyond its own that an order covers to spread its order cost.
    """

    max_rounds: int = 60
    max_nodes: int = 20000
    relative_gap: float = 1e-4
    max_joint_options: int = 40
    max_periods_ahead: int = 12

    def __post_init__(self) -> None:
        if self.max_periods_ahead < 0:
            raise ValueError(f"max_periods_ahead must be >= 0. Got {self.max_periods_ahead} instead.")


@dataclass(frozen=True)
class PresaleParams:
    """Presale defaults, used where history tells nothing or little.

    ``cancellation_share`` is the share of deposits that is cancelled; ``growth_cv`` by how much presales differ in what
    still comes before they close, as a share of it.
    """

    cancellation_share: float = 0.10
    growth_cv: float = 0.25

    def __post_init__(self) -> None:
        if not 0 <= self.cancellation_share <= 1:
            raise ValueError(f"cancellation_share must lie in [0, 1]. Got {self.cancellation_share} instead.")
        if not 0 <= self.growth_cv <= 2:
            raise ValueError(f"growth_cv must lie in [0, 2]. Got {self.growth_cv} instead.")
