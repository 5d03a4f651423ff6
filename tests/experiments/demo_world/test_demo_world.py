"""Tests of the demo world: its tables agree with each other to the unit, and with what is true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.errors import ConfigError
from engine.simulation import Lines, no_lines
from engine.tables.check import check_tables
from experiments.demo_world import DEFAULT_AS_OF, DemoWorld, advance, build, tables_at
from experiments.demo_world.assortment import BUNDLE, CENTRAL, NEVER, SITES
from experiments.demo_world.scene import at_cells, exploded

KEYS = ["item_id", "location_id"]
AS_OF = pd.Timestamp(DEFAULT_AS_OF)
EARLY = "2024-12-16"


@pytest.fixture(scope="module")
def world() -> DemoWorld:
    return build()


@pytest.fixture(scope="module")
def early() -> DemoWorld:
    return build(as_of=EARLY)


def cube(world: DemoWorld, frame: pd.DataFrame, date: str, units: str) -> np.ndarray:
    """Return summed units by cell and day of the past, shape (n_cells, n_days)."""
    cells = pd.MultiIndex.from_arrays([world.scene.cells.item_id, world.scene.cells.location_id])
    row = cells.get_indexer(pd.MultiIndex.from_frame(frame[KEYS].astype(object)))
    assert (row >= 0).all()
    day = (frame[date] - pd.Timestamp(world.scene.start)).dt.days.to_numpy()
    total = np.zeros((len(cells), world.ledger.state.bucket))
    np.add.at(total, (row, day), frame[units].to_numpy(float))
    return total


def sold_by_component(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return online sales with bundles replaced by their components."""
    online = tables["sales"][tables["sales"]["channel"] == "online"]
    bundles = online[online["item_id"] == BUNDLE]
    parts = [bundles.assign(item_id=item) for item in tables["bom"]["component_item_id"]]
    return pd.concat([online[online["item_id"] != BUNDLE], *parts])


def test_the_tables_keep_the_contract(world: DemoWorld):
    checked = check_tables(dict(world.tables))
    assert list(checked.breaches) == []


def test_stock_is_what_came_less_what_went(world: DemoWorld):
    tables = world.tables
    closing = cube(world, tables["stock_history"], "date", "closing_on_hand")
    came = cube(world, tables["receipts"], "received_on", "units")
    sold = cube(world, sold_by_component(dict(tables)), "date", "units")
    shipped = tables["presales"][tables["presales"]["status"] == "shipped"]
    ships = shipped["presale_id"].map(tables["presale_events"].set_index("presale_id")["ship_from"])
    place = shipped["region"].map(lambda region: f"WH-{region.upper()}")
    presold = cube(world, shipped.assign(location_id=place, ships=ships), "ships", "units")
    moved = pd.concat([tables["receipts"], tables["open_orders"]])
    moved = moved[moved["source_id"] == CENTRAL].assign(location_id=CENTRAL)
    sent = cube(world, moved, "ordered_on", "units")
    change = np.diff(closing, axis=1)
    assert np.array_equal(change, (came - sold - presold - sent)[:, 1:])


def test_inventory_is_the_last_closing_stock(world: DemoWorld):
    history = world.tables["stock_history"]
    last = history[history["date"] == AS_OF - pd.Timedelta(days=1)].set_index(KEYS)["closing_on_hand"]
    now = world.tables["inventory"].set_index(KEYS)["on_hand"]
    assert np.array_equal(last.reindex(now.index), now)


def test_sales_are_demand_where_there_was_stock_and_less_where_not(world: DemoWorld):
    scene, n_days = world.scene, world.ledger.state.bucket
    demand = at_cells(exploded(scene.demand.own, scene.demand.bundle, scene.items))[:, :n_days]
    sold = cube(world, sold_by_component(dict(world.tables)), "date", "units")
    assert (sold <= demand).all()
    online = world.tables["sales"][world.tables["sales"]["channel"] == "online"]
    online = online[online["item_id"] != BUNDLE].assign(missing=lambda rows: 1.0 - rows["in_stock"])
    missing = cube(world, online, "date", "missing")
    assert np.array_equal(sold[missing == 0], demand[missing == 0])
    assert (sold[missing == 1] == 0).all()
    assert demand[missing > 0].sum() > sold[missing > 0].sum()


