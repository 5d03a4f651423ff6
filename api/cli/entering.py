"""Entering a plan made at the command line into the store, where the service finds it."""

from __future__ import annotations

from api.store.migration import open_store
from api.store.plans import Asked, enter_plan
from engine.execution import Run
from experiments.exchange.plan_meta import without_password
from experiments.run_plan import PlanRequest, RunResult, run_plan


def plan_and_enter(request: PlanRequest, run: Run) -> RunResult:
    """Make the plan and enter it into the store; a store that cannot be opened is refused before the work begins."""
    store = open_store(request.home)
    asked = {
        "data": without_password(request.data),
        "as_of": request.as_of,
        "repairs": list(request.repairs),
        "config": None if request.config is None else str(request.config),
    }
    try:
        result = run_plan(request, run)
        enter_plan(store, result, Asked("cli", asked))
    finally:
        store.close()
    return result
