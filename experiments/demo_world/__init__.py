"""A made-up small e-commerce company: demand by a stated law, stock by simulation, tables as of any Monday.

law.toml ─► scene (items, offers, demand, presales, links) ─► past (a planner, simulated) ─► tables, truth
"""

from experiments.demo_world.history import Ledger, advance
from experiments.demo_world.world import DEFAULT_AS_OF, NOTICE, DemoWorld, Truth, build, tables_at

__all__ = ["DEFAULT_AS_OF", "NOTICE", "DemoWorld", "Ledger", "Truth", "advance", "build", "tables_at"]
