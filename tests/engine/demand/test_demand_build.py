"""The panel against plain loops over the rows of the tables."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.demand.build import build_panel, choose_calendar, demand_keys
from engine.demand.params import DemandParams, TimeParams
from engine.tables.tables import Tables

N_FUTURE = 5


def panel_of(frames, bucket="auto", as_of=None, demand=None):
    tables = Tables.of(frames)
    calendar, _ = choose_calendar(tables, TimeParams(bucket), as_of)
    keys = demand_keys(tables, calendar)
    interval = np.tile(np.array([[1, 2]], np.int32), (len(keys[0]), 1))
    config = PlanConfig(demand=demand or DemandParams())
    return build_panel(tables, config, replace(calendar, n_future=N_FUTURE), keys, interval)


def random_sales(seed=0, n_rows=600):
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2025-01-06", periods=63)
    frame = pd.DataFrame(
        {
            "item_id": rng.choice(["10", "9", "a"], n_rows),
            "location_id": rng.choice(["x", "Y"], n_rows),
            "date": rng.choice(dates, n_rows),
            "channel": rng.choice(["shop", "web"], n_rows),
            "units": rng.integers(0, 5, n_rows).astype(float),
            "price": np.where(rng.random(n_rows) < 0.3, np.nan, rng.integers(1, 9, n_rows)),
        }
    )
    ends = pd.DataFrame(
        {"item_id": "a", "location_id": "x", "date": dates[[0, -1]], "channel": "post", "units": 1.0, "price": 2.0}
    )
    frame = pd.concat([frame, ends]).drop_duplicates(["item_id", "location_id", "date", "channel"])
    one_a_day = frame.groupby(["item_id", "location_id", "date"]).ngroup()
    share = rng.choice([0.0, 0.25, 1.0], one_a_day.max() + 1)
    return frame.assign(in_stock=share[one_a_day]).reset_index(drop=True)


@pytest.mark.parametrize("bucket", ["D", "W", "M"])
def test_units_prices_and_availability_equal_a_loop_over_rows(bucket):
    sales = random_sales()
    panel, _ = panel_of({"sales": sales}, bucket)
    edges = panel.calendar.edges
    for r in range(panel.n_series):
        own = sales[(sales.item_id == panel.item_id[r]) & (sales.location_id == panel.location_id[r])]
        for t in range(0, panel.calendar.n_history, 5 if bucket == "D" else 1):
            rows = own[(own.date >= edges[t]) & (own.date < edges[t + 1])]
            assert panel.units[r, t] == rows.units.sum()
            per_day = rows.groupby("date").in_stock.first()
            assert panel.available[r, t] == pytest.approx(1 - (1 - per_day).sum() / panel.calendar.days[t], abs=1e-6)
            priced = rows.dropna(subset="price")
            if priced.empty:
                assert np.isnan(panel.price[r, t])
            elif priced.units.sum() > 0:
                mean = (priced.price * priced.units).sum() / priced.units.sum()
                assert panel.price[r, t] == pytest.approx(mean, rel=1e-6)
            else:
                assert panel.price[r, t] == pytest.approx(priced.price.mean(), rel=1e-6)


def test_keys_are_sorted_as_text_and_rows_in_any_order_give_the_same_panel():
    sales = random_sales()
    panel, _ = panel_of({"sales": sales})
    again, _ = panel_of({"sales": sales.sample(frac=1, random_state=3)})
    keys = list(zip(panel.item_id, panel.location_id, strict=True))
    assert keys == sorted(keys)
    for name in ("units", "available", "price"):
        assert np.array_equal(getattr(panel, name), getattr(again, name), equal_nan=True)


def test_presale_units_leave_the_base_history():
    sales = random_sales()
    presale = sales[sales.channel == "web"].assign(channel="Presale", units=1000.0)
    panel, _ = panel_of({"sales": pd.concat([sales, presale])})
    assert panel.units.sum() == sales.units.sum()


def test_nothing_is_read_from_the_day_of_the_plan_on():
    sales = random_sales()
    later = sales.assign(units=np.where(sales.date >= "2025-02-10", 999.0, sales.units))
    as_of = np.datetime64("2025-02-10")
    panel, _ = panel_of({"sales": sales}, "W", as_of)
    other, _ = panel_of({"sales": later}, "W", as_of)
    assert np.array_equal(panel.units, other.units)
    assert panel.calendar.n_history == 5


def test_bundles_count_as_their_components_through_all_levels():
    """A box holds two sets and a toy; a set holds three cups; five boxes and one toy sold are 30 cups and 6 toys."""
    dates = pd.to_datetime(["2025-01-06", "2025-01-07"])
    sales = pd.DataFrame({"item_id": ["box", "toy"], "location_id": "x", "date": dates, "units": [5.0, 1.0]})
    bom = pd.DataFrame(
        {
            "parent_item_id": ["box", "box", "set"],
            "component_item_id": ["set", "toy", "cup"],
            "units": [2.0, None, 3.0],
        }
    )
    panel, _ = panel_of({"sales": sales, "bom": bom})
    assert panel.item_id.tolist() == ["cup", "toy"]
    assert panel.units.tolist() == [[30.0, 0.0], [5.0, 1.0]]


def test_an_item_with_a_gift_stays_itself():
    sales = pd.DataFrame({"item_id": ["pan"], "location_id": "x", "date": pd.to_datetime(["2025-01-06"]), "units": 4.0})
    bom = pd.DataFrame({"parent_item_id": ["pan", "pan"], "component_item_id": ["pan", "spoon"], "units": [1.0, 1.0]})
    panel, _ = panel_of({"sales": sales, "bom": bom})
    assert panel.units.tolist() == [[4.0], [4.0]]


def test_pairs_that_are_launched_or_only_presold_have_a_series():
    sales = random_sales()
    frames = {
        "sales": sales,
        "item_locations": pd.DataFrame(
            {"item_id": ["new", "new", "off"], "location_id": ["x", "dc", "x"], "active": [True, True, False]}
        ),
        "presales": pd.DataFrame(
            {
                "presale_id": "p",
                "line_id": ["1", "2", "3"],
                "item_id": ["pre", "pre2", "gone"],
                "units": 5.0,
                "ordered_on": pd.to_datetime("2025-02-01"),
                "region": ["north", None, "north"],
                "location_id": [None, "Y", None],
                "status": ["paid", "deposit", "cancelled"],
            }
        ),
        "service_regions": pd.DataFrame({"region": "north", "location_id": ["Y", "x"], "rank": [2.0, 1.0]}),
    }
    panel, _ = panel_of(frames)
    pairs = set(zip(panel.item_id, panel.location_id, strict=True))
    assert {("new", "x"), ("pre", "x"), ("pre2", "Y")} <= pairs
    assert not {("new", "dc"), ("off", "x"), ("gone", "x")} & pairs


def test_stock_outs_are_inferred_from_closing_stock_by_rule_d1():
    """Closing 3, 0, 0, 0, 4: sold out during the second day, out on the third; the fourth sold one from a receipt."""
    dates = pd.date_range("2025-01-06", periods=5)
    sales = pd.DataFrame({"item_id": "a", "location_id": "x", "date": dates, "units": [1.0, 3.0, 0.0, 1.0, 0.0]})
    stock = pd.DataFrame({"item_id": "a", "location_id": "x", "date": dates, "closing_on_hand": [3.0, 0, 0, 0, 4]})
    panel, notes = panel_of({"sales": sales, "stock_history": stock})
    assert panel.available.tolist() == [[1.0, 0.5, 0.0, 0.5, 1.0]]
    assert [dict(n.values) for n in notes if n.code == "in-stock-inferred"] == [
        {"rule": "D1", "n_buckets": 3, "n_series": 1}
    ]
    told = sales.assign(in_stock=[1.0, 1.0, None, None, None])
    panel, _ = panel_of({"sales": told, "stock_history": stock})
    assert panel.available.tolist() == [[1.0, 1.0, 0.0, 0.5, 1.0]]


def test_launch_end_and_inactive_decide_the_offer():
    sales = random_sales()
    items = pd.DataFrame(
        {
            "item_id": ["10", "9", "a"],
            "launch_date": pd.to_datetime(["2025-02-12", None, None]),
            "end_date": pd.to_datetime([None, "2025-03-11", None]),
        }
    )
    pairs = pd.DataFrame({"item_id": ["a"], "location_id": ["x"], "active": [False]})
    sales = sales[(sales.item_id != "10") | (sales.date >= "2025-02-20")]
    panel, notes = panel_of({"sales": sales, "items": items, "item_locations": pairs}, "W")
    row = {key: r for r, key in enumerate(zip(panel.item_id, panel.location_id, strict=True))}
    starts = panel.calendar.starts
    launch_week = int(np.flatnonzero(starts == np.datetime64("2025-02-10"))[0])
    assert panel.offered[row["10", "x"]].tolist() == [t >= launch_week for t in range(len(starts))]
    assert panel.available[row["10", "x"], launch_week] == pytest.approx(5 / 7)
    assert panel.offered[row["9", "x"], panel.calendar.n_history :].tolist() == [True] + [False] * 4
    assert not panel.offered[row["a", "x"], panel.calendar.n_history :].any()
    assert panel.offered[row["a", "x"], : panel.calendar.n_history].all()
    assert notes == ()


def test_a_sale_outside_the_dates_stays_and_is_listed():
    items = pd.DataFrame({"item_id": ["a"], "launch_date": pd.to_datetime(["2025-03-01"])})
    panel, notes = panel_of({"sales": random_sales(), "items": items})
    assert (panel.offered[:, : panel.calendar.n_history] | (panel.units == 0)).all()
    assert [n.code for n in notes] == ["sold-outside-its-dates"]


def test_promotions_prices_and_events_equal_a_count_of_days():
    frames = {
        "sales": random_sales(),
        "items": pd.DataFrame(
            {"item_id": ["10", "9", "a"], "category": ["c", "c", "d"], "unit_price": [10.0, None, 4.0]}
        ),
        "locations": pd.DataFrame({"location_id": ["x", "Y"], "region": ["north", "south"]}),
        "promotions": pd.DataFrame(
            {
                "promotion_id": ["1", "2", "3"],
                "item_id": ["10", None, None],
                "category": [None, "c", None],
                "location_id": [None, "x", "Y"],
                "start_date": pd.to_datetime(["2025-01-09", "2025-02-03", "2025-03-08"]),
                "end_date": pd.to_datetime(["2025-01-15", "2025-02-03", "2025-03-20"]),
                "discount": [0.2, 0.5, 0.1],
                "kind": ["price", "price", None],
            }
        ),
        "prices": pd.DataFrame(
            {
                "item_id": ["10", "10", "10"],
                "location_id": ["*", "*", "x"],
                "start_date": pd.to_datetime(["2025-01-01", "2025-02-05", "2025-03-03"]),
                "end_date": pd.to_datetime([None, "2025-02-20", "2025-03-09"]),
                "price": [8.0, 9.0, 5.0],
            }
        ),
        "events": pd.DataFrame(
            {
                "event": ["Fair", "Derby"],
                "start_date": pd.to_datetime(["2025-01-18", "2025-01-20"]),
                "end_date": pd.to_datetime(["2025-01-21", None]),
                "region": [None, "south"],
            }
        ),
    }
    panel, _ = panel_of(frames, "W")
    week = {str(start): t for t, start in enumerate(panel.calendar.starts)}
    row = {key: r for r, key in enumerate(zip(panel.item_id, panel.location_id, strict=True))}
    price, depth = panel.regressors["promotion_price"], panel.regressors["promotion_price_depth"]
    assert price[row["10", "x"], week["2025-01-06"]] == pytest.approx(4 / 7)
    assert price[row["10", "x"], week["2025-01-13"]] == pytest.approx(3 / 7)
    assert depth[row["9", "x"], week["2025-02-03"]] == pytest.approx(0.5 / 7)
    assert price[row["9", "Y"]].sum() == 0
    assert price[row["a", "x"]].sum() == 0
    assert panel.regressors["promotion_any"][row["a", "Y"], week["2025-03-10"]] == 1
    relative = panel.regressors["price_relative"]
    assert relative[row["10", "x"], week["2025-02-03"]] == pytest.approx((2 * 8 + 5 * 9) / 7 / 10)
    assert np.isnan(relative[row["10", "Y"], week["2025-02-24"]])
    assert relative[row["10", "x"], week["2025-03-03"]] == pytest.approx(0.5)
    assert np.isnan(relative[row["a", "x"]]).all()
    fair = panel.regressors["event_fair"]
    assert fair.shape == (panel.calendar.n_buckets,)
    assert [fair[week["2025-01-13"]], fair[week["2025-01-20"]]] == [pytest.approx(2 / 7)] * 2
    # Lead 1 on the eve (the 17th), falling by a seventh a day; lag 1 on the 22nd, then 2/3 and 1/3.
    assert panel.regressors["event_fair_lead"][week["2025-01-13"]] == pytest.approx((3 + 4 + 5 + 6 + 7) / 7 / 7)
    assert panel.regressors["event_fair_lag"][week["2025-01-20"]] == pytest.approx(2 / 7)
    derby = panel.regressors["event_derby"]
    assert derby[row["a", "Y"], week["2025-01-20"]] == pytest.approx(1 / 7)
    assert derby[row["a", "x"]].sum() == 0


def test_only_rows_known_on_the_day_of_the_plan_are_read():
    promotions = pd.DataFrame(
        {
            "promotion_id": "1",
            "item_id": "a",
            "start_date": pd.to_datetime("2025-02-10"),
            "end_date": pd.to_datetime("2025-02-16"),
            "discount": [0.1, 0.2, 0.9],
            "kind": "price",
            "known_from": pd.to_datetime([None, "2025-02-01", "2025-02-20"]),
        }
    )
    frames = {"sales": random_sales(), "promotions": promotions}
    for as_of, depth in (("2025-01-27", 0.1), ("2025-02-10", 0.2), ("2025-02-24", 0.9)):
        panel, _ = panel_of(frames, "W", np.datetime64(as_of))
        assert panel.regressors["promotion_price_depth"].max() == pytest.approx(depth)


def test_user_regressors_take_the_most_specific_row_and_only_what_is_known_ahead():
    rows = pd.DataFrame(
        {
            "name": ["heat", "heat", "footfall", "rate"],
            "date": pd.to_datetime(["2025-01-07", "2025-01-07", "2025-01-07", "2025-01-08"]),
            "item_id": [None, "a", None, None],
            "value": [3.0, 7.0, 5.0, 2.0],
            "known_future": [True, True, False, True],
        }
    )
    panel, notes = panel_of({"sales": random_sales(), "regressors": rows})
    heat = panel.regressors["user_heat"]
    assert set(heat[panel.item_id == "a", 1]) == {7.0}
    assert set(heat[panel.item_id != "a", 1]) == {3.0}
    assert panel.regressors["user_rate"].shape == (panel.calendar.n_buckets,)
    assert "user_footfall" not in panel.regressors
    assert [dict(n.values) for n in notes if n.code == "regressor-not-known-ahead"] == [{"name": "footfall"}]


def test_festivals_and_holidays_are_named_regressors_of_every_bucket():
    demand = DemandParams(holiday_country="DE", shopping_festivals=("chinese-new-year", "618"))
    panel, _ = panel_of({"sales": random_sales()}, demand=demand)
    for name in ("event_chinese_new_year", "event_chinese_new_year_lead", "event_618_lag", "event_christmas_day"):
        assert panel.regressors[name].shape == (panel.calendar.n_buckets,)
    inside = panel.calendar.starts[panel.regressors["event_chinese_new_year"] > 0]
    assert (inside[0], inside[-1]) == (np.datetime64("2025-01-28"), np.datetime64("2025-02-04"))
    assert panel.regressors["event_chinese_new_year_lead"][panel.calendar.starts == np.datetime64("2025-01-27")] == 1
