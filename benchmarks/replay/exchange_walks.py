"""Walks of the exchange curve: policies on the order days of a case, and what their stock then goes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.decisions.stock_mix import Target, least_orders
from benchmarks.replay.exchange_cases import Case, Review
from engine.policy.lots import lots
from engine.policy.mix_curves import CLASSES
from engine.policy.params import Objective
from engine.policy.types import F64, StockRule
from engine.simulation import (
    Cycles,
    Lines,
    SimulationRules,
    StockState,
    Trace,
    cycle_units,
    no_lines,
    no_shipments,
    simulate,
)
from experiments.replay.opening import target_opening
from experiments.replay.rules import RuleParams, level_rule

Decide = Callable[[Review, StockState], F64]
"""From an order day and the stock to the units wanted of each of its cells, before lot rules."""

OPENING_SERVICE = 0.5
"""Every policy opens with the textbook level of this service, low enough for all to settle from below."""


def textbook(case: Case, share: float) -> Decide:
    """Return the normal buffer on a 13-week moving mean, at a cycle service."""

    def wanted(review: Review, state: StockState) -> F64:
        level = _textbook_level(case, review, share)
        inbound = np.bincount(state.inbound.lines.cell, weights=state.inbound.lines.units, minlength=len(state.on_hand))
        return np.maximum(level - state.on_hand - inbound, 0.0)[review.rows]

    return wanted


def ours(objective: Objective, target: Target) -> Decide:
    """Return restock's least orders on the paths of the day."""

    def wanted(review: Review, state: StockState) -> F64:
        lines, when = state.inbound.lines, state.inbound.arrives - review.today
        arrivals = np.zeros((len(state.on_hand), review.scenarios.horizon))
        within = when < review.scenarios.horizon
        np.add.at(arrivals, (lines.cell[within], when[within]), lines.units[within])
        rule = StockRule(objective, "lost", review.bucket_days)
        cells = replace(review.cells, available=state.on_hand[review.rows], arrivals=arrivals[review.rows])
        cells = replace(cells, target=target(cells, review.options, review.scenarios, rule))
        return least_orders(cells, review.options, review.scenarios, rule)

    return wanted


def knowing_more(case: Case, decide: Decide, error: float) -> Decide:
    """Return a policy whose paths err by a share ``error`` of what they did: 1 changes nothing, 0 is hindsight."""

    def wanted(review: Review, state: StockState) -> F64:
        came = case.world.demand[review.rows, review.today - case.world.first :]
        n = min(came.shape[1], review.scenarios.horizon)
        paths = review.scenarios.paths.copy()
        truth = came[:, None, :n].astype(np.float32)
        paths[:, :, :n] = truth + np.float32(error) * (paths[:, :, :n] - truth)
        return decide(replace(review, scenarios=replace(review.scenarios, paths=paths)), state)

    return wanted


def walked(case: Case, decide: Decide) -> Trace:
    """Return what happens to the stock of all cells; unmet demand is lost."""
    world = case.world

    def order(state: StockState) -> Lines:
        review = case.reviews.get(state.bucket)
        if review is None:
            return no_lines()
        links = review.options
        allowed = lots(links.min_units, links.multiple, links.max_units, review.cells.step)
        units, sent = allowed.at_least(decide(review, state)), world.bucket_of(links.order_date)
        kept = np.flatnonzero((units > 0) & (sent < review.view.until))
        text = np.full(len(kept), "", dtype=object)
        nowhere, none = np.full(len(kept), -1), np.full(len(kept), np.nan)
        return Lines(text, review.rows[kept], nowhere, text, units[kept], none, sent[kept], review.comes[kept], none)

    first = case.reviews[world.first]
    opening = target_opening(world, np.maximum(_textbook_level(case, first, OPENING_SERVICE), 0.0))
    state = StockState(world.first, opening.state.on_hand, np.zeros(world.n_cells), no_shipments())
    return simulate(state, world.demand[:, : world.end - world.first], order, SimulationRules()).trace


def measured(case: Case, trace: Trace) -> dict[str, float]:
    """Return over all cells and by class: revenue-weighted ``fill``, share of cycles with demand that run ``out``,
    mean stock value ``before`` receipt, and ``held`` at the end of a bucket.
    """
    cycles, before = _cycles(case, trace)
    columns = slice(case.first_scored - trace.start, None)
    money = [case.price * units[:, columns].sum(axis=1) for units in (trace.demand, trace.short)]
    held = case.value * trace.closing[:, columns].mean(axis=1)
    demand, short = cycle_units(trace, cycles)
    found = {}
    for label in ("", *CLASSES):
        cells = case.scored & ((case.abc == label) if label else True)
        asked = cells[cycles.cell] & (demand > 0)
        tail = f" {label}" if label else ""
        found[f"fill{tail}"] = 1.0 - _share(money[1][cells].sum(), money[0][cells].sum())
        found[f"out{tail}"] = _share(np.count_nonzero(short[asked] > 0), np.count_nonzero(asked))
        found[f"before{tail}"] = float(before[cells].sum())
        found[f"held{tail}"] = float(held[cells].sum())
    return found


def _cycles(case: Case, trace: Trace) -> tuple[Cycles, F64]:
    """Return the scored cycles between receipts, and each cell's mean stock value just before one."""
    reviews = list(case.reviews.values())
    comes = np.full((case.world.n_cells, len(reviews)), trace.end + 1, dtype=np.int64)
    for number, review in enumerate(reviews):
        comes[review.rows, number] = review.comes
    # An order day on which a link may not order yet shows the receipt of the next one: that is one cycle.
    scored = (comes[:, :-1] >= case.first_scored) & (comes[:, 1:] <= trace.end) & (comes[:, 1:] > comes[:, :-1])
    cell, number = np.nonzero(scored)
    start, end = comes[cell, number], comes[cell, number + 1]
    nothing = np.full(len(cell), np.nan)
    left = np.bincount(cell, weights=trace.closing[cell, start - 1 - trace.start], minlength=case.world.n_cells)
    n_receipts = np.bincount(cell, minlength=case.world.n_cells)
    return Cycles(cell, start, end, nothing, nothing, nothing), case.value * left / np.maximum(n_receipts, 1)


def _textbook_level(case: Case, review: Review, share: float) -> F64:
    return level_rule(review.view, review.links, RuleParams("normal", service=share), case.abc)[1]


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole > 0 else float("nan")
