"""What overrides do to paths: each operation, whole units, zero forecasts, parts of weeks; alone as in a batch."""

import pickle
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest

from engine.execution import Run
from engine.forecast import overrides
from engine.forecast.choice import backtest_of, models_of
from engine.forecast.overrides import with_overrides
from engine.forecast.sampling import series_blocks
from engine.forecast.streams import Streams
from models.moving_average import MovingAverage
from tests.engine.forecast.override_worlds import (
    CONFIG,
    KEYS,
    MONDAY,
    N_PATHS,
    REGION,
    Made,
    days,
    overridden,
    panel_of,
    table,
    values_of,
)


def test_multiply_scales_every_path_on_its_days_and_series_and_nothing_else():
    fitted = Made(poisson=True)
    plain, _ = overridden([{"operation": "multiply", "value": 1, "item_id": "c"}], fitted)
    units, notes = overridden([{"operation": "multiply", "value": 3, "item_id": "a", **days(2, 4)}], fitted)
    for key in KEYS:
        wanted = plain[key].copy()
        if key[0] == "a":
            wanted[:, 2:5] *= 3
        np.testing.assert_array_equal(units[key], wanted)
    (told,) = values_of(notes, "override-applied")
    before = sum(plain["a", place][:, 2:5].mean(axis=0).sum() for place in REGION)
    assert told["before"] == pytest.approx(before, abs=1e-3)
    assert told["after"] == pytest.approx(3 * before, abs=1e-3)
    assert told["n_series"] == 2


def test_set_is_a_total_over_series_and_days_in_proportion_to_the_forecast():
    # 5 days of 10 at x and 30 at y are 200; a total of 100 halves both.
    fitted = Made({("a", "x"): 10.0, ("a", "y"): 30.0})
    units, notes = overridden([{"operation": "set", "value": 100, "item_id": "a", **days(0, 4)}], fitted)
    np.testing.assert_array_equal(units["a", "x"], [[5] * 5 + [10] * 9] * N_PATHS)
    np.testing.assert_array_equal(units["a", "y"], [[15] * 5 + [30] * 9] * N_PATHS)
    np.testing.assert_array_equal(units["b", "x"], 10)
    (told,) = values_of(notes, "override-applied")
    assert (told["before"], told["after"]) == (200, 100)


def test_add_is_a_total_over_series_and_days_in_proportion_to_the_forecast():
    fitted = Made({("a", "x"): 10.0, ("a", "y"): 30.0})
    units, _ = overridden([{"operation": "add", "value": 40, "item_id": "a", **days(1, 2)}], fitted)
    np.testing.assert_array_equal(units["a", "x"][0, :4], [10, 15, 15, 10])
    np.testing.assert_array_equal(units["a", "y"][0, :4], [30, 45, 45, 30])


def test_an_add_cannot_take_away_more_than_there_is_and_lists_the_rest():
    units, notes = overridden([{"operation": "add", "value": -75, "item_id": "a", "location_id": "x", **days(0, 4)}])
    assert not units["a", "x"][:, :5].any()
    np.testing.assert_array_equal(units["a", "x"][:, 5:], 10)
    (told,) = values_of(notes, "override-applied")
    assert (told["before"], told["after"], told["not_taken"]) == (50, 0, 25)


def test_the_mean_over_paths_meets_a_set_up_to_rounding():
    fitted = Made(poisson=True, default=1.3)
    units, _ = overridden([{"operation": "set", "value": 61.7, **days(0, 6)}], fitted)
    total = sum(paths[:, :7].mean(axis=0).sum() for paths in units.values())
    # Rounding adds at most 1/4 of variance for each of 42 days of series, over the paths.
    assert total == pytest.approx(61.7, abs=4 * np.sqrt(42 / 4 / N_PATHS))
    assert all((paths == np.rint(paths)).all() for paths in units.values())


