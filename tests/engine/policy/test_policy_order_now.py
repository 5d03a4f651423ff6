"""What to order now: at the plan's position the plan's answer, elsewhere what the plan would have answered."""

import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from engine.policy.order_now import (
    OrderCurves,
    Position,
    build_curves,
    from_arrays,
    join_curves,
    order_now,
    to_arrays,
)
from engine.policy.targets import stock_targets
from engine.policy.types import Scenarios, Targets, block_of
from tests.engine.policy.stock_worlds import daily_rule, make_scenarios, random_world

OBJECTIVES = ("cost", "cycle_service", "fill_rate", "days_of_cover")


def world_for(objective, random_lead=False, divisible=False):
    cells, options, scenarios = random_world(21, n=30, n_paths=20, random_lead=random_lead)
    # In every third series more is due than is needed.
    cells = replace(cells, arrivals=cells.arrivals * np.tile([1.0, 1.0, 9.0], 10)[:, None])
    options = replace(options, multiple=np.tile([0.0, 5.0, 0.0], 10), min_units=np.tile([0.0, 0.0, 12.0], 10))
    if objective == "days_of_cover":
        cells = replace(cells, target=np.full(30, 5.5))
    if divisible:
        cells = replace(cells, divisible=np.ones(30, dtype=bool))
        scenarios = replace(scenarios, paths=(scenarios.paths * 0.37).astype(np.float32))
    return cells, options, scenarios


def same(found, wanted, rows=slice(None)):
    for name in [f.name for f in fields(Targets) if f.name != "option"]:
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name)[rows], err_msg=name)


@pytest.mark.parametrize("unmet", ["lost", "backordered"])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("random_lead", [False, True])
@pytest.mark.parametrize("divisible", [False, True])
def test_at_the_plans_position_the_answer_is_the_plans(unmet, objective, random_lead, divisible):
    cells, options, scenarios = world_for(objective, random_lead, divisible)
    rule = daily_rule(objective, unmet, 10)
    planned = stock_targets(cells, options, scenarios, rule)
    curves = build_curves(cells, options, scenarios, rule)
    assert curves.demand.dtype == (np.float32 if divisible else np.uint16)
    same(order_now(curves, np.arange(30)).targets, planned)
    rows = np.array([17, 3, 4])
    answer = order_now(curves, rows)
    same(answer.targets, planned, rows)
    measure = planned.expected_fill_rate if objective == "fill_rate" else planned.expected_cycle_service
    np.testing.assert_array_equal(answer.expected_service, measure[rows])
    np.testing.assert_array_equal(answer.units, planned.order_units[rows])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_elsewhere_the_answer_is_what_the_plan_would_have_been(objective):
    cells, options, scenarios = world_for(objective)
    rule = daily_rule(objective, "lost", 10)
    curves = build_curves(cells, options, scenarios, rule)
    rng = np.random.default_rng(3)
    moved = replace(
        cells, available=rng.integers(0, 60, 30).astype(float), backorders=rng.integers(0, 4, 30).astype(float),
        arrivals=np.where(rng.random((30, 10)) < 0.2, 6.0, 0.0),
    )  # fmt: skip
    rows = rng.permutation(30)[:12]
    position = Position(moved.available[rows], moved.backorders[rows], moved.arrivals[rows])
    same(order_now(curves, rows, position).targets, stock_targets(moved, options, scenarios, rule), rows)


@pytest.mark.parametrize("random_lead", [False, True])
def test_curves_survive_storage_blocks_and_joining(random_lead):
    cells, options, scenarios = world_for("fill_rate", random_lead)
    rule = daily_rule("fill_rate", "backordered", 10)
    whole = build_curves(cells, options, scenarios, rule)
    arrays = to_arrays(whole)
    assert all(not array.dtype.hasobject for array in arrays.values())
    planned = order_now(whole, np.arange(30)).targets
    same(order_now(from_arrays(arrays), np.arange(30)).targets, planned)
    same(order_now(whole.block(5, 9), np.array([2])).targets, planned, np.array([7]))
    parts = []
    for start, stop in ((0, 4), (4, 19), (19, 30)):
        some, links, rows = block_of(cells, options, start, stop)
        part = Scenarios(scenarios.paths[start:stop], scenarios.arrival[rows], scenarios.next_arrival[rows])
        parts.append(build_curves(some, links, part, rule))
    same(order_now(join_curves(parts), np.arange(30)).targets, planned)


def test_every_array_has_a_row_per_series():
    cells, options, scenarios = world_for("cost")
    curves = build_curves(cells, options, scenarios, daily_rule("cost", "lost", 10))
    shared = {"objective", "unmet", "horizon", "days_per_bucket"}
    for name in [f.name for f in fields(OrderCurves)]:
        assert name in shared or len(getattr(curves, name)) == 30


def test_cells_without_a_primary_link_have_no_curve():
    cells, options, scenarios = world_for("cycle_service")
    options = replace(options, primary=np.arange(30) % 3 == 0)
    rule = daily_rule("cycle_service", "lost", 10)
    curves = build_curves(cells, options, scenarios, rule)
    assert curves.item_id.tolist() == cells.item_id[::3].tolist()
    same(order_now(curves, np.arange(10)).targets, stock_targets(cells, options, scenarios, rule))


def test_large_demand_is_kept_exactly():
    cells, options, scenarios = world_for("cycle_service")
    scenarios = make_scenarios(options, scenarios.paths * 70_001)
    rule = daily_rule("cycle_service", "lost", 10)
    curves = build_curves(cells, options, scenarios, rule)
    assert curves.demand.dtype == np.float32
    same(order_now(curves, np.arange(30)).targets, stock_targets(cells, options, scenarios, rule))


def test_reasons_name_the_rule_that_bound():
    cells, options, scenarios = world_for("fill_rate")
    curves = build_curves(cells, options, scenarios, daily_rule("fill_rate", "lost", 10))
    answer = order_now(curves, np.arange(30))
    codes = [reason.code for reason in answer.reasons]
    assert {"now-enough", "now-target", "now-lot-multiple", "now-lot-minimum"} <= set(codes)
    for row, reason in enumerate(answer.reasons):
        assert (reason.code == "now-enough") == (answer.targets.raw_units[row] == 0)
        assert reason.values["units"] == answer.units[row]
        assert reason.values["position"] == pytest.approx(
            reason.values["available"] - reason.values["backorders"] + reason.values["inbound"]
        )


def test_curves_refuse_what_they_cannot_keep():
    cells, options, scenarios = world_for("cycle_service")
    rule = daily_rule("cycle_service", "lost", 10)
    with pytest.raises(ValueError, match="buckets must have one length"):
        build_curves(cells, options, scenarios, replace(rule, bucket_days=np.array([31, *[30] * 9])))
    curves = build_curves(cells, options, scenarios, rule)
    with pytest.raises(ValueError, match="must share one rule"):
        join_curves([curves, replace(curves, objective="fill_rate")])


def test_importing_it_is_light():
    loaded = "import sys, engine.policy.order_now; print([m for m in ('pandas', 'scipy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
