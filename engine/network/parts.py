"""Parts of a network: whole items that are decided apart from each other, so that memory is bounded by the part."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.network.dates import LinkDays
from engine.network.supplier_asks import options_with_terms
from engine.network.types import Network
from engine.policy.types import I64

PART_CELLS = 2048


@dataclass(frozen=True)
class NetworkPart:
    """A network of some items, with the rows of its cells and options in the whole."""

    network: Network
    cell_rows: I64
    option_rows: I64


def network_parts(network: Network, n_cells: int = PART_CELLS) -> list[NetworkPart]:
    """Return parts that cover all items: first all that share lanes, together, then the others in blocks.

    Items compete on lanes between own sites (trips, their cost and volume), and share orders to suppliers that have
    terms (a source and a destination): those that do, directly or not, are decided in one part.
    A block holds at most ``n_cells`` cells, or one such family of items.
    """
    cells, options = network.cells, network.options
    _, item = np.unique(cells.item_id.astype(str), return_inverse=True)
    family = _families(network, item)[item] if len(item) else item
    shares = np.zeros(cells.n_cells, dtype=bool)
    shares[family[options.cell[options.origin_cell >= 0]]] = True
    together = np.flatnonzero(shares[family])
    parts = [together] if len(together) else []
    alone = np.flatnonzero(~shares[family])
    alone = alone[np.argsort(family[alone], kind="stable")]
    starts = np.flatnonzero(np.diff(family[alone], prepend=-1))
    block: list[I64] = []
    size = 0
    for rows in np.split(alone, starts[1:]) if len(alone) else []:
        if block and size + len(rows) > n_cells:
            parts.append(np.concatenate(block))
            block, size = [], 0
        block.append(rows)
        size += len(rows)
    if block:
        parts.append(np.concatenate(block))
    return [part_of(network, np.sort(rows)) for rows in parts]


def _families(network: Network, item: I64) -> I64:
    """Return the family of every item: the first item that it shares lanes or suppliers' orders with."""
    cells, options = network.cells, network.options
    moved = np.flatnonzero(options.origin_cell >= 0)
    bought = np.flatnonzero(options_with_terms(network))
    _, order = np.unique(
        np.column_stack([options.source_id[bought], cells.location_id[options.cell[bought]]]).astype(str),
        axis=0, return_inverse=True,
    )  # fmt: skip
    # All lanes are one thing that is shared, each supplier and destination another.
    rows = item[options.cell[np.concatenate([moved, bought])]]
    thing = np.concatenate([np.zeros(len(moved), dtype=np.int64), order.reshape(-1) + 1])
    family = np.arange(int(item.max()) + 1)
    while True:
        first = np.full(int(thing.max(initial=0)) + 1, len(family))
        np.minimum.at(first, thing, family[rows])
        joined = family.copy()
        np.minimum.at(joined, rows, first[thing])
        joined = joined[joined]
        if (joined == family).all():
            return family
        family = joined


def part_of(network: Network, rows: I64) -> NetworkPart:
    """Return the part of some cells (rows in order), which must be all cells of their items."""
    place = np.full(network.cells.n_cells, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    options = np.flatnonzero(place[network.options.cell] >= 0)
    taken = network.options.take(options)
    giver = np.where(taken.origin_cell >= 0, place[taken.origin_cell], -1)
    keys = place[network.key_rows[network.key_rows >= 0]]
    part = replace(
        network,
        cells=network.cells.take(rows),
        options=replace(taken, cell=place[taken.cell], origin_cell=giver),
        prices=network.prices.take(options),
        days=_days_of(network.days, options),
        key_rows=keys[keys >= 0],
        demanded=network.demanded[rows],
        volume=network.volume[rows],
        sellable_days=network.sellable_days[rows],
        last_sale=network.last_sale[rows],
        notes=(),
    )
    return NetworkPart(part, rows, options)


def _days_of(days: LinkDays, rows: I64) -> LinkDays:
    names = ("order_row", "ship_row", "receive_row", "lead_days", "review_days")
    return replace(days, **{name: getattr(days, name)[rows] for name in names})
