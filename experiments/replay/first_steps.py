"""What comes before a walk: each restock policy's models, and the stock to open with where no data tell it."""

from __future__ import annotations

from engine.execution import Run
from engine.forecast.types import Fitted
from engine.messages import Message
from experiments.replay.jobs import Job, policy_of
from experiments.replay.links_then import LinkBook
from experiments.replay.opening import target_opening
from experiments.replay.ours import PlanPolicy
from experiments.replay.walk import Opening, view_at_start


def first_steps(job: Job, opening: Opening | None, run: Run) -> tuple[Opening, dict[str, Fitted], tuple[Message, ...]]:
    """Return the state to open with, and each restock policy's fit at the first step, by its name.

    Without an ``opening`` it is the target of the first policy. All policies see the same history at the first step, so
    one fit serves all walks of a policy.
    """
    world = job.worlds[0]
    before = view_at_start(world, job.opening, job.pace.every)
    fits: dict[str, Fitted] = {}
    notes: tuple[Message, ...] = ()
    for number, spec in enumerate(job.specs):
        levels = None
        if spec.settings is not None:
            policy = PlanPolicy(world, spec.settings, job.refit_steps, run)
            levels = policy.levels(before)
            fits[spec.name] = policy.fits[0]
        elif number == 0 and opening is None:
            levels = policy_of(world, spec, LinkBook(world, job.config), job).levels(before)
        if opening is None and levels is not None:
            opening = target_opening(world, levels)
            notes = (Message("replay-opening-from-target", {"policy": spec.name}),)
    if opening is None:
        raise ValueError("the first policy must give levels to open with. Got none instead.")
    return opening, fits, notes
