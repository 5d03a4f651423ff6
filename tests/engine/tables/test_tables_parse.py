"""Reading cells: numbers, dates and text against Python's own."""

from __future__ import annotations

import datetime
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tables.cells import Cells, as_text, cells_of
from engine.tables.parse_dates import parse_dates
from engine.tables.parse_numbers import parse_flags, parse_numbers
from engine.tables.parse_text import decode, parse_ids

NONE: frozenset[str] = frozenset()
finite = st.floats(allow_nan=False, allow_infinity=False)


def column(*values: object) -> Cells:
    return cells_of(pd.Series(values, dtype=object))


@given(st.lists(finite, min_size=1))
def test_a_number_is_read_back_as_it_was_written(numbers: list[float]) -> None:
    parsed = parse_numbers(column(*[repr(number) for number in numbers]), NONE)
    assert not parsed.faults
    np.testing.assert_array_equal(parsed.cells.expand(), np.array(numbers) + 0.0)


@given(st.lists(finite.map(lambda number: round(number % 1e9, 2)), min_size=1))
def test_grouped_numbers_are_read_in_either_style_once_it_is_named(numbers: list[float]) -> None:
    english = [f"{number:,.2f}" for number in numbers]
    continental = [text.translate(str.maketrans(",.", ".,")) for text in english]
    for texts, repair in ((english, "comma-thousands"), (continental, "comma-decimals")):
        parsed = parse_numbers(column(*texts), frozenset({repair}))
        assert not parsed.faults
        np.testing.assert_array_equal(parsed.cells.expand(), numbers)


