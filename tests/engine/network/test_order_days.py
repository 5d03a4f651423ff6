"""Order days against calendars worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.demand.calendar import Calendar
from engine.errors import DataError
from engine.network.dates import Links, link_days, order_days, weekday_numbers

NO_CLOSURES = pd.DataFrame(
    {
        "place_id": pd.Series([], dtype="string"),
        "start_date": pd.Series([], dtype="datetime64[ns]"),
        "end_date": pd.Series([], dtype="datetime64[ns]"),
        "blocks": pd.Series([], dtype="string"),
    }
)


def closures(*rows):
    frame = pd.DataFrame(rows, columns=["place_id", "start_date", "end_date", "blocks"])
    return frame.astype({"place_id": "string", "blocks": "string"}).assign(
        start_date=pd.to_datetime(frame["start_date"]), end_date=pd.to_datetime(frame["end_date"])
    )


def link(lead=3.0, review=7, weekdays="", is_lane=False):
    return Links(
        origin_id=np.array(["S"], dtype=object),
        dest_id=np.array(["W"], dtype=object),
        lead_time_days=np.array([lead]),
        review_period_days=np.array([review]),
        order_weekdays=np.array([weekdays], dtype=object),
        is_lane=np.array([is_lane]),
    )


def days_of(links, as_of, closed=NO_CLOSURES, bucket="D"):
    calendar = Calendar(bucket, np.datetime64(as_of), 10, 60)
    found = order_days(link_days(links, calendar.as_of, closed), calendar)
    return [
        str(dates[0])
        for dates in (
            found.order_date,
            found.available_date,
            found.next_order_date,
            found.next_available_date,
        )
    ]


# 2025-10-27 is a Monday.


def test_every_day_is_permitted_without_weekdays():
    assert days_of(link(), "2025-10-29") == ["2025-10-29", "2025-11-01", "2025-11-05", "2025-11-08"]


def test_weekdays_move_the_first_order_and_the_next():
    # Wednesday the 29th: the next Thursday (4) is the 30th; a review of one day leads on to Monday (1), 3 November.
    assert days_of(link(review=1, weekdays="1,4"), "2025-10-29") == [
        "2025-10-30", "2025-11-02", "2025-11-03", "2025-11-06",
    ]  # fmt: skip


def test_review_period_passes_over_weekdays_that_come_too_soon():
    assert days_of(link(review=7, weekdays="1,4"), "2025-10-27")[2] == "2025-11-03"


def test_part_days_of_lead_time_are_rounded_up():
    assert days_of(link(lead=2.2), "2025-10-27")[1] == "2025-10-30"


def test_order_ahead_of_a_closure_answers_for_the_time_until_goods_flow_again():
    # Shipping stops from Tuesday 28 October to Sunday 9 November. Ordered on the 27th, goods leave that day; ordered
    # on 3 November they leave on the 10th and arrive on the 13th.
    shut = closures(("S", "2025-10-28", "2025-11-09", "shipping"))
    assert days_of(link(), "2025-10-27", shut) == ["2025-10-27", "2025-10-30", "2025-11-03", "2025-11-13"]


def test_order_days_inside_a_closure_that_share_an_arrival_count_once():
    # From the 28th on every order arrives on 13 November until that of 11 November arrives on the 14th.
    shut = closures(("S", "2025-10-28", "2025-11-09", "shipping"))
    assert days_of(link(), "2025-10-28", shut) == ["2025-10-28", "2025-11-13", "2025-11-11", "2025-11-14"]


@pytest.mark.parametrize("place", ["S", "W"])
def test_no_order_is_placed_while_either_end_is_closed_for_ordering(place):
    shut = closures((place, "2025-10-27", "2025-10-28", "ordering"))
    assert days_of(link(), "2025-10-27", shut)[:2] == ["2025-10-29", "2025-11-01"]


def test_a_closed_destination_receives_on_its_first_open_day():
    shut = closures(("W", "2025-10-30", "2025-11-02", "receiving"))
    assert days_of(link(), "2025-10-27", shut)[:2] == ["2025-10-27", "2025-11-03"]


def test_a_transfer_waits_for_its_origin_to_ship_and_a_purchase_does_not():
    shut = closures(("S", "2025-10-27", "2025-10-28", "shipping"))
    assert days_of(link(is_lane=True), "2025-10-27", shut)[:2] == ["2025-10-29", "2025-11-01"]
    assert days_of(link(is_lane=False), "2025-10-27", shut)[:2] == ["2025-10-27", "2025-11-01"]


def test_a_closure_without_blocks_stops_everything():
    shut = closures(("S", "2025-10-27", "2025-10-27", None))
    assert days_of(link(), "2025-10-27", shut)[0] == "2025-10-28"


def test_in_weeks_the_next_order_serves_a_later_week():
    # Monday and Thursday orders with three days of lead time both serve the week of 3 November.
    assert days_of(link(review=1, weekdays="1,4"), "2025-10-27", bucket="W") == [
        "2025-10-27", "2025-10-30", "2025-11-03", "2025-11-06",
    ]  # fmt: skip


def test_a_link_that_stays_closed_has_no_dates():
    shut = closures(("S", "2020-01-01", "2099-12-31", "ordering"))
    assert days_of(link(), "2025-10-27", shut) == ["NaT"] * 4


def test_orders_never_overtake_each_other():
    rng = np.random.default_rng(0)
    for _ in range(50):
        starts = np.datetime64("2025-10-27") + rng.integers(0, 40, 4)
        shut = closures(
            *[
                (rng.choice(["S", "W"]), start, start + rng.integers(0, 9), rng.choice(["ordering",
                "shipping", "receiving"])) for start in starts
            ]
        )  # fmt: skip
        table = link_days(link(lead=float(rng.integers(0, 9))), np.datetime64("2025-10-27"), shut)
        arrivals = [int(table.arrival_day(np.array([day]))[0]) for day in range(60)]
        assert arrivals == sorted(arrivals)


@pytest.mark.parametrize("lead", [-1.0, np.nan, np.inf])
def test_a_lead_time_that_is_missing_or_negative_is_refused(lead):
    with pytest.raises(DataError, match="lead time of 0 days or more"):
        link_days(link(lead=lead), np.datetime64("2025-10-27"), NO_CLOSURES)


def test_unreadable_weekdays_are_refused():
    assert weekday_numbers("4, 1") == (1, 4)
    with pytest.raises(DataError, match="'Mon'"):
        weekday_numbers("Mon")
