"""From tables to the network of a plan: cells, stock, today's links, and all that was assumed for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.demand.calendar import Calendar
from engine.messages import Message
from engine.network.contradictions import check_contradictions
from engine.network.dates import LinkDays, Links, OrderDays, last_time_buys, link_days, order_days
from engine.network.door import expected_with_room
from engine.network.links import (
    candidate_links,
    chain_depth,
    feeding_pairs,
    lane_rows,
    lot_rules,
    with_learnt_lead_times,
)
from engine.network.price_breaks import option_prices
from engine.network.revenue import revenue
from engine.network.stock import stock_state
from engine.network.terms import CellFrames, align, cell_terms, counted, end_buckets
from engine.network.types import Keys, Network
from engine.policy.classes import abc_classes
from engine.policy.lead_times import learn_lead_times
from engine.policy.types import F64, I64, Bools, Cells, Days, Options, Texts
from engine.tables import Tables
from engine.tables.places import unknown_closures

_MARGIN_SDS = 3.0  # the horizon still covers lead times this many deviations above their mean


def build_network(
    tables: Tables, config: PlanConfig, calendar: Calendar, keys: Keys, abc: Texts | None = None
) -> Network:
    """Return the network that supplies the given items at locations.

    Cells are the keys, the pairs named by ``item_locations``, ``inventory`` or ``open_orders``, and the sites whose
    replenishment lanes feed them. Kept in stock are keys that are not switched off, and the sites that feed them;
    other cells can only give what they hold.

    Parameters
    ----------
    tables, config, calendar
        Data, settings and buckets.
    keys
        Item and location ids with demand of their own.
    abc
        Class of each key; by default from the revenue of the last 52 weeks.

    Raises
    ------
    DataError
        If a cell kept in stock has no link, a link no lead time, sites feed each other in a circle, or the
        objective lacks a cost.
    ContradictionError
        If the data contradict each other (`engine.network.contradictions`).
    """
    tables = tables.known_on(calendar.as_of)
    lanes = lane_rows(tables)
    pairs, frames, demanded, needs = _cells(tables, lanes, keys)
    links, notes = candidate_links(tables, config, calendar.as_of, pairs, needs)
    learnt = learn_lead_times(tables["receipts"], tables["open_orders"], calendar.as_of)
    places = pairs[1][links["cell"].to_numpy(dtype=np.int64)]
    links, learnt_notes = with_learnt_lead_times(links, places, learnt)
    end_date = frames.pairs["end_date"].fillna(frames.items["end_date"])
    links, days, dates, closed_notes = _dated(links, pairs, calendar, tables["closures"], end_date)
    origin = links["origin_cell"].to_numpy(dtype=np.int64)
    cell = links["cell"].to_numpy(dtype=np.int64)
    primary = links["primary"].to_numpy(dtype=bool)
    feeds = primary & (origin >= 0)
    classes = _with_fed(_classes(tables, calendar, pairs, keys, abc), cell[feeds], origin[feeds])
    feeders = np.isin(np.arange(len(pairs[0])), origin[feeds])
    terms, term_notes = cell_terms(tables, config, frames, (classes, feeders), _purchase_cost(links, pairs))
    next_arrival = calendar.arrival_bucket(dates.next_available_date)
    horizon = _horizon(links, next_arrival, (len(pairs[0]), len(set(pairs[1]))), calendar)
    calendar = replace(calendar, n_future=horizon)
    stock, stock_notes = stock_state(tables, calendar, pairs, horizon, _delay_days(links, len(pairs[0])))
    stock, room_notes = expected_with_room(tables, stock, pairs, terms.volume, terms.divisible)
    least, multiple, most = lot_rules(links, terms.divisible)
    cells = Cells(
        item_id=pairs[0],
        location_id=pairs[1],
        divisible=terms.divisible,
        unit_cost=terms.unit_cost,
        unit_price=terms.unit_price,
        holding_cost=terms.holding_cost,
        shortage_cost=terms.shortage_cost,
        backorder_cost=terms.backorder_cost,
        salvage_value=terms.salvage_value,
        target=terms.target,
        min_stock=terms.min_stock,
        max_stock=terms.max_stock,
        abc=classes,
        available=stock.available,
        backorders=stock.backorders,
        arrivals=stock.arrivals,
        end_bucket=end_buckets(terms, calendar, horizon),
    )
    lane_table, lane_row = _lane_table(lanes, links, pairs)
    options = Options(
        cell=cell,
        origin_cell=origin,
        source_id=links["source_id"].to_numpy(object),
        lane=lane_row,
        primary=primary,
        order_date=dates.order_date,
        available_date=dates.available_date,
        next_order_date=dates.next_order_date,
        next_available_date=dates.next_available_date,
        send_bucket=calendar.bucket_of(dates.order_date),
        arrival=np.minimum(calendar.arrival_bucket(dates.available_date), horizon),
        next_arrival=np.minimum(next_arrival, horizon),
        lead_time_sd_days=links["lead_time_sd_days"].to_numpy(dtype=np.float64),
        unit_cost=_option_cost(links, terms.unit_cost),
        min_units=least,
        multiple=multiple,
        max_units=most,
    )
    check_contradictions(tables, cells, options, terms.volume)
    prices, price_notes = option_prices(tables, cells, options)
    # Nothing is bought or moved to arrive after the end of sale, but for what is owed.
    late = (options.arrival >= cells.end_bucket[cell]) & (cells.end_bucket[cell] < horizon)
    late &= cells.backorders[cell] == 0
    options = replace(options, max_units=np.where(late, 0.0, options.max_units))
    suppliers, supplier_notes = _supplier_table(tables, links)
    network = Network(
        calendar=calendar,
        cells=cells,
        options=options,
        lanes=lane_table,
        suppliers=suppliers,
        prices=prices,
        days=days,
        horizon=horizon,
        bucket_days=7 if calendar.bucket == "W" else 1,
        key_rows=np.zeros(0, dtype=np.int64),
        demanded=demanded,
        volume=terms.volume,
        sellable_days=terms.sellable_days,
        last_sale=terms.end_date.to_numpy().astype("datetime64[D]"),
        notes=(
            *notes,
            *learnt_notes,
            *closed_notes,
            *unknown_closures(tables, calendar.as_of),
            *term_notes,
            *stock_notes,
            *room_notes,
            *supplier_notes,
            *price_notes,
            *_not_applied(tables),
        ),
    )
    return replace(network, key_rows=network.rows_of(keys))


def _cells(tables: Tables, lanes: pd.DataFrame, keys: Keys) -> tuple[Keys, CellFrames, Bools, Bools]:
    """Return the cells in order, their rows of items and item-locations, and which are demanded and needed."""
    own = set(zip(keys[0], keys[1], strict=True))
    listed = tables["item_locations"]
    off = set(_pairs(listed[~listed["active"]], "location_id"))
    transfers = tables["open_orders"]
    transfers = transfers[(transfers["kind"] == "transfer") & transfers["source_id"].notna()]
    found = own.union(
        *(_pairs(tables[name], "location_id") for name in ("item_locations", "inventory", "open_orders")),
        _pairs(transfers, "source_id"),
    )
    needed = own - off
    needed |= feeding_pairs(lanes, needed) - off
    order = sorted(found | needed)
    pairs = (
        np.array([item for item, _ in order], dtype=object),
        np.array([place for _, place in order], dtype=object),
    )
    demanded = np.array([pair in own for pair in order], dtype=bool)
    needs = np.array([pair in needed for pair in order], dtype=bool)
    return pairs, align(tables, pairs), demanded, needs


def _pairs(frame: pd.DataFrame, place: str) -> list[tuple[str, str]]:
    return list(zip(frame["item_id"].to_numpy(object), frame[place].to_numpy(object), strict=True))


def _dated(
    links: pd.DataFrame, pairs: Keys, calendar: Calendar, closures: pd.DataFrame, end_date: pd.Series
) -> tuple[pd.DataFrame, LinkDays, OrderDays, list[Message]]:
    """Return the links that have order days, in option order, with their days; ``end_date`` is that of each cell."""

    def days_of(rows: pd.DataFrame) -> LinkDays:
        return link_days(
            Links(
                origin_id=rows["source_id"].to_numpy(object),
                dest_id=pairs[1][rows["cell"].to_numpy(dtype=np.int64)],
                lead_time_days=rows["lead_time_days"].to_numpy(dtype=np.float64),
                review_period_days=rows["review_period_days"].to_numpy(dtype=np.float64).astype(np.int64),
                order_weekdays=rows["order_weekdays"].to_numpy(object),
                is_lane=rows["is_lane"].to_numpy(dtype=bool),
            ),
            calendar.as_of,
            closures,
        )

    dates, last = last_time_buys(order_days(days_of(links), calendar), _ends(links, end_date))
    is_open = ~np.isnat(dates.next_available_date)
    cell = links["cell"].to_numpy(dtype=np.int64)
    keys = pairs[0][cell], pairs[1][cell]
    notes = counted("closed-link", keys, ~is_open) + counted("last-time-buy", keys, last)
    ordered = links.assign(arrives=dates.available_date.astype("datetime64[ns]"))[is_open]
    ordered = ordered.sort_values(["cell", "arrives", "source_id"], kind="stable", ignore_index=True)
    days = days_of(ordered)
    dates, _ = last_time_buys(order_days(days, calendar), _ends(ordered, end_date))
    return ordered, days, dates, notes


def _ends(links: pd.DataFrame, end_date: pd.Series) -> Days:
    """Return the end date of each link's cell, NaT for none."""
    dates: Days = end_date.to_numpy().astype("datetime64[D]")[links["cell"].to_numpy(dtype=np.int64)]
    return dates


