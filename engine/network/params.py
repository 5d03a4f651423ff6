"""Settings of the coupled decisions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkParams:
    """Limits of the coupled solve, in work and never in seconds.

    ``relative_gap`` is the proven gap to stop at. ``max_joint_options``: more options than these that hang together
    by the cost of shared trips are decided trips first, lots second; the gap to the bound is then reported.
    """

    max_rounds: int = 60
    max_nodes: int = 20000
    relative_gap: float = 1e-4
    max_joint_options: int = 40


@dataclass(frozen=True)
class LimitParams:
    """Limits that all orders share: ``budget``, money for the orders of a plan; None: no limit."""

    budget: float | None = None

    def __post_init__(self) -> None:
        if self.budget is not None and not self.budget >= 0:
            raise ValueError(f"budget must be >= 0. Got {self.budget} instead.")


@dataclass(frozen=True)
class PresaleParams:
    """Presale defaults, used where history tells nothing: the share of deposits that is cancelled."""

    cancellation_share: float = 0.10

    def __post_init__(self) -> None:
        if not 0 <= self.cancellation_share <= 1:
            raise ValueError(f"cancellation_share must lie in [0, 1]. Got {self.cancellation_share} instead.")
