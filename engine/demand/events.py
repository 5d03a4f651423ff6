"""Shopping festivals and public holidays, in the form of the `events` table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

import holidays
import numpy as np
import pandas as pd

from engine.errors import ConfigError

CHINESE_NEW_YEAR = "Chinese New Year (Spring Festival)"
"""English name that the `holidays` library gives the days of the festival in mainland China."""

LANGUAGE = "en_US"
"""Names of holidays are English where the library has them, whatever the locale of the machine."""


@dataclass(frozen=True)
class Festival:
    """A festival of every year: its days, and how long demand feels it before and after.

    ``lead_days`` and ``lag_days`` count the days before the first and after the last day of the festival.
    """

    days: Callable[[int], tuple[date, date]]
    lead_days: int
    lag_days: int


def _fixed(month: int, day: int) -> Callable[[int], tuple[date, date]]:
    return lambda year: (date(year, month, day), date(year, month, day))


def black_friday(year: int) -> tuple[date, date]:
    """Return Black Friday, the day after the fourth Thursday of November, to Cyber Monday."""
    first = date(year, 11, 1)
    thursday = first + timedelta(days=(3 - first.weekday()) % 7 + 21)
    return thursday + timedelta(days=1), thursday + timedelta(days=4)


def chinese_new_year(year: int) -> tuple[date, date]:
    """Return the eve of the Chinese New Year to the seventh day of the year."""
    named = holidays.country_holidays("CN", years=year, language=LANGUAGE)
    first = min(day for day, name in named.items() if CHINESE_NEW_YEAR in name)
    return first - timedelta(days=1), first + timedelta(days=6)


FESTIVALS: Mapping[str, Festival] = MappingProxyType(
    {
        "618": Festival(_fixed(6, 18), lead_days=18, lag_days=10),
        "double-11": Festival(_fixed(11, 11), lead_days=21, lag_days=14),
        "double-12": Festival(_fixed(12, 12), lead_days=7, lag_days=5),
        "black-friday": Festival(black_friday, lead_days=7, lag_days=7),
        "chinese-new-year": Festival(chinese_new_year, lead_days=28, lag_days=21),
    }
)
"""Festivals by name. Leads cover the presale weeks of 618 and Double 11, and the buying before the Chinese New
Year, after which shops and carriers take weeks to come back."""

LEAD_DAYS, LAG_DAYS = 7, 3
"""Lead and lag of any other event."""

LONG_LEADS: Mapping[str, int] = MappingProxyType({"Christmas Day": 28, "Thanksgiving Day": 10, "Good Friday": 14})
"""Public holidays that are bought for over a longer time."""

TEXT = pd.StringDtype("pyarrow")


def festival_table(years: Iterable[int], names: Iterable[str] = tuple(FESTIVALS)) -> pd.DataFrame:
    """Return festivals as rows of the `events` table, kind = festival.

    Raises
    ------
    ConfigError
        If a name is not one of `FESTIVALS`.
    """
    unknown = sorted(set(names) - set(FESTIVALS))
    if unknown:
        known = ", ".join(FESTIVALS)
        raise ConfigError(
            f"demand.shopping_festivals names festivals among {known}", ", ".join(unknown), "Mend the names"
        )
    rows = [
        (name, *FESTIVALS[name].days(year), "festival") for name in sorted(set(names)) for year in sorted(set(years))
    ]
    return _frame(rows)


def holiday_table(years: Iterable[int], country: str) -> pd.DataFrame:
    """Return a country's public holidays as rows of the `events` table, kind = holiday.

    Substituted and observed days are left out: they move an office's day off, not what people celebrate.

    Raises
    ------
    ConfigError
        If the `holidays` library does not know the country.
    """
    try:
        named = holidays.country_holidays(country, years=sorted(set(years)), observed=False, language=LANGUAGE)
    except NotImplementedError as error:
        rule = "demand.holiday_country is a country code of the holidays library"
        raise ConfigError(rule, country, "Use a code like DE, US or CN, or leave it empty") from error
    days = [(name, day) for day, text in sorted(named.items()) for name in text.split("; ")]
    return _frame([(name, day, day, "holiday") for name, day in days if not name.startswith("Day off")])


def lead_and_lag(event: str) -> tuple[int, int]:
    """Return how many days before and after an event demand feels it."""
    if event in FESTIVALS:
        return FESTIVALS[event].lead_days, FESTIVALS[event].lag_days
    return LONG_LEADS.get(event, LEAD_DAYS), LAG_DAYS


def _frame(rows: list[tuple[str, date, date, str]]) -> pd.DataFrame:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    nothing = pd.array([None] * len(rows), dtype=TEXT)
    return pd.DataFrame(
        {
            "event": pd.array(columns[0], dtype=TEXT),
            "start_date": pd.to_datetime(list(columns[1])).astype("datetime64[ns]"),
            "location_id": nothing,
            "region": nothing,
            "end_date": pd.to_datetime(list(columns[2])).astype("datetime64[ns]"),
            "kind": pd.array(columns[3], dtype=TEXT),
            "known_from": np.full(len(rows), np.datetime64("NaT"), "datetime64[ns]"),
        }
    )
