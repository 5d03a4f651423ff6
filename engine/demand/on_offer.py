"""Which buckets an item was, and will be, on offer in (docs/design.md, 5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.demand.panel import DemandPanel


def on_offer(panel: DemandPanel) -> npt.NDArray[np.bool_]:
    """Return whether each series is on offer, shape (n, n_buckets).

    On offer is what the dates say (`DemandPanel.offered`) less the dormant runs of the history: stretches
    without a sale that hold at least ``panel.dormant_buckets`` buckets on sale. Buckets out of stock neither
    count towards a run nor break it, since nobody could have bought. A run that reaches the end of the
    history takes the future with it. Only the panel's own history is read.
    """
    offered = np.array(panel.offered)
    n_history = panel.calendar.n_history
    if panel.dormant_buckets <= 0 or n_history == 0:
        return offered
    sold = panel.units > 0
    idle = offered[:, :n_history] & ~sold & (panel.available > 0)
    count = np.cumsum(idle, axis=1, dtype=np.int32)
    # Idle buckets up to the sale before a bucket, and up to the sale after it: their difference is the run.
    before = np.maximum.accumulate(np.where(sold, count, 0), axis=1)
    total = np.broadcast_to(count[:, -1:], count.shape)
    after = np.minimum.accumulate(np.where(sold, count, total)[:, ::-1], axis=1)[:, ::-1]
    dormant = ~sold & (after - before >= panel.dormant_buckets)
    offered[:, :n_history] &= ~dormant
    offered[:, n_history:] &= ~dormant[:, -1:]
    return offered
