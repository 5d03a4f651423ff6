"""Landing, need and reach of an order against a plain walk through every path."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.policy.curve import landing_and_need, option_blocks, path_needs
from engine.policy.service import expected_service, short_units, stock_before_next
from tests.engine.policy.plain import walk
from tests.engine.policy.stock_worlds import daily_rule, make_cells, make_options, make_scenarios, random_world

UNMET = ("lost", "backordered", "served_elsewhere")


def walks(world, units, unmet):
    """Return the plain walk of every option and path."""
    cells, options, scenarios = world
    horizon = scenarios.horizon
    days = np.ones(horizon)
    told = []
    for row in range(options.n_options):
        cell = options.cell[row]
        start = (float(cells.available[cell]), float(cells.backorders[cell]))
        told.append(
            [
                walk(
                    start, cells.arrivals[cell], scenarios.paths[cell, k].astype(float),
                    (units[row], min(scenarios.arrival[row, k], horizon), min(scenarios.next_arrival[row, k], horizon)),
                    unmet, days,
                )
                for k in range(scenarios.n_paths)
            ]
        )  # fmt: skip
    return told


def test_a_hand_worked_path_with_lost_sales():
    # Stock 5; demand 3, 4 | 2, 6; 3 units arrive with the second bucket of the interval.
    cells = make_cells(1, 4, available=5.0, arrivals=np.array([[0.0, 0.0, 0.0, 3.0]]))
    options = make_options(cells, 2, 4)
    scenarios = make_scenarios(options, np.array([[[3, 4, 2, 6]]]))
    landing, need = landing_and_need(cells, options, scenarios, daily_rule("cost", "lost", 4))
    # Nothing is left after bucket 1 (2 units lost), then 2 are asked for, then 6 against 3 received.
    assert landing[0, 0] == 0
    assert need[0, 0] == 5


def test_a_hand_worked_path_with_backorders():
    cells = make_cells(1, 4, available=5.0, arrivals=np.array([[0.0, 0.0, 0.0, 3.0]]))
    options = make_options(cells, 2, 4)
    scenarios = make_scenarios(options, np.array([[[3, 4, 2, 6]]]))
    landing, need = landing_and_need(cells, options, scenarios, daily_rule("cost", "backordered", 4))
    assert landing[0, 0] == -2
    assert need[0, 0] == 7


@pytest.mark.parametrize("unmet", UNMET)
@pytest.mark.parametrize("random_lead", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_curves_agree_with_a_plain_walk(unmet, random_lead, seed):
    world = random_world(seed, random_lead=random_lead)
    cells, options, scenarios = world
    rule = daily_rule("cost", unmet, scenarios.horizon)
    units = np.random.default_rng(seed).integers(0, 30, options.n_options).astype(float)
    told = walks(world, units, unmet)
    landing, need = landing_and_need(cells, options, scenarios, rule)
    np.testing.assert_allclose(landing, [[path.landing for path in row] for row in told])
    np.testing.assert_array_equal(need <= units[:, None], [[path.clean for path in row] for row in told])
    for every_bucket in (False, True):
        for rows in option_blocks(scenarios, np.arange(options.n_options)):
            needs = path_needs(cells, options.cell[rows], scenarios, rows, rule, every_bucket)
            reach = needs.base + units[rows, None]
            expected = [told[row] for row in rows]
            np.testing.assert_allclose(needs.demand, [[path.demand for path in row] for row in expected])
            np.testing.assert_allclose(
                short_units(needs, reach, rule), [[path.short for path in row] for row in expected]
            )
            np.testing.assert_allclose(
                stock_before_next(needs, reach, rule), [[path.stock_before_next for path in row] for row in expected]
            )
            total = np.array([scenarios.paths[options.cell[row]] for row in rows], dtype=float)
            before = np.arange(scenarios.horizon) < scenarios.next_arrival[rows][:, :, None]
            np.testing.assert_allclose(needs.demand_from_start, (total * before).sum(axis=2))


@pytest.mark.parametrize("unmet", UNMET)
@pytest.mark.parametrize("random_lead", [False, True])
def test_expected_service_counts_cycles_and_units(unmet, random_lead):
    world = random_world(11, n_paths=40, random_lead=random_lead)
    _, options, scenarios = world
    units = np.random.default_rng(1).integers(0, 25, options.n_options).astype(float)
    cycle, fill = expected_service(*world, daily_rule("fill_rate", unmet, scenarios.horizon), units)
    for row, told in enumerate(walks(world, units, unmet)):
        asked = [path for path in told if path.demand > 0]
        demand = sum(path.demand for path in told)
        assert cycle[row] == pytest.approx(sum(path.clean for path in asked) / len(asked) if asked else 1.0)
        assert fill[row] == pytest.approx(1 - sum(path.short for path in told) / demand if demand else 1.0)


@given(
    demand=st.lists(st.integers(0, 9), min_size=8, max_size=8),
    inbound=st.lists(st.integers(0, 9), min_size=8, max_size=8),
    start=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    first=st.integers(0, 7),
    length=st.integers(0, 8),
    units=st.integers(0, 40),
    unmet=st.sampled_from(UNMET),
)
@settings(deadline=None, max_examples=150)
def test_any_single_path_agrees_with_a_plain_walk(demand, inbound, start, first, length, units, unmet):
    cells = make_cells(
        1, 8, available=float(start[0]), backorders=float(start[1]), arrivals=np.array([inbound], dtype=float)
    )
    options = make_options(cells, first, min(first + length, 8))
    world = cells, options, make_scenarios(options, np.array([[demand]]))
    told = walks(world, [float(units)], unmet)[0][0]
    rule = daily_rule("cost", unmet, 8)
    needs = path_needs(cells, options.cell, world[2], np.array([0]), rule)
    assert needs.landing[0, 0] == told.landing
    assert (needs.peak[0, 0] - needs.base[0, 0] <= units) == told.clean
    assert short_units(needs, needs.base + units, rule)[0, 0] == told.short
    assert stock_before_next(needs, needs.base + units, rule)[0, 0] == told.stock_before_next