def _purchase_cost(links: pd.DataFrame, pairs: Keys) -> F64:
    """Return the price of each cell's item on its primary purchases (the lowest over its sites), NaN if none."""
    bought = links[links["primary"] & (links["origin_cell"] < 0)]
    items = pd.Series(pairs[0][bought["cell"].to_numpy(dtype=np.int64)], dtype=object)
    lowest = bought["unit_cost"].astype("float64").reset_index(drop=True).groupby(items).min()
    return np.asarray(lowest.reindex(pairs[0]), dtype=np.float64)


def _option_cost(links: pd.DataFrame, unit_cost: F64) -> F64:
    """Return the price of a purchase (by default the item's unit cost, 0 if unknown) or the cost of a lane."""
    given = links["unit_cost"].to_numpy(dtype=np.float64)
    bought = (links["origin_cell"] < 0).to_numpy(dtype=bool)
    default = np.where(bought, np.nan_to_num(unit_cost[links["cell"].to_numpy(dtype=np.int64)], nan=0.0), 0.0)
    return np.where(np.isnan(given), default, given)


def _horizon(links: pd.DataFrame, next_arrival: I64, size: tuple[int, int], calendar: Calendar) -> int:
    """Return the buckets to the end of the longest chain of protection intervals, with a margin."""
    n_cells, n_sites = size
    chain = links["primary"].to_numpy(dtype=bool) & (links["origin_cell"] >= 0).to_numpy(dtype=bool)
    origin, cell = links["origin_cell"].to_numpy(np.int64)[chain], links["cell"].to_numpy(np.int64)[chain]
    depth = chain_depth(cell, origin, n_cells, n_sites)
    bucket_days = 7 if calendar.bucket == "W" else 1
    margin = np.ceil(_MARGIN_SDS * links["lead_time_sd_days"].to_numpy(np.float64) / bucket_days).astype(np.int64)
    reach = next_arrival + margin
    below = np.zeros(n_cells, dtype=np.int64)
    for _ in range(int(depth.max(initial=0))):
        np.maximum.at(below, origin, reach[chain] + below[cell])
    ends = reach + below[links["cell"].to_numpy(dtype=np.int64)]
    return max(1, int(ends.max(initial=1)), calendar.n_future if links.empty else 1)


