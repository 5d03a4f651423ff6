"""What there is to sell of each series, for the run-down of items that are succeeded."""

from __future__ import annotations

import numpy as np

from engine.forecast.run_down import PooledStock
from engine.network.types import Network


def pooled_stock(network: Network) -> PooledStock:
    """Return the stock and inbound behind every key of the network, in the keys' order.

    Places that feed each other through their primary links share what they hold of an item: stock of a central site
    is there for all that it feeds, and is taken to reach them in time. Units owed are taken off.
    """
    cells, options = network.cells, network.options
    feeder = np.arange(cells.n_cells)
    fed = options.primary & (options.origin_cell >= 0)
    feeder[options.cell[fed]] = options.origin_cell[fed]
    while (feeder[feeder] != feeder).any():
        feeder = feeder[feeder]
    units = np.zeros((cells.n_cells, network.horizon))
    np.add.at(units, feeder, cells.arrivals)
    np.add.at(units[:, 0], feeder, cells.net)
    # More owed than in stock comes off what arrives.
    units = np.diff(np.maximum(np.cumsum(units, axis=1), 0.0), axis=1, prepend=0.0)
    pools, pool = np.unique(feeder[network.key_rows], return_inverse=True)
    return PooledStock(pool.astype(np.int64), units[pools])