@given(st.text(alphabet="0123456789.,-+eE naif'_x٣", max_size=8))
def test_text_is_a_number_only_where_python_reads_plain_ascii_the_same(text: str) -> None:
    parsed = parse_numbers(column(text), NONE)
    value = parsed.cells.expand()[0]
    try:
        expected = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        expected = math.nan
    if math.isfinite(expected):
        assert value == expected
        assert not parsed.faults
    else:
        assert math.isnan(value)
        assert len(parsed.faults) == (1 if text.strip() else 0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("NaN", "not-a-number"), ("#N/A", "not-a-number"), ("null", "not-a-number"), ("-inf", "infinite"),
        ("Infinity", "infinite"), ("1e999", "no-number"), ("1,5", "separators"), ("1 234", "separators"),
        ("1\u00a0234,5", "separators"), ("1'234", "separators"), ("12 eggs", "no-number"), ("€5", "no-number"),
        ("1_000", "no-number"), ("0x10", "no-number"), ("٣", "no-number"), ("true", "no-number"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_told_apart(text: str, code: str) -> None:
    (fault,) = parse_numbers(column("1", text, "2"), NONE).faults
    assert (fault.code, fault.rows.tolist(), fault.example) == (code, [False, True, False], text)


def test_typed_columns_give_what_their_text_gives() -> None:
    for typed in (pd.Series([1, 2, 2]), pd.Series([1.5, np.nan, 2]), pd.Series([1, None], dtype="Int64"),
                  pd.Series([1.25, 3], dtype="Float32"), pd.Series([0.5], dtype=object)):  # fmt: skip
        text = pd.Series([None if pd.isna(value) else repr(float(value)) for value in typed], dtype=object)
        found, expected = (parse_numbers(cells_of(series), NONE).cells.expand() for series in (typed, text))
        np.testing.assert_array_equal(found, expected)


@given(st.lists(st.dates(datetime.date(1970, 1, 1), datetime.date(2199, 12, 31)), min_size=1))
def test_dates_are_read_from_text_and_from_every_type(days: list[datetime.date]) -> None:
    expected = np.array(days, "datetime64[ns]")
    stamps = pd.Series(days).astype("datetime64[s]")
    forms = [
        pd.Series([day.isoformat() for day in days]),
        pd.Series([f"{day}T00:00:00.000Z" for day in days]),
        pd.Series(days, dtype=object),
        stamps,
        stamps.dt.tz_localize("Asia/Shanghai"),
        stamps.astype("category"),
    ]
    for form in forms:
        parsed = parse_dates(cells_of(form), NONE)
        assert not parsed.faults
        np.testing.assert_array_equal(parsed.cells.expand(), expected)


@given(st.integers(1, 40), st.integers(0, 15), st.integers(1900, 2300))
def test_a_day_is_read_if_and_only_if_the_calendar_has_it(day: int, month: int, year: int) -> None:
    parsed = parse_dates(column(f"{year:04}-{month:02}-{day:02}"), NONE)
    try:
        expected: datetime.date | None = datetime.date(year, month, day)
    except ValueError:
        expected = None
    if expected is None or not 1970 <= year <= 2199:
        assert len(parsed.faults) == 1
        assert np.isnat(parsed.cells.expand()[0])
    else:
        assert parsed.cells.expand()[0] == np.datetime64(expected)


def test_only_repairs_that_mend_every_local_date_are_offered() -> None:
    assert parse_dates(column("13/01/2024", "01/02/2024"), NONE).faults[0].repairs == ("day-first-dates",)
    assert parse_dates(column("01/13/2024", "01/02/2024"), NONE).faults[0].repairs == ("month-first-dates",)
    assert parse_dates(column("01/02/2024"), NONE).faults[0].repairs == ("day-first-dates", "month-first-dates")
    assert parse_dates(column("13/01/2024", "01/13/2024"), NONE).faults[0].repairs == ()


@pytest.mark.parametrize("typed", [pd.Series([45231]), pd.Series([True]), pd.Series([4.5])])
def test_a_number_is_no_date(typed: pd.Series) -> None:
    assert [fault.code for fault in parse_dates(cells_of(typed), NONE).faults] == ["no-date"]


def test_dates_beyond_nanoseconds_are_told_and_not_wrapped_around() -> None:
    far = pd.Series(np.array(["9999-12-31"], "datetime64[s]"))
    assert [fault.code for fault in parse_dates(cells_of(far), NONE).faults] == ["far-date"]


def test_flags_are_read_from_words_numbers_and_booleans() -> None:
    for cells in (column("Yes", "0", "FALSE", "t"), cells_of(pd.Series([1.0, 0, 0, 1]))):
        assert parse_flags(cells).cells.expand().tolist() == [True, False, False, True]
    assert parse_flags(column(True, None, False)).cells.expand().tolist() == [True, False, False]


@given(st.integers(-(2**62), 2**62), st.booleans())
def test_whole_ids_become_text_without_a_point(number: int, as_float: bool) -> None:
    cells = cells_of(pd.Series([float(number) if as_float else number]))
    parsed = parse_ids(cells, NONE)
    exact = not as_float or abs(number) < 2**53
    assert parsed.cells.expand()[0] == (str(number) if exact else None)
    assert parsed.faults[0].code == ("id-from-number" if exact else "id-fraction")


def test_ids_of_mixed_types_are_told_apart_as_text() -> None:
    parsed = parse_ids(column(1, "01", True, 2.0, 2.5, None, datetime.datetime(2024, 1, 2)), NONE)
    assert parsed.cells.expand().tolist() == ["1", "01", "true", "2", "2.5", None, "2024-01-02"]


@given(st.binary(max_size=12))
def test_bytes_that_are_not_utf_8_are_found_and_decoded(raw: bytes) -> None:
    text = raw.decode("utf-8", "surrogateescape")
    found = decode(column("ok", text), NONE)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        assert [fault.rows.tolist() for fault in found.faults] == [[False, True]]
        if "decode-windows-1252" in found.faults[0].repairs:
            mended = decode(column("ok", text), frozenset({"decode-windows-1252"}))
            assert mended.cells.expand().tolist() == ["ok", raw.decode("windows-1252")]
    else:
        assert not found.faults


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1))
def test_cells_hold_what_the_column_held(values: list[str | None]) -> None:
    cells = column(*values)
    assert cells.expand().tolist() == values
    ranks, _ = cells.ranks()
    order = sorted(range(len(values)), key=lambda row: (values[row] is not None, values[row] or ""))
    assert (np.diff(ranks[order]) >= 0).all()
    assert [as_text(value) for value in cells.used()] == list(dict.fromkeys(v for v in values if v is not None))
