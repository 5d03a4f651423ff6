"""Lines held to an older plan: the band by hand, what lies in it and beyond it, and limits that no keeping breaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.network.build import build_network
from engine.network.decide import solve_network
from engine.network.decision import Conditions
from engine.network.params import NetworkParams, SteadyParams
from engine.network.planned import planned_lines
from engine.network.problem import Limits
from engine.network.sharing import fair_share
from engine.network.steady import KEPT_AS_PLANNED, Band, Meant, Steady, kept, kept_shares, level_errors, steadiness
from engine.network.tiers import tier_demand
from engine.policy.lots import Lots, lots
from engine.policy.params import TargetParams
from engine.policy.targets import stock_targets
from engine.policy.types import StockRule
from engine.tables import Tables
from tests.engine.network.supplier_worlds import CALENDAR, frame, level_scenarios, scenarios_of, world
from tests.engine.network.test_feeding import chain

STOCK = (("C", 40), ("R1", 12), ("R2", 12))  # places, and the stock that each has less than


def even(units):
    """Return a band that reaches as far below as above."""
    return Band(units, units)


def rule_of(network, objective="cycle_service"):
    return StockRule(objective, "lost", network.calendar.days[network.calendar.n_history :])


def meant_of(network, *lines, known_days=1000):
    """Return what was meant by (option, day, units)."""
    option, day, units = (np.array(column) for column in zip(*lines, strict=True)) if lines else (np.zeros(0, int),) * 3
    known = np.full(network.options.n_options, known_days, dtype=np.int64)
    return Meant(option.astype(np.int64), day.astype(np.int64), units.astype(np.float64), known)


def solved(network, scenarios, objective="cycle_service", steady=None):
    rule = rule_of(network, objective)
    demand = tier_demand(network, scenarios, rule)
    targets = stock_targets(network.cells, network.options, demand.for_targets(network.options), rule)
    params, conditions = NetworkParams(max_periods_ahead=0), Conditions(steady=steady)
    return targets, solve_network(network, demand, rule, targets, params, conditions)


def one_item(multiple=24.0, on_hand=60.0, **columns):
    """Return an item bought weekly, five days away: at ten a day its level is 120, the need of twelve days."""
    network = world("cycle_service", 1, [(None, multiple, None, 4.0)], [on_hand], **columns)
    return network, level_scenarios(network, np.full((1, 8, network.horizon), 10.0, dtype=np.float32))


def test_the_error_of_a_level_by_hand():
    # Of eight paths, batch b holds paths b and b + 4, which sell r = 10, 11, 12 or 13 a day: levels 120, 132, 144 and
    # 156, whose variance is 240; that of their mean is 240 / 4 = 60. It is the usual one of the only cell.
    network, _ = one_item()
    paths = np.tile(np.array([10, 11, 12, 13], dtype=np.float32), 2)[None, :, None] * np.ones(network.horizon)
    scenarios = level_scenarios(network, paths.astype(np.float32))
    rule = rule_of(network)
    targets = stock_targets(network.cells, network.options, scenarios, rule)
    assert level_errors(network, scenarios, rule, targets) == pytest.approx([np.sqrt(60.0)])
    params = SteadyParams(z_below=2.0, z_above=3.0)
    band = steadiness(network, scenarios, rule, meant_of(network), params, targets).band
    # Both plans have that error: z * sqrt(2) * sqrt(60).
    assert band.below == pytest.approx([2 * np.sqrt(120.0)])
    assert band.above == pytest.approx([3 * np.sqrt(120.0)])
    assert steadiness(network, scenarios, rule, meant_of(network), SteadyParams(0.0, 0.0), targets) is None
    assert steadiness(network, scenarios, rule, meant_of(network, known_days=0), params, targets) is None


@pytest.mark.parametrize("objective", ["cost", "cycle_service", "fill_rate", "days_of_cover"])
def test_the_error_is_that_of_levels_on_new_paths(objective):
    # The oracle: the spread of levels over 25 other samples of the same demand, on the mean of twelve items alike.
    network = world(objective, 12)
    rule = rule_of(network, objective)

    def levels(seed):
        scenarios = scenarios_of(network, [6.0] * 12, seed=seed, n_paths=100)
        return scenarios, stock_targets(network.cells, network.options, scenarios, rule)

    found = np.stack([levels(seed)[1].order_up_to for seed in range(25)])
    scenarios, targets = levels(99)
    told = np.sqrt((level_errors(network, scenarios, rule, targets) ** 2).mean())
    assert told == pytest.approx(found.std(axis=0, ddof=1).mean(), rel=0.45)


@pytest.mark.parametrize(
    ("meant", "units"),
    [
        (72.0, 72.0),  # the fresh answer: 60 up to 120, in lots of 24
        (48.0, 48.0),  # a level of 105 asks for 45
        (96.0, 96.0),  # a level of 135 asks for 75
        (24.0, 72.0),  # 24 is the answer at no level from 105 to 135
        (120.0, 72.0),
        (0.0, 72.0),
        (60.0, 72.0),  # within the band, and no whole lot
        (np.nan, 72.0),  # placed already
    ],
)
def test_today_stays_as_meant_within_the_band(meant, units):
    network, scenarios = one_item()
    targets, decision = solved(
        network, scenarios, steady=Steady(meant_of(network, (0, 0, meant)), even(np.array([15.0])))
    )
    assert targets.order_units.tolist() == [72.0]
    assert decision.units.tolist() == [units]
    assert decision.rule.tolist() == ["target" if units == 72.0 else KEPT_AS_PLANNED]
    assert decision.fresh.tolist() == [72.0]


@pytest.mark.parametrize(
    ("below", "above", "meant", "units"),
    [(0.0, 15.0, 96.0, 96.0), (0.0, 15.0, 48.0, 72.0), (15.0, 0.0, 48.0, 48.0), (15.0, 0.0, 96.0, 72.0)],
)
def test_each_side_of_the_band_counts_for_itself(below, above, meant, units):
    network, scenarios = one_item()
    steady = Steady(meant_of(network, (0, 0, meant)), Band(np.array([below]), np.array([above])))
    assert solved(network, scenarios, steady=steady)[1].units.tolist() == [units]


def test_a_line_kept_short_tells_its_own_service():
    network, scenarios = one_item(multiple=1.0)
    steady = Steady(meant_of(network, (0, 0, 50.0)), even(np.array([10.0])))
    decision = solved(network, scenarios, steady=steady)[1]
    # Of days 5 to 11 the last is short by ten: 60 are sold by day 5 but for ten left, and 50 more arrive.
    assert decision.units.tolist() == [50.0]
    assert decision.cycle_service.tolist() == [0.0]
    assert decision.fill_rate == pytest.approx([6 / 7])


def test_an_order_is_neither_begun_nor_left_out_within_the_band():
    # 118 on hand: one lot of 24 is due for the last two units; a level of 117 would ask for none, one of 121 for one.
    network, scenarios = one_item(on_hand=118.0)
    none = solved(network, scenarios, steady=Steady(meant_of(network), even(np.array([3.0]))))[1]
    assert (none.units.tolist(), none.rule.tolist(), none.fresh.tolist()) == ([0.0], ["no-need"], [24.0])
    assert solved(network, scenarios, steady=Steady(meant_of(network), even(np.array([1.0]))))[1].units.tolist() == [
        24.0
    ]
    # 125 on hand: nothing is due; a level of 126 would ask for a lot.
    network, scenarios = one_item(on_hand=125.0)
    before = meant_of(network, (0, 0, 24.0))
    assert solved(network, scenarios, steady=Steady(before, even(np.array([6.0]))))[1].units.tolist() == [24.0]
    assert solved(network, scenarios, steady=Steady(before, even(np.array([5.0]))))[1].units.tolist() == [0.0]


def test_later_lines_stay_as_meant_and_what_was_kept_counts_after():
    links = frame(
        "item_id source_id location_id lead_time_days review_period_days unit_cost order_multiple",
        ("A", "S", "W", 5.0, 7.0, 4.0, 24.0),
        ("B", "S", "W", 23.0, 7.0, 4.0, 24.0),  # its interval sets the horizon, 30 days
    )
    network = world("cycle_service", 2, stock=[60.0, 1000.0], supply_rows=links)
    paths = np.zeros((2, 8, network.horizon), dtype=np.float32)
    paths[0] = 10.0
    scenarios = level_scenarios(network, paths)
    rule = rule_of(network)
    meant = meant_of(network, (0, 0, 72.0), (0, 7, 96.0), (0, 14, 24.0), known_days=15)
    steady = Steady(meant, even(np.array([15.0, 15.0])))
    targets, decision = solved(network, scenarios, steady=steady)
    lines = planned_lines("test", network, decision, targets, rule, steady)
    lines = lines[lines["item_id"] == "A"]
    days = ((lines["order_date"] - pd.Timestamp(network.calendar.as_of)).dt.days).tolist()
    # Day 7: 62 left, 58 wanted, so 48 to 96 are within 15 of the level. Day 14: 62 + 96 - 70 = 88, 32 wanted, 24 to 48.
    # Day 21: 88 + 24 - 70 = 42, 78 wanted, and beyond the older plan. The 112 of day 14 last for 11 days: of the ten
    # asked on day 25 eight are lost, so 42 + 96 - 62 = 76 are left on day 28, and 44 wanted.
    assert list(zip(days, lines["units"].tolist(), strict=True)) == [(7, 96.0), (14, 24.0), (21, 96.0), (28, 48.0)]
    afresh = planned_lines("test", network, decision, targets, rule)
    assert afresh["units"].tolist()[0] == 72.0


def test_the_shelf_and_the_largest_lot_hold_for_what_is_kept():
    shelf = {"item_locations": frame("item_id location_id max_stock", ("A", "W", 82.0))}
    network, scenarios = one_item(multiple=24.0, **shelf)
    before = meant_of(network, (0, 0, 96.0))
    # Ten are left at landing, so 72 fit on a shelf of 82.
    assert solved(network, scenarios, steady=Steady(before, even(np.array([50.0]))))[1].units.tolist() == [72.0]
    limited = world("cycle_service", 1, [(None, 24.0, 72.0, 4.0)], [60.0])
    assert solved(limited, scenarios, steady=Steady(before, even(np.array([50.0]))))[1].units.tolist() == [72.0]


def shops(objective, seed):
    """Return two items at a centre that feeds two shops by trips of 30 units, with random stock."""
    rng = np.random.default_rng(seed)
    at = [(item, place) for item in "AB" for place in ("R1", "R2")]
    stock = [(item, place, float(rng.integers(0, high))) for item in "AB" for place, high in STOCK]
    tables = {
        "sales": frame("item_id location_id date units", *[(*key, pd.Timestamp("2025-10-20"), 5.0) for key in at]),
        "items": frame("item_id unit_cost unit_price volume", ("A", 4.0, 10.0, 1.0), ("B", 4.0, 10.0, 1.0)),
        "supply": frame("item_id source_id location_id lead_time_days review_period_days", ("*", "S", "C", 5.0, 7.0)),
        "lanes": frame(
            "origin_id dest_id item_id lead_time_days trip_capacity_volume trip_cost role order_weekdays",
            ("C", "R1", "*", 2.0, 30.0, 1.0, "replenish", "1"),
            ("C", "R2", "*", 2.0, 30.0, 1.0, "replenish", "1"),
        ),
        "inventory": frame("item_id location_id on_hand", *stock),
    }
    keys = tuple(np.array(column, dtype=object) for column in zip(*at, strict=True))
    config = PlanConfig(targets=TargetParams(objective=objective, service=0.9))
    network = build_network(Tables.of(tables), config, CALENDAR, keys)
    return network, scenarios_of(network, rng.uniform(0.5, 3.0, network.cells.n_cells) * network.demanded, seed=seed)


@pytest.mark.parametrize("objective", ["cost", "cycle_service", "fill_rate"])
def test_no_limit_is_broken_by_keeping(objective):
    # What was meant is drawn at random, and the band is wide enough for it.
    n_kept = n_sought = 0
    for seed in range(12):
        network, scenarios = shops(objective, seed)
        options, rng = network.options, np.random.default_rng(seed)
        lines = [(row, 0, float(rng.integers(0, 40))) for row in range(options.n_options)]
        steady = Steady(meant_of(network, *lines), even(np.full(options.n_options, 25.0)))
        _, decision = solved(network, scenarios, objective, steady)
        for place in ("R1", "R2"):
            trip = (network.cells.location_id[options.cell] == place) & (options.origin_cell >= 0)
            assert decision.units[trip].sum() <= 30.0 + 1e-6
            n_sought += sum(units for row, _, units in lines if trip[row]) > 30.0
        for giver in np.unique(options.origin_cell[options.origin_cell >= 0]):
            assert decision.units[options.origin_cell == giver].sum() <= network.cells.net[giver] + 1e-6
        n_kept += np.count_nonzero(decision.rule == KEPT_AS_PLANNED)
    # The test asks for more than trips carry, and does keep lines.
    assert n_sought > 0
    assert n_kept > 0


@dataclass(frozen=True)
class Stock:
    """A stock that rows share."""

    lots: Lots
    units: float

    def limits(self, n):
        return Limits(np.zeros(n, dtype=np.int64), np.arange(n), np.ones(n), np.array([self.units]))

    def granted(self, asked):
        return fair_share(asked, self.lots, self.limits(len(asked)))

    def over(self, units):
        return np.full(len(units), units.sum() > self.units)


def test_a_share_stays_as_meant_within_the_band_and_the_stock():
    rules = lots(np.zeros(2), np.zeros(2), np.full(2, np.inf), np.ones(2))
    fresh, one, none = np.array([10.0, 30.0]), np.ones(2), np.zeros(2)
    either = Band(one, one)

    def shares(stock, meant, wanted=fresh, band=either):
        return kept_shares((fresh, wanted), np.array(meant), band, rules, Stock(rules, stock))[1].tolist()

    # Of ten units 3 and 7 are dealt: 4 and 6 are as near, 4 and 7 are one too many, 5 is too far, 3 and 6 are fewer.
    assert shares(10.0, [np.nan, np.nan]) == [3.0, 7.0]
    assert shares(10.0, [4.0, 6.0]) == [4.0, 6.0]
    assert shares(10.0, [4.0, 7.0]) == [3.0, 7.0]
    assert shares(10.0, [5.0, 6.0]) == [3.0, 6.0]
    assert shares(10.0, [4.0, 6.0], band=Band(none, none)) == [3.0, 7.0]
    assert shares(10.0, [np.nan, 6.0], band=Band(none, one)) == [3.0, 7.0]
    assert shares(10.0, [np.nan, 6.0], band=Band(one, none)) == [3.0, 6.0]
    # A wish held to 2, a share of the older plan, stands where that is enough for both; else the fresh one counts.
    assert shares(32.0, [2.0, np.nan], wanted=np.array([2.0, 30.0])) == [2.0, 30.0]
    assert shares(20.0, [2.0, np.nan], wanted=np.array([2.0, 30.0])) == [5.0, 15.0]


@pytest.mark.parametrize(("meant", "units", "rule"), [((15.0, 25.0), (15.0, 25.0), KEPT_AS_PLANNED),
                                                      ((11.0, 29.0), (16.0, 24.0), "fair-share")])  # fmt: skip
def test_a_share_of_today_that_stays_says_so(meant, units, rule):
    # R1 and R2 sell 4 and 6 a day and need 36 and 54 until day 9: 24 and 36 are asked for, the centre has 40.
    network = chain({("A", "C"): 40, ("A", "R1"): 12, ("A", "R2"): 18})
    rates = np.array([0.0, 4.0, 6.0], dtype=np.float32)[:, None, None]
    scenarios = level_scenarios(network, np.tile(rates, (1, 8, network.horizon)))
    lanes = np.flatnonzero(network.options.origin_cell >= 0)
    before = meant_of(network, *((row, 0, amount) for row, amount in zip(lanes.tolist(), meant, strict=True)))
    _, decision = solved(network, scenarios, steady=Steady(before, even(np.full(network.options.n_options, 2.0))))
    assert decision.units[lanes].tolist() == list(units)
    assert set(decision.rule[lanes]) == {rule}
    assert decision.fresh[lanes].tolist() == [16.0, 24.0]


def test_keeping_is_a_choice_among_whole_lots():
    rules = lots(np.array([12.0]), np.array([6.0]), np.array([30.0]), np.array([1.0]))
    ends = np.array([0.0]), np.array([60.0])
    chosen = [float(kept(np.array([x]), np.array([18.0]), ends, rules)[0]) for x in (0, 6, 12, 13, 30, 36)]
    # 6 is below the least, 13 no whole lot, 36 above the most.
    assert chosen == [0.0, 18.0, 12.0, 18.0, 30.0, 18.0]


def test_what_was_meant_is_found_by_option_and_day():
    meant = Meant(np.array([0, 0, 2]), np.array([3, 10, 3]), np.array([5.0, np.nan, 7.0]), np.array([14, 14, 7]))
    found = meant.on(np.array([0, 0, 0, 1, 2, 2, 0]), np.array([3, 10, 14, 3, 3, 7, -1]))
    np.testing.assert_array_equal(found, [5.0, np.nan, np.nan, 0.0, 7.0, np.nan, np.nan])
    part = meant.take(np.array([2]))
    assert (part.option.tolist(), part.day.tolist(), part.units.tolist()) == ([0], [3], [7.0])
    assert part.known_days.tolist() == [7]