def test_stock_outs_censor_some_sales_but_not_most(world: DemoWorld):
    closing = cube(world, world.tables["stock_history"], "date", "closing_on_hand")
    scene = world.scene
    sells = scene.cells.location_id != CENTRAL
    on_sale = np.arange(closing.shape[1]) >= np.repeat(scene.items.launch, len(SITES))[:, None]
    share = (closing == 0)[sells][on_sale[sells]].mean()
    assert 0.03 < share < 0.09


def test_one_flag_an_item_place_and_day(world: DemoWorld):
    flags = world.tables["sales"].groupby([*KEYS, "date"], observed=True)["in_stock"].nunique()
    assert flags.max() == 1


def test_nothing_of_the_future_is_told(world: DemoWorld):
    tables = world.tables
    for name, column in (
        ("sales", "date"), ("stock_history", "date"), ("receipts", "received_on"), ("receipts", "ordered_on"),
        ("open_orders", "ordered_on"), ("presales", "ordered_on"),
    ):  # fmt: skip
        assert tables[name][column].max() < AS_OF, name
    for name in ("promotions", "prices"):
        assert tables[name]["known_from"].max() <= AS_OF, name
        assert tables[name]["start_date"].max() > AS_OF, name
    assert tables["open_orders"]["due_date"].min() > AS_OF - pd.Timedelta(days=20)


def test_an_earlier_date_sees_less_of_the_same_world(world: DemoWorld, early: DemoWorld):
    cut = pd.Timestamp(EARLY)
    for name, column in (("sales", "date"), ("stock_history", "date"), ("receipts", "received_on")):
        later = world.tables[name]
        pd.testing.assert_frame_equal(
            later[later[column] < cut].reset_index(drop=True), early.tables[name].reset_index(drop=True)
        )
    for name in ("promotions", "prices"):
        later = world.tables[name]
        known = later[later["known_from"] <= cut].reset_index(drop=True)
        pd.testing.assert_frame_equal(known, early.tables[name].reset_index(drop=True))


def test_walking_on_without_orders_is_conserved_and_tells_the_next_weeks_tables(early: DemoWorld):
    ledger = advance(early.scene, early.ledger, no_lines())
    tables = tables_at(early.scene, ledger)
    assert tables["stock_history"]["date"].max() == pd.Timestamp(EARLY) + pd.Timedelta(days=6)
    demand = early.scene.stock_demand[:, early.ledger.state.bucket : ledger.state.bucket]
    assert np.array_equal(ledger.trace.demand[:, -7:], demand)


def test_a_plan_line_becomes_an_open_order_of_its_own(early: DemoWorld):
    now = early.ledger.state.bucket
    placed = Lines(
        np.array(["restock-1"], object), np.array([0]), np.array([-1]), np.array(["SUP-NEAR"], object),
        np.array([5.0]), np.array([1.0]), np.array([now]), np.array([now + 9]), np.array([0.9]),
    )  # fmt: skip
    orders = tables_at(early.scene, advance(early.scene, early.ledger, placed))["open_orders"]
    line = orders[orders["restock_line_id"] == "restock-1"]
    assert line[["order_id", "line_no", "units"]].to_numpy().tolist() == [["restock-1", "1", 5.0]]
    assert line["due_date"].tolist() == [pd.Timestamp(EARLY) + pd.Timedelta(days=9)]


def test_the_truth_goes_on_for_a_year_and_a_week(world: DemoWorld):
    truth = world.truth
    assert truth.dates[0] == np.datetime64(DEFAULT_AS_OF)
    assert len(truth.dates) >= 7 * 53
    assert truth.realised.shape == truth.expected.shape == (119 * 3, len(truth.dates))
    assert sorted(zip(truth.item_id, truth.location_id, strict=True)) == list(
        zip(truth.item_id, truth.location_id, strict=True)
    )
    assert truth.realised.sum() == pytest.approx(truth.expected.sum(), rel=0.05)
    assert truth.presale.sum() > 1_000


