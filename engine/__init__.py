"""restock's domain: the table contract, demand, forecast types, policy, network, simulation and plan.

>>> from engine import make_plan
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.plan.make import make_plan

__all__ = ["make_plan"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: the service imports parts of the engine and must start fast.
    if name == "make_plan":
        return import_module("engine.plan.make").make_plan
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
