"""Settings of targets, costs and supply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Objective = Literal["cost", "cycle_service", "fill_rate", "days_of_cover"]


@dataclass(frozen=True)
class TargetParams:
    """What stock is for.

    ``by_class`` overrides ``service`` for an ABC class. ``feeder_service`` is the least target of a site that feeds
    others: what it lacks is missed at all of them, so that their own targets hold only if it rarely does.
    """

    objective: Objective = "cycle_service"
    service: float = 0.95
    by_class: Mapping[str, float] = field(default_factory=dict)
    feeder_service: float = 0.99
    cover_days: float = 14.0

    def __post_init__(self) -> None:
        for name, share in {
            "service": self.service,
            **{f"by_class.{k}": v for k, v in self.by_class.items()},
        }.items():
            if not 0 < share < 1:
                raise ValueError(f"{name} must lie in (0, 1). Got {share} instead.")
        if not self.cover_days > 0:
            raise ValueError(f"cover_days must be > 0. Got {self.cover_days} instead.")
        if unknown := set(self.by_class) - {"A", "B", "C"}:
            raise ValueError(f"by_class must name classes A, B or C. Got {sorted(unknown)} instead.")


@dataclass(frozen=True)
class CostParams:
    """Defaults where tables give no cost; each use is listed as an assumption."""

    holding_share_per_year: float = 0.20

    def __post_init__(self) -> None:
        if not self.holding_share_per_year >= 0:
            raise ValueError(f"holding_share_per_year must be >= 0. Got {self.holding_share_per_year} instead.")


@dataclass(frozen=True)
class SupplyParams:
    """The default link, for items without a row in ``supply``; without a lead time such items are refused."""

    lead_time_days: float | None = None
    lead_time_sd_days: float = 0.0
    review_period_days: int = 7

    def __post_init__(self) -> None:
        if self.lead_time_days is not None and not self.lead_time_days > 0:
            raise ValueError(f"lead_time_days must be > 0. Got {self.lead_time_days} instead.")
        if not self.lead_time_sd_days >= 0:
            raise ValueError(f"lead_time_sd_days must be >= 0. Got {self.lead_time_sd_days} instead.")
        if self.review_period_days < 1:
            raise ValueError(f"review_period_days must be >= 1. Got {self.review_period_days} instead.")
