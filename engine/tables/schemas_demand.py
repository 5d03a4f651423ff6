"""Schemas of what was sold, what is known of demand to come, and what people say about it."""

from __future__ import annotations

import pandera.pandas as pa

from engine.tables.columns import (
    ABOVE_0,
    AT_LEAST_0,
    KEY,
    OPTIONAL_KEY,
    REQUIRED,
    SHARE,
    choice,
    date,
    flag,
    identifier,
    item,
    number,
    site,
    text,
)
from engine.tables.schema import known_from, starts_before_end, table

SALES = table(
    "sales",
    "S",
    "Units sold. Inside the covered dates a missing row means none sold, on sale.",
    {
        "item_id": identifier("The item.", KEY, item()),
        "location_id": identifier("The site that should serve the demand.", KEY, site()),
        "date": date("Day of ordering; a week is labelled by its Monday, a month by its first day.", KEY),
        "channel": text("Sales channel; `presale` marks units of a presale.", OPTIONAL_KEY),
        "region": text("Where the demand arose.", OPTIONAL_KEY),
        "shipped_from": identifier("The site that shipped.", OPTIONAL_KEY, site("noted")),
        "units": number("Units ordered, gross of returns.", AT_LEAST_0, REQUIRED),
        "returned_units": number("Units sent back.", AT_LEAST_0, default="0"),
        "price": number("Price paid per unit.", AT_LEAST_0),
        "in_stock": number("Share of the bucket on sale; one value per item, location and date.", SHARE, default="1"),
    },
    faulty="quarantined",
)

STOCK_HISTORY = table(
    "stock_history",
    "SH",
    "Stock at the end of past days. Stock-outs are inferred from it and replays open with it.",
    {
        "item_id": identifier("The item.", KEY, item()),
        "location_id": identifier("The site.", KEY, site()),
        "date": date("The day.", KEY),
        "closing_on_hand": number("Units on hand at the end of the day.", AT_LEAST_0),
    },
    faulty="quarantined",
)

EVENTS = table(
    "events",
    "E",
    "Days on which demand differs: holidays, festivals, local events.",
    {
        "event": text("Name; the same event of two years has the same name.", KEY),
        "start_date": date("First day.", KEY),
        "location_id": identifier("Only there.", OPTIONAL_KEY, site("noted")),
        "region": text("Only for demand from there.", OPTIONAL_KEY),
        "end_date": date("Last day; default the first."),
        "kind": text("Kind of event."),
        "known_from": known_from(),
    },
    faulty="quarantined",
    checks=(starts_before_end("start_date", "end_date"),),
)

PROMOTIONS = table(
    "promotions",
    "P",
    "Promotions, past and planned. Without item and category a promotion holds for all items.",
    {
        "promotion_id": identifier("The promotion.", KEY),
        "item_id": identifier("The item.", OPTIONAL_KEY, item("noted")),
        "category": text("Or all items of a category.", OPTIONAL_KEY),
        "location_id": identifier("Only there.", OPTIONAL_KEY, site("noted")),
        "start_date": date("First day.", REQUIRED),
        "end_date": date("Last day; default the first."),
        "discount": number("Share taken off the price.", SHARE),
        "kind": text("Kind of promotion."),
        "known_from": known_from(),
    },
    faulty="quarantined",
    checks=(starts_before_end("start_date", "end_date"),),
)

PRICES = table(
    "prices",
    "PR",
    "Prices, past and planned.",
    {
        "item_id": identifier("The item.", KEY, item("noted")),
        "location_id": identifier("The site, or `*` for all.", KEY, site("noted", star=True)),
        "start_date": date("First day.", KEY),
        "end_date": date("Last day; default the day before the next start."),
        "price": number("Price per unit.", AT_LEAST_0),
        "known_from": known_from(),
    },
    faulty="quarantined",
    checks=(starts_before_end("start_date", "end_date"),),
)

