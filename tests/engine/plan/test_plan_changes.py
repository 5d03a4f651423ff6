"""A plan beside the one before it: which lines changed, and why, with numbers worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from engine.plan.changes import Edition, plan_changes
from engine.plan.tables import column_kinds, empty_table, plan_table

MONDAY = np.datetime64("2025-10-27")
WEEK = np.timedelta64(7, "D")


def edition(as_of, lines, target=None, forecast=5.0, days=28):
    """Return a plan of item A at W: ``lines`` are (day after MONDAY, units), those of ``as_of`` being orders.

    ``target`` overrides columns of ``targets``: 40 on hand and on order for 14 days at 5 a day with 10 in reserve.
    """
    facts = {
        "source_id": "S", "abc": "A", "objective": "cycle_service", "target": 0.95, "protection_demand": 70.0,
        "safety_stock": 10.0, "position": 40.0, "next_available_date": as_of + 14,
    } | (target or {})  # fmt: skip
    blank = {"text": "", "date": as_of}
    row = {name: blank.get(kind, 0.0) for name, kind in plan_columns("targets")} | {
        "item_id": "A", "location_id": "W", **facts
    }  # fmt: skip
    orders = [(MONDAY + day, units) for day, units in lines if MONDAY + day == as_of]
    later = [(MONDAY + day, units) for day, units in lines if MONDAY + day > as_of]
    tables = {
        "orders": line_table("orders", orders),
        "transfers": empty_table("transfers"),
        "next_best": empty_table("next_best"),
        "planned": line_table("planned", later),
        "targets": plan_table("targets", {name: [value] for name, value in row.items()}),
        "forecast": plan_table(
            "forecast",
            {
                "item_id": ["A"] * days, "location_id": ["W"] * days, "date": as_of + np.arange(days),
                "mean": [forecast] * days,
            },
        ),
    }  # fmt: skip
    return Edition(as_of, 1, tables)


def plan_columns(table):
    return column_kinds(table).items()


def line_table(table, lines):
    blank = {"text": "", "date": MONDAY}
    rows = [
        {name: blank.get(kind, 0.0) for name, kind in plan_columns(table)}
        | {"line_id": f"L{date}", "item_id": "A", "source_id": "S", "location_id": "W", "units": units,
           "order_date": date, "available_date": date + 3}
        | ({"kind": "purchase"} if table == "planned" else {"reason_code": "order-target"})
        for date, units in lines
    ]  # fmt: skip
    return plan_table(table, {name: [row[name] for row in rows] for name, _ in plan_columns(table)})


def compared(older, newer):
    found = plan_changes(newer, older)
    measures = found["stability"].set_index("measure")["value"].to_dict()
    values = [json.loads(text) for text in found["changes"]["reason_values"]]
    return found["changes"], measures, values


OLDER = ((0, 30.0), (7, 36.0), (14, 36.0), (21, 36.0))


def test_a_plan_that_goes_as_expected_changes_nothing():
    # Position: 40 + 30 ordered - 35 sold = 35 a week later.
    changes, stability, _ = compared(edition(MONDAY, OLDER), edition(MONDAY + WEEK, OLDER[1:], {"position": 35.0}))
    assert changes.empty
    assert stability == {
        "lines": 3, "lines_kept": 1.0, "units_kept": 1.0, "new": 0, "gone": 0, "moved": 0, "resized": 0
    }  # fmt: skip


def test_lines_are_new_gone_moved_or_of_other_units_and_stability_counts_them():
    newer = edition(MONDAY + WEEK, ((7, 40.0), (15, 36.0), (16, 4.0), (28, 9.0)))
    changes, stability, _ = compared(edition(MONDAY, OLDER), newer)
    told = changes[["change", "units_before", "units", "order_date_before", "order_date"]].to_numpy().tolist()
    day = {n: pd.Timestamp(MONDAY + n) for n in (7, 14, 15, 16, 21)}
    # The day 28 lies beyond the older plan's forecast; 14 and 15 are each other's nearest, and so are 21 and 16.
    assert told == [
        ["units", 36.0, 40.0, day[7], day[7]],
        ["moved", 36.0, 36.0, day[14], day[15]],
        ["new", 0.0, 4.0, day[16], day[16]],
        ["gone", 36.0, 0.0, day[21], day[21]],
    ]
    assert (stability["lines"], stability["lines_kept"], stability["units_kept"]) == (3, 0.0, 0.0)
    assert [stability[name] for name in ("new", "gone", "moved", "resized")] == [1, 1, 1, 1]


def test_stability_weighs_the_lines_that_stand_by_their_units():
    newer = edition(MONDAY + WEEK, ((7, 36.0), (14, 36.0), (21, 12.0)))
    _, stability, _ = compared(edition(MONDAY, ((0, 30.0), (7, 36.0), (14, 36.0), (21, 8.0))), newer)
    assert stability["lines_kept"] == pytest.approx(2 / 3)
    assert stability["units_kept"] == pytest.approx(72 / 80)


@pytest.mark.parametrize(
    ("target", "forecast", "units", "code", "effect"),
    [
        ({"position": 20.0}, 5.0, 51.0, "changed-stock", {"stock": 15.0, "expected_position": 35.0}),
        ({"position": 35.0}, 6.0, 50.0, "changed-forecast", {"forecast": 14.0, "stock": 0.0}),
        ({"position": 35.0, "safety_stock": 18.0}, 5.0, 44.0, "changed-buffer", {"buffer": 8.0}),
        ({"position": 35.0, "safety_stock": 18.0, "target": 0.99}, 5.0, 44.0, "changed-target", {"buffer": 8.0}),
        ({"position": 35.0, "safety_stock": 2.0, "abc": "C"}, 5.0, 28.0, "changed-target", {"buffer": -8.0}),
        (
            {"position": 35.0, "next_available_date": MONDAY + 25, "protection_demand": 90.0},
            5.0, 56.0, "changed-dates", {"dates": 20.0},
        ),
        ({"position": 35.0}, 5.0, 40.0, "changed-lots", {"stock": 0.0, "forecast": 0.0}),
        # Less stock asks for more, so it is not why a line shrank; nor is that nothing has changed.
        ({"position": 20.0}, 5.0, 30.0, "changed-against", {"stock": 15.0}),
        ({"position": 35.0, "source_id": "T"}, 5.0, 40.0, "changed-source", {}),
        ({"position": 35.0, "location_id": "V"}, 5.0, 40.0, "changed-listing", {}),
    ],
)  # fmt: skip
def test_the_cause_is_the_largest_effect_that_points_the_way_of_the_change(target, forecast, units, code, effect):
    newer = edition(MONDAY + WEEK, ((7, units), *OLDER[2:]), target, forecast)
    changes, _, values = compared(edition(MONDAY, OLDER), newer)
    assert changes["reason_code"].tolist() == [code]
    assert {name: values[0][name] for name in effect} == pytest.approx(effect)


def test_a_limit_that_cuts_the_newer_line_is_told():
    newer = edition(MONDAY + WEEK, ((7, 20.0), *OLDER[2:]), {"position": 35.0})
    newer.tables["orders"]["reason_code"] = pd.array(["order-fair-share"], dtype="string[pyarrow]")
    changes, _, values = compared(edition(MONDAY, OLDER), newer)
    assert changes["reason_code"].tolist() == ["changed-limit"]
    assert values[0]["rule"] == "fair-share"


def left_out(line, limit):
    """Return ``next_best`` with the line of a day that a limit cut."""
    row = {name: {"text": "", "date": MONDAY}.get(kind, 1) for name, kind in plan_columns("next_best")}
    return plan_table("next_best", {name: [v] for name, v in (row | {"line_id": line, "limit": limit}).items()})


def test_a_line_that_a_limit_left_out_says_so_whether_it_is_gone_or_comes_later():
    day = MONDAY + WEEK
    for lines, change in ((OLDER[2:], "gone"), (((8, 36.0), *OLDER[2:]), "moved")):
        newer = edition(day, lines, {"position": 20.0})
        newer.tables["next_best"] = left_out(f"L{day}", "supplier-capacity")
        changes, _, values = compared(edition(MONDAY, OLDER), newer)
        assert changes[["change", "reason_code"]].to_numpy().tolist() == [[change, "changed-limit"]]
        assert values[0]["rule"] == "supplier-capacity"


def test_a_line_that_is_larger_although_a_limit_cuts_it_is_not_told_as_cut():
    day = MONDAY + WEEK
    newer = edition(day, ((7, 41.0), *OLDER[2:]), {"position": 20.0})
    newer.tables["orders"]["reason_code"] = pd.array(["order-budget"], dtype="string[pyarrow]")
    newer.tables["next_best"] = left_out(f"L{day}", "budget")
    changes, _, _ = compared(edition(MONDAY, OLDER), newer)
    assert changes["reason_code"].tolist() == ["changed-stock"]


def test_a_line_that_only_arrives_on_another_day_says_that():
    newer = edition(MONDAY + WEEK, OLDER[1:], {"position": 20.0})
    newer.tables["orders"]["available_date"] += pd.Timedelta(days=2)
    changes, _, _ = compared(edition(MONDAY, OLDER), newer)
    assert changes[["change", "reason_code"]].to_numpy().tolist() == [["moved", "changed-arrival"]]


def test_plans_without_lines_compare_to_nothing():
    changes, stability, _ = compared(edition(MONDAY, ()), edition(MONDAY + WEEK, ()))
    assert changes.empty
    assert stability["lines"] == 0
    assert np.isnan(stability["lines_kept"])
