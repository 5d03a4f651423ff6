"""Schemas of items, places, stock, and the ways goods come in."""

from __future__ import annotations

import pandera.pandas as pa

from engine.tables.columns import (
    ABOVE_0,
    AT_LEAST_0,
    KEY,
    OPEN_SHARE,
    OPTIONAL_KEY,
    REQUIRED,
    choice,
    date,
    flag,
    identifier,
    item,
    number,
    pattern,
    site,
    text,
)
from engine.tables.schema import differs, known_from, not_above, starts_before_end, table

_WEEKDAYS = r"^[1-7](,[1-7])*$"
_ACTIVITIES = r"^(ordering|shipping|receiving)(,(ordering|shipping|receiving))*$"

ITEMS = table(
    "items",
    "I",
    "What is sold and stocked. Where the table is given it lists every item.",
    {
        "item_id": identifier("The item.", KEY),
        "name": text("Name."),
        "category": text("Category."),
        "subcategory": text("Subcategory."),
        "brand": text("Brand."),
        "unit": text("Base unit."),
        "divisible": flag("Whether parts of a unit can be ordered.", default=False),
        "unit_cost": number("Cost of a unit.", AT_LEAST_0),
        "unit_price": number("Price of a unit.", AT_LEAST_0),
        "holding_cost": number("Cost per unit and day, on stock at the end of a bucket.", AT_LEAST_0),
        "shortage_cost": number("Cost of a lost unit, once.", AT_LEAST_0),
        "backorder_cost": number("Cost per unit on backorder and day.", AT_LEAST_0),
        "salvage_value": number("What a unit brings that is never sold."),
        "service_target": number("Target of the service objectives.", OPEN_SHARE),
        "cover_days": number("Target of the cover objective, in days.", AT_LEAST_0),
        "shelf_life_days": number("Days from production to expiry.", ABOVE_0),
        "min_remaining_days": number("Days to expiry below which a unit is not sold.", AT_LEAST_0),
        "volume": number("Volume of a unit.", AT_LEAST_0),
        "launch_date": date("First day on offer."),
        "end_date": date("Last day on offer."),
        "successor_of": identifier("Item whose demand it takes over.", refers=item("noted")),
    },
    faulty="fatal",
    checks=(starts_before_end("launch_date", "end_date"),),
)

LOCATIONS = table(
    "locations",
    "L",
    "Own sites. Where the table is given it lists every site.",
    {
        "location_id": identifier("The site.", KEY),
        "kind": choice("Kind of site.", ("dc", "warehouse", "store")),
        "region": text("Region in which it lies."),
        "capacity_volume": number("Volume that it holds.", AT_LEAST_0),
    },
    faulty="fatal",
)

ITEM_LOCATIONS = table(
    "item_locations",
    "IL",
    "What holds for an item at a site; it overrides the item, which overrides class and configuration.",
    {
        "item_id": identifier("The item.", KEY, item()),
        "location_id": identifier("The site.", KEY, site()),
        "active": flag("Whether the site carries the item.", default=True),
        "replenished_from": identifier("The own site that supplies it.", refers=site("fatal")),
        "service_target": number("Target of the service objectives.", OPEN_SHARE),
        "cover_days": number("Target of the cover objective, in days.", AT_LEAST_0),
        "min_stock": number("Stock never planned below.", AT_LEAST_0),
        "max_stock": number("Stock never planned above.", AT_LEAST_0),
        "holding_cost": number("Cost per unit and day.", AT_LEAST_0),
        "shortage_cost": number("Cost of a lost unit, once.", AT_LEAST_0),
        "launch_date": date("First day on offer there."),
        "end_date": date("Last day on offer there."),
    },
    faulty="fatal",
    checks=(
        not_above("min_stock", "max_stock"),
        starts_before_end("launch_date", "end_date"),
        differs("location_id", "replenished_from"),
    ),
)

