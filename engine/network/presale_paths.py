"""Presale demand on the sampled paths: what waits for units that come late, and what is ordinary demand beside it.

A presale order that finds nothing on its first day of shipping is not lost: it waits, and takes the first units that
come, before ordinary demand. On the paths it therefore stands in the buckets in which it is
served; what neither stock nor inbound serves before a cell's own next order lands asks again on that day, so
that the order answers for it. What it costs to let it wait until then is sunk and not counted. Beyond the horizon
nothing asks again: such units stay where they were due.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.network.presale import Presale
from engine.network.types import Network
from engine.policy.types import F32, F64, I64, Bools, Cells, Scenarios, StockRule


@dataclass(frozen=True)
class PresalePaths:
    """The part of the demand paths that is presales.

    Parameters
    ----------
    cell
        Cells with presales, ascending, shape (k,).
    units
        Shape (k, n_paths, horizon), in the buckets in which they are asked for.
    """

    cell: I64
    units: F32

    @property
    def mean(self) -> F64:
        """Return mean units by bucket, shape (k, horizon)."""
        return np.asarray(self.units.mean(axis=1, dtype=np.float64))

    @property
    def first(self) -> I64:
        """Return the first bucket with presales by cell, the horizon where no path has any, shape (k,)."""
        has = self._has
        return np.asarray(np.where(has.any(axis=1), has.argmax(axis=1), has.shape[1]))

    @property
    def last(self) -> I64:
        """Return the last bucket with presales by cell, -1 where no path has any, shape (k,)."""
        has = self._has
        return np.where(has.any(axis=1), has.shape[1] - 1 - has[:, ::-1].argmax(axis=1), -1)

    @property
    def _has(self) -> Bools:
        """Return in which buckets a path has presales, shape (k, horizon)."""
        return np.asarray((self.units > 0).any(axis=1))


NO_PRESALES = PresalePaths(np.zeros(0, dtype=np.int64), np.zeros((0, 1, 0), dtype=np.float32))


def presale_paths(presale: Presale, n_paths: int, horizon: int) -> PresalePaths:
    """Return the demand of presales path by path, on their first days of shipping; beyond ``horizon`` none."""
    rows = np.flatnonzero(presale.rows["bucket"].to_numpy(np.int64) < horizon)
    bucket = presale.rows["bucket"].to_numpy(np.int64)[rows]
    cell, place = np.unique(presale.rows["cell"].to_numpy(np.int64)[rows], return_inverse=True)
    units = np.zeros((len(cell), n_paths, horizon), dtype=np.float32)
    if len(rows):
        drawn = presale.sample(n_paths)[rows].astype(np.float32)
        for row, (at, when) in enumerate(zip(place.reshape(-1).tolist(), bucket.tolist(), strict=True)):
            units[at, :, when] += drawn[row]
    return PresalePaths(cell, units)


def reached_late(network: Network, presales: PresalePaths) -> Bools:
    """Return the cells with presales that none of today's options reaches before any of them ships, shape (k,)."""
    earliest = np.full(network.cells.n_cells, network.horizon, dtype=np.int64)
    np.minimum.at(earliest, network.options.cell, network.options.arrival)
    found: Bools = earliest[presales.cell] > presales.last
    return found


def waiting(
    network: Network,
    cells: Cells,
    scenarios: Scenarios,
    presales: PresalePaths,
    rule: StockRule,
    which: Bools | None = None,
) -> PresalePaths:
    """Return the presales with what finds nothing waiting for the cell's own next order.

    Parameters
    ----------
    network
        Links.
    cells
        Stock and inbound, units already decided included.
    scenarios
        Demand, presales and units sent away included.
    presales
        What of it is presales.
    rule
        What becomes of unmet ordinary demand. Where that is owed and weighed by cost, presales wait as it does, and
        are returned as they are.
    which
        The cells with presales in question, shape (k,); by default all. Those without a primary link, or whose order
        lands by the first day of shipping or beyond the horizon, stay as they are.
    """
    if rule.backordered and rule.objective == "cost":
        return presales
    own = network.primary_of[presales.cell]
    lands = np.where(own[:, None] >= 0, scenarios.arrival[np.maximum(own, 0)], scenarios.horizon).astype(np.int64)
    can = ((lands > presales.first[:, None]) & (lands < scenarios.horizon)).any(axis=1) & (own >= 0)
    chosen = np.flatnonzero(can if which is None else can & which)
    if not len(chosen):
        return presales
    rows, due = presales.cell[chosen], presales.units[chosen]
    units = presales.units.copy()
    ordinary = scenarios.paths[rows] - due
    units[chosen] = _asked_when_served(cells.take(rows), (ordinary, due), lands[chosen], rule)
    return PresalePaths(presales.cell, units)


def _asked_when_served(cells: Cells, demand: tuple[F32, F32], lands: I64, rule: StockRule) -> F32:
    """Return the presale units by bucket in which they are served, the rest where the order lands; (c, P, H).

    ``demand`` is ordinary demand and that of presales.
    """
    ordinary, due = demand
    horizon = due.shape[2]
    asked = due.copy()
    stock = np.repeat(cells.net[:, None], due.shape[1], axis=1)
    waits = np.zeros(stock.shape)
    for t in range(min(int(lands.max()), horizon - 1) + 1):
        stock = stock + cells.arrivals[:, t, None]
        counts = (t < lands) & (lands < horizon)
        here = waits + due[:, :, t]
        served = np.minimum(np.maximum(stock, 0.0), here)
        asked[:, :, t] = np.where(counts, served, np.where(t == lands, here, due[:, :, t]))
        waits = np.where(counts, here - served, 0.0)
        after = stock - served
        left = after - ordinary[:, :, t]
        stock = left if rule.backordered else np.maximum(left, np.minimum(after, 0.0))
    return asked
