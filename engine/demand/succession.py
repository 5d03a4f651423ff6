"""Successors: a new item carries the history of the pair that it forms with the item it follows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.demand.keys import SeriesKeys
from engine.demand.panel import DemandPanel
from engine.messages import Message
from engine.tables.tables import Tables

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Successors and the items that they follow at the same location, shape (n_pairs,) each.

    Parameters
    ----------
    heir, old
        Rows of a panel; a series follows one other at most.
    share
        Of the old item's demand, what passes to this heir: several heirs of one series share it evenly.
    """

    heir: Ints
    old: Ints
    share: Doubles

    @classmethod
    def of(cls, panel: DemandPanel, tables: Tables) -> Pairs:
        """Return the pairs of which a panel holds both series."""
        items = tables["items"].dropna(subset=["successor_of"])
        follows = dict(zip(items["item_id"].astype(object), items["successor_of"].astype(object), strict=True))
        if not follows:
            none = np.zeros(0, np.int64)
            return cls(none, none, np.zeros(0))
        heir = np.array([r for r, item in enumerate(panel.item_id) if follows.get(item, item) != item], np.int64)
        names = np.array([follows[item] for item in panel.item_id[heir]], np.object_)
        old = SeriesKeys(panel.item_id, panel.location_id).rows_of(names, panel.location_id[heir])
        heir, old = heir[old >= 0], old[old >= 0]
        return cls(heir, old, 1 / np.bincount(old)[old])

    def take(self, which: Ints) -> Pairs:
        """Return the given pairs."""
        return Pairs(self.heir[which], self.old[which], self.share[which])


def with_predecessors(panel: DemandPanel, tables: Tables) -> tuple[DemandPanel, tuple[Message, ...]]:
    """Return the panel with each successor's history that of the pair: its own, and its predecessor's.

    Before a successor's first sale, availability and offer are the predecessor's. From then on a bucket was on sale as
    long as either was: who found one of them gone took the other. Units add up throughout, so the level of the pair
    is seen; what the predecessor will still sell of it comes off the forecast (`engine.forecast.succession`). Prices
    are the successor's own, and the predecessor's where it has none. A successor of a successor takes one step
    back. Nothing changes where the predecessor has no series.
    """
    h = panel.calendar.n_history
    pairs = Pairs.of(panel, tables)
    heir, old = pairs.heir, pairs.old
    if len(heir) == 0 or h == 0:
        return panel, ()
    sold = panel.units[heir] > 0
    first = np.where(sold.any(axis=1), sold.argmax(axis=1), h)
    before = np.arange(h) < first[:, None]
    on_sale = np.where(panel.offered[:, :h], panel.available, np.float32(0))
    units, available, offered = np.array(panel.units), np.array(panel.available), np.array(panel.offered)
    price = np.array(panel.price)
    units[heir] += panel.units[old] * pairs.share[:, None].astype(np.float32)
    available[heir] = np.where(before, panel.available[old], np.maximum(on_sale[heir], on_sale[old]))
    offered[heir, :h] = panel.offered[old, :h] | (panel.offered[heir, :h] & ~before)
    price[heir] = np.where(np.isnan(price[heir]), panel.price[old], price[heir])
    notes = [Message("predecessor-history-used", {"n_series": len(heir)})]
    if (pairs.share < 1).any():
        notes.append(Message("predecessor-history-shared", {"n_series": int((pairs.share < 1).sum())}))
    return replace(panel, units=units, available=available, offered=offered, price=price), tuple(notes)