def _delay_days(links: pd.DataFrame, n_cells: int) -> F64:
    """Return how long a late order is still expected to take: a deviation of the lead time, a day or more."""
    delay = np.ones(n_cells)
    primary = links[links["primary"]]
    sd = np.ceil(primary["lead_time_sd_days"].to_numpy(dtype=np.float64))
    delay[primary["cell"].to_numpy(dtype=np.int64)] = np.maximum(sd, 1.0)
    return delay


def _lane_table(lanes: pd.DataFrame, links: pd.DataFrame, pairs: Keys) -> tuple[pd.DataFrame, I64]:
    """Return the lanes between sites, one row for all items, and the lane of every link (-1: a purchase).

    A trip is shared by all items, so where rows of a lane differ the higher cost and the smaller capacity count.
    """
    table = lanes.groupby(["origin_id", "dest_id"], observed=True).agg(
        trip_cost=("trip_cost", "max"), trip_capacity_volume=("trip_capacity_volume", "min")
    )
    table = table.reset_index()
    table = table.assign(
        trip_cost=table["trip_cost"].fillna(0.0),
        trip_capacity_volume=table["trip_capacity_volume"].fillna(np.inf),
    )
    row = {ends: number for number, ends in enumerate(zip(table["origin_id"], table["dest_id"], strict=True))}
    dest = pairs[1][links["cell"].to_numpy(dtype=np.int64)]
    lane = np.array(
        [
            row[source, place] if is_lane else -1
            for source, place, is_lane in zip(links["source_id"], dest, links["is_lane"], strict=True)
        ],
        dtype=np.int64,
    )
    return table, lane


