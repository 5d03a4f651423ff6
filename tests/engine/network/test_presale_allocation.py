"""What a presale ships from: small cases by hand, and nothing placed twice."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import PlanConfig
from engine.demand.build import choose_calendar, demand_keys
from engine.demand.calendar import Calendar
from engine.forecast.streams import Streams
from engine.network.build import build_network
from engine.network.decision import UNCOUPLED, Decision
from engine.network.params import PresaleParams
from engine.network.parts import network_parts
from engine.network.presale import presale_demand
from engine.network.presale_allocation import REASON_CODES, presale_allocations
from engine.network.presale_paths import presale_paths
from engine.plan.lines import option_line_ids
from engine.policy.types import Scenarios
from engine.tables import Tables
from experiments.demo_world.world import build

AS_OF = "2025-10-27"  # a Monday
SHIPS, SHIPS_BY = "2025-11-11", "2025-11-18"  # bucket 15
CALENDAR = Calendar("D", np.datetime64(AS_OF), 30, 1)
CONFIG = PlanConfig(presale=PresaleParams(cancellation_share=0.0))


def table(columns, *rows):
    names = columns.split()
    frame = pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows], columns=names)
    dates = {"date", "closes_on", "ship_from", "ship_by", "ordered_on", "due_date"} & set(names)
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in dates})


def world(orders, stock, inbound=(), lead_time_days=3.0, presales=(("D11", SHIPS, SHIPS_BY),)):
    """Return tables of shoes sold in CITY and TOWN, which can send each other pairs in two days.

    ``orders`` are (presale, region, units), ``stock`` units by site, ``inbound`` (site, units, due date).
    """
    return Tables.of(
        {
            "sales": table(
                "item_id location_id date units price",
                *(("SHOE", site, "2025-10-20", 5.0, 12.0) for site in ("CITY", "TOWN")),
            ),
            "supply": table(
                "item_id source_id location_id lead_time_days review_period_days unit_cost",
                ("*", "S", "*", lead_time_days, 28, 4.0),
            ),
            "lanes": table(
                "origin_id dest_id item_id lead_time_days trip_cost role",
                ("TOWN", "CITY", "*", 2.0, 50.0, "lateral"),
            ),
            "inventory": table(
                "item_id location_id on_hand", *(("SHOE", site, units) for site, units in stock.items())
            ),
            "open_orders": table(
                "order_id item_id location_id units due_date",
                *((f"PO{number}", "SHOE", *row) for number, row in enumerate(inbound)),
            ),
            "service_regions": table("region location_id rank", ("city", "CITY", 1.0), ("town", "TOWN", 1.0)),
            "presale_events": table(
                "presale_id closes_on ship_from ship_by", *((name, AS_OF, *days) for name, *days in presales)
            ),
            "presales": table(
                "presale_id line_id item_id units ordered_on status region",
                *(
                    (name, f"L{number}", "SHOE", float(units), "2025-10-21", "deposit", region)
                    for number, (name, region, units) in enumerate(orders)
                ),
            ),
        }
    )


def allocate(tables, ordinary=None, units=None):
    """Return the table, the network and the line ids; ``ordinary`` by site and bucket, ``units`` by source and site."""
    network = build_network(tables, CONFIG, CALENDAR, demand_keys(tables, CALENDAR))
    presale = presale_demand(tables, network, CONFIG, Streams(0))
    cells, options = network.cells, network.options
    paths = np.zeros((cells.n_cells, 2, network.horizon), dtype=np.float32)
    for (site, bucket), demand in (ordinary or {}).items():
        paths[cells.location_id == site, :, bucket] += demand
    presales = presale_paths(presale, 2, network.horizon)
    paths[presales.cell] += presales.units
    ways = list(zip(options.source_id, cells.location_id[options.cell], strict=True))
    decided = np.array([(units or {}).get(way, 0.0) for way in ways])
    lines = dict(zip(ways, option_line_ids("test", cells, options), strict=True))
    decision = decision_of(network, decided, paths, presales)
    return presale_allocations(presale, network, decision, "test"), network, lines


def decision_of(network, units, paths, presales):
    none = np.full((network.options.n_options, paths.shape[1]), network.horizon, dtype=np.int32)
    rule = np.full(len(units), "no-need", dtype=object)
    service = np.full(network.cells.n_cells, np.nan)
    scenarios = Scenarios(paths, none, none)
    return Decision(
        units, rule, np.zeros(len(units)), service, service, scenarios, UNCOUPLED, scenarios, scenarios, presales
    )


def rows(found, columns="supply_kind units promised_date"):
    """Return the chosen columns row by row, dates as text."""
    chosen = found[columns.split()].copy()
    if "promised_date" in chosen:
        chosen["promised_date"] = chosen["promised_date"].dt.strftime("%m-%d")
    return [tuple(row) for row in chosen.itertuples(index=False)]


def test_a_city_short_before_a_festival_and_a_neighbour_two_thousand_pairs_rich():
    # The city has 800 pairs, sells 10 a day until the festival and has 1,500 pairs ordered: 650 pairs are left for
    # them on 11 November, 100 more land by then, 600 come from the neighbour, 150 are not there yet.
    tables = world(
        [("D11", "city", 1500), ("D11", "town", 100)], {"CITY": 800, "TOWN": 2000}, [("CITY", 100, "2025-11-10")]
    )
    ordinary = {("CITY", day): 10.0 for day in range(30)}
    found, _, lines = allocate(tables, ordinary, {("TOWN", "CITY"): 600.0})
    city, town = found[found["location_id"] == "CITY"], found[found["location_id"] == "TOWN"]
    # The next order to the city, four weeks after today's, arrives on 27 November.
    assert rows(city) == [
        ("stock", 650.0, "11-11"),
        ("inbound", 100.0, "11-11"),
        ("transfer", 600.0, "11-11"),
        ("short", 150.0, "11-27"),
    ]
    assert rows(town) == [("stock", 100.0, "11-11")]
    assert city["line_id"].tolist() == ["", "", lines["TOWN", "CITY"], ""]
    assert city["reason_code"].tolist() == [
        "presale-from-stock",
        "presale-from-inbound",
        "presale-from-transfer",
        "presale-short",
    ]
    assert json.loads(city["reason_values"].iloc[3]) == {
        "committed": 1500.0, "expected_cancellations": 0.0, "still_to_come": 0.0, "needed": 1500.0, "short": 150.0,
        "units": 150.0, "supply": "short", "ships": "2025-11-11", "ships_by": "2025-11-18", "promised": "2025-11-27",
    }  # fmt: skip


def test_a_presale_goes_before_all_other_demand_of_its_day():
    ordinary = {("CITY", 14): 30.0, ("CITY", 15): 1000.0, ("CITY", 16): 1000.0}
    found, _, _ = allocate(world([("D11", "city", 70)], {"CITY": 100, "TOWN": 0}), ordinary)
    assert rows(found) == [("stock", 70.0, "11-11")]


def test_orders_come_after_transfers_and_stock_that_ordinary_demand_uses_up():
    ordinary = {("CITY", 1): 500.0}  # finds 100 units; the others are not carried on
    found, _, lines = allocate(
        world([("D11", "city", 70)], {"CITY": 100, "TOWN": 0}), ordinary, {("TOWN", "CITY"): 20.0, ("S", "CITY"): 100.0}
    )
    assert rows(found, "supply_kind units line_id") == [
        ("transfer", 20.0, lines["TOWN", "CITY"]),
        ("order", 50.0, lines["S", "CITY"]),
    ]


def test_what_arrives_after_shipping_begins_is_promised_for_its_arrival():
    slow = world([("D11", "city", 70)], {"CITY": 10, "TOWN": 0}, [("CITY", 15, "2025-11-14")], lead_time_days=20.0)
    found, _, _ = allocate(slow, {("CITY", 15): 40.0}, {("S", "CITY"): 30.0})
    assert rows(found, "supply_kind units promised_date reason_code") == [
        ("stock", 10.0, "11-11", "presale-from-stock"),
        ("inbound", 15.0, "11-14", "presale-from-inbound"),  # before shipping ends
        ("order", 30.0, "11-16", "presale-from-order"),
        ("short", 15.0, "12-14", "presale-short"),
    ]
    slower = world([("D11", "city", 70)], {"CITY": 70, "TOWN": 0}, lead_time_days=25.0)
    found, _, _ = allocate(slower, {("CITY", 3): 40.0}, {("S", "CITY"): 30.0})
    assert rows(found, "supply_kind units promised_date reason_code") == [
        ("stock", 30.0, "11-11", "presale-from-stock"),
        ("order", 30.0, "11-21", "presale-after-ship-by"),
        ("short", 10.0, "12-19", "presale-short"),
    ]


def test_what_a_later_order_can_still_bring_is_not_covered_yet():
    tables = world([("D12", "city", 70)], {"CITY": 10, "TOWN": 0}, presales=[("D12", "2025-11-26", "2025-11-30")])
    found, _, _ = allocate(tables)
    assert rows(found, "supply_kind units promised_date reason_code") == [
        ("stock", 10.0, "11-26", "presale-from-stock"),
        ("short", 60.0, "11-27", "presale-not-covered-yet"),
    ]


def test_the_earlier_presale_is_served_first():
    presales = [("LATE", "2025-11-12", "2025-11-12"), ("SOON", "2025-11-11", "2025-11-11")]
    tables = world([("LATE", "city", 60), ("SOON", "city", 60)], {"CITY": 100, "TOWN": 0}, presales=presales)
    found, _, _ = allocate(tables)
    assert rows(found, "presale_id supply_kind units") == [
        ("LATE", "stock", 40.0),
        ("LATE", "short", 20.0),
        ("SOON", "stock", 60.0),
    ]


def test_stock_sent_away_before_shipping_is_not_there():
    found, _, _ = allocate(world([("D11", "town", 90)], {"CITY": 0, "TOWN": 100}), {("TOWN", 0): 40.0})
    assert rows(found)[0] == ("stock", 60.0, "11-11")


def test_nothing_without_presales_and_beyond_the_horizon():
    found, _, _ = allocate(world([], {"CITY": 10, "TOWN": 10}))
    assert found.empty
    far = world([("D11", "city", 5)], {"CITY": 10, "TOWN": 10}, presales=[("D11", "2026-06-01", None)])
    assert allocate(far)[0].empty


@settings(max_examples=20, deadline=None)
@given(
    orders=st.lists(
        st.tuples(st.sampled_from(["SOON", "LATE"]), st.sampled_from(["city", "town"]), st.integers(1, 60)), max_size=5
    ),
    stock=st.tuples(st.integers(0, 100), st.integers(0, 100)),
    inbound=st.lists(st.tuples(st.sampled_from(["CITY", "TOWN"]), st.integers(1, 50), st.integers(0, 20)), max_size=3),
    ordinary=st.lists(
        st.tuples(st.sampled_from(["CITY", "TOWN"]), st.integers(0, 25), st.floats(0.0, 30.0)), max_size=8
    ),
    bought=st.integers(0, 60),
)
def test_needs_are_met_once_and_no_unit_is_placed_twice(orders, stock, inbound, ordinary, bought):
    day = np.datetime64(AS_OF)
    presales = [("SOON", "2025-11-03", "2025-11-05"), ("LATE", SHIPS, SHIPS_BY)]
    due = [(site, float(units), str(day + after)) for site, units, after in inbound]
    tables = world(orders, dict(zip(("CITY", "TOWN"), stock, strict=True)), due, presales=presales)
    demand: dict[tuple[str, int], float] = {}
    for site, bucket, units in ordinary:
        demand[site, bucket] = demand.get((site, bucket), 0.0) + units
    found, _, lines = allocate(tables, demand, {("S", "CITY"): float(bought), ("TOWN", "CITY"): 7.0})

    regions = {"city": "CITY", "town": "TOWN"}
    for (name, region), group in pd.DataFrame(orders, columns=["name", "region", "units"]).groupby(["name", "region"]):
        here = found[(found["presale_id"] == name) & (found["region"] == region)]
        assert here["units"].sum() == group["units"].sum()
        assert set(here["location_id"]) == {regions[region]}
    assert (found["units"] > 0).all()
    assert (found["units"] == found["units"].round()).all()
    assert set(found["reason_code"]) <= set(REASON_CODES)
    placed = found.groupby(["location_id", "supply_kind"])["units"].sum()
    for site, held in zip(("CITY", "TOWN"), stock, strict=True):
        assert placed.get((site, "stock"), 0.0) <= held
        assert placed.get((site, "inbound"), 0.0) <= sum(units for place, units, _ in inbound if place == site)
    by_line = found.groupby("line_id")["units"].sum()
    assert by_line.get(lines["S", "CITY"], 0.0) <= bought
    assert by_line.get(lines["TOWN", "CITY"], 0.0) <= 7.0
    assert set(by_line.index) <= {"", *lines.values()}
    ships = found["presale_id"].map({name: pd.Timestamp(start) for name, start, _ in presales})
    assert (found["promised_date"] >= ships).all()


@pytest.fixture(scope="module")
def demo():
    tables = Tables.of(build().tables)
    calendar, _ = choose_calendar(tables, PlanConfig().time, None)
    network = build_network(tables, PlanConfig(), calendar, demand_keys(tables, calendar))
    return tables, network, presale_demand(tables, network, PlanConfig(), Streams(0))


def demo_table(network, presale, n_paths=50):
    paths = np.zeros((network.cells.n_cells, n_paths, network.horizon), dtype=np.float32)
    presales = presale_paths(presale, n_paths, network.horizon)
    paths[presales.cell] += presales.units
    ordered = np.where(network.options.primary, 40.0, 0.0)
    return presale_allocations(presale, network, decision_of(network, ordered, paths, presales), "test")


@pytest.mark.slow
def test_the_demo_worlds_deposits_are_all_found_in_the_table(demo):
    tables, network, presale = demo
    found = demo_table(network, presale)
    deposits = (
        tables["presales"].query("status == 'deposit'").groupby(["presale_id", "item_id", "region"])["units"].sum()
    )
    values = found["reason_values"].map(json.loads)
    told = found.assign(committed=values.str["committed"], needed=values.str["needed"])
    told = told.groupby(["presale_id", "item_id", "region"]).agg(
        committed=("committed", "first"), needed=("needed", "first"), units=("units", "sum")
    )
    assert told["committed"].sort_index().to_dict() == deposits.sort_index().to_dict()
    assert (told["units"] == told["needed"]).all()
    assert (told["needed"] > told["committed"]).sum() > len(told) / 2  # two weeks before closing about half is in
    assert {"stock", "transfer"} <= set(found["supply_kind"])
    assert set(found["promised_date"].dt.date.astype(str)) >= {"2025-11-11"}


@pytest.mark.slow
def test_parts_of_the_demo_world_give_the_same_rows(demo):
    _, network, presale = demo
    whole = demo_table(network, presale)
    parts = network_parts(network, n_cells=40)
    pieces = [demo_table(part.network, pickle.loads(pickle.dumps(presale.take(part.cell_rows)))) for part in parts]
    joined = pd.concat([piece for piece in pieces if len(piece)]).sort_values(
        ["presale_id", "item_id", "region", "location_id"], kind="stable", ignore_index=True
    )
    pd.testing.assert_frame_equal(whole, joined)
