"""Networks built from small tables, with numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.errors import ContradictionError, DataError
from engine.network.build import build_network
from engine.policy.params import SupplyParams, TargetParams
from engine.tables import Tables

AS_OF = "2025-10-27"  # a Monday
CALENDAR = Calendar("D", np.datetime64(AS_OF), 30, 1)


def table(columns, *rows):
    return pd.DataFrame([dict(zip(columns.split(), row, strict=True)) for row in rows])


def tables(**frames):
    sales = table("item_id location_id date units price", ("A", "W", pd.Timestamp("2025-10-20"), 5.0, 12.0))
    supply = table(
        "item_id source_id location_id lead_time_days review_period_days unit_cost",
        ("*", "S", "*", 5.0, 7.0, 4.0),
    )
    return Tables.of({"sales": sales, "supply": supply, **frames})


def keys(*pairs):
    return (np.array([a for a, _ in pairs], dtype=object), np.array([b for _, b in pairs], dtype=object))


def build(config=None, at=(("A", "W"),), calendar=CALENDAR, **frames):
    return build_network(tables(**frames), config or PlanConfig(), calendar, keys(*at))


def codes(network):
    return {note.code: dict(note.values) for note in network.notes}


def hub(**frames):
    """Return a central site C that feeds R1 and R2; they can help each other out."""
    lanes = table(
        "origin_id dest_id item_id lead_time_days trip_cost role order_weekdays",
        ("C", "R1", "*", 2.0, 10.0, "replenish", "1,4"),
        ("C", "R2", "*", 3.0, 10.0, "replenish", "1"),
        ("R1", "R2", "*", 1.0, 5.0, "lateral", None),
    )
    return build(at=(("A", "R1"), ("A", "R2")), lanes=lanes, **frames)


def test_one_place_with_one_supplier():
    network = build()
    options = network.options
    assert network.cells.item_id.tolist() == ["A"]
    assert options.source_id.tolist() == ["S"]
    assert options.primary.tolist() == [True]
    assert (options.arrival[0], options.next_arrival[0], network.horizon) == (5, 12, 12)
    assert network.interval_for(keys(("A", "W"), ("B", "W"))).tolist() == [[5, 12], [0, 7]]
    assert network.key_rows.tolist() == [0]
    assert (options.multiple[0], options.min_units[0], options.max_units[0]) == (1.0, 0.0, np.inf)


def test_weeks_count_an_arrival_inside_a_week_from_the_next():
    network = build(calendar=Calendar("W", np.datetime64(AS_OF), 30, 1))
    assert (network.options.arrival[0], network.options.next_arrival[0]) == (1, 2)
    assert network.bucket_days == 7


def test_default_costs_are_listed():
    network = build()
    cells, notes = network.cells, codes(network)
    assert cells.unit_cost[0] == 4.0
    assert cells.unit_price[0] == 12.0
    assert cells.holding_cost[0] == pytest.approx(0.2 * 4 / 365)
    assert cells.shortage_cost[0] == 8.0
    for code in ("assumed-unit-cost-from-supply", "assumed-price-from-sales", "assumed-holding-cost",
                 "assumed-shortage-cost", "assumed-no-stock", "assumed-unlimited-supplier"):  # fmt: skip
        assert code in notes


def test_given_costs_are_not_assumed():
    items = table("item_id unit_cost unit_price holding_cost shortage_cost", ("A", 3.0, 9.0, 0.5, 7.0))
    inventory = table("item_id location_id on_hand", ("A", "W", 4.0))
    network = build(items=items, inventory=inventory)
    assert (network.cells.holding_cost[0], network.cells.shortage_cost[0], network.cells.unit_cost[0]) == (
        0.5,
        7.0,
        3.0,
    )
    assert set(codes(network)) == {"assumed-unlimited-supplier"}


def test_the_cost_objective_needs_costs():
    sales = table("item_id location_id date units", ("A", "W", pd.Timestamp("2025-10-20"), 5.0))
    with pytest.raises(DataError, match="first A at W"):
        build(PlanConfig(targets=TargetParams(objective="cost")), sales=sales)
    assert "assumed-shortage-value" in codes(build(sales=sales))


def test_targets_by_place_before_item_before_class_before_configuration():
    config = PlanConfig(targets=TargetParams(service=0.9, by_class={"A": 0.97}))
    at = (("A", "W"), ("B", "W"), ("C", "W"), ("C", "X"))
    items = table("item_id service_target", ("A", None), ("B", None), ("C", 0.8))
    pairs = table("item_id location_id service_target", ("C", "X", 0.7))
    network = build(config, at=at, items=items, item_locations=pairs)
    assert network.cells.abc.tolist() == ["A", "C", "C", "C"]
    assert network.cells.target.tolist() == [0.97, 0.9, 0.8, 0.7]


def test_the_most_specific_supply_row_wins():
    supply = table(
        "item_id source_id location_id valid_from lead_time_days",
        ("*", "S", "*", None, 1.0),
        ("*", "S", "W", None, 2.0),
        ("A", "S", "*", None, 3.0),
        ("A", "S", "*", pd.Timestamp("2025-10-01"), 4.0),
        ("A", "S", "*", pd.Timestamp("2026-01-01"), 5.0),
    )
    at = (("A", "W"), ("B", "W"), ("B", "X"))
    assert build(at=at, supply=supply).options.arrival.tolist() == [4, 2, 1]


def test_a_row_known_later_is_not_seen():
    supply = table(
        "item_id source_id location_id lead_time_days known_from",
        ("A", "S", "*", 3.0, None),
        ("A", "S", "*", 9.0, pd.Timestamp("2025-11-01")),
    )
    assert build(supply=supply).options.arrival.tolist() == [3]


def test_preference_decides_between_suppliers():
    supply = table(
        "item_id source_id location_id lead_time_days preference",
        ("A", "F", "*", 2.0, 2.0),
        ("A", "S", "*", 9.0, 1.0),
    )
    options = build(supply=supply).options
    assert options.source_id.tolist() == ["F", "S"]
    assert options.primary.tolist() == [False, True]


def test_a_central_site_feeds_the_regions():
    network = hub()
    cells, options = network.cells, network.options
    assert cells.location_id.tolist() == ["C", "R1", "R2"]
    assert network.demanded.tolist() == [False, True, True]
    links = list(zip(options.source_id, cells.location_id[options.cell], options.primary, strict=True))
    assert links == [("S", "C", True), ("C", "R1", True), ("R1", "R2", False), ("C", "R2", True)]
    assert options.origin_cell.tolist() == [-1, 0, 1, 0]
    # The chain: bought at C by day 12, sent on to R2 over the next Monday (14) and there on day 17 ...
    assert network.horizon == 12 + 10


def test_a_site_that_a_lane_feeds_is_not_bought_for_unless_stated():
    supply = table("item_id source_id location_id lead_time_days", ("*", "S", "*", 5.0), ("A", "S", "R1", 9.0))
    network = hub(supply=supply)
    links = {
        (source, network.cells.location_id[cell]): primary
        for source, cell, primary in zip(
            network.options.source_id, network.options.cell, network.options.primary, strict=True
        )
    }
    assert links == {
        ("S", "C"): True,
        ("C", "R1"): False,
        ("S", "R1"): True,
        ("C", "R2"): True,
        ("R1", "R2"): False,
    }


def test_replenished_from_names_the_primary_link():
    supply = table("item_id source_id location_id lead_time_days", ("*", "S", "*", 5.0), ("A", "S", "R1", 9.0))
    pairs = table("item_id location_id replenished_from", ("A", "R1", "C"))
    network = hub(supply=supply, item_locations=pairs)
    row = network.primary_of[1]
    assert network.options.source_id[row] == "C"


def test_replenished_from_without_a_link_is_told():
    pairs = table("item_id location_id replenished_from", ("A", "R1", "R2"), ("A", "R2", "C"))
    network = hub(item_locations=pairs)
    assert network.options.source_id[network.primary_of[1]] == "C"
    assert codes(network)["replenished-from-without-link"] == {"count": 1, "first": "A @ R1", "named": "R2"}
    assert "replenished-from-without-link" not in codes(hub(item_locations=pairs.iloc[1:]))


def test_sites_that_feed_each_other_are_refused():
    lanes = table("origin_id dest_id item_id lead_time_days", ("W", "X", "*", 1.0), ("X", "W", "*", 1.0))
    with pytest.raises(DataError, match="circle"):
        build(at=(("A", "W"), ("A", "X")), lanes=lanes)


def test_the_default_link_serves_items_without_a_row():
    supply = table("item_id source_id location_id lead_time_days", ("B", "S", "*", 5.0))
    with pytest.raises(DataError, match="first A at W"):
        build(supply=supply)
    network = build(PlanConfig(supply=SupplyParams(lead_time_days=3, review_period_days=14)), supply=supply)
    assert network.options.source_id.tolist() == ["default"]
    assert (network.options.arrival[0], network.options.next_arrival[0]) == (3, 17)
    assert codes(network)["assumed-default-link"] == {"count": 1, "lead_time_days": 3}


def test_a_place_switched_off_keeps_its_stock_and_orders_nothing():
    pairs = table("item_id location_id active", ("A", "W", False))
    network = build(item_locations=pairs)
    assert network.cells.n_cells == 1
    assert network.options.n_options == 0


def test_lots_are_whole_units_packs_and_multiples_together():
    supply = table(
        "item_id source_id location_id lead_time_days order_multiple units_per_purchase_unit min_order_units",
        ("A", "S", "*", 5.0, 4.0, 6.0, 10.0),
        ("B", "S", "*", 5.0, 0.5, None, None),
        ("D", "S", "*", 5.0, 0.5, None, None),
        ("E", "S", "*", 5.0, None, None, None),
    )
    items = table("item_id divisible", ("A", False), ("B", False), ("D", True), ("E", True))
    network = build(at=[(item, "W") for item in "ABDE"], supply=supply, items=items)
    assert network.options.multiple.tolist() == [12.0, 1.0, 0.5, 0.0]
    assert network.options.min_units.tolist() == [10.0, 0.0, 0.0, 0.0]


def open_orders(*rows):
    return table("order_id item_id location_id source_id units due_date kind status", *rows)


def test_inbound_by_status_and_due_date():
    orders = open_orders(
        ("1", "A", "W", "S", 1.0, pd.Timestamp("2025-10-27"), None, None),
        ("2", "A", "W", "S", 2.0, pd.Timestamp("2025-10-30"), "purchase", "shipped"),
        ("3", "A", "W", "S", 4.0, pd.Timestamp("2025-10-30"), "purchase", "draft"),
        ("4", "A", "W", "S", 8.0, pd.Timestamp("2025-10-01"), "purchase", "firm"),
        ("5", "A", "W", "S", 16.0, pd.Timestamp("2026-10-01"), "purchase", "firm"),
    )
    network = build(open_orders=orders)
    arrivals = np.zeros(12)
    arrivals[[0, 1, 3]] = [1.0, 8.0, 2.0]
    assert network.cells.arrivals[0].tolist() == arrivals.tolist()
    notes = codes(network)
    assert notes["drafts-not-inbound"] == {"count": 1}
    assert notes["late-inbound-redated"] == {"count": 1, "units": 8.0, "first": "A @ W"}


def test_an_unshipped_transfer_still_has_to_leave_its_origin():
    inventory = table("item_id location_id on_hand", ("A", "C", 10.0), ("A", "R1", 0.0), ("A", "R2", 0.0))
    due = pd.Timestamp("2025-10-29")
    orders = open_orders(
        ("1", "A", "R1", "C", 6.0, due, "transfer", "shipped"),
        ("2", "A", "R1", "C", 7.0, due, "transfer", "firm"),
        ("3", "A", "R2", "C", 5.0, due + pd.Timedelta(days=1), "transfer", "firm"),
    )
    network = hub(inventory=inventory, open_orders=orders)
    assert network.cells.available.tolist() == [0.0, 0.0, 0.0]
    assert network.cells.arrivals.sum(axis=1).tolist() == [0.0, 13.0, 3.0]
    assert codes(network)["transfer-without-stock"] == {"count": 1, "units": 2.0}


def test_stock_reserved_owed_and_expired():
    inventory = table(
        "item_id location_id on_hand reserved backorders",
        ("A", "W", 20.0, 3.0, 2.0),
        ("B", "W", 4.0, 6.0, 0.0),
    )
    batches = table(
        "item_id location_id expiry_date units",
        ("A", "W", pd.Timestamp("2025-10-26"), 5.0),
        ("A", "W", pd.Timestamp("2025-10-27"), 15.0),
    )
    network = build(at=(("A", "W"), ("B", "W")), inventory=inventory, inventory_batches=batches)
    assert network.cells.available.tolist() == [12.0, 0.0]
    assert network.cells.backorders.tolist() == [2.0, 2.0]
    assert codes(network)["expired-stock-left-out"]["units"] == 5.0


def test_the_last_day_on_sale_ends_demand():
    items = table("item_id end_date", ("A", pd.Timestamp("2025-10-29")))
    assert build(items=items).cells.end_bucket.tolist() == [3]
    assert build().cells.end_bucket.tolist() == [12]


@pytest.mark.parametrize(
    ("frames", "rule"),
    [
        (
            {"item_locations": table("item_id location_id min_stock max_stock", ("A", "W", 9.0, 5.0))},
            "min_stock",
        ),
        (
            {
                "item_locations": table("item_id location_id max_stock", ("A", "W", 5.0)),
                "supply": table(
                    "item_id source_id location_id lead_time_days order_multiple", ("A", "S", "*", 5.0, 6.0)
                ),
            },
            "shelf",
        ),
        (
            {
                "supply": table(
                    "item_id source_id location_id lead_time_days min_order_units max_order_units",
                    ("A", "S", "*", 5.0, 9.0, 6.0),
                )
            },
            "least order",
        ),
        (
            {
                "locations": table("location_id capacity_volume", ("W", 5.0)),
                "items": table("item_id volume", ("A", 2.0)),
                "open_orders": open_orders(("1", "A", "W", "S", 3.0, pd.Timestamp("2025-10-30"), None, None)),
            },
            "Firm inbound",
        ),
    ],
)
def test_data_that_contradict_each_other_say_which(frames, rule):
    with pytest.raises(ContradictionError, match=rule):
        build(**frames)


def test_order_of_rows_does_not_matter():
    lanes = table(
        "origin_id dest_id item_id lead_time_days role",
        ("C", "R1", "*", 2.0, "replenish"), ("C", "R1", "A", 4.0, "replenish"), ("R1", "R2", "*", 1.0, "lateral"),
        ("C", "R2", "*", 3.0, "replenish"),
    )  # fmt: skip
    at = (("A", "R1"), ("A", "R2"), ("B", "R1"))
    one, two = build(at=at, lanes=lanes), build(at=at[::-1], lanes=lanes[::-1].reset_index(drop=True))
    for name in one.options.__dataclass_fields__:
        assert np.array_equal(getattr(one.options, name), getattr(two.options, name)), name
    assert one.notes == two.notes


def test_a_closure_of_a_place_that_no_table_knows_is_told_while_it_could_matter():
    rows = [("S", AS_OF), ("W", AS_OF), ("s", AS_OF), ("Q", "2025-10-26"), ("T", "2025-12-24"), ("T", AS_OF)]
    shut = table(
        "place_id start_date end_date", *((place, pd.Timestamp("2025-10-01"), pd.Timestamp(end)) for place, end in rows)
    )
    assert codes(build(closures=shut))["closures-of-unknown-places"] == {"count": 2, "first": "T"}
    assert "closures-of-unknown-places" not in codes(build(closures=shut[:2]))
