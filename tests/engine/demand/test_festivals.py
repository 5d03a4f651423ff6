from datetime import date

import pandas as pd
import pytest

from engine.demand.events import black_friday, chinese_new_year, festival_table, holiday_table
from engine.errors import ConfigError


@pytest.mark.parametrize(
    ("year", "first"),
    # Dates of the first day of the Chinese year as published by the Hong Kong Observatory.
    [
        (2015, (2, 19)),
        (2020, (1, 25)),
        (2023, (1, 22)),
        (2024, (2, 10)),
        (2025, (1, 29)),
        (2026, (2, 17)),
        (2030, (2, 3)),
    ],
)
def test_the_chinese_new_year_runs_from_its_eve_to_the_seventh_day(year, first):
    start, end = chinese_new_year(year)
    assert (end - start).days == 7
    assert (date(year, *first) - start).days == 1


@pytest.mark.parametrize(("year", "day"), [(2018, 23), (2019, 29), (2024, 29), (2025, 28)])
def test_black_friday_follows_the_fourth_thursday(year, day):
    friday, monday = black_friday(year)
    assert friday == date(year, 11, day)
    assert (monday - friday).days == 3


def test_the_table_has_one_row_per_festival_and_year_in_the_form_of_events():
    table = festival_table([2024, 2025], ["double-11", "618"])
    assert table["event"].tolist() == ["618", "618", "double-11", "double-11"]
    assert table["start_date"].tolist() == list(
        pd.to_datetime(["2024-06-18", "2025-06-18", "2024-11-11", "2025-11-11"])
    )
    assert {"event", "start_date", "end_date", "location_id", "region", "kind"} <= set(table.columns)
    assert festival_table([]).empty


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="double-13"):
        festival_table([2024], ["double-13"])
    with pytest.raises(ConfigError, match="XX"):
        holiday_table([2024], "XX")


def test_holidays_have_english_names_and_no_substituted_days():
    names = set(holiday_table([2024], "CN")["event"])
    assert "National Day" in names
    assert not any(name.startswith("Day off") for name in names)
