"""The presale orders of a history, as a replay's sites owe them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from engine.demand.calendar import Calendar
from engine.demand.sales import flat_bom, is_presale
from engine.messages import Message
from engine.network.presale_lines import at_cells, known_lines, serving_sites, with_components
from engine.network.types import Network
from engine.policy.types import Bools, Days
from engine.simulation import NEVER, PresaleOrders
from engine.tables import Tables
from engine.tables.columns import TEXT
from experiments.replay.presales import TEXTS, WorldPresales

_NOISE = 1e-6
_ONE_DAY = pd.Timedelta(days=1)


def presales_of(
    tables: Tables, network: Network, whole: Calendar, first: int
) -> tuple[WorldPresales | None, tuple[Message, ...]]:
    """Return the presale orders of a replay from bucket ``first`` on, None where there are none, and what was assumed.

    An order is owed from its presale's first day of shipping on, or from its own day where that is later. A line that
    has shipped in the data is owed too, unless it was due before the replay: that has left.

    Raises
    ------
    DataError
        A line has no site that serves it.
    """
    lines = known_lines(tables, whole.edges[-1])
    lines = lines[lines["units"] > 0].reset_index(drop=True)
    if lines.empty:
        return None, _left_out(tables)
    lines = _with_days(lines, tables, pd.Timestamp(whole.edges[0]))
    begins = pd.Timestamp(whole.edges[first])
    settled = (lines["gone"] < begins) | ((lines["status"] == "shipped") & (lines["due"] < begins))
    rows = _at_cells(lines.assign(settled=settled), tables, network)
    units = rows["units"].to_numpy(np.float64) * rows["factor"].to_numpy(np.float64)
    units = np.where(rows["whole"].to_numpy(bool), np.ceil(units - _NOISE), units)
    due, gone = whole.bucket_of(_days(rows["due"])) + whole.n_history, np.full(len(rows), NEVER)
    ends = rows["gone"].notna().to_numpy(bool)
    gone[ends] = whole.bucket_of(_days(rows["gone"][ends])) + whole.n_history
    # What is settled and not shipped was cancelled.
    left = (rows["settled"] & rows["gone"].isna()).to_numpy(bool)
    orders = PresaleOrders(rows["cell"].to_numpy(np.int64), units, due, gone, np.where(left, units, 0.0))
    texts = {name: rows[name].astype(object).replace("", None).astype(TEXT) for name in TEXTS}
    others = ("ordered_on", "told", "paid", "gone", "gift", "settled")
    kept = pd.DataFrame({**texts, **{name: rows[name] for name in others}})
    events = tables["presale_events"]
    first_told = events["presale_id"].astype(object).map(rows.groupby("presale_id")["told"].min())
    events = events.assign(first_told=first_told.astype("datetime64[ns]"))
    owed = ~rows["settled"].to_numpy(bool) & (gone > np.maximum(due, first))
    notes = _notes(lines, int(owed.sum()), left & (_days(rows["ships_by"]) >= whole.edges[first]))
    return WorldPresales(kept, events, orders), notes


def told_bom(tables: Tables) -> pd.DataFrame:
    """Return `bom` without items that come with gifts: what a replay tells of sales and orders holds the gifts."""
    bom = tables["bom"]
    return bom[~bom["parent_item_id"].isin(_with_gifts(tables))].reset_index(drop=True)


def _with_gifts(tables: Tables) -> set[str]:
    """Return the items that are components of themselves."""
    bom = tables["bom"]
    return set(bom["parent_item_id"][(bom["parent_item_id"] == bom["component_item_id"]).to_numpy(bool)])


def _with_days(lines: pd.DataFrame, tables: Tables, earliest: pd.Timestamp) -> pd.DataFrame:
    """Return the lines with the days ``told``, ``due``, ``paid`` and ``gone`` (`WorldPresales`).

    Undated lines count as ordered on the last day of orders, or when they were cancelled if that was before. A presale
    without any date ships the day after an order. A cancelled line stands until ``cancelled_on``; where that is not
    given until the balance is due, at the latest until shipping begins.
    """
    cancelled = lines["status"] == "cancelled"
    latest = pd.concat([lines["closes_on"], lines["cancelled_on"].where(cancelled)], axis=1).min(axis=1)
    told = lines["ordered_on"].fillna(latest).fillna(earliest)
    dated = lines["shipping_given"] | lines["closes_on"].notna()
    ships = lines["ships"].where(dated, told + _ONE_DAY)
    balance = tables["presale_events"].astype({"presale_id": object}).set_index("presale_id")["balance_due_on"]
    paid = _earlier(lines["presale_id"].map(balance).astype("datetime64[ns]").fillna(ships), ships)
    gone = lines["cancelled_on"].fillna(_later(paid, told)).where(cancelled)
    return lines.assign(told=told, due=_later(ships, told), paid=paid, gone=gone)


def _at_cells(lines: pd.DataFrame, tables: Tables, network: Network) -> pd.DataFrame:
    """Return one row a line and item, as they are served; ``location_id`` and ``region`` stay as given.

    Bundles become their components first, and what comes with gifts then brings them. Of lines that are settled before
    the replay no site is asked.
    """
    lines = lines.rename(columns={"item_id": "sold_item_id"}).assign(given=lines["location_id"])
    rows = with_components(lines, _with_bom(tables, told_bom(tables)))
    rows = rows.assign(line_id=_own_ids(rows), units=rows["units"] * rows["factor"], sold_item_id=rows["item_id"])
    rows = rows.drop(columns=["item_id", "factor"])
    flat = flat_bom(tables["bom"]) if len(tables["bom"]) else tables["bom"]
    gifts = _with_bom(tables, flat[flat["parent_item_id"].isin(_with_gifts(tables))])
    placed = rows[~rows["settled"]]
    placed = at_cells(placed.assign(location_id=serving_sites(placed, tables)), gifts, network)
    past = with_components(rows[rows["settled"]], gifts).assign(cell=0, whole=False)
    rows = pd.concat([part for part in (past, placed) if len(part)], ignore_index=True)
    gift = rows["item_id"] != rows["sold_item_id"]
    rows = rows.assign(location_id=rows["given"], line_id=_own_ids(rows), gift=gift)
    return rows.sort_values(["due", "told", "presale_id", "line_id"], kind="stable", ignore_index=True)


def _own_ids(rows: pd.DataFrame) -> pd.Series:
    """Return the id of each line, with the item behind it where that is not what was sold."""
    line_id = rows["line_id"].astype(object)
    return line_id.where(rows["item_id"] == rows["sold_item_id"], line_id + "/" + rows["item_id"])


def _with_bom(tables: Tables, bom: pd.DataFrame) -> Tables:
    return replace(tables, frames={**tables.frames, "bom": bom})


def _notes(lines: pd.DataFrame, n_owed: int, under_way: Bools) -> tuple[Message, ...]:
    counts = {
        "replay-presales": n_owed,
        "replay-presales-undated": int(lines["ordered_on"].isna().sum()),
        "replay-presales-cancelled": int(((lines["status"] == "cancelled") & lines["cancelled_on"].isna()).sum()),
        "replay-presales-under-way": int(under_way.sum()),
    }
    return tuple(Message(code, {"count": count}) for code, count in counts.items() if count)


def _left_out(tables: Tables) -> tuple[Message, ...]:
    """Return how many sales rows are of presales whose orders are not given."""
    if not tables.has("sales", "channel") or not (n_rows := int(is_presale(tables["sales"]["channel"]).sum())):
        return ()
    return (Message("replay-presales-left-out", {"count": n_rows}),)


def _earlier(one: pd.Series, other: pd.Series) -> pd.Series:
    return one.where(one <= other, other)


def _later(one: pd.Series, other: pd.Series) -> pd.Series:
    return one.where(one >= other, other)


def _days(dates: pd.Series) -> Days:
    return dates.to_numpy().astype("datetime64[D]")
