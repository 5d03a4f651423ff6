"""Cells that owe what they lack stand beside cells that lose it, each judged by its own rule."""

from dataclasses import fields, replace

import numpy as np
import pytest

from engine.policy.curve import landing_and_need
from engine.policy.order_now import build_curves, from_arrays, order_now, to_arrays
from engine.policy.service import expected_service
from engine.policy.targets import stock_targets
from engine.policy.types import Targets
from tests.engine.policy.stock_worlds import daily_rule, random_world


def joined(owed, lost, backordered):
    """Return rows of one result or the other."""
    return np.where(owed, backordered, lost)


@pytest.mark.parametrize("objective", ["cycle_service", "fill_rate", "days_of_cover"])
@pytest.mark.parametrize("seed", range(4))
def test_owed_rows_are_those_of_backorders_and_others_those_of_lost_sales(seed, objective):
    cells, options, scenarios = random_world(seed)
    lost, backordered = (daily_rule(objective, unmet, scenarios.horizon) for unmet in ("lost", "backordered"))
    owed = np.random.default_rng(seed).random(cells.n_cells) < 0.5
    mixed = replace(scenarios, owed=owed)
    found = stock_targets(cells, options, mixed, lost)
    each = [stock_targets(cells, options, scenarios, rule) for rule in (lost, backordered)]
    at = owed[options.cell[found.option]]
    assert at.any()
    assert not at.all()
    for f in fields(Targets):
        assert (getattr(found, f.name) == joined(at, *(getattr(one, f.name) for one in each))).all()
    units = np.random.default_rng(seed).integers(0, 20, options.n_options).astype(float)
    at = owed[options.cell]
    for read in (expected_service, landing_and_need):
        given = (units,) if read is expected_service else ()
        judged = (mixed, lost), (scenarios, lost), (scenarios, backordered)
        results = [read(cells, options, *one, *given) for one in judged]
        for one, without, waiting in zip(*results, strict=True):
            which = at if one.ndim == 1 else at[:, None]
            assert (one == joined(which, without, waiting)).all()


def test_curves_of_plans_from_before_take_what_is_lacking_as_lost():
    cells, options, scenarios = random_world(5)
    rule = daily_rule("cycle_service", "lost", scenarios.horizon)
    kept = to_arrays(build_curves(cells, options, scenarios, rule))
    owing = to_arrays(build_curves(cells, options, replace(scenarios, owed=np.ones(cells.n_cells, dtype=bool)), rule))
    del kept["owed"]
    rows = np.arange(len(kept["item_id"]))
    asked = stock_targets(cells, options, scenarios, rule).order_units
    assert (order_now(from_arrays(kept), rows).units == asked).all()
    assert (order_now(from_arrays(owing), rows).units != asked).any()
