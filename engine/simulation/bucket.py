"""What happens to stock within a bucket, for the line-based simulator and the one over arrays alike.

Receipts come in and serve what is owed; then demand arises and takes what is there.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from engine.simulation.types import F64, I64

Unmet = Literal["lost", "backordered", "served_elsewhere"]


def owed(on_hand: F64, backlog: F64) -> F64:
    """Return the owed units that stock serves, receipts included."""
    return np.minimum(on_hand, backlog)


def sales(on_hand: F64, demand: F64) -> F64:
    """Return the units of the bucket's own demand that stock serves."""
    return np.minimum(on_hand, demand)


def elsewhere(short: F64, left: F64, helpers: I64) -> tuple[F64, F64]:
    """Return the short units that other cells serve, and the units that each cell gives, both (n_cells,).

    Cells give what their own demand left. All ask their first helper, then their second; where a helper holds less
    than it is asked for, cells are served in the order of their rows.

    Parameters
    ----------
    short, left
        Units short and units left after the bucket's own demand, shape (n_cells,).
    helpers
        Cells that help each cell, best first, -1 for none; shape (n_cells, n_helpers).
    """
    helped, given = np.zeros_like(short), np.zeros_like(left)
    for rank in range(helpers.shape[1]):
        asking = np.flatnonzero((short - helped > 0) & (helpers[:, rank] >= 0))
        order = asking[np.argsort(helpers[asking, rank], kind="stable")]
        helper, asked = helpers[order, rank], (short - helped)[order]
        before = np.cumsum(asked) - asked
        before = before - before[np.searchsorted(helper, helper, side="left")]
        got = np.clip(np.minimum(asked, (left - given)[helper] - before), 0.0, None)
        helped[order] += got
        np.add.at(given, helper, got)
    return helped, given
