"""The table ``alternatives``: what else could have been ordered, what that costs more and which service it reaches."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.network.alternatives import Alternatives
from engine.network.types import Network
from engine.plan.tables import plan_table
from engine.policy.params import Objective

ALTERNATIVE_CELLS = 500
"""Cells of a part whose alternatives are kept: those with most money in play."""


def alternative_lines(found: Alternatives, network: Network, objective: Objective) -> pd.DataFrame:
    """Return the table ``alternatives``, sorted by item and location, the primary source first, then by units.

    ``expected_service`` is the measure of the objective, as in ``targets``.
    """
    cells, options = network.cells, network.options
    cell = options.cell[found.primary]
    return plan_table(
        "alternatives",
        {
            "item_id": cells.item_id[cell],
            "location_id": cells.location_id[cell],
            "source_id": options.source_id[found.option],
            "units": found.units,
            # Adding zero turns -0.0 into 0.0.
            "extra_cost": np.round(found.extra_cost, 4) + 0.0,
            "expected_cycle_service": found.cycle_service,
            "expected_fill_rate": found.fill_rate,
            "expected_service": found.fill_rate if objective == "fill_rate" else found.cycle_service,
            "chosen": found.chosen.astype(np.int64),
        },
    )
