"""One row per key: found, added up and sorted, against pandas row by row."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.tables.check import check_tables

KEY = ["item_id", "location_id", "date", "region"]
rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "B", "ä", "10", "9"]),
        st.sampled_from(["X", "Y"]),
        st.sampled_from(["2024-01-01", "2024-01-02", "2024-01-03"]),
        st.sampled_from(["", "N"]),
        st.integers(0, 40).map(lambda quarter: str(quarter / 4)),
        st.sampled_from(["", "1", "2.5"]),
    ),
    min_size=1,
    max_size=25,
)


def frame_of(some: list[tuple[str, ...]]) -> pd.DataFrame:
    return pd.DataFrame(some, columns=[*KEY, "units", "price"], dtype=object)


@settings(max_examples=30, deadline=None)
@given(rows)
def test_repeats_are_the_rows_whose_key_stood_above(some: list[tuple[str, ...]]) -> None:
    frame = frame_of(some)
    checked = check_tables({"sales": frame}, need_supply=False)
    seen: set[tuple[str, ...]] = set()
    repeats = []
    for number, row in enumerate(some, 2):
        if row[:4] in seen:
            repeats.append(number)
        seen.add(row[:4])
    found = [breach for breach in checked.breaches if breach.code == "repeats"]
    assert [(breach.count, breach.rows) for breach in found] == (
        [(len(repeats), tuple(repeats[:5]))] if repeats else []
    )


@settings(max_examples=30, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_added_up_rows_equal_sums_by_hand_in_any_order(some: list[tuple[str, ...]], random: object) -> None:
    expected: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for row in some:
        expected.setdefault(row[:4], []).append((float(row[4]), float(row[5] or "nan")))
    first = check_tables({"sales": frame_of(some)}, ["sum-duplicates"], need_supply=False).tables["sales"]
    assert len(first) == len(expected)
    found = list(first[KEY].astype(object).itertuples(index=False))
    keys = [(item, place, str(day.date()), "" if pd.isna(region) else region) for item, place, day, region in found]
    assert keys == sorted(expected)
    for key, units, price in zip(keys, first["units"], first["price"], strict=True):
        lines = expected[key]
        assert units == sum(line[0] for line in lines)
        priced = [line for line in lines if not np.isnan(line[1])]
        weight = sum(line[0] for line in priced)
        if not priced:
            assert np.isnan(price)
        elif weight:
            np.testing.assert_allclose(price, sum(u * p for u, p in priced) / weight)
        else:
            np.testing.assert_allclose(price, np.mean([p for _, p in priced]))
    shuffled = some.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = check_tables({"sales": frame_of(shuffled)}, ["sum-duplicates"], need_supply=False).tables["sales"]
    pd.testing.assert_frame_equal(first, again, check_exact=True)


def test_keys_with_more_combinations_than_an_integer_holds_are_still_told_apart() -> None:
    n = 70_000
    many = np.array([f"{number:05}" for number in range(n)], dtype=object)
    frame = pd.DataFrame(dict.fromkeys(["item_id", "location_id", "channel", "region", "shipped_from"], many))
    frame = frame.assign(date="2024-01-01", units=1.0)
    frame = pd.concat([frame, frame.tail(1)]).sample(frac=1, random_state=0)
    checked = check_tables({"sales": frame}, ["sum-duplicates"], need_supply=False)
    sales = checked.tables["sales"]
    assert sales["item_id"].tolist() == many.tolist()
    assert sales["units"].tolist() == [1.0] * (n - 1) + [2.0]


def test_stock_adds_up_and_keeps_the_latest_count() -> None:
    inventory = pd.DataFrame(
        {"item_id": "A", "location_id": "X", "on_hand": [1, 2, 4], "counted_on": ["2024-01-02", None, "2024-01-01"]}
    )
    sales = pd.DataFrame({"item_id": ["A"], "location_id": "X", "date": "2024-01-01", "units": 1})
    raw = {"sales": sales, "inventory": inventory}
    found = check_tables(raw, ["sum-duplicates"], need_supply=False).tables["inventory"]
    assert found["on_hand"].tolist() == [7]
    assert found["counted_on"].tolist() == [pd.Timestamp("2024-01-02")]


def test_known_from_belongs_to_the_key_where_it_is_given() -> None:
    sales = pd.DataFrame({"item_id": ["A"], "location_id": "X", "date": "2024-01-01", "units": 1})
    prices = pd.DataFrame({"item_id": "A", "location_id": "*", "start_date": "2024-01-01", "price": [1, 2]})
    known = prices.assign(known_from=[None, "2024-01-05"])
    assert check_tables({"sales": sales, "prices": prices}, need_supply=False).refused
    tables = check_tables({"sales": sales, "prices": known}, need_supply=False).tables
    for day, price in (("2024-01-04", 1), ("2024-01-05", 2)):
        assert tables.known_on(np.datetime64(day))["prices"]["price"].tolist() == [price]