def test_where_the_forecast_is_zero_units_are_spread_evenly_over_days_on_offer():
    panel = panel_of()
    offered = np.array(panel.offered)
    offered[KEYS.index(("a", "y")), 2:] = False
    # 4 days at x and 2 at y are on offer: 60 units are 10 on each.
    rows = [{"operation": "set", "value": 60, "item_id": "a", **days(0, 3)}]
    units, _ = overridden(rows, Made(default=0.0), replace(panel, offered=offered))
    np.testing.assert_array_equal(units["a", "x"], [[10] * 4 + [0] * 10] * N_PATHS)
    np.testing.assert_array_equal(units["a", "y"], [[10] * 2 + [0] * 12] * N_PATHS)
    finer = {"operation": "multiply", "value": 3, "item_id": "a", "location_id": "x"}
    units, _ = overridden([*rows, finer], Made(default=0.0), replace(panel, offered=offered))
    np.testing.assert_array_equal(units["a", "x"], [[30] * 4 + [0] * 10] * N_PATHS)


def test_units_for_what_is_never_on_offer_are_listed_and_not_applied():
    panel = panel_of()
    panel = replace(panel, offered=np.zeros_like(panel.offered))
    units, notes = overridden([{"operation": "set", "value": 60, **days(0, 3)}], Made(default=0.0), panel)
    assert not any(paths.any() for paths in units.values())
    assert values_of(notes, "override-not-on-offer") == [{"override_id": "o0"}]


def test_a_large_rise_over_a_rare_sale_reaches_every_path():
    # 0.02 a day scaled alone to 20 would be a thousand on one path in fifty, and none on the others.
    fitted = Made({("a", "x"): 0.02}, poisson=True)
    units, notes = overridden(
        [{"operation": "set", "value": 280, "item_id": "a", "location_id": "x", **days(0, 13)}], fitted
    )
    total = units["a", "x"].sum(axis=1)
    assert total.mean() == pytest.approx(280, abs=1)
    assert total.min() > 200
    (told,) = values_of(notes, "override-applied")
    assert told["after"] == 280


def test_part_of_a_week_counts_by_its_days():
    panel, fitted = panel_of("W", 4), Made(default=70.0)
    row = {"item_id": "a", "location_id": "x", **days(9, 11)}
    # Three of seven days: 40 + 2 * 30, and 40 + 90.
    units, notes = overridden([{"operation": "multiply", "value": 2, **row}], fitted, panel)
    np.testing.assert_array_equal(units["a", "x"], [[70, 100, 70, 70]] * N_PATHS)
    assert [values_of(notes, "override-applied")[0][name] for name in ("before", "after")] == [30, 60]
    units, _ = overridden([{"operation": "set", "value": 90, **row}], fitted, panel)
    np.testing.assert_array_equal(units["a", "x"], [[70, 130, 70, 70]] * N_PATHS)
    # Over two weeks: 4 days of the first and 3 of the second, 70 in all.
    units, _ = overridden([{"operation": "add", "value": 35, **row, **days(3, 9)}], fitted, panel)
    np.testing.assert_array_equal(units["a", "x"], [[90, 85, 70, 70]] * N_PATHS)


@pytest.mark.parametrize(("divisible", "level"), [(True, 0.37), (False, 3.0), (False, 3e6)])
def test_multiplying_by_one_changes_no_bit(divisible, level):
    # From 2**20 on, rounding a whole number in float32 would now and then add one to it.
    panel, fitted = panel_of(divisible=divisible), Made(default=level, poisson=not divisible)
    plain = fitted.sample(panel, 14, N_PATHS, Streams(CONFIG.seed)).units
    units, notes = overridden([{"operation": "multiply", "value": 1}], fitted, panel)
    np.testing.assert_array_equal(np.stack(list(units.values())), plain)
    assert values_of(notes, "override-applied")[0]["n_series"] == 6


def test_divisible_items_keep_their_fractions_and_others_round_to_the_mean():
    rows = [{"operation": "multiply", "value": 0.25, "item_id": "a"}]
    units, _ = overridden(rows, panel=panel_of(divisible=True))
    np.testing.assert_array_equal(units["a", "x"], 2.5)
    whole, _ = overridden(rows)
    assert set(np.unique(whole["a", "x"])) == {2.0, 3.0}
    assert whole["a", "x"].mean() == pytest.approx(2.5, abs=4 * 0.5 / np.sqrt(14 * N_PATHS))
    assert (whole["a", "x"] != whole["a", "y"]).any(), "each series rounds from its own stream"


