"""Which prices hold for which option: the links' own, and the breaks of ``price_breaks``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.messages import Message
from engine.policy.price_lines import PriceLines, price_lines
from engine.policy.types import Cells, Options
from engine.tables import Tables


def option_prices(tables: Tables, cells: Cells, options: Options) -> tuple[PriceLines, list[Message]]:
    """Return what units of each option are paid for, and what of the breaks says nothing.

    A break holds for the units of one item that one destination orders from its source on one day: lines of other
    destinations, days or items do not add up to it. Below the first break the price of the link holds.
    """
    breaks = tables["price_breaks"]
    bought = np.flatnonzero(options.origin_cell < 0)
    links = pd.DataFrame(
        {
            "item_id": cells.item_id[options.cell[bought]].astype(str),
            "source_id": options.source_id[bought].astype(str),
            "option": bought,
        }
    )
    given = breaks.assign(item_id=breaks["item_id"].astype(object), source_id=breaks["source_id"].astype(object))
    priced = given[given["unit_cost"].notna()]
    found = links.merge(priced, on=["item_id", "source_id"])
    lines = price_lines(
        options.unit_cost,
        found["option"].to_numpy(dtype=np.int64),
        found["min_units"].to_numpy(dtype=np.float64),
        found["unit_cost"].to_numpy(dtype=np.float64),
        (found["kind"] == "incremental").fillna(False).to_numpy(dtype=bool),
    )
    known = pd.MultiIndex.from_frame(links[["item_id", "source_id"]])
    unlinked = ~pd.MultiIndex.from_frame(priced[["item_id", "source_id"]]).isin(known)
    notes = []
    if len(given) > len(priced):
        notes.append(Message("price-breaks-without-cost", {"count": len(given) - len(priced)}))
    if unlinked.any():
        first = priced[unlinked].iloc[0]
        named = f"{first['item_id']} @ {first['source_id']}"
        notes.append(Message("price-breaks-without-link", {"count": int(unlinked.sum()), "first": named}))
    return lines, notes
