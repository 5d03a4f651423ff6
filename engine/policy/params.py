"""Settings of targets, costs and supply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Objective = Literal["cost", "cycle_service", "fill_rate", "days_of_cover"]
Weight = Literal["units", "revenue", "margin"]

_CLASSES = frozenset("ABC")


@dataclass(frozen=True)
class AggregateParams:
    """One fill rate for all items and places together: the stock mix (`engine.policy.stock_mix`).

    Parameters
    ----------
    share
        Fill rate over all, weighted by ``weight``; 0 for no such target.
    weight
        What a unit of demand counts: 1, its price, or its price less its unit cost.
    floor_by_class
        Least fill rate of an ABC class as a whole, weighted alike.
    """

    share: float = 0.0
    weight: Weight = "units"
    floor_by_class: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"aggregate.share must lie in [0, 1). Got {self.share} instead.")
        for name, floor in self.floor_by_class.items():
            if not 0 < floor < 1:
                raise ValueError(f"aggregate.floor_by_class.{name} must lie in (0, 1). Got {floor} instead.")
        if unknown := set(self.floor_by_class) - _CLASSES:
            raise ValueError(f"aggregate.floor_by_class must name classes A, B or C. Got {sorted(unknown)} instead.")

    @property
    def asked(self) -> bool:
        return self.share > 0


@dataclass(frozen=True)
class TargetParams:
    """What stock is for.

    ``by_class`` overrides ``service`` for an ABC class. ``feeder_service`` is the least target of a site that feeds
    others: what it lacks is missed at all of them, so that their own targets hold only if it rarely does. With an
    ``aggregate`` its share stands in for ``service``, and the mix sets the targets of all sites that feed no other.
    """

    objective: Objective = "cycle_service"
    service: float = 0.95
    by_class: Mapping[str, float] = field(default_factory=dict)
    feeder_service: float = 0.99
    cover_days: float = 14.0
    aggregate: AggregateParams = field(default_factory=AggregateParams)

    def __post_init__(self) -> None:
        for name, share in {
            "service": self.service,
            **{f"by_class.{k}": v for k, v in self.by_class.items()},
        }.items():
            if not 0 < share < 1:
                raise ValueError(f"{name} must lie in (0, 1). Got {share} instead.")
        if not self.cover_days > 0:
            raise ValueError(f"cover_days must be > 0. Got {self.cover_days} instead.")
        if unknown := set(self.by_class) - _CLASSES:
            raise ValueError(f"by_class must name classes A, B or C. Got {sorted(unknown)} instead.")
        if self.aggregate.asked and self.objective != "fill_rate":
            raise ValueError(f"objective must be fill_rate with an aggregate. Got {self.objective} instead.")
        if self.aggregate.asked and self.by_class:
            raise ValueError(
                "by_class must be empty with an aggregate, whose floor_by_class holds the least of a class. "
                f"Got {dict(self.by_class)} instead."
            )
        if self.aggregate.floor_by_class and not self.aggregate.asked:
            raise ValueError("aggregate.share must be given with aggregate.floor_by_class. Got 0 instead.")


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
