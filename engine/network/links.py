"""Which links serve which cells: the rows of ``supply`` and ``lanes`` that apply, with their lot rules.

Of several rows for the same source and cell the most specific wins: a row for the item before one for ``*``, then
one for the location before one for ``*``, then the latest ``valid_from``. A location that a
replenishment lane feeds is not served by supply rows for location ``*``: those bring units to the sites that
no lane feeds. The primary link is the one named by ``replenished_from`` (a message tells where nothing links
that site); else a purchase stated for the location itself, else a replenishment lane, else any purchase; among equals
the lowest ``preference``, the shortest lead time, the lowest source id.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd

import numpy as np
import pandas as pd

from engine.config import PlanConfig
from engine.errors import DataError
from engine.messages import Message
from engine.network.types import Keys
from engine.policy.types import F64, I64, Bools, Texts
from engine.tables import Tables
from engine.tables.columns import ANY, DEFAULT_SOURCE

_FEWEST_RECEIPTS = 5
_TERMS = (
    "lead_time_days", "lead_time_sd_days", "review_period_days", "order_weekdays", "unit_cost", "min_order_units",
    "order_multiple", "max_order_units", "units_per_purchase_unit", "preference",
)  # fmt: skip


def lane_rows(tables: Tables) -> pd.DataFrame:
    """Return ``lanes`` with role ``replenish`` where none is given."""
    lanes = tables["lanes"]
    return lanes.assign(role=lanes["role"].fillna("replenish"))


def feeding_pairs(lanes: pd.DataFrame, keys: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the pairs (item, origin) whose replenishment lanes feed the given pairs, directly or not."""
    lanes = lanes[lanes["role"] == "replenish"]
    into: dict[tuple[str, str], list[str]] = {}
    for origin, dest, item in zip(lanes["origin_id"], lanes["dest_id"], lanes["item_id"], strict=True):
        into.setdefault((item, dest), []).append(origin)
    found: set[tuple[str, str]] = set()
    frontier = keys
    while frontier:
        feeders = {
            (item, origin)
            for item, place in frontier
            for origin in (*into.get((item, place), ()), *into.get((ANY, place), ()))
        }
        frontier = feeders - found - keys
        found |= frontier
    return found


def candidate_links(
    tables: Tables, config: PlanConfig, as_of: np.datetime64, keys: Keys, needs: Bools
) -> tuple[pd.DataFrame, list[Message]]:
    """Return one row a link that can bring units to a cell today, and the assumptions made.

    Columns: cell, origin_cell (-1 for a purchase), source_id, is_lane, role, primary and the terms of the link
    with defaults filled, except lot rules. Cells outside ``needs`` receive over lateral lanes only.

    Parameters
    ----------
    tables, config, as_of
        Data, settings and the day of the plan.
    keys, needs
        The cells, and which of them are kept in stock.

    Raises
    ------
    DataError
        If a cell that is kept in stock has no link, or a link no lead time.
    """
    cells = pd.DataFrame({"item_id": keys[0], "location_id": keys[1], "cell": np.arange(len(keys[0]))})
    wanted = cells[needs]
    supply = tables["supply"]
    purchases = _purchases(supply[~(supply["valid_from"] > pd.Timestamp(as_of))], wanted)
    lanes = _lanes(lane_rows(tables), cells, needs)
    named = _named_source(tables, cells)
    fed = np.zeros(len(cells), dtype=bool)
    fed[lanes["cell"][lanes["role"] == "replenish"]] = True
    stated = purchases["level"].isin([0, 2]) | (purchases["source_id"] == named[purchases["cell"]])
    purchases = purchases[stated | ~fed[purchases["cell"]]]
    links = _stack([purchases, lanes])
    links, notes = _with_default_link(links, config, wanted)
    links, terms_notes = _fill_terms(links, config)
    links["primary"] = _primary(links, named)
    return links, notes + terms_notes + _unlinked(links, keys, named, needs)


def with_learnt_lead_times(
    links: pd.DataFrame, places: Texts, learnt: pd.DataFrame
) -> tuple[pd.DataFrame, list[Message]]:
    """Return the links with the lead times that receipts teach, where there are enough of them.

    They are known by source and destination, for all items together. Where items of one link state different lead times
    their proportions are kept: all are multiplied by what was learnt over their mean.

    Parameters
    ----------
    links
        As from `candidate_links`.
    places
        Destination of every link, shape (m,).
    learnt
        As from `engine.policy.lead_times.learn_lead_times`.
    """
    enough = learnt[learnt["n"] >= _FEWEST_RECEIPTS]
    if enough.empty or links.empty:
        return links, []
    pair = pd.MultiIndex.from_arrays([links["source_id"].astype(object), places])
    known = enough.set_index(
        pd.MultiIndex.from_arrays([enough[c].astype(object) for c in ("source_id", "location_id")])
    )
    known = known[["mean_days", "sd_days"]].reindex(pair)
    mean, sd = known["mean_days"].to_numpy(dtype=np.float64), known["sd_days"].to_numpy(dtype=np.float64)
    stated = links["lead_time_days"].to_numpy(dtype=np.float64)
    average = (
        pd.Series(stated).groupby([pair.get_level_values(0), pair.get_level_values(1)]).transform("mean").to_numpy()
    )
    use = ~np.isnan(mean) & (stated > 0)
    lead = np.where(use, stated * mean / np.where(average > 0, average, 1.0), stated)
    filled = links.assign(lead_time_days=lead, lead_time_sd_days=np.where(use, sd, links["lead_time_sd_days"]))
    return filled, [Message("learnt-lead-times", {"count": int(use.sum())})] if use.any() else []