INVENTORY = table(
    "inventory",
    "V",
    "Stock now. Available is on hand less reserved; a reserved backorder is not counted again.",
    {
        "item_id": identifier("The item.", KEY, item()),
        "location_id": identifier("The site.", KEY, site()),
        "on_hand": number("Units on hand.", AT_LEAST_0, REQUIRED),
        "reserved": number("Of these, units promised.", AT_LEAST_0, default="0"),
        "backorders": number("Units owed to customers.", AT_LEAST_0, default="0"),
        "counted_on": date("Day of the count."),
    },
    faulty="fatal",
)

INVENTORY_BATCHES = table(
    "inventory_batches",
    "VB",
    "Stock now by expiry date. First expired, first out.",
    {
        "item_id": identifier("The item.", KEY, item()),
        "location_id": identifier("The site.", KEY, site()),
        "expiry_date": date("Day of expiry.", KEY),
        "units": number("Units on hand.", AT_LEAST_0, REQUIRED),
    },
    faulty="fatal",
)

OPEN_ORDERS = table(
    "open_orders",
    "O",
    "What is on its way. Overdue lines are re-dated by a stated rule; a draft is not inbound. Where `arrived_on` is"
    " given, what a site has no room for waits at its door: inbound above its capacity is told and expected as it fits,"
    " otherwise refused.",
    {
        "order_id": identifier("The order.", KEY),
        "line_no": identifier("Its line.", OPTIONAL_KEY, default="1"),
        "restock_line_id": identifier("The plan line it came from."),
        "item_id": identifier("The item.", REQUIRED, item()),
        "location_id": identifier("The site it goes to.", REQUIRED, site()),
        "units": number("Units still to come.", AT_LEAST_0, REQUIRED),
        "due_date": date("Day on which it is due.", REQUIRED),
        "ordered_on": date("Day of ordering."),
        "source_id": identifier("The supplier, or the own site of a transfer."),
        "kind": choice("Kind of order.", ("purchase", "transfer"), "purchase"),
        "status": choice(
            "State. Of a shipped transfer the origin's stock has already left.",
            ("draft", "firm", "shipped"),
            "firm",
        ),
        "reference": text("Any reference."),
        "expiry_date": date("Day of expiry of the goods."),
        "arrived_on": date("Day on which the goods came to the door of their site, where they wait for room."),
        "known_from": known_from(),
    },
    faulty="fatal",
)

SUPPLY = table(
    "supply",
    "U",
    "Links from outside suppliers. The most specific row wins.",
    {
        "item_id": identifier("The item, or `*` for all.", KEY, item("noted", star=True)),
        "source_id": identifier("The supplier.", KEY),
        "location_id": identifier("The site, or `*` for all.", KEY, site(star=True)),
        "valid_from": date("First day on which the row holds.", OPTIONAL_KEY),
        "lead_time_days": number("Days from ordering to goods on sale.", ABOVE_0, REQUIRED),
        "lead_time_sd_days": number("Standard deviation of the lead time.", AT_LEAST_0, default="0"),
        "review_period_days": number("Days between orders.", ABOVE_0, default="from the configuration"),
        "order_weekdays": pattern("Days of ordering, Monday = 1.", _WEEKDAYS, "1,4"),
        "unit_cost": number("Cost of a unit.", AT_LEAST_0, default="the item's"),
        "min_order_units": number("Least units of an order line.", AT_LEAST_0, default="0"),
        "order_multiple": number("Units come in multiples of it.", ABOVE_0, default="1"),
        "max_order_units": number("Most units of an order line.", ABOVE_0),
        "purchase_unit": text("Unit of purchase."),
        "units_per_purchase_unit": number("Base units in a unit of purchase.", ABOVE_0, default="1"),
        "preference": number("Lower is preferred among equals."),
        "known_from": known_from(),
    },
    faulty="fatal",
    checks=(not_above("min_order_units", "max_order_units"), not_above("order_multiple", "max_order_units")),
)

PRICE_BREAKS = table(
    "price_breaks",
    "PB",
    "Unit costs by size of order.",
    {
        "item_id": identifier("The item.", KEY, item("noted")),
        "source_id": identifier("The supplier.", KEY),
        "min_units": number("Units from which the cost holds.", AT_LEAST_0, KEY),
        "unit_cost": number("Cost of a unit.", AT_LEAST_0),
        "kind": choice("For all units or for those above the break.", ("all_units", "incremental"), "all_units"),
    },
    faulty="fatal",
)