def test_a_series_gets_the_same_paths_alone_in_a_batch_in_any_order_and_in_another_process():
    panel, fitted = panel_of(), Made(poisson=True)
    rows = [
        {"operation": "set", "value": 555, "category": "tea", **days(0, 9)},
        {"operation": "multiply", "value": 1.1},
    ]
    changed, _ = with_overrides(fitted, panel, table(*rows), CONFIG, Run())
    whole = changed.sample(panel, 14, N_PATHS, Streams(0)).units
    for taken in (np.array([3]), np.array([5, 0, 2]), np.arange(6)[::-1]):
        part = pickle.loads(pickle.dumps(changed)).sample(panel.take(taken), 14, N_PATHS, Streams(0)).units
        np.testing.assert_array_equal(part, whole[taken])
    shorter = changed.sample(panel, 5, N_PATHS, Streams(0)).units
    assert shorter.shape == (6, N_PATHS, 5)


def test_blocks_of_the_first_pass_do_not_change_a_bit(monkeypatch):
    panel, fitted = panel_of(), Made(poisson=True)
    tables = table({"operation": "set", "value": 555, **days(0, 9)})
    whole, notes = with_overrides(fitted, panel, tables, CONFIG, Run())
    steps = []
    monkeypatch.setattr(overrides, "series_blocks", lambda panel: series_blocks(panel, 2))
    run = Run(progress=lambda stage, done, total: steps.append((stage, done, total)))
    blocks, others = with_overrides(fitted, panel, tables, CONFIG, run)
    assert steps == [("overrides", done, 3) for done in range(4)]
    np.testing.assert_array_equal(blocks.settled.factor, whole.settled.factor)
    assert others == notes


def test_what_the_model_tells_of_itself_stays_the_models():
    panel = panel_of()
    changed, _ = with_overrides(Made(), panel, table({"operation": "multiply", "value": 2}), CONFIG, Run())
    assert backtest_of(changed).empty
    assert list(models_of(changed, panel)) == [""] * 6
    assert changed.state() == Made().state()

    @dataclass(frozen=True)
    class Chose(Made):
        backtest: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"model": ["naive"]}))

        def model_of(self, item_id, location_id):
            return np.array([f"{item}{place}" for item, place in zip(item_id, location_id, strict=True)], object)

    changed, _ = with_overrides(Chose(), panel, table({"operation": "multiply", "value": 2}), CONFIG, Run())
    assert list(backtest_of(changed)["model"]) == ["naive"]
    assert list(models_of(changed, panel)) == ["ax", "ay", "bx", "by", "cx", "cy"]


def test_overrides_serve_the_days_they_were_settled_for_and_no_others():
    panel = panel_of()
    changed, _ = with_overrides(Made(), panel, table({"operation": "multiply", "value": 2}), CONFIG, Run())
    later = replace(panel, calendar=replace(panel.calendar, as_of=MONDAY + 7))
    with pytest.raises(ValueError, match="14 buckets from 2025-03-03"):
        changed.sample(later, 14, N_PATHS, Streams(0))
    with pytest.raises(ValueError, match="Got 15 buckets"):
        changed.sample(panel, 15, N_PATHS, Streams(0))


def test_a_real_forecaster_is_scaled_too():
    rng = np.random.default_rng(3)
    panel = panel_of()
    history = rng.poisson(6, (6, 70)).astype(np.float32)
    seen = np.ones_like(history)
    panel = replace(
        panel, calendar=replace(panel.calendar, n_history=70), units=history, available=seen, price=seen,
        offered=np.ones((6, 84), bool),
    )  # fmt: skip
    units, notes = overridden(
        [{"operation": "multiply", "value": 2, "item_id": "a"}], MovingAverage().fit(panel), panel
    )
    plain = MovingAverage().fit(panel).sample(panel, 14, N_PATHS, Streams(0)).units
    np.testing.assert_array_equal(units["a", "x"], 2 * plain[0])
    np.testing.assert_array_equal(units["b", "y"], plain[3])
    assert len(notes) == 1
