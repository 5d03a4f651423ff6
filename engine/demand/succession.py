"""Successors: a new item starts with the history of the one it follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.demand.keys import SeriesKeys
from engine.demand.panel import DemandPanel
from engine.messages import Message
from engine.tables.tables import Tables


def with_predecessors(panel: DemandPanel, tables: Tables) -> tuple[DemandPanel, tuple[Message, ...]]:
    """Return the panel with each successor's buckets before its first sale taken from its predecessor there.

    Units, availability and offer are the predecessor's, the price only where the successor has none. A
    successor of a successor takes one step back. Nothing changes where the predecessor has no series.
    """
    h = panel.calendar.n_history
    items = tables["items"].dropna(subset=["successor_of"])
    follows = dict(zip(items["item_id"].astype(object), items["successor_of"].astype(object), strict=True))
    heirs = np.array([r for r, item in enumerate(panel.item_id) if item in follows], np.int64)
    if len(heirs) == 0 or h == 0:
        return panel, ()
    old = np.array([follows[item] for item in panel.item_id[heirs]], np.object_)
    source = SeriesKeys(panel.item_id, panel.location_id).rows_of(old, panel.location_id[heirs])
    heirs, source = heirs[source >= 0], source[source >= 0]
    sold = panel.units[heirs] > 0
    first = np.where(sold.any(axis=1), sold.argmax(axis=1), h)
    before = np.arange(h) < first[:, None]
    units, available, offered = np.array(panel.units), np.array(panel.available), np.array(panel.offered)
    price = np.array(panel.price)
    units[heirs] = np.where(before, panel.units[source], panel.units[heirs])
    available[heirs] = np.where(before, panel.available[source], panel.available[heirs])
    offered[heirs, :h] = np.where(before, panel.offered[source, :h], panel.offered[heirs, :h])
    price[heirs] = np.where(before & np.isnan(price[heirs]), panel.price[source], price[heirs])
    note = (Message("predecessor-history-used", {"n_series": len(heirs)}),) if len(heirs) else ()
    return replace(panel, units=units, available=available, offered=offered, price=price), note