def _supplier_table(tables: Tables, links: pd.DataFrame) -> tuple[pd.DataFrame, list[Message]]:
    """Return the terms of the sources in use; one that is not listed has unlimited stock, and that is told."""
    used = sorted(set(links["source_id"][links["origin_cell"] < 0].astype(object)))
    columns = ["source_id", "order_cost", "min_order_value", "min_order_volume", "container_volume"]
    listed = tables["suppliers"][[*columns, "capacity_units_per_week"]]
    table = pd.DataFrame({"source_id": pd.Series(used, dtype="string")}).merge(listed, on="source_id", how="left")
    known = set(listed["source_id"].astype(object))
    table = table.assign(listed=[source in known for source in used])
    missing = [source for source in used if source not in known]
    notes = [Message("assumed-unlimited-supplier", {"count": len(missing), "first": missing[0]})] if missing else []
    return table, notes


def _classes(tables: Tables, calendar: Calendar, pairs: Keys, keys: Keys, abc: Texts | None) -> Texts:
    """Return the class of every cell: as given for the keys, else from revenue; "C" without either."""
    classes = np.full(len(pairs[0]), "C", dtype=object)
    rows = pd.MultiIndex.from_arrays(list(pairs)).get_indexer(pd.MultiIndex.from_arrays(list(keys)))
    classes[rows] = abc if abc is not None else abc_classes(revenue(tables, calendar, keys))
    return classes


def _with_fed(classes: Texts, fed: I64, feeder: I64) -> Texts:
    """Return the classes, that of a feeder being the highest among its own and those that it feeds, at any depth."""
    letters, rank = np.unique(classes, return_inverse=True)
    while True:
        raised = rank.copy()
        np.minimum.at(raised, feeder, rank[fed])
        if (raised == rank).all():
            return letters[rank]
        rank = raised


def _not_applied(tables: Tables) -> list[Message]:
    """Return what the data state and this version does not act on."""
    notes = []
    n_overrides = int(tables["overrides"]["kind"].isin(["order", "target"]).sum())
    if n_overrides:
        notes.append(Message("overrides-not-applied", {"count": n_overrides}))
    return notes
