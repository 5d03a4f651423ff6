"""Sampling in blocks of whole items, so that memory is bounded by the block and results do not depend on it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.demand.panel import DemandPanel

BLOCK_SERIES = 2048


def series_blocks(panel: DemandPanel, n_series: int = BLOCK_SERIES) -> list[npt.NDArray[np.int64]]:
    """Return the rows of consecutive blocks of whole items, each of at most ``n_series`` series or one item."""
    item = panel.item_id
    is_first = np.ones(panel.n_series, dtype=np.bool_)
    is_first[1:] = np.array(item[1:] != item[:-1], dtype=np.bool_)
    edges = np.append(np.flatnonzero(is_first), panel.n_series).astype(np.int64)
    blocks: list[npt.NDArray[np.int64]] = []
    start = 0
    while start < panel.n_series:
        # The last item edge within reach of the block, but at least the next one.
        last = int(np.searchsorted(edges, start + n_series, side="right")) - 1
        stop = int(edges[max(last, 0)])
        if stop <= start:
            stop = int(edges[np.searchsorted(edges, start, side="right")])
        blocks.append(np.arange(start, stop, dtype=np.int64))
        start = stop
    return blocks
