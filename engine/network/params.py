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
class LimitParams:
    """Limits that all orders share: ``budget``, money for the orders of a plan; None: no limit."""

    budget: float | None = None

    def __post_init__(self) -> None:
        if self.budget is not None and not self.budget >= 0:
            raise ValueError(f"budget must be >= 0. Got {self.budget} instead.")


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


@dataclass(frozen=True)
class OpenOrderParams:
    """When a change of an open order is proposed.

    Parameters
    ----------
    frozen_days
        Lines due within so many days are left alone, and none is moved to a day within them.
    advance_days
        Most days by which a line is advanced.
    increase_share
        Largest share of its units by which a line is raised.
    least_gain, least_share
        A change must save this much money, and this share of the line's value (its units at unit cost).
    alert_share
        Share of the line's value from which on the change is also an alert.
    """

    frozen_days: int = 7
    advance_days: int = 14
    increase_share: float = 1.0
    least_gain: float = 10.0
    least_share: float = 0.01
    alert_share: float = 0.10

    def __post_init__(self) -> None:
        for name in ("frozen_days", "advance_days", "increase_share", "least_gain", "least_share", "alert_share"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be >= 0. Got {getattr(self, name)} instead.")


@dataclass(frozen=True)
class SteadyParams:
    """When a line of an older plan stays as it is.

    Two plans of the same data differ by chance in their sample paths. A line stays where some level from ``z_below``
    standard errors of that difference below the fresh one to ``z_above`` above it would order just that. Both 0: never.
    """

    z_below: float = 1.5
    z_above: float = 6.0

    def __post_init__(self) -> None:
        for name, value in (("z_below", self.z_below), ("z_above", self.z_above)):
            if not 0 <= value <= 10:
                raise ValueError(f"{name} must lie in [0, 10]. Got {value} instead.")

    @property
    def holds(self) -> bool:
        """Whether anything is held to an older plan."""
        return self.z_below > 0 or self.z_above > 0
