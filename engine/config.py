"""The configuration of a plan: one dataclass per section, each defined beside the code it steers."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.demand.params import DemandParams, TimeParams
from engine.forecast.params import ForecastParams
from engine.network.params import LimitParams, NetworkParams, OpenOrderParams, PresaleParams, SteadyParams
from engine.plan.params import AlertParams
from engine.policy.params import CostParams, SupplyParams, TargetParams


@dataclass(frozen=True)
class PlanConfig:
    """All that steers `engine.make_plan` besides the data."""

    seed: int = 0
    time: TimeParams = field(default_factory=TimeParams)
    demand: DemandParams = field(default_factory=DemandParams)
    forecast: ForecastParams = field(default_factory=ForecastParams)
    targets: TargetParams = field(default_factory=TargetParams)
    costs: CostParams = field(default_factory=CostParams)
    supply: SupplyParams = field(default_factory=SupplyParams)
    network: NetworkParams = field(default_factory=NetworkParams)
    limits: LimitParams = field(default_factory=LimitParams)
    presale: PresaleParams = field(default_factory=PresaleParams)
    open_orders: OpenOrderParams = field(default_factory=OpenOrderParams)
    steady: SteadyParams = field(default_factory=SteadyParams)
    alerts: AlertParams = field(default_factory=AlertParams)