def lot_rules(links: pd.DataFrame, divisible: Bools) -> tuple[F64, F64, F64]:
    """Return least units, multiple and most units of every link, in base units.

    Orders come in whole units unless the item is divisible, in whole purchase units, and in the order multiple:
    the least common multiple of the three.
    """
    least = links["min_order_units"].fillna(0.0).to_numpy(dtype=np.float64)
    most = links["max_order_units"].fillna(np.inf).to_numpy(dtype=np.float64)
    order = links["order_multiple"].fillna(0.0).to_numpy(dtype=np.float64)
    pack = links["units_per_purchase_unit"].fillna(0.0).to_numpy(dtype=np.float64)
    whole = np.where(divisible[links["cell"].to_numpy()], 0.0, 1.0)
    steps = np.column_stack([whole, order, pack])
    distinct, rows = np.unique(steps, axis=0, return_inverse=True)
    common = np.array([_common_multiple(row) for row in distinct.tolist()]).reshape(-1)
    return least, common[rows.reshape(-1)], most


def _common_multiple(steps: list[float]) -> float:
    common = Fraction(0)
    for step in steps:
        if step > 0:
            part = Fraction(step).limit_denominator(1000)
            common = part if not common else _lcm(common, part)
    return float(common)


def _lcm(a: Fraction, b: Fraction) -> Fraction:
    numerator = a.numerator * b.numerator // gcd(a.numerator, b.numerator)
    return Fraction(numerator, gcd(a.denominator, b.denominator))


