"""Tests of the exchange curve: the textbook walks as in a replay, hindsight leaves nothing, figures by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.decisions.stock_mix import interpolated, one_target
from benchmarks.replay.exchange import claim, compared
from benchmarks.replay.exchange_cases import Case, review_on
from benchmarks.replay.exchange_walks import OPENING_SERVICE, knowing_more, measured, ours, textbook, walked
from engine.config import PlanConfig
from engine.simulation import Trace
from engine.tables import Tables
from experiments.replay.links_then import LinkBook
from experiments.replay.opening import empty_opening, target_opening
from experiments.replay.rules import RuleParams, RulePolicy
from experiments.replay.walk import Pace, view_at_start, walk
from experiments.replay.world import Stretch, world_of
from experiments.settings import parse_settings
from models.moving_average import MovingAverage
from tests.replays import FROM, N_BEFORE, small_frames

SETTINGS = parse_settings('[forecast]\nmodels = ["moving_average"]\nn_paths = 50\n', "test")
N_WEEKS = 12


def case() -> Case:
    """Return twelve weekly order days of A and B, a week of lead time, three weeks settling."""
    rng = np.random.default_rng(2)
    frames = small_frames({item: [*rng.poisson(rate, N_BEFORE + N_WEEKS)] for item, rate in (("A", 9), ("B", 4))})
    world = world_of(Tables.of(frames), PlanConfig(), Stretch(FROM, N_WEEKS))[0]
    weeks = range(world.first, world.end)
    reviews = {week: review_on(world, week, SETTINGS, MovingAverage())[0] for week in weeks}
    abc, money = np.array(["A", "B"], object), np.array([2.0, 1.0])
    return Case("made", world, reviews, world.first + 3, money, money, abc, np.ones(2, bool))


@pytest.fixture(scope="module")
def made() -> Case:
    return case()


def rule(world, share: float) -> RulePolicy:
    return RulePolicy(world, LinkBook(world, PlanConfig()), RuleParams("normal", service=share), "textbook")


def test_the_textbook_walks_as_the_replay_walks_it(made: Case):
    world = made.world
    start = view_at_start(world, empty_opening(world), 1)
    opening = target_opening(world, rule(world, OPENING_SERVICE).levels(start))
    trace = walked(made, textbook(made, 0.9999))
    assert trace.short.sum() == 0, "so that the policy's own record is the shop's, on which the curve is made"
    np.testing.assert_array_equal(
        trace.closing, walk(world, rule(world, 0.9999), opening, Pace(1, "lost", 0)).trace.closing
    )


def test_a_policy_that_errs_by_nothing_runs_out_of_nothing_and_leaves_nothing(made: Case):
    usual = ours("cycle_service", one_target(0.9))
    found = measured(made, walked(made, knowing_more(made, usual, 0.0)))
    assert (found["out"], found["fill"], found["before"]) == (0, 1, 0)
    np.testing.assert_array_equal(
        walked(made, knowing_more(made, usual, 1.0)).closing, walked(made, usual).closing, "all of the error is left"
    )


def test_figures_by_hand(made: Case):
    n = N_WEEKS
    demand, short = np.full((2, n), 4.0), np.zeros((2, n))
    short[0, 5], short[1, 0] = 2.0, 4.0
    closing = np.tile(np.arange(n, dtype=float), (2, 1))
    zero = np.zeros((2, n))
    trace = Trace(made.world.first, zero[:, 0], demand, short, short, demand - short, zero, zero, zero, closing, zero)
    found = measured(made, trace)
    # Weeks 0 to 2 do not count; a receipt comes in every week, so each of the other nine is a cycle. Two of 36 units of
    # A lack, at twice the price of B.
    assert found["fill"] == pytest.approx(1 - 2 * 2 / (36 * 2 + 36))
    assert found["fill A"] == pytest.approx(1 - 2 / 36)
    assert (found["out"], found["out B"]) == (pytest.approx(1 / 18), 0)
    # Before the receipts of weeks 3 to 11 stood 2 to 10 units, 6 in the mean, worth 2 and 1 each.
    assert found["before"] == pytest.approx(6 * 2 + 6 * 1)


def test_readings_between_settings_are_linear_and_none_is_made_beyond_them():
    part = pd.DataFrame({"data": "x", "policy": "p", "fill": [0.9, 0.8], "before": [30.0, 10.0]})
    assert interpolated(part, "fill", 0.85)["before"] == pytest.approx(20)
    assert interpolated(part, "before", 31.0) is None


def table(policy: str, *rows: tuple[float, float, float, float]) -> pd.DataFrame:
    """Return settings of a policy: setting, fill, out and before, all classes alike."""
    found = pd.DataFrame(rows, columns=["setting", "fill", "out", "before"])
    for name in ("fill", "out", "before"):
        for c in "ABC":
            found[f"{name} {c}"] = found[name]
    return found.assign(data="made", policy=policy)


def test_each_textbook_point_is_met_at_equal_fill_and_at_equal_stock():
    usual = table("textbook", (0.85, 0.8, 0.2, 100), (0.9, 0.85, 0.15, 200), (0.95, 0.9, 0.1, 300))
    own = [table(name, (0.8, 0.75, 0.3, 40), (0.9, 0.95, 0.0, 340)) for name in ("one cycle service", "stock mix")]
    rows = compared(pd.concat([usual, *own]))
    at = next(row for row in rows if row["textbook at"] == "90%" and row["restock by"] == "stock mix")
    # At a fill rate of 85 % half way between 40 and 340; at a stock of 200 eight fifteenths of the way from 30 % to 0.
    assert at["stock at equal fill"] == "-5.0 %"
    assert at["cycles out at equal stock"] == "-6.7 %"


def test_the_claim_says_how_much_of_the_error_would_have_to_go(made: Case):
    usual = table("textbook", (0.9, 0.85, 0.15, 100.0), (0.99, 0.95, 0.05, 400.0))
    own = table("one cycle service", (0.9, 0.85, 0.15, 0.0), (0.95, 0.95, 0.05, 2.0))
    row = claim(replace(made, name="made"), pd.concat([usual, own]))
    assert row["textbook at 5 % out"] == "+300.0 %"
    assert (row["restock at 5 % out"], row["hindsight"], row["30 % less takes"]) == ("-98.0 %", "-100.0 %", "reached")
