"""Odd series are found by stated rules, counted, named, and told in words; missing regressors are settled."""

from dataclasses import replace

import numpy as np
import pytest

from engine.demand.oddities import NAMED, odd_rows, odd_series, usual_ahead
from engine.forecast.synthetic import synthetic_panel
from experiments.exchange.catalogue import read_catalogue, render

H, F = 60, 14


def plain(n=8):
    """A panel of series that always sell, 4 or 5 a day, and are never out of stock."""
    panel = synthetic_panel(n_items=n // 2, n_history=H, n_future=F)
    units = np.tile(4 + np.arange(H) % 2, (n, 1)).astype(np.float32)
    return replace(
        panel, units=units, available=np.ones((n, H), np.float32), offered=np.ones((n, H + F), bool), regressors={}
    )


def with_row(panel, row, units=None, available=None, offered=None):
    """The panel with one series changed."""
    changes = {}
    for name, values in (("units", units), ("available", available), ("offered", offered)):
        if values is not None:
            array = np.array(getattr(panel, name))
            array[row] = values
            changes[name] = array
    return replace(panel, **changes)


def codes(panel):
    return {message.code: dict(message.values) for message in odd_series(panel)}


def test_ordinary_series_are_not_told_of():
    assert odd_series(plain()) == ()
    assert odd_series(plain().take(np.zeros(0, np.int64))) == ()


def test_a_series_that_never_sold_is_all_zero_unless_it_never_could():
    panel = with_row(plain(), 2, units=0)
    assert codes(panel) == {"series-all-zero": {"n_series": 1, "first": "item-001 at north"}}
    assert codes(with_row(panel, 2, available=0)).keys() == {"series-gap-ridden"}
    assert codes(with_row(panel, 2, offered=False)) == {}


def test_one_sale_and_constant_exclude_each_other():
    one = np.where(np.arange(H) == 30, 9, 0)
    panel = with_row(with_row(plain(), 0, units=one), 1, units=6)
    assert codes(panel) == {
        "series-one-sale": {"n_series": 1, "first": "item-000 at north"},
        "series-constant": {"n_series": 1, "first": "item-000 at south"},
    }


@pytest.mark.parametrize(("n_seen", "told"), [(7, False), (8, True)])
def test_a_constant_series_needs_eight_buckets(n_seen, told):
    offered = np.arange(H + F) >= H - n_seen
    panel = with_row(plain(), 3, units=np.where(offered[:H], 6, 0), offered=offered)
    assert ("series-constant" in codes(panel)) == told


def test_a_stock_out_does_not_hide_a_constant_series():
    short = np.arange(H) == 20
    panel = with_row(plain(), 3, units=np.where(short, 2, 6), available=np.where(short, 0.5, 1))
    assert codes(panel).keys() == {"series-constant"}


@pytest.mark.parametrize(("n_out", "told"), [(30, False), (31, True)])
def test_more_than_half_of_the_buckets_out_of_stock_is_full_of_gaps(n_out, told):
    panel = with_row(plain(), 4, available=np.where(np.arange(H) % 2 * 30 + np.arange(H) // 2 < n_out, 0, 1))
    assert ("series-gap-ridden" in codes(panel)) == told


def test_a_long_time_unlisted_counts_as_a_gap_and_the_time_before_the_launch_does_not():
    idle = (np.arange(H) >= 5) & (np.arange(H) < 45)
    panel = replace(with_row(plain(), 4, units=np.where(idle, 0, 4 + np.arange(H) % 2)), dormant_buckets=20)
    assert codes(panel).keys() == {"series-gap-ridden"}
    launched = with_row(plain(), 4, units=np.where(np.arange(H) < 45, 0, 4 + np.arange(H) % 2))
    late = with_row(launched, 4, offered=np.arange(H + F) >= 45)
    assert codes(late) == {}


def test_growth_beyond_anything_before_is_exploding():
    doubled = np.where(np.arange(H) < H - 8, 3, 3 * 2.0 ** (np.arange(H) - H + 9))
    assert codes(with_row(plain(), 5, units=doubled)) == {
        "series-exploding": {"n_series": 1, "first": "item-002 at south", "times": 3.0, "n_recent": 14}
    }


def test_a_peak_that_was_there_before_a_newcomer_and_a_trickle_do_not_explode():
    day = np.arange(H)
    again = np.where((day < 14) | (day >= H - 14), 50, 2)
    newcomer = np.where(day < H - 14, 0, 8)
    trickle = np.where(day >= H - 14, day % 2, day == 3)
    for units in (again, newcomer, trickle):
        assert "series-exploding" not in codes(with_row(plain(), 5, units=units))


def test_levels_of_exploding_series_are_those_of_the_buckets_seen():
    # Ten times the level, but only in buckets half of which were out of stock: still seen in eight of fourteen.
    day = np.arange(H)
    panel = with_row(plain(), 5, units=np.where(day >= H - 14, 50, 5), available=np.where(day >= H - 6, 0, 1))
    assert "series-exploding" in codes(panel)
    hidden = with_row(panel, 5, available=np.where(day >= H - 8, 0, 1))
    assert "series-exploding" not in codes(hidden)


def test_a_category_in_which_nothing_was_sold_is_told():
    panel = with_row(plain(), 6, units=0)
    static = panel.static.copy()
    static["category"] = ["tools"] * 6 + ["brand new", None]
    panel = replace(panel, static=static)
    assert codes(panel).keys() == {"series-all-zero", "series-of-unsold-category"}
    assert codes(panel)["series-of-unsold-category"]["first"] == "item-003 at north"


def test_five_series_are_named_and_all_are_counted():
    panel = replace(plain(), units=np.zeros((8, H), np.float32))
    told = codes(panel)["series-all-zero"]
    assert told["n_series"] == 8
    assert len(told["first"].split("; ")) == NAMED


def test_a_horizon_beyond_the_history_is_told():
    short = plain().cut(H - 10)
    assert codes(short)["horizon-beyond-history"] == {"horizon": F + H - 10, "n_buckets": 10}


def heat(n=8):
    """A common and a local regressor that are given everywhere."""
    common = np.linspace(10, 30, H + F).astype(np.float32)
    return replace(plain(n), regressors={"heat": common, "ads": np.tile(common, (n, 1))})


def test_a_regressor_without_a_future_is_told_and_left_out():
    panel = heat()
    common, ads = np.array(panel.regressors["heat"]), np.array(panel.regressors["ads"])
    common[H:] = np.nan
    panel = replace(panel, regressors={"heat": common, "ads": ads})
    assert codes(panel) == {
        "regressor-not-given-ahead": {
            "n_series": 8,
            "first": "; ".join(f"item-00{i // 2} at {('north', 'south')[i % 2]}" for i in range(5)),
            "name": "heat",
            "n_buckets": F,
            "horizon": F,
        }
    }
    assert set(usual_ahead(panel).regressors) == {"ads"}


def test_what_is_missing_ahead_in_part_becomes_the_mean_of_the_series_own_history():
    panel = heat()
    ads = np.array(panel.regressors["ads"])
    ads[3, 10], ads[3, H + 2 :] = np.nan, np.nan
    panel = replace(panel, regressors={"ads": ads})
    told = codes(panel)["regressor-missing-ahead"]
    assert (told["n_series"], told["n_buckets"], told["first"]) == (1, F - 2, "item-001 at south")
    settled = usual_ahead(panel).regressors["ads"]
    np.testing.assert_allclose(settled[3, H + 2 :], np.nanmean(ads[3, :H]), rtol=1e-6)
    changed = np.zeros(ads.shape, bool)
    changed[3, H + 2 :] = True
    np.testing.assert_array_equal(settled[~changed], ads[~changed])


def test_what_is_seldom_given_stays_not_given():
    rare = np.full(H + F, np.nan, np.float32)
    rare[::4] = 1
    panel = replace(plain(), regressors={"rare": rare})
    assert codes(panel) == {}
    np.testing.assert_array_equal(usual_ahead(panel).regressors["rare"], rare)


def test_settled_regressors_have_the_same_bits_alone_and_in_a_batch():
    panel = heat()
    ads = np.array(panel.regressors["ads"]) * np.linspace(0.1, 7.7, 8, dtype=np.float32)[:, None]
    ads[:, H + 3 :] = np.nan
    panel = replace(panel, regressors={"ads": ads})
    whole = usual_ahead(panel).regressors["ads"]
    for row in range(8):
        np.testing.assert_array_equal(usual_ahead(panel.take(np.array([row]))).regressors["ads"][0], whole[row])


def test_rows_are_found_alike_in_blocks_and_at_once(monkeypatch):
    panel = synthetic_panel(n_items=10)
    whole = odd_rows(panel)
    monkeypatch.setattr("engine.demand.oddities.BLOCK", 3)
    for code, rows in odd_rows(panel).items():
        np.testing.assert_array_equal(rows, whole[code])


def test_every_oddity_is_told_in_a_sentence():
    panel = heat()
    panel = with_row(panel, 0, units=0)
    panel = with_row(panel, 1, units=np.arange(H) == 9)
    panel = with_row(panel, 2, units=7)
    panel = with_row(panel, 3, available=0)
    panel = with_row(panel, 4, units=np.where(np.arange(H) < 50, 5, 900))
    static = panel.static.assign(category=["new", *["old"] * 7])
    common, ads = np.array(panel.regressors["heat"]), np.array(panel.regressors["ads"])
    common[H:], ads[:, H + 1] = np.nan, np.nan
    panel = replace(panel, static=static, regressors={"heat": common, "ads": ads})
    found = [*odd_series(panel), *odd_series(panel.cut(H - 5))]
    assert len({message.code for message in found}) == 9
    for message in found:
        said = render(message, read_catalogue())
        assert not said.startswith(message.code)
        assert "{" not in said
