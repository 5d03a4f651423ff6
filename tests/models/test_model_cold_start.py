"""Cold start: what attributes and price tell of a series that has not sold yet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.demand.panel import DemandPanel
from engine.forecast.synthetic import synthetic_panel
from models.cold_start import MIN_SERIES, UNKNOWN, ColdStart, learn_cold_start

RNG = np.random.default_rng(0)
PANEL = synthetic_panel(n_items=120, n_history=140)
CATEGORIES = np.array(["tools", "toys"])[np.arange(PANEL.n_series) // 2 % 2]
PRICES = np.exp(RNG.normal(2.0, 0.6, PANEL.n_series))
CODES = {"category": {"tools": 0, "toys": 1}, "location_id": {"north": 0, "south": 1}}


def world(n_series: int = PANEL.n_series) -> DemandPanel:
    """Toys sell three times as much as tools, and half as much at a price that is e times as high."""
    rate = np.where(CATEGORIES == "toys", 6.0, 2.0) * np.exp(-np.log(2) * (np.log(PRICES) - 2.0))
    units = RNG.poisson(rate[:, None], PANEL.units.shape).astype(np.float32)
    static = PANEL.static.assign(category=CATEGORIES, unit_price=PRICES)
    full = replace(PANEL, units=units, available=np.ones_like(units), static=static, dormant_buckets=0)
    return full.take(np.arange(n_series))


def learn(panel: DemandPanel) -> ColdStart:
    return learn_cold_start(panel, CODES, lambda part: np.ones((part.n_series, part.calendar.n_buckets)))


def newcomer(panel: DemandPanel, category: str | None, price: float | None) -> DemandPanel:
    one = panel.take(np.array([0]))
    offered = np.array(one.offered)
    offered[:, : one.calendar.n_history] = False
    static = one.static.assign(category=[category], unit_price=[np.nan if price is None else price])
    return replace(one, units=np.zeros_like(one.units), offered=offered, static=static)


def test_it_finds_what_attributes_and_prices_do() -> None:
    panel = world()
    start = learn(panel)
    toy, tool = (start(newcomer(panel, name, np.exp(2.0)))[0] for name in ("toys", "tools"))
    assert toy == pytest.approx(6.0, rel=0.15)
    assert tool == pytest.approx(2.0, rel=0.15)
    dear = start(newcomer(panel, "toys", np.exp(3.0)))[0]
    assert dear == pytest.approx(3.0, rel=0.2)


def test_an_unknown_attribute_or_price_tells_nothing() -> None:
    panel = world()
    start = learn(panel)
    found = start(newcomer(panel, "books", None))[0]
    tool, toy = (start(newcomer(panel, name, None))[0] for name in ("tools", "toys"))
    assert tool < found < toy


def test_an_absurd_price_expects_no_more_than_was_ever_seen() -> None:
    panel = world()
    start = learn(panel)
    assert start(newcomer(panel, "toys", 1e-30))[0] == start.most


def test_time_off_sale_does_not_lower_what_is_expected() -> None:
    panel = world()
    available, units = np.array(panel.available), np.array(panel.units)
    available[:, ::2], units[:, ::2] = 0.0, 0.0
    half = learn(replace(panel, available=available, units=units))
    full = learn(panel)
    one = newcomer(panel, "toys", 8.0)
    assert half(one)[0] == pytest.approx(full(one)[0], rel=0.1)


@pytest.mark.parametrize("panel", [world(MIN_SERIES - 1), replace(world(), units=np.zeros_like(PANEL.units))])
def test_too_little_to_learn_from_expects_half_a_unit(panel: DemandPanel) -> None:
    start = learn(panel)
    assert (start(panel) == UNKNOWN).all()


def test_a_moment_on_sale_tells_nothing() -> None:
    panel = world()
    available, units = np.array(panel.available), np.array(panel.units)
    available[0], units[0] = 0.0, 0.0
    available[0, -1], units[0, -1] = 0.02, 30.0
    assert learn(replace(panel, available=available, units=units)).most < 100


def test_where_hardly_anything_sells_nothing_is_learnt() -> None:
    panel = world()
    units = np.array(panel.units)
    units[1:] = 0
    assert (learn(replace(panel, units=units))(panel) == UNKNOWN).all()


def test_it_survives_being_written_down() -> None:
    panel = world()
    start = learn(panel)
    again = ColdStart.from_text(start.text())
    assert start == again
    np.testing.assert_array_equal(start(panel), again(panel))


def test_a_series_is_told_the_same_alone() -> None:
    panel = world()
    start = learn(panel)
    np.testing.assert_array_equal(start(panel)[[5]], start(panel.take(np.array([5]))))
