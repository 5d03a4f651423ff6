"""An old item and its successor on sale together: who serves what, worked out by hand and path by path."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.forecast.choice import backtest_of, models_of
from engine.forecast.run_down import PooledStock
from engine.forecast.streams import Streams
from engine.forecast.succession import with_run_down
from engine.tables import Tables
from tests.engine.forecast.override_worlds import KEYS, N_PATHS, Made, panel_of

ROW = {key: row for row, key in enumerate(KEYS)}
STREAMS = Streams(0)
B_FOLLOWS_A = {"b": "a"}


def followed(follows):
    frame = pd.DataFrame({"item_id": list(follows), "successor_of": list(follows.values())})
    return Tables.of({"items": frame})


def stock_of(held, together=False):
    """Units by bucket of some series, none elsewhere; each series on its own, or the places of an item together."""
    pool = np.array([ROW[item, "x"] if together else ROW[item, place] for item, place in KEYS])
    units = np.zeros((len(KEYS), 14))
    for key, by_bucket in held.items():
        for bucket, count in by_bucket.items():
            units[ROW[key], bucket] += count
    return PooledStock(pool, units)


def run_down(held, fitted, follows=B_FOLLOWS_A, panel=None, **how):
    """Units by key (n_paths, horizon), of fractions unless the panel says otherwise."""
    panel = panel_of(divisible=True) if panel is None else panel
    stock = None if held is None else stock_of(held, **how)
    settled, notes = with_run_down(fitted, panel, followed(follows), stock)
    units = settled.sample(panel, 14, N_PATHS, STREAMS).units
    return dict(zip(KEYS, units, strict=True)), notes


def offered(**spans):
    """The panel with items on offer in some buckets only."""
    panel = panel_of(divisible=True)
    offer = np.array(panel.offered)
    for item, (first, end) in spans.items():
        rows = panel.item_id == item
        offer[rows] = (np.arange(14) >= first) & (np.arange(14) < end)
    return replace(panel, offered=offer)


def test_the_successor_sells_what_the_stock_of_the_old_item_does_not_serve():
    units, notes = run_down({("a", "x"): {0: 25}}, Made())
    np.testing.assert_allclose(units["a", "x"][0, :5], [10, 10, 5, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(units["b", "x"][0, :5], [0, 0, 5, 10, 10], rtol=1e-6)
    # Without stock of the old item at the other place, the whole demand is the successor's there.
    np.testing.assert_array_equal(units["a", "y"], 0)
    np.testing.assert_array_equal(units["b", "y"], 10)
    np.testing.assert_array_equal(units["c", "x"], 10)
    assert [(note.code, dict(note.values)) for note in notes] == [
        ("run-down", {"n_items": 1, "successor": "b", "predecessor": "a", "units": 25.0})
    ]


def test_inbound_of_the_old_item_counts_from_its_arrival():
    units, _ = run_down({("a", "x"): {0: 5, 3: 20}}, Made())
    np.testing.assert_allclose(units["a", "x"][0, :6], [5, 0, 0, 10, 10, 0], rtol=1e-6)
    np.testing.assert_allclose(units["b", "x"][0, :6], [5, 10, 10, 0, 0, 10], rtol=1e-6)


def test_only_the_old_items_part_of_the_pair_comes_off():
    # Of 10 a day, customers still ask for the old item 4 times.
    units, _ = run_down({("a", "x"): {0: 8}}, Made({("a", "x"): 4.0}))
    np.testing.assert_allclose(units["a", "x"][0, :3], [4, 4, 0], rtol=1e-6)
    np.testing.assert_allclose(units["b", "x"][0, :3], [6, 6, 10], rtol=1e-6)


def test_at_the_old_items_end_demand_passes_whatever_is_left_of_it():
    units, _ = run_down({("a", "x"): {0: 500}}, Made(), panel=offered(a=(0, 3)))
    np.testing.assert_allclose(units["b", "x"][0, :5], [0, 0, 0, 10, 10])


def test_before_the_successors_launch_the_old_item_is_planned_as_ever():
    # Two buckets ask for 20; nothing is left of 15 then, and demand passes at the launch.
    units, _ = run_down({("a", "x"): {0: 15}}, Made(), panel=offered(b=(2, 14)))
    np.testing.assert_array_equal(units["a", "x"][0, :4], [10, 10, 0, 0])
    np.testing.assert_array_equal(units["b", "x"][0, 2:4], [10, 10])


def test_places_that_supply_each_other_share_what_is_left():
    # 30 units for 10 at x and 5 at y a bucket.
    units, _ = run_down({("a", "x"): {0: 30}}, Made({("a", "y"): 5.0, ("b", "y"): 5.0}), together=True)
    np.testing.assert_allclose(units["a", "x"][0, :3], [10, 10, 0])
    np.testing.assert_allclose(units["a", "y"][0, :3], [5, 5, 0])
    np.testing.assert_allclose(units["b", "y"][0, :3], [0, 0, 5])


def test_two_successors_share_what_passes_evenly():
    units, _ = run_down({("a", "x"): {0: 20}}, Made(), {"b": "a", "c": "a"})
    for item in "bc":
        np.testing.assert_allclose(units[item, "x"][0, :4], [5, 5, 10, 10])


def test_demand_passes_along_a_chain_of_successors():
    units, _ = run_down({("a", "x"): {0: 10}, ("b", "x"): {0: 20}}, Made(), {"b": "a", "c": "b"})
    np.testing.assert_allclose(units["a", "x"][0, :4], [10, 0, 0, 0])
    np.testing.assert_allclose(units["b", "x"][0, :4], [0, 10, 10, 0])
    np.testing.assert_allclose(units["c", "x"][0, :4], [0, 0, 0, 10])


def test_every_path_uses_the_stock_up_at_its_own_pace_and_keeps_whole_units():
    fitted, panel, held = Made(poisson=True, default=3.0), panel_of(), 20
    plain = dict(zip(KEYS, fitted.sample(panel, 14, N_PATHS, STREAMS).units, strict=True))
    units, _ = run_down({("a", "x"): {0: held}}, fitted, panel=panel)
    before = plain["a", "x"].cumsum(axis=1)
    served = np.diff(np.minimum(before, held), axis=1, prepend=0)
    np.testing.assert_array_equal(units["a", "x"], served)
    new = units["b", "x"]
    assert (new == np.rint(new)).all()
    # Nearly all of the pair's demand is the old item's: the successor's starts when the stock is gone.
    gone = before - plain["a", "x"] >= held
    np.testing.assert_array_equal(new[gone], plain["b", "x"][gone])
    assert new[before < held].sum() < 0.05 * plain["b", "x"][before < held].sum()
    total = (units["a", "x"] + new).sum(axis=1).mean()
    # A path's total has a variance of at most 2 * 42, over 200 paths.
    assert total == pytest.approx(42, abs=4 * np.sqrt(84 / N_PATHS))


def test_what_stays_with_the_old_item_leaves_as_much_chance_as_customers_who_choose_alone():
    # A Poisson demand of 6 of which each unit goes to the successor with probability 1/3: Poisson of 2.
    fitted = Made({("a", "x"): 4.0}, default=6.0, poisson=True)
    units, _ = run_down(None, fitted, panel=panel_of())
    new = units["b", "x"]
    assert new.mean() == pytest.approx(2.0, abs=0.15)
    assert new.var() == pytest.approx(2.0, abs=0.3)


def test_without_stock_figures_the_old_item_serves_what_is_asked_of_it():
    units, notes = run_down(None, Made({("a", "x"): 4.0}))
    np.testing.assert_array_equal(units["a", "x"], 4)
    np.testing.assert_allclose(units["b", "x"], 6, rtol=1e-6)
    assert [note.code for note in notes] == ["run-down-without-stock"]


def test_a_series_is_settled_the_same_alone_in_any_order_and_in_another_process():
    fitted, panel = Made(poisson=True, default=3.0), panel_of()
    stock = stock_of({("a", "x"): {0: 30}, ("b", "x"): {0: 9}}, together=True)
    settled, _ = with_run_down(fitted, panel, followed({"b": "a", "c": "b"}), stock)
    wanted = settled.sample(panel, 14, N_PATHS, STREAMS).units
    for rows in ([ROW["b", "x"]], [ROW["c", "y"], ROW["a", "x"]], [5, 4, 3, 2, 1, 0]):
        part = panel.take(np.array(rows))
        again = pickle.loads(pickle.dumps(settled)).sample(part, 14, N_PATHS, STREAMS)
        np.testing.assert_array_equal(again.units, wanted[rows])
    np.testing.assert_array_equal(settled.sample(panel, 4, N_PATHS, STREAMS).units, wanted[:, :, :4])


@pytest.mark.parametrize("follows", [{"b": "old"}, {"new": "a"}, {"b": "b"}])
def test_nothing_changes_without_both_items_of_a_pair(follows):
    fitted = Made()
    assert with_run_down(fitted, panel_of(), followed(follows), stock_of({})) == (fitted, ())


def test_nothing_changes_where_the_two_are_never_on_offer_together():
    fitted, panel = Made(), offered(a=(0, 3), b=(3, 14))
    assert with_run_down(fitted, panel, followed(B_FOLLOWS_A), stock_of({})) == (fitted, ())


def test_items_that_follow_each_other_in_a_circle_are_left_alone():
    units, _ = run_down({}, Made(), {"a": "b", "b": "a"})
    np.testing.assert_array_equal(units["a", "x"], 10)
    np.testing.assert_array_equal(units["b", "x"], 10)


def test_another_day_or_a_longer_horizon_is_refused():
    settled, _ = with_run_down(Made(), panel_of(), followed(B_FOLLOWS_A), stock_of({}))
    with pytest.raises(ValueError, match="14 buckets from 2025-03-03"):
        settled.sample(panel_of(n_future=20), 20, N_PATHS, STREAMS)


def test_what_the_model_tells_of_itself_is_kept():
    fitted, panel = Made(), panel_of()
    settled, _ = with_run_down(fitted, panel, followed(B_FOLLOWS_A), stock_of({}))
    assert settled.state() == fitted.state()
    assert settled.notes == fitted.notes
    assert backtest_of(settled).empty
    assert models_of(settled, panel).tolist() == [""] * panel.n_series