REGRESSORS = table(
    "regressors",
    "RG",
    "Any other dated quantity that moves demand.",
    {
        "name": text("Name of the quantity.", KEY),
        "date": date("The day.", KEY),
        "item_id": identifier("Only this item.", OPTIONAL_KEY, item("noted")),
        "category": text("Or only items of this category.", OPTIONAL_KEY),
        "location_id": identifier("Only there.", OPTIONAL_KEY, site("noted")),
        "region": text("Or only in this region.", OPTIONAL_KEY),
        "value": number("Its value."),
        "known_future": flag("Whether values after the day of planning are known.", default=False),
    },
    faulty="quarantined",
)

PRESALE_EVENTS = table(
    "presale_events",
    "PE",
    "Presales: orders taken with a deposit before shipping starts.",
    {
        "presale_id": identifier("The presale.", KEY),
        "opens_on": date("First day of orders."),
        "closes_on": date("Last day of orders."),
        "balance_due_on": date("Day on which the balance is due."),
        "ship_from": date("First day of shipping."),
        "ship_by": date("Last day of shipping."),
        "min_units": number("Units below which the presale is called off.", AT_LEAST_0),
    },
    faulty="fatal",
    checks=(starts_before_end("opens_on", "closes_on"), starts_before_end("ship_from", "ship_by")),
)

PRESALES = table(
    "presales",
    "PS",
    "Order lines of a presale. They are never again in reserved or backorders.",
    {
        "presale_id": identifier("The presale.", KEY),
        "line_id": identifier("The order line.", KEY),
        "item_id": identifier("The item.", REQUIRED, item()),
        "units": number("Units ordered.", AT_LEAST_0, REQUIRED),
        "ordered_on": date("Day of ordering."),
        "status": choice("State of the line.", ("deposit", "paid", "cancelled", "shipped"), "deposit"),
        "cancelled_on": date("Day on which a cancelled line was cancelled; before it the line stood."),
        "region": text("Where the demand arose."),
        "location_id": identifier("Or the site that should serve it.", refers=site()),
    },
    faulty="fatal",
    checks=(starts_before_end("ordered_on", "cancelled_on"),),
)

BOM = table(
    "bom",
    "B",
    "Bundles and gifts, exploded into their components before planning.",
    {
        "parent_item_id": identifier("The bundle.", KEY, item()),
        "component_item_id": identifier("A component.", KEY, item()),
        "units": number("Units of the component in one bundle.", ABOVE_0, default="1"),
    },
    faulty="fatal",
)

OVERRIDES = table(
    "overrides",
    "OV",
    "Changes by people, from coarse to fine: everything, then a category, region or location, then an item, then an "
    "item at a location. On one level the latest wins, day by day.",
    {
        "override_id": identifier("The change.", KEY),
        "start_date": date("First day; `set` and `add` need it. Default: the day of planning."),
        "end_date": date("Last day; `set` and `add` need it. Default: the end of the forecast."),
        "item_id": identifier("The item, or `*` for all, as without item and category.", refers=item(star=True)),
        "category": text("Or all items of a category; not read beside an item."),
        "location_id": identifier("The site, or `*` for all, as without site and region.", refers=site(star=True)),
        "region": text("Or all sites of a region; not read beside a site."),
        "kind": choice("What is changed.", ("forecast", "order", "target"), "forecast"),
        "operation": choice("How it is changed.", ("set", "add", "multiply"), "set"),
        "value": number(
            "The factor of `multiply`. For `set` and `add` units in total, over all items, sites and days named. "
            "Not below 0, but for `add`.",
            role=REQUIRED,
        ),
        "reason": text("Why."),
        "author": text("Who."),
        "created_at": date("When; later goes before earlier, and not given is earliest."),
        "expires_on": date("Day of planning from which the change no longer holds."),
        "known_from": known_from(),
    },
    faulty="quarantined",
    checks=(starts_before_end("start_date", "end_date"),),
)

DEMAND_SCHEMAS: tuple[pa.DataFrameSchema, ...] = (
    SALES,
    STOCK_HISTORY,
    EVENTS,
    PROMOTIONS,
    PRICES,
    REGRESSORS,
    PRESALE_EVENTS,
    PRESALES,
    BOM,
    OVERRIDES,
)
