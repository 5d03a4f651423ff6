import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.plan.exposure import days_of_cover, facts_of_cells, next_arrival, sales_facts, shortage_before
from engine.plan.params import AlertParams
from tests.plans import example_world


def walked_shortage(opening, arrivals, path, until):
    """The same by hand: one path, bucket by bucket."""
    stock, short = opening, 0.0
    for bucket in range(min(until, len(path))):
        stock += arrivals[bucket]
        served = min(max(stock, 0), path[bucket])
        short += path[bucket] - served
        stock -= served
    return short


def test_shortage_before_an_arrival_equals_a_walk_path_by_path():
    rng = np.random.default_rng(3)
    opening = np.array([10.0, 0.0, -4.0, 25.0])
    arrivals = rng.poisson(1.0, (4, 9)).astype(float)
    paths = rng.poisson(3.0, (4, 50, 9)).astype(np.float32)
    until = np.array([9, 4, 6, 0])
    probability, short = shortage_before(opening, arrivals, paths, until)
    walked = np.array(
        [[walked_shortage(opening[i], arrivals[i], paths[i, k], until[i]) for k in range(50)] for i in range(4)]
    )
    np.testing.assert_allclose(short, walked.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(probability, (walked > 0).mean(axis=1))
    assert short[3] == 0


def test_days_of_cover_walks_even_days():
    days = np.array([7, 7, 7])
    demand = np.array([[7.0, 14.0, 7.0]] * 5 + [[0.0, 0.0, 0.0]])
    stock = np.array([0.0, 3.5, 14.0, 28.0, 56.0, 5.0])
    assert days_of_cover(stock, demand, days).tolist() == [0, 3.5, 10.5, 21, 42, np.inf]


def test_stock_that_ends_with_a_bucket_covers_the_bucket_without_demand_that_follows():
    assert days_of_cover(np.array([7.0]), np.array([[7.0, 0.0, 7.0]]), np.array([7, 7, 7])).tolist() == [14]


@given(st.floats(0, 100), st.floats(0.01, 20))
def test_cover_grows_with_stock(stock, more):
    demand, days = np.array([[1.0, 0.0, 5.0, 2.0]] * 2), np.ones(4, dtype=np.int64)
    less_cover, more_cover = days_of_cover(np.array([stock, stock + more]), demand, days)
    assert less_cover <= more_cover


def test_the_next_arrival_is_inbound_or_decided_or_else_the_fastest_possible():
    world = example_world()
    arrivals = np.zeros_like(world.cells.arrivals)
    arrivals[0, 5] = 3
    units = np.zeros(world.options.n_options)
    units[:2] = 1
    found = next_arrival(arrivals, world.options, units)
    assert found.bucket[:4].tolist() == [5, 3, 3, 3]
    assert found.bucket[4] == world.options.arrival[4]
    assert found.on_order.tolist() == (np.isin(np.arange(world.cells.n_cells), [0, *world.options.cell[:2]])).tolist()


def test_sales_facts_correct_the_usual_for_days_without_stock():
    params = AlertParams(jump_days=2, usual_days=4)
    units = np.array([[9, 2, 0, 2, 0, 5, 4], [1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]], dtype=np.float32)
    on_sale = np.array([[1, 1, 0, 1, 0, 1, 1], [1] * 7, [0, 0, 0, 0, 0, 1, 1]], dtype=np.float32)
    facts = sales_facts(units, on_sale, 1, params)
    assert facts.recent_units.tolist() == [9, 0, 0]
    # 4 sold in 2 days on sale: 2 a day, 4 in two days. The third was hardly on sale: nothing is usual.
    np.testing.assert_array_equal(facts.usual_units, [4, 0, np.nan])
    assert facts.days_unsold.tolist() == [0, 6, 2]


def test_weekly_buckets_count_days():
    facts = sales_facts(np.array([[3, 0, 0]], np.float32), np.ones((1, 3), np.float32), 7, AlertParams())
    assert facts.days_unsold.tolist() == [14]


def test_cells_without_history_have_no_facts():
    facts = sales_facts(np.ones((1, 3), np.float32), np.ones((1, 3), np.float32), 1, AlertParams())
    spread = facts_of_cells(facts, np.array([-1, 0]))
    np.testing.assert_array_equal(spread.recent_units, [np.nan, 3])
    nothing = sales_facts(np.ones((0, 3), np.float32), np.ones((0, 3), np.float32), 1, AlertParams())
    assert np.isnan(facts_of_cells(nothing, np.array([-1])).days_unsold).all()


@pytest.mark.parametrize("wrong", [{"stock_out_risk": 0.0}, {"jump_factor": 1.0}, {"dead_days": 0}])
def test_thresholds_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AlertParams(**wrong)
