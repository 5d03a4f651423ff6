"""The stock that every policy opens with: a state as exported, the real one where it is on record, else a target."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.errors import ConfigError
from engine.messages import Message
from engine.policy.types import F64, I64
from engine.simulation import FRESH, Lines, Shipments, StockState, no_shipments
from engine.simulation.shelf import first_expired_out, fresh_batches
from engine.tables import Tables
from experiments.replay.hindsight import lines_of_receipts, real_lines
from experiments.replay.view import NOT_YET, OrderLines
from experiments.replay.walk import Opening, opening_of, placed_lines
from experiments.replay.world import World

LEAST_WARM_UP_DAYS = 28
_SLACK = 1e-9


def real_opening(world: World, stock_history: pd.DataFrame) -> tuple[Opening, tuple[Message, ...]]:
    """Return the stock at the end of the day before the replay, and what `receipts` say was on its way then.

    A line on its way is due a usual lead time after its order; the day on which it really came is the world's alone,
    and so is that it came in parts: policies see one open order line with all that was still to come.
    Of each cell the latest record before the replay counts; one without any opens with nothing, which is told.
    """
    day = world.date_of(world.first)
    past = stock_history.dropna(subset=["closing_on_hand"])
    past = past.loc[past["date"] < pd.Timestamp(day)].sort_values("date", kind="stable")
    latest = past.drop_duplicates(["item_id", "location_id"], keep="last")
    cell = world.rows_of(latest["item_id"], latest["location_id"])
    on_hand, seen = np.zeros(world.n_cells), np.zeros(world.n_cells, bool)
    on_hand[cell[cell >= 0]] = latest["closing_on_hand"].to_numpy(np.float64)[cell >= 0]
    seen[cell[cell >= 0]] = True
    notes = []
    unseen = (world.seen_from < world.first) & world.network.demanded & ~seen
    if unseen.any():
        notes.append(Message("replay-opening-unknown", {"count": int(unseen.sum())}))
    rows = real_lines(world)
    early = (rows["ordered_on"] < pd.Timestamp(day)) & (rows["received_on"] >= pd.Timestamp(day))
    lines = lines_of_receipts(world, rows[early.to_numpy(bool)])
    arrives, sent = world.arrival_bucket(lines.received_on), world.bucket_of(lines.order_date)
    # A transfer that was under way had left its origin, so it is as good as bought.
    inbound = Lines(
        lines.line_id, lines.cell, np.full(lines.n_lines, -1), lines.source_id, lines.units, lines.unit_cost,
        sent, np.maximum(world.arrival_bucket(lines.available_date), sent), lines.promise,
    )  # fmt: skip
    dates = {"order_date": lines.order_date, "available_date": lines.available_date, "received_on": lines.received_on}
    own = rows[early.to_numpy(bool)]
    orders = {name: own[name].astype(object).to_numpy(object) for name in ("order_id", "line_no")}
    book = pd.DataFrame(
        {**{name: days.astype("datetime64[ns]") for name, days in dates.items()}, **orders},
        index=pd.Index(lines.line_id, dtype=object),
    )
    state = StockState(
        world.first, on_hand, np.zeros(world.n_cells), Shipments(inbound, arrives), presales=world.presale_orders
    )
    return opening_of(state, book), tuple(notes)


def stated_opening(world: World, tables: Tables, seed: int) -> Opening:
    """Return the state of ``inventory``, ``inventory_batches`` and ``open_orders``, at the start of the first day.

    Presale orders are the world's, which reads them off the same tables.

    A line comes on the day that its order date draws, as it would have had the replay placed it (`received_on`), and
    not before the first day; where no order date is given, on its due date. One at the door of its site
    (``arrived_on``) stands there since that day. Drafts are not on their way. What is
    reserved is not for sale, and reserved beyond stock it is owed.

    Raises
    ------
    ConfigError
        An item and location is none of the replay's, a line stands there twice, or batches exceed the stock.
    """
    stock, orders = tables["inventory"], tables["open_orders"]
    orders = orders[(orders["status"] != "draft") & (orders["units"] > 0)].reset_index(drop=True)
    rows, on_hand, backlog = _cells_of(world, stock), np.zeros(world.n_cells), np.zeros(world.n_cells)
    reserved = np.zeros(world.n_cells)
    on_hand[rows], reserved[rows], backlog[rows] = (
        stock[name].fillna(0.0).to_numpy(np.float64) for name in ("on_hand", "reserved", "backorders")
    )
    on_hand, batches = _stated_batches(world, tables["inventory_batches"], on_hand)
    backlog = backlog + np.maximum(reserved - on_hand, 0.0)
    promised = np.minimum(reserved, on_hand)
    batches = None if batches is None else first_expired_out(batches, promised)
    lines, late, book = placed_lines(world, _stated_lines(world, orders), seed)
    # Lines of one link never overtake each other.
    link = pd.DataFrame({"source": lines.source_id, "cell": lines.cell, "sent": lines.sent})
    link["arrives"] = np.maximum(lines.due + late, np.maximum(lines.sent, world.first))
    arrives = link.sort_values("sent", kind="stable").groupby(["source", "cell"])["arrives"].cummax().sort_index()
    comes = arrives.to_numpy(np.int64)
    expires = orders["expiry_date"].to_numpy().astype("datetime64[D]")
    life = np.full(len(orders), FRESH)
    known = ~np.isnat(expires)
    life[known] = np.maximum(world.bucket_of(expires[known]) - comes[known] + 1, 1)
    at_door = (orders["arrived_on"] < pd.Timestamp(world.date_of(world.first))).to_numpy(bool)
    comes = np.where(at_door, np.maximum(lines.due + late, lines.sent), comes)
    inbound = Shipments(lines, comes, life)
    state = StockState(world.first, on_hand - promised, backlog, inbound, batches, world.presale_orders)
    return opening_of(state, book)


def _stated_batches(world: World, rows: pd.DataFrame, on_hand: F64) -> tuple[F64, F64 | None]:
    """Return the stock without what has expired, and its batches; what no batch tells of is fresh."""
    if world.life_buckets is None:
        return on_hand, None
    cell, units = _cells_of(world, rows), rows["units"].to_numpy(np.float64)
    left = world.bucket_of(rows["expiry_date"].to_numpy().astype("datetime64[D]")) - world.first
    total = np.bincount(cell, weights=units, minlength=world.n_cells)
    if (above := total > on_hand + _SLACK).any():
        first = int(np.flatnonzero(above)[0])
        raise ConfigError(
            "Batches of an opening add up to no more than the stock",
            f"{int(above.sum())} items and locations where they do, first {' at '.join(map(str, world.index[first]))}",
            "Mend inventory or inventory_batches",
        )
    expires, good = world.life_buckets[cell] > 0, left >= 0
    told = np.zeros((world.n_cells, int(max(world.life_buckets.max(), left.max(initial=0) + 1))))
    np.add.at(told, (cell[expires & good], left[expires & good]), units[expires & good])
    gone = np.bincount(cell[~good], weights=units[~good], minlength=world.n_cells)
    on_hand = on_hand - gone
    fresh = fresh_batches(on_hand - told.sum(axis=1), world.life_buckets)
    told[:, : fresh.shape[1]] += fresh
    return on_hand, told


def _cells_of(world: World, rows: pd.DataFrame) -> I64:
    cell = world.rows_of(rows["item_id"], rows["location_id"])
    if (unknown := rows[cell < 0]).empty:
        return cell
    named = [f"{item} at {place}" for item, place in zip(unknown["item_id"], unknown["location_id"], strict=True)]
    raise ConfigError(
        "Every row of an opening is an item and location that is sold or supplied in DATA",
        f"{len(unknown)} others, first {', '.join(named[:5])}",
        "Take them out of the opening, or add their sales or supply",
    )


def _stated_lines(world: World, orders: pd.DataFrame) -> OrderLines:
    """Return open orders as lines; a transfer that has not shipped leaves its origin on the first day."""
    first, source = world.date_of(world.first), orders["source_id"].astype(object).fillna("").to_numpy(object)
    due = orders["due_date"].to_numpy().astype("datetime64[D]")
    ordered = orders["ordered_on"].to_numpy().astype("datetime64[D]")
    own = (orders["order_id"].astype(str) + "/" + orders["line_no"].astype(str)).to_numpy(object)
    line_id = np.where(orders["restock_line_id"].notna(), orders["restock_line_id"].astype(object), own)
    if len(set(line_id)) < len(line_id):
        raise ConfigError(
            "A plan line is on its way once", "a restock_line_id that stands in several rows of open_orders",
            "Leave restock_line_id empty in the opening",
        )  # fmt: skip
    came = orders["arrived_on"].to_numpy().astype("datetime64[D]")
    leaves = ((orders["kind"] == "transfer") & (orders["status"] != "shipped")).to_numpy(bool) & np.isnat(came)
    origin = np.full(len(orders), -1)
    moved = orders[leaves]
    origin[leaves] = _cells_of(world, moved.assign(location_id=moved["source_id"]))
    sent = np.where(np.isnat(ordered), np.minimum(due, first), ordered)
    sent = np.where(leaves, np.maximum(sent, first), sent)
    sent = np.where(np.isnat(came), sent, np.minimum(sent, came))
    received = np.where(np.isnat(ordered), np.maximum(due, sent), NOT_YET)
    return OrderLines(
        line_id=line_id,
        cell=_cells_of(world, orders),
        origin=origin,
        source_id=source,
        units=orders["units"].to_numpy(np.float64),
        unit_cost=np.zeros(len(orders)),
        order_date=sent,
        available_date=np.maximum(due, sent),
        received_on=np.where(np.isnat(came), received, came),
        promise=np.full(len(orders), np.nan),
    )


def target_opening(world: World, levels: F64) -> Opening:
    """Return ``levels`` in stock and nothing on its way; units are whole where the item is not divisible."""
    on_hand = np.where(world.network.cells.divisible, levels, np.ceil(levels - 1e-9))
    nothing = np.zeros(world.n_cells)
    return opening_of(StockState(world.first, on_hand, nothing, no_shipments(), presales=world.presale_orders))


def empty_opening(world: World) -> Opening:
    """Return no stock at all, which a policy is shown when it is asked for its target."""
    return target_opening(world, np.zeros(world.n_cells))


def warm_up_buckets(world: World) -> int:
    """Return the buckets that a target opening leaves unscored: R + L of the slowest link, at least four weeks."""
    options, network = world.network.options, world.network
    used = options.primary & network.demanded[options.cell]
    ahead = (options.next_available_date[used] - world.date_of(world.first)).astype(np.int64)
    days = max(LEAST_WARM_UP_DAYS, int(ahead.max(initial=0)))
    return -(-days // 7) * 7 // network.bucket_days


def has_stock(world: World) -> bool:
    """Return whether the data tell what was in stock when the replay begins."""
    rows = world.stock_history
    before = rows["date"] < pd.Timestamp(world.date_of(world.first))
    return bool((rows["closing_on_hand"].notna() & before).any())


def tells_actual(world: World) -> bool:
    """Return whether the data tell what was really ordered in the time of the replay."""
    if not has_stock(world):
        return False
    ordered = world.bucket_of(real_lines(world)["ordered_on"].to_numpy().astype("datetime64[D]"))
    return bool(((ordered >= world.first) & (ordered < world.end)).any())