def _purchases(supply: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the supply row that wins for every cell and source; level 0 is the most specific, 3 the least."""
    item_any, place_any = supply["item_id"] == ANY, supply["location_id"] == ANY
    parts = []
    for level, (any_item, any_place) in enumerate([(False, False), (False, True), (True, False), (True, True)]):
        rows = supply[(item_any == any_item) & (place_any == any_place)]
        on = [name for name, wild in (("item_id", any_item), ("location_id", any_place)) if not wild]
        rows = rows.drop(columns=[name for name in ("item_id", "location_id") if name not in on])
        part = cells.merge(rows, on=on) if on else cells.merge(rows, how="cross")
        parts.append(part.assign(level=level))
    found = _stack(parts)
    found = found.sort_values(
        ["cell", "source_id", "level", "valid_from"], ascending=[True, True, True, False], kind="stable"
    )
    found = found.drop_duplicates(["cell", "source_id"])
    columns = ["cell", "source_id", "level", *_TERMS]
    return found[columns].assign(origin_cell=-1, is_lane=False, role="purchase")


def _lanes(lanes: pd.DataFrame, cells: pd.DataFrame, needs: Bools) -> pd.DataFrame:
    """Return the lane row that wins for every receiving cell and origin that is a cell too."""
    item_any = lanes["item_id"] == ANY
    exact = cells.merge(lanes[~item_any], left_on=["item_id", "location_id"], right_on=["item_id", "dest_id"]).assign(
        level=0
    )
    wide = cells.merge(lanes[item_any].drop(columns="item_id"), left_on="location_id", right_on="dest_id").assign(
        level=1
    )
    found = _stack([exact, wide])
    found = found.sort_values(["cell", "origin_id", "level"], kind="stable").drop_duplicates(["cell", "origin_id"])
    origins = cells.rename(columns={"location_id": "origin_id", "cell": "origin_cell"})
    found = found.merge(origins, on=["item_id", "origin_id"])
    found = found[needs[found["cell"].to_numpy(dtype=np.int64)] | (found["role"] == "lateral")]
    found = found.assign(
        source_id=found["origin_id"],
        is_lane=True,
        review_period_days=np.nan,
        min_order_units=np.nan,
        max_order_units=np.nan,
        units_per_purchase_unit=np.nan,
        preference=np.nan,
    )
    return pd.DataFrame(found, columns=["cell", "origin_cell", "source_id", "level", "is_lane", "role", *_TERMS])


def _stack(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return parts below each other; empty ones are left out, so that they do not decide the types."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled or parts[:1], ignore_index=True)


def _named_source(tables: Tables, cells: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    pairs = tables["item_locations"].drop_duplicates(["item_id", "location_id"])
    named = cells.merge(pairs[["item_id", "location_id", "replenished_from"]], how="left")
    return named["replenished_from"].astype(object).where(named["replenished_from"].notna(), "").to_numpy(object)


def _with_default_link(
    links: pd.DataFrame, config: PlanConfig, wanted: pd.DataFrame
) -> tuple[pd.DataFrame, list[Message]]:
    """Add the configured link to cells that nothing replenishes."""
    served = set(links["cell"][links["role"] != "lateral"])
    bare = wanted[~wanted["cell"].isin(served)]
    if bare.empty:
        return links, []
    if config.supply.lead_time_days is None:
        first = bare.iloc[0]
        raise DataError(
            "Every item kept in stock needs a link with a lead time",
            f"{len(bare)} items at locations without, first {first['item_id']} at {first['location_id']}",
            "Add rows to supply or lanes, or set supply.lead_time_days in the configuration.",
        )
    added = pd.DataFrame({"cell": bare["cell"].to_numpy(), "origin_cell": -1, "source_id": DEFAULT_SOURCE})
    added = added.assign(level=4, is_lane=False, role="purchase", **dict.fromkeys(_TERMS, np.nan))
    added["order_weekdays"] = ""
    note = Message("assumed-default-link", {"count": len(bare), "lead_time_days": config.supply.lead_time_days})
    return _stack([links, added]), [note]


def _fill_terms(links: pd.DataFrame, config: PlanConfig) -> tuple[pd.DataFrame, list[Message]]:
    """Fill lead time, its deviation and review period; weekdays alone mean that every one of them is an order day."""
    notes: list[Message] = []
    lead, sd = links["lead_time_days"].astype("float64"), links["lead_time_sd_days"].astype("float64")
    if lead.isna().any() and config.supply.lead_time_days is not None:
        unlisted = lead.isna() & (links["source_id"] != DEFAULT_SOURCE)
        if unlisted.any():
            values = {"count": int(unlisted.sum()), "lead_time_days": config.supply.lead_time_days}
            notes.append(Message("assumed-lead-time", values))
        sd = sd.where(lead.notna() | sd.notna(), config.supply.lead_time_sd_days)
        lead = lead.fillna(config.supply.lead_time_days)
    weekdays = links["order_weekdays"].astype(object).where(links["order_weekdays"].notna(), "")
    review = links["review_period_days"].astype("float64")
    review = review.where(review.notna() | (weekdays == ""), 1.0)
    if review.isna().any():
        days = config.supply.review_period_days
        notes.append(Message("assumed-review-period", {"count": int(review.isna().sum()), "days": days}))
        review = review.fillna(float(days))
    filled = links.assign(
        lead_time_days=lead,
        lead_time_sd_days=sd.fillna(0.0),
        order_weekdays=weekdays,
        review_period_days=review,
    )
    return filled, notes


def _primary(links: pd.DataFrame, named: np.ndarray[tuple[int], np.dtype[np.object_]]) -> Bools:
    """Return which link normally replenishes each cell."""
    source, cell = links["source_id"].to_numpy(object), links["cell"].to_numpy(dtype=np.int64)
    replenishes = (links["role"] != "lateral").to_numpy(dtype=bool) | (source == named[cell])
    stated = links["level"].isin([0, 2]).to_numpy(dtype=bool) & ~links["is_lane"].to_numpy(dtype=bool)
    rank = np.where(source == named[cell], 0, np.where(stated, 1, np.where(links["is_lane"], 2, 3)))
    ordered = pd.DataFrame(
        {
            "cell": cell,
            "rank": rank,
            "preference": links["preference"].astype("float64").fillna(np.inf),
            "lead": links["lead_time_days"].astype("float64"),
            "source": source,
        }
    )[replenishes]
    ordered = ordered.sort_values(["cell", "rank", "preference", "lead", "source"], kind="stable")
    primary = np.zeros(len(links), dtype=bool)
    primary[ordered.drop_duplicates("cell").index.to_numpy()] = True
    return primary


def _unlinked(
    links: pd.DataFrame, keys: Keys, named: np.ndarray[tuple[int], np.dtype[np.object_]], needs: Bools
) -> list[Message]:
    """Return a message where ``replenished_from`` names a site that no lane or supply row links to the location."""
    cell = links["cell"].to_numpy(dtype=np.int64)
    linked = np.zeros(len(needs), dtype=bool)
    linked[cell[links["source_id"].to_numpy(object) == named[cell]]] = True
    rows = np.flatnonzero(needs & (named != "") & ~linked)
    if not len(rows):
        return []
    first = f"{keys[0][rows[0]]} @ {keys[1][rows[0]]}"
    return [Message("replenished-from-without-link", {"count": len(rows), "first": first, "named": named[rows[0]]})]


def chain_depth(cell: I64, origin_cell: I64, n_cells: int, n_sites: int) -> I64:
    """Return how many primary lanes, from ``origin_cell`` to ``cell``, lie below each of ``n_cells`` cells.

    Raises
    ------
    DataError
        If primary lanes run in a circle.
    """
    depth = np.zeros(n_cells, dtype=np.int64)
    for _ in range(n_sites + 1):
        deeper = depth.copy()
        np.maximum.at(deeper, origin_cell, depth[cell] + 1)
        if (deeper == depth).all():
            return depth
        depth = deeper
    raise DataError(
        "Replenishment must not run in a circle",
        "sites that feed each other",
        "Give such a lane the role lateral, or name another source in item_locations.replenished_from.",
    )
