"""Closed forms against published examples, and sampled targets against closed forms."""

import numpy as np
import pytest

from engine.policy.targets import stock_targets
from engine.policy.textbook import (
    critical_ratio,
    interval_moments,
    negative_binomial_order_up_to,
    normal_loss,
    normal_order_up_to_for_fill_rate,
    normal_safety_stock,
    poisson_loss,
    poisson_order_up_to,
)
from tests.engine.policy.stock_worlds import daily_rule, make_cells, make_options, make_scenarios


def test_newsvendor_of_snyder_and_shen():
    # Fundamentals of Supply Chain Theory, 2nd ed., Example 4.3: h = 0.18, p = 0.70, N(50, 8).
    ratio = critical_ratio(0.18, 0.70)
    assert 50 + normal_safety_stock(ratio, 8) == pytest.approx(56.60395592743389)
    # Example 4.1: the cost of 60.
    short = normal_loss(60, 50, 8)
    assert 0.18 * (60 - 50 + short) + 0.70 * short == pytest.approx(2.156131552870387)
    # Example 4.7: h = 1, p = 4, Poisson(6).
    assert poisson_order_up_to(critical_ratio(1, 4), 6) == 8
    assert 1 * (8 - 6 + poisson_loss(8, 6)) + 4 * poisson_loss(8, 6) == pytest.approx(3.570106945770941)


def test_a_negative_binomial_nears_the_poisson():
    assert negative_binomial_order_up_to(0.95, 6, 6.0001) == poisson_order_up_to(0.95, 6)
    assert negative_binomial_order_up_to(0.95, 6, 24) > poisson_order_up_to(0.95, 6)
    with pytest.raises(ValueError, match="variance > mean"):
        negative_binomial_order_up_to(0.95, 6, 6)


def test_random_lead_time_adds_its_variance():
    assert interval_moments(10, 3, 16, 2) == (160, pytest.approx(np.sqrt(16 * 9 + 100 * 4)))


def test_the_fill_rate_level_leaves_the_allowed_shortage():
    lead, protection = interval_moments(10, 4, 5), interval_moments(10, 4, 12)
    level = normal_order_up_to_for_fill_rate(0.98, lead, protection)
    short = normal_loss(level, *protection) - normal_loss(level, *lead)
    assert short == pytest.approx(0.02 * 70)
    rng = np.random.default_rng(3)
    first = rng.normal(*lead, 400_000)
    both = first + rng.normal(70, np.sqrt(7 * 16), 400_000)
    sampled = (np.maximum(both - level, 0) - np.maximum(first - level, 0)).mean()
    assert sampled == pytest.approx(1.4, rel=0.03)


def test_services_lie_between_0_and_1():
    for call in (lambda: normal_safety_stock(1.0, 3), lambda: poisson_order_up_to(0.0, 3)):
        with pytest.raises(ValueError, match="must lie in"):
            call()
    with pytest.raises(ValueError, match="costs must be"):
        critical_ratio(0.1, 0)


def sampled(objective, target, sampler, **given):
    """Return the sampled targets of one cell over 3 + 4 days, backordered, with many paths."""
    paths = sampler(np.random.default_rng(17), (1, 40_000, 7))
    cells = make_cells(1, 7, target=target, **given)
    options = make_options(cells, 3, 7)
    return stock_targets(cells, options, make_scenarios(options, paths), daily_rule(objective, "backordered", 7))


def test_sampled_levels_reach_the_poisson_level():
    for service in (0.5, 0.9, 0.99):
        found = sampled("cycle_service", service, lambda rng, shape: rng.poisson(2.3, shape))
        assert abs(found.order_up_to[0] - poisson_order_up_to(service, 2.3 * 7)) <= 1


def test_sampled_levels_reach_the_negative_binomial_level():
    found = sampled("cycle_service", 0.95, lambda rng, shape: rng.negative_binomial(0.5, 0.2, shape))
    assert abs(found.order_up_to[0] - negative_binomial_order_up_to(0.95, 14, 70)) <= 1


def test_sampled_levels_reach_the_normal_levels():
    def normal(rng, shape):
        return np.maximum(rng.normal(100, 10, shape), 0)

    lead, protection = interval_moments(100, 10, 3), interval_moments(100, 10, 7)
    service = sampled("cycle_service", 0.9, normal, divisible=True)
    assert service.safety_stock[0] == pytest.approx(normal_safety_stock(0.9, protection[1]), abs=0.7)
    fill = sampled("fill_rate", 0.99, normal, divisible=True)
    assert fill.order_up_to[0] == pytest.approx(normal_order_up_to_for_fill_rate(0.99, lead, protection), abs=0.7)


def test_the_cheapest_level_is_the_newsvendor_level_of_a_single_day():
    paths = np.random.default_rng(5).poisson(6, (1, 40_000, 1))
    # Nothing is lost on what is left over, so holding and backorders of one day are all there is.
    cells = make_cells(1, 1, holding_cost=1.0, backorder_cost=4.0, unit_cost=np.nan)
    options = make_options(cells, 0, 1)
    found = stock_targets(cells, options, make_scenarios(options, paths), daily_rule("cost", "backordered", 1))
    assert found.order_units[0] == poisson_order_up_to(critical_ratio(1, 4), 6)
