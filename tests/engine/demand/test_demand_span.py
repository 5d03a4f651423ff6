import numpy as np
import pandas as pd
import pytest

from engine.demand.params import TimeParams
from engine.demand.span import choose_calendar, spacing_of
from engine.errors import ConfigError, DataError
from engine.tables.tables import Tables


def sales(dates):
    dates = pd.to_datetime(list(dates))
    return Tables.of({"sales": pd.DataFrame({"item_id": "a", "location_id": "x", "date": dates, "units": 1.0})})


def day(text):
    return np.datetime64(text, "D")


def codes(notes):
    return [note.code for note in notes]


def test_daily_sales_give_days_and_the_plan_is_made_the_day_after_the_last():
    calendar, notes = choose_calendar(sales(pd.date_range("2025-01-03", "2025-02-10")), TimeParams())
    assert (calendar.bucket, calendar.as_of, calendar.n_history) == ("D", day("2025-02-11"), 39)
    assert codes(notes) == ["bucket-read-from-dates"]


@pytest.mark.parametrize("weekday", ["MON", "WED", "SUN"])
def test_weekly_sales_are_labelled_by_their_monday_whatever_weekday_dates_them(weekday):
    dates = pd.date_range("2025-01-06", periods=10, freq=f"W-{weekday}")
    calendar, _ = choose_calendar(sales(dates), TimeParams())
    assert (calendar.bucket, calendar.n_history) == ("W", 10)
    assert calendar.starts[0] <= day(str(dates[0].date())) < calendar.starts[0] + 7


@pytest.mark.parametrize("freq", ["MS", "ME"])
def test_one_date_a_month_gives_months(freq):
    calendar, _ = choose_calendar(sales(pd.date_range("2024-01-01", periods=14, freq=freq)), TimeParams())
    assert (calendar.bucket, calendar.as_of, calendar.n_history) == ("M", day("2025-03-01"), 14)


def test_weeks_of_days_drop_the_incomplete_ends_and_say_so():
    calendar, notes = choose_calendar(sales(pd.date_range("2025-01-01", "2025-02-11")), TimeParams("W"))
    assert (calendar.as_of, calendar.n_history) == (day("2025-02-10"), 5)
    assert codes(notes) == ["first-bucket-dropped", "last-bucket-dropped"]
    assert dict(notes[1].values) == {"date": "2025-02-10", "until": "2025-02-11"}


def test_a_weekday_on_which_nothing_is_ever_sold_does_not_make_a_week_incomplete():
    open_days = [d for d in pd.date_range("2025-01-06", "2025-02-08") if d.weekday() != 6]
    calendar, notes = choose_calendar(sales(open_days), TimeParams("W"))
    assert (calendar.as_of, calendar.n_history) == (day("2025-02-10"), 5)
    assert notes == ()


def test_an_earlier_as_of_cuts_the_history():
    tables = sales(pd.date_range("2025-01-06", "2025-02-11"))
    calendar, _ = choose_calendar(tables, TimeParams("W"), day("2025-01-20"))
    assert (calendar.as_of, calendar.n_history) == (day("2025-01-20"), 2)


@pytest.mark.parametrize(
    ("as_of", "message"),
    [
        ("2025-01-21", "as-of is a Monday for weeks. Found 2025-01-21. Use 2025-01-20"),
        ("2025-01-06", "complete buckets from 2025-01-06 to 2025-02-09. Use 2025-02-10, or leave it out"),
        ("2025-02-17", "complete buckets from 2025-01-06 to 2025-02-09. Use 2025-02-10, or leave it out"),
    ],
)
def test_an_impossible_as_of_is_refused_with_the_remedy(as_of, message):
    with pytest.raises(ConfigError) as caught:
        choose_calendar(sales(pd.date_range("2025-01-06", "2025-02-11")), TimeParams("W"), day(as_of))
    assert str(caught.value).endswith(message)


def test_buckets_finer_than_the_sales_are_refused():
    with pytest.raises(ConfigError, match="D for sales in weeks"):
        choose_calendar(sales(pd.date_range("2025-01-06", periods=9, freq="7D")), TimeParams("D"))


def test_sales_without_a_complete_bucket_are_refused():
    with pytest.raises(DataError, match="at least one complete bucket"):
        choose_calendar(sales(["2025-01-07", "2025-01-08"]), TimeParams("M"))
    with pytest.raises(DataError, match="at least one dated row"):
        choose_calendar(sales([]), TimeParams())


def test_a_single_date_is_a_day():
    assert spacing_of(np.array(["2025-01-07"], "datetime64[D]")) == "D"
