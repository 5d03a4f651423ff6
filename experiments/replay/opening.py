"""The stock that every policy opens with: the real one where it is on record, else the first policy's own target."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.messages import Message
from engine.policy.types import F64
from engine.simulation import Lines, Shipments, StockState, no_shipments
from experiments.replay.hindsight import lines_of_receipts, real_lines
from experiments.replay.walk import Opening, opening_of
from experiments.replay.world import World

LEAST_WARM_UP_DAYS = 28


def real_opening(world: World, stock_history: pd.DataFrame) -> tuple[Opening, tuple[Message, ...]]:
    """Return the stock at the end of the day before the replay, and what `receipts` say was on its way then.

    A line on its way is due a usual lead time after its order; the day on which it really came is the world's alone.
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
    book = pd.DataFrame(
        {name: days.astype("datetime64[ns]") for name, days in dates.items()},
        index=pd.Index(lines.line_id, dtype=object),
    )
    state = StockState(world.first, on_hand, np.zeros(world.n_cells), Shipments(inbound, arrives))
    return opening_of(state, book), tuple(notes)


def target_opening(world: World, levels: F64) -> Opening:
    """Return ``levels`` in stock and nothing on its way; units are whole where the item is not divisible."""
    on_hand = np.where(world.network.cells.divisible, levels, np.ceil(levels - 1e-9))
    return opening_of(StockState(world.first, on_hand, np.zeros(world.n_cells), no_shipments()))


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
