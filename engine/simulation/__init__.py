"""The simulator: stock under a policy, bucket by bucket, and the service it reaches.

state, demand, policy ─► simulate ─► Outcome(state, trace, arrived) ─► service, costs
"""

from engine.simulation.door import DoorTrace, Room
from engine.simulation.presales import NEVER, PresaleOrders, PresaleTrace
from engine.simulation.scoring import (
    CostRates,
    Cycles,
    arrival_cycles,
    costs,
    cycle_units,
    service,
    stock_value,
)
from engine.simulation.simulate import Delay, Outcome, Policy, SimulationRules, on_time, simulate
from engine.simulation.types import (
    FRESH,
    Lines,
    Shipments,
    StockState,
    Trace,
    join_lines,
    join_shipments,
    join_traces,
    no_lines,
    no_shipments,
)

__all__ = [
    "FRESH",
    "NEVER",
    "CostRates",
    "Cycles",
    "Delay",
    "DoorTrace",
    "Lines",
    "Outcome",
    "Policy",
    "PresaleOrders",
    "PresaleTrace",
    "Room",
    "Shipments",
    "SimulationRules",
    "StockState",
    "Trace",
    "arrival_cycles",
    "costs",
    "cycle_units",
    "join_lines",
    "join_shipments",
    "join_traces",
    "no_lines",
    "no_shipments",
    "on_time",
    "service",
    "simulate",
    "stock_value",
]