def test_the_same_seed_is_the_same_world_and_another_is_not(early: DemoWorld):
    again, other = build(as_of=EARLY), build(1, EARLY)
    for name, frame in early.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], frame)
    assert np.array_equal(again.truth.realised, early.truth.realised)
    assert not np.array_equal(other.truth.realised, early.truth.realised)


def test_the_world_holds_what_it_promises(world: DemoWorld):
    tables, scene = world.tables, world.scene
    assert len(tables["items"]) == 120
    assert sorted(tables["locations"]["kind"]) == ["dc", "warehouse", "warehouse", "warehouse"]
    assert set(tables["supply"]["source_id"]) == {"SUP-FAR", "SUP-NEAR"}
    assert (tables["supply"]["location_id"] != CENTRAL).any()
    assert tables["lanes"]["role"].value_counts().to_dict() == {"lateral": 6, "replenish": 3}
    assert (tables["sales"]["item_id"] == BUNDLE).any()
    days = tables["sales"].groupby([*KEYS])["date"].nunique()
    assert (days < 200).sum() > 20
    launch, end = tables["items"]["launch_date"], tables["items"]["end_date"]
    assert (launch < AS_OF).sum() == 7
    assert (launch > AS_OF).sum() == 2
    assert (end > AS_OF).sum() == 3
    dying = scene.demand.own.sum(axis=1)[scene.items.decay_from < NEVER]
    before, now = dying[:, 728:819].sum(axis=1), dying[:, 819:910].sum(axis=1)
    assert np.median(now / before) < 0.85


def test_some_deliveries_are_late(world: DemoWorld):
    receipts = world.tables["receipts"].merge(
        world.tables["supply"][[*KEYS, "source_id", "lead_time_days"]], on=[*KEYS, "source_id"]
    )
    taken = (receipts["received_on"] - receipts["ordered_on"]).dt.days
    late = taken > receipts["lead_time_days"]
    assert 0.15 < late.mean() < 0.5
    assert (taken < receipts["lead_time_days"]).any()


def test_the_presale_has_regional_deposits_and_a_past(world: DemoWorld):
    tables = world.tables
    lines = tables["presales"].groupby("presale_id")
    now = lines.get_group("D11-2025")
    assert set(now["status"]) == {"deposit"}
    assert set(now["region"]) == {"east", "north", "south"}
    assert set(lines.get_group("D11-2024")["status"]) == {"shipped", "cancelled"}
    event = tables["presale_events"].set_index("presale_id").loc["D11-2025"]
    assert event["opens_on"] < AS_OF < event["ship_from"]
    sold = tables["sales"][tables["sales"]["channel"] == "presale"]
    shipped = tables["presales"][tables["presales"]["status"] == "shipped"]
    assert sold["units"].sum() == shipped["units"].sum()
    assert not sold["date"].isin(now["ordered_on"]).any()


def test_demand_is_wilder_than_poisson_and_shared_between_items(world: DemoWorld):
    demand = world.scene.demand
    items = world.scene.items
    regular = ~items.intermittent & (items.launch == 0) & (items.decay_from == NEVER)
    residual = (demand.own - demand.expected)[regular]
    wild = (residual**2).sum(axis=2) / demand.expected[regular].sum(axis=2)
    assert np.median(wild) > 1.3
    totals = (residual / np.sqrt(demand.expected[regular])).sum(axis=1)
    category = items.category[regular]
    correlation = np.corrcoef(totals)
    same = category[:, None] == category
    np.fill_diagonal(same, False)
    assert np.median(correlation[same]) > 0.03


def test_only_tests_and_benchmarks_read_the_truth():
    root = Path(__file__).parents[3]
    sources = [path for folder in ("engine", "models", "experiments", "api") for path in (root / folder).rglob("*.py")]
    outside = [path for path in sources if "demo_world" not in path.parts]
    assert len(outside) > 20
    assert [path.name for path in outside if ".truth" in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("as_of", ["2025-10-28", "2023-05-08", "2026-10-26"])
def test_other_dates_are_refused(as_of: str):
    with pytest.raises(ConfigError, match="as_of must be a Monday from"):
        build(as_of=as_of)