SUPPLIERS = table(
    "suppliers",
    "SU",
    "Terms of suppliers. Order cost and minimums apply per source, destination and order day.",
    {
        "source_id": identifier("The supplier.", KEY),
        "order_cost": number("Cost of an order.", AT_LEAST_0, default="0"),
        "min_order_value": number("Least value of an order.", AT_LEAST_0, default="0"),
        "min_order_volume": number("Least volume of an order.", AT_LEAST_0, default="0"),
        "container_volume": number("Volume of a container.", ABOVE_0),
        "capacity_units_per_week": number("Most units in a week.", AT_LEAST_0),
    },
    faulty="fatal",
)

LANES = table(
    "lanes",
    "LN",
    "Links between own sites.",
    {
        "origin_id": identifier("The site that sends.", KEY, site()),
        "dest_id": identifier("The site that receives.", KEY, site()),
        "item_id": identifier("The item, or `*` for all.", KEY, item("noted", star=True)),
        "lead_time_days": number("Days from sending to goods on sale.", ABOVE_0),
        "lead_time_sd_days": number("Standard deviation of the lead time.", AT_LEAST_0, default="0"),
        "trip_cost": number("Cost of a trip.", AT_LEAST_0, default="0"),
        "unit_cost": number("Cost of a unit carried.", AT_LEAST_0, default="0"),
        "trip_capacity_volume": number("Volume that a trip carries.", ABOVE_0),
        "order_multiple": number("Units go in multiples of it.", ABOVE_0, default="1"),
        "order_weekdays": pattern("Days of sending, Monday = 1.", _WEEKDAYS, "1,4"),
        "role": choice("Whether it feeds the site or helps out.", ("replenish", "lateral"), "replenish"),
    },
    faulty="fatal",
    checks=(differs("origin_id", "dest_id"),),
)

CLOSURES = table(
    "closures",
    "C",
    "Days on which a supplier or a site does not work.",
    {
        "place_id": identifier("The supplier or site.", KEY),
        "start_date": date("First day.", KEY),
        "end_date": date("Last day.", KEY),
        "blocks": pattern("What rests.", _ACTIVITIES, "ordering,shipping", default="ordering,shipping,receiving"),
    },
    faulty="fatal",
    checks=(starts_before_end("start_date", "end_date"),),
)

SERVICE_REGIONS = table(
    "service_regions",
    "SR",
    "Which sites serve a region, best first.",
    {
        "region": text("The region.", KEY),
        "location_id": identifier("The site.", KEY, site()),
        "rank": number("1 is the site that serves first.", AT_LEAST_0),
        "ship_cost": number("Cost of shipping a unit.", AT_LEAST_0),
        "ship_days": number("Days of shipping.", AT_LEAST_0),
    },
    faulty="fatal",
)

RECEIPTS = table(
    "receipts",
    "R",
    "What has arrived. Lead times are learnt from it.",
    {
        "order_id": identifier("The order.", KEY),
        "line_no": identifier("Its line.", OPTIONAL_KEY, default="1"),
        "received_on": date("Day of arrival.", KEY),
        "item_id": identifier("The item.", refers=item()),
        "source_id": identifier("The supplier, or the own site of a transfer."),
        "location_id": identifier("The site.", refers=site()),
        "ordered_on": date("Day of ordering."),
        "units": number("Units received.", AT_LEAST_0),
        "produced_on": date("Day of production."),
        "shipped_on": date("Day of shipping."),
    },
    faulty="quarantined",
    checks=(starts_before_end("ordered_on", "received_on"),),
)

SUPPLY_SCHEMAS: tuple[pa.DataFrameSchema, ...] = (
    ITEMS,
    LOCATIONS,
    ITEM_LOCATIONS,
    INVENTORY,
    INVENTORY_BATCHES,
    OPEN_ORDERS,
    SUPPLY,
    PRICE_BREAKS,
    SUPPLIERS,
    LANES,
    CLOSURES,
    SERVICE_REGIONS,
    RECEIPTS,
)
