"""Which overrides hold, what they name, and in which order they follow each other."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.execution import Run
from engine.forecast.overrides import with_overrides
from engine.tables import Tables
from tests.engine.forecast.override_worlds import (
    CATEGORY,
    CONFIG,
    KEYS,
    MONDAY,
    REGION,
    Made,
    days,
    overridden,
    panel_of,
    table,
    values_of,
)


def test_levels_follow_from_coarse_to_fine_whenever_they_were_made():
    rows = [
        {"operation": "add", "value": 4, "item_id": "a", "location_id": "x", "created_at": "2025-01-01", **days(0, 0)},
        {"operation": "multiply", "value": 0.5, "item_id": "a", "created_at": "2025-01-02", **days(0, 0)},
        {"operation": "multiply", "value": 3, "category": "tea", "created_at": "2025-01-03", **days(0, 0)},
        {"operation": "set", "value": 240, "item_id": "*", "created_at": "2025-01-04", **days(0, 0)},
    ]
    units, notes = overridden(rows)
    # All six series to 40; tea to 120; item a to 60; a at x to 64.
    assert {key: float(paths[0, 0]) for key, paths in units.items()} == {
        ("a", "x"): 64, ("a", "y"): 60, ("b", "x"): 120, ("b", "y"): 120, ("c", "x"): 40, ("c", "y"): 40,
    }  # fmt: skip
    told = {one["override_id"]: (one["before"], one["after"]) for one in values_of(notes, "override-applied")}
    assert told == {"o3": (60, 240), "o2": (160, 480), "o1": (240, 120), "o0": (60, 64)}


def test_the_latest_wins_on_a_level_day_by_day():
    rows = [
        {"operation": "multiply", "value": 2, "category": "tea", "created_at": "2025-02-02", **days(0, 3)},
        {"operation": "multiply", "value": 5, "region": "north", "created_at": "2025-02-01", **days(2, 5)},
        {"operation": "multiply", "value": 7, "category": "pots", "region": "south", **days(0, 0)},
    ]
    units, notes = overridden(rows)
    np.testing.assert_array_equal(units["a", "x"][0, :7], [20, 20, 20, 20, 50, 50, 10])
    np.testing.assert_array_equal(units["a", "y"][0, :7], [20, 20, 20, 20, 10, 10, 10])
    np.testing.assert_array_equal(units["c", "x"][0, :7], [10, 10, 50, 50, 50, 50, 10])
    np.testing.assert_array_equal(units["c", "y"][0, :7], [70, 10, 10, 10, 10, 10, 10])
    overtaken = {one["override_id"]: one["overtaken"] for one in values_of(notes, "override-applied")}
    # Of 3 series on 4 days, tea at x (two series) loses 2 days each.
    assert overtaken == {"o0": 0, "o1": pytest.approx(4 / 12, abs=1e-3), "o2": 0}


def test_ties_go_to_the_last_id_and_a_row_without_a_date_loses():
    same = {"operation": "multiply", "item_id": "a"}
    rows = [
        {**same, "value": 2, "override_id": "k", "created_at": "2025-02-01"},
        {**same, "value": 3, "override_id": "m", "created_at": "2025-02-01"},
        {**same, "value": 5, "override_id": "z", "created_at": None},
    ]
    for order in (rows, rows[::-1]):
        units, notes = overridden(order)
        np.testing.assert_array_equal(units["a", "x"], 30)
        assert {one["override_id"] for one in values_of(notes, "override-overtaken")} == {"k", "z"}


@pytest.mark.parametrize(("expires", "holds"), [("2025-03-03", False), ("2025-03-04", True), (None, True)])
def test_an_override_holds_in_plans_before_the_day_it_expires(expires, holds):
    units, notes = overridden([{"operation": "multiply", "value": 2, "expires_on": expires}])
    np.testing.assert_array_equal(units["a", "x"], 20 if holds else 10)
    assert values_of(notes, "override-expired") == ([] if holds else [{"count": 1, "first": "o0"}])


def test_only_what_was_known_on_the_day_holds_and_of_that_the_latest():
    rows = [
        {"override_id": "p", "operation": "multiply", "value": 2, "known_from": "2025-02-01"},
        {"override_id": "p", "operation": "multiply", "value": 3, "known_from": "2025-03-03"},
        {"override_id": "p", "operation": "multiply", "value": 5, "known_from": "2025-03-04"},
    ]
    units, notes = overridden(rows)
    np.testing.assert_array_equal(units["a", "x"], 30)
    assert len(notes) == 1


def test_days_outside_the_forecast_take_their_share_of_a_total_with_them():
    # 4 of the 8 days are before the plan: half of 160 is meant for the 4 days of 10 in it.
    row = {"item_id": "a", "location_id": "x", **days(-4, 3)}
    units, notes = overridden([{"operation": "set", "value": 160, **row}])
    np.testing.assert_array_equal(units["a", "x"][0, :5], [20, 20, 20, 20, 10])
    assert values_of(notes, "override-applied")[0]["outside"] == 0.5
    units, _ = overridden([{"operation": "multiply", "value": 2, **row}])
    np.testing.assert_array_equal(units["a", "x"][0, :5], [20, 20, 20, 20, 10])


@pytest.mark.parametrize("span", [days(-9, -1), days(14, 20)])
def test_an_override_for_other_days_is_counted_and_leaves_the_model_untouched(span):
    fitted, panel = Made(), panel_of()
    changed, notes = with_overrides(fitted, panel, table({"value": 5, **span}), CONFIG, Run())
    assert changed is fitted
    assert [(note.code, dict(note.values)) for note in notes] == [
        ("override-outside-forecast", {"count": 1, "first": "o0"})
    ]


def test_without_overrides_of_forecasts_the_model_is_passed_through():
    fitted, panel = Made(), panel_of()
    orders = table({"kind": "order", "value": 5, **days(0, 3)}, {"kind": "target", "value": 5, **days(0, 3)})
    for tables in (Tables.of({}), orders):
        changed, notes = with_overrides(fitted, panel, tables, CONFIG, Run())
        assert changed is fitted
        assert notes == ()


def test_an_item_counts_before_its_category_and_a_location_before_its_region():
    row = {
        "operation": "multiply",
        "value": 2,
        "item_id": "a",
        "category": "pots",
        "location_id": "x",
        "region": "south",
    }
    units, notes = overridden([row])
    assert [key for key in KEYS if units[key][0, 0] == 20] == [("a", "x")]
    (told,) = values_of(notes, "override-applied")
    assert [told[name] for name in ("item_id", "category", "location_id", "region")] == ["a", None, "x", None]


def test_a_star_names_everything_and_leaves_room_for_category_and_region():
    row = {
        "operation": "multiply",
        "value": 2,
        "item_id": "*",
        "category": "tea",
        "location_id": "*",
        "region": "south",
    }
    units, _ = overridden([row])
    assert [key for key in KEYS if units[key][0, 0] == 20] == [("a", "y"), ("b", "y")]


def test_what_cannot_be_applied_is_listed_each_with_its_reason():
    rows = [
        {"operation": "multiply", "value": -1.0},
        {"operation": "set", "value": -2.0, **days(0, 1)},
        {"operation": "add", "value": np.inf, **days(0, 1)},
        {"operation": "set", "value": 9.0, "start_date": str(MONDAY)},
        {"operation": "multiply", "value": 2.0, "item_id": "unheard-of"},
    ]
    units, notes = overridden(rows)
    assert all((paths == 10).all() for paths in units.values())
    assert [(note.code, note.values["override_id"]) for note in notes] == [
        ("override-value-refused", "o0"),
        ("override-value-refused", "o1"),
        ("override-value-refused", "o2"),
        ("override-without-dates", "o3"),
        ("override-without-series", "o4"),
    ]
    assert all(note.values_json() for note in notes)


def test_the_note_keeps_author_and_reason():
    row = {"operation": "multiply", "value": 2, "author": "Ann", "reason": "radio campaign", "item_id": "a"}
    (told,) = values_of(overridden([row])[1], "override-applied")
    assert (told["author"], told["reason"], told["operation"], told["value"]) == (
        "Ann",
        "radio campaign",
        "multiply",
        2,
    )
    assert (told["first_day"], told["last_day"]) == ("2025-03-03", "2025-03-16")
    (told,) = values_of(overridden([{"operation": "multiply", "value": 2}])[1], "override-applied")
    assert (told["author"], told["reason"]) == (None, None)


def by_hand(rows, level_of_day, horizon_days):
    """Units by (item, place, day): every rule of an override worked through one day of one series at a time."""
    units = {(*key, day): level_of_day[key] for key in KEYS for day in range(horizon_days)}

    def level(row):
        if row.get("item_id"):
            return 3 if row.get("location_id") else 2
        return 1 if any(row.get(name) for name in ("category", "location_id", "region")) else 0

    def covers(row, item, place):
        named = row["item_id"] == item if row.get("item_id") else row.get("category") in (None, CATEGORY[item])
        there = row["location_id"] == place if row.get("location_id") else row.get("region") in (None, REGION[place])
        return named and there

    for step in range(4):
        before = dict(units)
        for row in sorted((r for r in rows if level(r) == step), key=lambda r: r["created_at"]):
            cells = [
                cell for cell in before if covers(row, cell[0], cell[1]) and row["first"] <= cell[2] <= row["last"]
            ]
            total, value = sum(before[cell] for cell in cells), row["value"]
            own, inside = row["last"] - row["first"] + 1, len({day for _, _, day in cells})
            if row["operation"] != "multiply":
                value *= inside / own
            goal = {"multiply": total * value, "set": value, "add": max(0.0, total + value)}[row["operation"]]
            for cell in cells:
                units[cell] = before[cell] * goal / total if total else goal / len(cells)
    return units


def row_of(operation, value, first, length, scope, made):
    """A row of `overrides`, with its days counted from the Monday of the plan for `by_hand`."""
    value = value if operation == "add" else abs(value)
    return {"operation": operation, "value": value, "first": first, "last": first + length, "created_at": made, **scope}


SCOPES = st.fixed_dictionaries(
    {
        "item_id": st.sampled_from([None, None, "a", "c"]),
        "category": st.sampled_from([None, "tea", "pots"]),
        "location_id": st.sampled_from([None, None, "x", "y"]),
        "region": st.sampled_from([None, "north", "south"]),
    }
)
ROWS = st.lists(
    st.builds(
        row_of,
        operation=st.sampled_from(["set", "add", "multiply"]),
        value=st.sampled_from([0.0, 0.5, 2.0, 40.0, -9.0]),
        first=st.integers(-3, 20),
        length=st.integers(0, 20),
        scope=SCOPES,
        made=st.dates(date(2025, 1, 1), date(2025, 3, 31)).map(str),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda row: row["created_at"],
)


@settings(deadline=None, max_examples=40)
@given(ROWS, st.sampled_from(["D", "W"]), st.sampled_from([0.0, 1.0]))
def test_any_overrides_give_what_working_them_through_day_by_day_gives(rows, bucket, height):
    level = {key: height * number for number, key in enumerate(KEYS)}
    wanted = by_hand(rows, level, 21)
    size, n = (1, 21) if bucket == "D" else (7, 3)
    # Divisible, so that nothing is rounded.
    panel, fitted = panel_of(bucket, n, divisible=True), Made({key: value * size for key, value in level.items()})
    data = [
        {name: value for name, value in row.items() if name not in ("first", "last")} | days(row["first"], row["last"])
        for row in rows
    ]
    units, _ = overridden(data, fitted, panel)
    for key in KEYS:
        by_day = np.array([wanted[(*key, day)] for day in range(21)]).reshape(n, size)
        np.testing.assert_allclose(units[key][0], by_day.sum(axis=1), rtol=1e-5, atol=1e-5)
