"""Lead times: drawn arrivals and what receipts teach."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate
from scipy.special import gamma as gamma_function

from engine.demand.calendar import Calendar
from engine.forecast.streams import Streams
from engine.policy.lead_times import PRIOR_ORDERS, arrival_buckets, lead_time_days, learn_lead_times
from tests.engine.policy.stock_worlds import MONDAY, make_cells, make_options

DAYS = Calendar("D", MONDAY, 100, 60)
WEEKS = Calendar("W", MONDAY, 100, 20)


def test_fixed_lead_times_take_no_memory():
    cells = make_cells(50, 60)
    options = make_options(cells, 10, 17)
    first, second = arrival_buckets(options, cells, DAYS, 200, Streams(1))
    assert first.shape == second.shape == (50, 200)
    assert first.dtype == second.dtype == np.int32
    assert first.strides[1] == second.strides[1] == 0
    assert (first == 10).all()
    assert (second == 17).all()
    # Inside a week an arrival counts from the next one.
    first, second = arrival_buckets(options, cells, WEEKS, 200, Streams(1))
    assert (first == 2).all()
    assert (second == 3).all()


def test_random_lead_times_have_the_given_moments_and_never_overtake():
    cells = make_cells(2, 60)
    options = make_options(cells, 20, 23, lead_time_sd_days=np.array([0.0, 4.0]))
    first, second = arrival_buckets(options, cells, DAYS, 20_000, Streams(5))
    assert (first[0] == 20).all()
    assert first[1].mean() == pytest.approx(20, abs=0.1)
    assert first[1].std() == pytest.approx(4, abs=0.1)
    assert (second >= first).all()
    assert (second[1] == first[1]).any()
    assert (second[1] > first[1]).any()


def test_the_draws_belong_to_the_link_and_the_date():
    cells = make_cells(4, 60, location_id=np.array(["N", "N", "S", "S"], dtype=object))
    options = make_options(cells, 14, 21, lead_time_sd_days=3.0)
    first, second = arrival_buckets(options, cells, DAYS, 100, Streams(2))
    np.testing.assert_array_equal(first[0], first[1])
    assert (first[0] != first[2]).any()
    mixed = np.array([3, 0, 2, 1])
    moved = replace(options, source_id=options.source_id[mixed])
    again = arrival_buckets(moved, cells.take(mixed), DAYS, 100, Streams(2))
    np.testing.assert_array_equal(again[0], first[mixed])
    np.testing.assert_array_equal(again[1], second[mixed])
    assert (arrival_buckets(options, cells, DAYS, 100, Streams(3))[0] != first).any()


def test_quantiles_invert_the_gamma_distribution():
    mean, sd = 12.0, 5.0
    shape, scale = (mean / sd) ** 2, sd**2 / mean
    for share in (0.05, 0.5, 0.95):
        days = int(lead_time_days(np.array([share]), mean, sd)[0])

        def below(limit):
            return integrate.quad(
                lambda x: x ** (shape - 1) * np.exp(-x / scale) / (gamma_function(shape) * scale**shape), 0, limit
            )[0]

        assert below(days - 0.5) <= share <= below(days + 0.5)
    with pytest.raises(ValueError, match="mean > 0"):
        lead_time_days(np.array([0.5]), 0.0, 1.0)
    assert lead_time_days(np.array([0.1, 0.9]), 6.6, 0.0).tolist() == [7, 7]


def receipts(rows):
    table = pd.DataFrame(rows, columns=["source_id", "location_id", "ordered_on", "received_on"])
    return table.astype({"ordered_on": "datetime64[ns]", "received_on": "datetime64[ns]"})


def open_orders(rows):
    table = pd.DataFrame(rows, columns=["source_id", "location_id", "ordered_on", "status"])
    table = table.astype({"ordered_on": "datetime64[ns]", "status": "string[pyarrow]"})
    return table.assign(arrived_on=pd.Series(pd.NaT, index=table.index, dtype="datetime64[ns]"))


AS_OF = np.datetime64("2025-03-01")


def ordered(days, **given):
    return [("S", "N", "2025-01-01", str(np.datetime64("2025-01-01") + d)) for d in days]


def test_receipts_alone_give_their_own_moments():
    days = np.array([10, 12, 12, 14, 20, 25])
    learnt = learn_lead_times(receipts(ordered(days)), open_orders([]), AS_OF)
    assert learnt.loc[0, ["source_id", "location_id", "n", "n_censored"]].tolist() == ["S", "N", 6, 0]
    assert learnt.loc[0, "mean_days"] == pytest.approx(days.mean())
    assert learnt.loc[0, "sd_days"] == pytest.approx(days.std())


def test_an_overdue_order_counts_as_at_least_its_age():
    done = receipts(ordered([5, 10]))
    waiting = open_orders([("S", "N", "2025-02-22", "firm"), ("S", "N", "2025-02-28", "draft")])
    learnt = learn_lead_times(done, waiting, AS_OF)
    # At 5 days one of three is done; the one open for 7 days leaves; the last is done at 10.
    mean = 5 / 3 + 10 * 2 / 3
    assert learnt.loc[0, "mean_days"] == pytest.approx(mean)
    assert learnt.loc[0, "sd_days"] == pytest.approx(np.sqrt(25 / 3 + 100 * 2 / 3 - mean**2))
    assert learnt.loc[0, "n_censored"] == 1
    # Older than any receipt, it is the longest lead time there is.
    older = open_orders([("S", "N", "2025-01-30", "shipped")])
    assert learn_lead_times(done, older, AS_OF).loc[0, "mean_days"] == pytest.approx((5 + 10 + 30) / 3)


def test_an_order_whose_goods_stand_at_the_door_took_until_they_came():
    done = receipts(ordered([5, 10]))
    waiting = open_orders([("S", "N", "2025-01-01", "firm")]).assign(arrived_on=pd.Timestamp("2025-01-19"))
    learnt = learn_lead_times(done, waiting, AS_OF)
    assert learnt.loc[0, "mean_days"] == pytest.approx((5 + 10 + 18) / 3)
    assert learnt.loc[0, ["n", "n_censored"]].tolist() == [3, 0]


def test_few_orders_lean_on_all_of_the_source():
    rows = ordered([30]) + [("S", "W", "2025-01-01", "2025-01-11")] * 99
    learnt = learn_lead_times(receipts(rows), open_orders([]), AS_OF)
    assert learnt["location_id"].tolist() == ["N", "W"]
    pooled = (30 + 99 * 10) / 100
    assert learnt.loc[0, "mean_days"] == pytest.approx((30 + PRIOR_ORDERS * pooled) / (1 + PRIOR_ORDERS))
    assert learnt.loc[0, "sd_days"] > 0
    assert learnt.loc[1, "mean_days"] == pytest.approx(10, abs=0.2)


def test_the_future_is_not_read_and_gaps_say_nothing():
    rows = [
        *ordered([10]),
        ("S", "N", "2025-01-01", "2025-03-01"),
        (None, "N", "2025-01-01", "2025-01-05"),
        ("S", "N", None, "2025-01-05"),
    ]
    learnt = learn_lead_times(receipts(rows), open_orders([("S", "N", "2025-03-05", "firm")]), AS_OF)
    assert learnt[["n", "n_censored"]].iloc[0].tolist() == [1, 0]
    assert learnt.loc[0, "mean_days"] == 10
    empty = learn_lead_times(receipts([]), open_orders([("S", "N", "2025-01-05", "firm")]), AS_OF)
    assert empty.empty
    assert empty["mean_days"].dtype == "float64"
