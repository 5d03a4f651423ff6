"""Links between places: circles and coverage, against brute force."""

from __future__ import annotations

from itertools import pairwise, permutations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.tables.check import Checked, check_tables

SITES = ("P", "Q", "R", "S")
edges = st.lists(
    st.tuples(
        st.sampled_from(SITES), st.sampled_from(SITES), st.sampled_from(["*", "a", "b"]),
        st.sampled_from(["replenish", "replenish", "lateral"]),
    ).filter(lambda edge: edge[0] != edge[1]),
    max_size=7, unique_by=lambda edge: edge[:3],
)  # fmt: skip


def sales(pairs: list[tuple[str, str]], date: str = "2024-01-01") -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["item_id", "location_id"]).assign(date=date, units="1")


def codes(checked: Checked) -> set[str]:
    return {breach.code for breach in checked.breaches}


def runs_in_a_circle(links: set[tuple[str, str]]) -> bool:
    """Try every round trip."""
    trips = [trip for n in range(2, 5) for trip in permutations(SITES, n)]
    return any(all(step in links for step in zip(trip, trip[1:] + trip[:1], strict=True)) for trip in trips)


@settings(max_examples=60, deadline=None)
@given(edges, st.lists(st.sampled_from(SITES[1:]), max_size=1))
def test_circles_are_found_if_and_only_if_some_item_can_run_round(
    lanes: list[tuple[str, str, str, str]], fed: list[str]
) -> None:
    raw = {
        "sales": sales([("a", "P")]),
        "lanes": pd.DataFrame(lanes, columns=["origin_id", "dest_id", "item_id", "role"], dtype=object),
        "item_locations": pd.DataFrame({"item_id": ["a"] * len(fed), "location_id": fed, "replenished_from": "P"}),
    }
    expected = any(
        runs_in_a_circle(
            {lane[:2] for lane in lanes if lane[3] == "replenish" and lane[2] in ("*", item)}
            | ({("P", place) for place in fed} if item == "a" else set())
        )
        for item in ("a", "b")
    )
    checked = check_tables(raw, need_supply=False)
    assert ("circular" in codes(checked)) == expected
    for breach in checked.breaches:
        if breach.code == "circular":
            circle = str(breach.values["circle"]).split(" → ")
            links = {lane[:2] for lane in lanes} | {("P", place) for place in fed}
            assert circle[0] == circle[-1]
            assert all(step in links for step in pairwise(circle))


ids = st.sampled_from(["a", "b", "c"])
places = st.sampled_from(["X", "Y"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(ids, places), min_size=1, max_size=5, unique=True),
    st.lists(st.tuples(ids | st.just("*"), places | st.just("*")), min_size=1, max_size=3, unique=True),
    st.lists(st.tuples(ids | st.just("*"), places), max_size=2, unique=True),
)
def test_pairs_without_a_link_are_exactly_those_that_no_row_covers(
    pairs: list[tuple[str, str]], supply: list[tuple[str, str]], lanes: list[tuple[str, str]]
) -> None:
    raw = {
        "sales": sales(pairs),
        "supply": pd.DataFrame(supply, columns=["item_id", "location_id"]).assign(source_id="s", lead_time_days=3),
        "lanes": pd.DataFrame(lanes, columns=["item_id", "dest_id"]).assign(origin_id="Z", lead_time_days="1"),
    }
    covered = {
        (item, place)
        for item, place in pairs
        for link_item, link_place in (*supply, *lanes)
        if link_item in ("*", item) and link_place in ("*", place)
    }
    checked = check_tables(raw)
    found = [breach for breach in checked.breaches if breach.code == "no-link"]
    assert sum(breach.count for breach in found) == len(set(pairs) - covered)
    assert not codes(check_tables(raw, default_link=True)) & {"no-link"}
    if found and 2 * found[0].count <= len(pairs):
        aside = check_tables(raw, ["set-aside"])
        assert set(
            zip(aside.quarantine["sales"]["item_id"], aside.quarantine["sales"]["location_id"], strict=True)
        ) == (set(pairs) - covered)


def test_what_no_longer_sells_or_is_not_bought_needs_no_link() -> None:
    old = sales([("old", "X")], "2023-01-01")
    raw = {
        "sales": pd.concat([old, sales([(item, "X") for item in ("a", "ended", "bundle", "left", "bad")])]),
        "supply": pd.DataFrame({"item_id": ["a"], "source_id": "s", "location_id": "*", "lead_time_days": 3}),
        "items": pd.DataFrame({"item_id": ["old", "a", "ended", "bundle", "left", "bad"],
                               "end_date": [None, None, "2023-12-31", None, None, None]}),
        "bom": pd.DataFrame({"parent_item_id": ["bundle"], "component_item_id": "a"}),
        "item_locations": pd.DataFrame({"item_id": ["left"], "location_id": "X", "active": "no"}),
    }  # fmt: skip
    (breach,) = (breach for breach in check_tables(raw).breaches if breach.code == "no-link")
    assert [place["item_id"] for place in breach.places] == ["bad"]
