"""Entering a plan made at the command line into the store, where the service finds it."""

from __future__ import annotations

from api.store.migration import open_store
from api.store.plans import Asked, enter_plan
from experiments.exchange.plan_meta import without_password
from experiments.run_plan import PlanRequest, RunResult


def enter(request: PlanRequest, result: RunResult) -> str:
    """Enter the plan and return its id in the store."""
    store = open_store(request.home)
    asked = {
        "data": without_password(request.data),
        "as_of": request.as_of,
        "repairs": list(request.repairs),
        "config": None if request.config is None else str(request.config),
    }
    try:
        return enter_plan(store, result, Asked("cli", asked))
    finally:
        store.close()
