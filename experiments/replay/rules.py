"""Textbook policies, as many companies have them: levels from a moving average of what sold while on sale.

Sources: Silver, Pyke and Thomas, Inventory and Production Management in Supply Chains, 4th ed., CRC Press 2017,
chapters 4 (moving average) and 6 (order-up-to and (s, S) with a normal buffer).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.special import ndtri

from engine.network.links import chain_depth
from engine.policy.types import F64, Bools, Texts
from experiments.replay.links_then import LinkBook, Links, lines_over
from experiments.replay.view import OrderLines, View
from experiments.replay.world import World

RuleKind = Literal["normal", "s_S", "weeks_of_cover", "min_max"]


@dataclass(frozen=True)
class RuleParams:
    """What a textbook policy is.

    Parameters
    ----------
    kind
        "normal": order up to mean demand until the delivery after the next order, and z deviations of it. "s_S": that
        level is the reorder point, and an order brings ``order_weeks`` of mean demand more. "weeks_of_cover": order up
        to ``cover_weeks`` of mean demand. "min_max": at or below ``min_weeks`` of demand order up to ``max_weeks``,
        both worked out every ``refresh_weeks`` only, as ERP systems have it; ``min_stock`` and ``max_stock`` of
        ``item_locations`` go before. The others keep ``min_stock`` on average until that delivery, as plans do.
    window_weeks
        Weeks of the moving average; weeks out of stock are passed over.
    service, by_class
        Cycle service of the buffer, also by ABC class.
    """

    kind: RuleKind = "normal"
    window_weeks: int = 13
    service: float = 0.95
    by_class: Mapping[str, float] = field(default_factory=dict)
    order_weeks: float = 4.0
    cover_weeks: float = 4.0
    min_weeks: float = 3.0
    max_weeks: float = 6.0
    refresh_weeks: int = 13

    def __post_init__(self) -> None:
        if self.kind not in ("normal", "s_S", "weeks_of_cover", "min_max"):
            raise ValueError(f"kind must be normal, s_S, weeks_of_cover or min_max. Got {self.kind!r} instead.")
        for name, share in {"service": self.service, **self.by_class}.items():
            if not 0 < share < 1:
                raise ValueError(f"{name} must lie in (0, 1). Got {share} instead.")
        if unknown := set(self.by_class) - {"A", "B", "C"}:
            raise ValueError(f"by_class must name classes A, B or C. Got {sorted(unknown)} instead.")
        for name in ("window_weeks", "order_weeks", "cover_weeks", "min_weeks", "refresh_weeks"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0. Got {getattr(self, name)} instead.")
        if not self.max_weeks >= self.min_weeks:
            raise ValueError(f"max_weeks must be >= min_weeks. Got {self.max_weeks} and {self.min_weeks} instead.")


@dataclass
class RulePolicy:
    """Orders by a textbook rule over each cell's usual link."""

    world: World
    book: LinkBook
    params: RuleParams
    name: str
    _kept: tuple[int, F64, F64] | None = None

    def decide(self, view: View) -> OrderLines:
        """Return the orders that bring every position at or below its reorder point up to its level, in lots."""
        links = self.book.at(view)
        reorder, up_to = self._both(view, links)
        position, cell = positions(view)[links.cell], links.cell
        wanted = np.where(position <= reorder[cell], up_to[cell] - position, 0.0)
        most = links.network.cells.max_stock[links.network.options.cell[links.primary]]
        return lines_over(self.world, view, links, np.minimum(wanted, most - position), self.name)

    def levels(self, view: View) -> F64:
        """Return the order-up-to levels, shape (n_cells,)."""
        return self._both(view, self.book.at(view))[1]

    def _both(self, view: View, links: Links) -> tuple[F64, F64]:
        """Return reorder points and order-up-to levels, shape (n_cells,); 0 where there is no link."""
        if self.params.kind != "min_max":
            return level_rule(view, links, self.params, self.world.network.cells.abc)
        if self._kept is None or view.step >= self._kept[0]:
            per_week = 7 // links.network.bucket_days
            refresh = max(1, self.params.refresh_weeks * per_week // (view.until - view.today))
            self._kept = (view.step + refresh, *min_max(view, links, self.params))
        return self._kept[1:]


def level_rule(view: View, links: Links, params: RuleParams, abc: Texts) -> tuple[F64, F64]:
    """Return reorder points and order-up-to levels of the rules that work them out at every step, shape (n_cells,)."""
    per_week = 7 // links.network.bucket_days
    mean, variance = usual_demand(view, params.window_weeks * per_week)
    mean, variance = _with_fed(links, mean), _with_fed(links, variance)
    span, linked = np.zeros(len(mean)), np.zeros(len(mean))
    linked[links.cell] = 1.0
    span[links.cell] = links.network.options.next_arrival[links.primary]
    least = np.zeros(len(mean))
    least[links.rows] = links.network.cells.min_stock
    floor = np.where(least > 0, span * mean + least, 0.0) * linked
    if params.kind == "weeks_of_cover":
        level = np.maximum(params.cover_weeks * per_week * mean * linked, floor)
        return level, level
    reorder = (span * mean + ndtri(_shares(params, abc)) * np.sqrt(span * variance)) * linked
    reorder = np.maximum(reorder, floor)
    return reorder, reorder + (params.order_weeks * per_week * mean * linked if params.kind == "s_S" else 0.0)


def min_max(view: View, links: Links, params: RuleParams) -> tuple[F64, F64]:
    """Return minimum and maximum of every cell in whole units, shape (n_cells,); those given go before demand."""
    per_week, cells = 7 // links.network.bucket_days, links.network.cells
    mean = _with_fed(links, usual_demand(view, params.window_weeks * per_week)[0])
    linked = np.zeros(len(mean))
    linked[links.cell] = 1.0
    least, most = params.min_weeks * per_week * mean, params.max_weeks * per_week * mean
    least[links.rows] = np.where(cells.min_stock > 0, cells.min_stock, least[links.rows])
    most[links.rows] = np.where(np.isfinite(cells.max_stock), cells.max_stock, most[links.rows])
    return np.ceil(least) * linked, np.ceil(np.maximum(most, least)) * linked


def positions(view: View) -> F64:
    """Return stock and what is on its way, less what is owed, presale orders from their shipping on too; (n_cells,)."""
    lines = view.state.inbound.lines
    inbound = np.bincount(lines.cell, weights=lines.units, minlength=len(view.state.on_hand))
    position: F64 = view.state.on_hand - view.state.backlog - view.presales_owed + inbound
    return position


def usual_demand(view: View, n_buckets: int) -> tuple[F64, F64]:
    """Return mean and variance of a bucket's units over the last buckets fully on sale, shape (n_cells,).

    A cell without such a bucket is judged by all of its last buckets, and by no bucket before it was on record.
    """
    units = view.units[:, -n_buckets:].astype(np.float64)
    on_record = view.since[:, None] <= np.arange(view.today)[-n_buckets:]
    on_sale = on_record & (view.available[:, -n_buckets:] >= 1)
    some: Bools = np.asarray(on_sale.any(axis=1))
    on_sale = np.where(some[:, None], on_sale, on_record)
    count = np.maximum(on_sale.sum(axis=1), 1)
    mean = np.where(on_sale, units, 0.0).sum(axis=1) / count
    spread = np.where(on_sale, units - mean[:, None], 0.0)
    return mean, (spread * spread).sum(axis=1) / np.maximum(count - 1, 1)


def _with_fed(links: Links, values: F64) -> F64:
    """Return values with those of all cells that a cell feeds over usual links added to its own."""
    network, rows = links.network, links.rows
    fed = np.flatnonzero(network.options.origin_cell[links.primary] >= 0)
    options = network.options.take(links.primary[fed])
    total = values.copy()
    depth = chain_depth(options.cell, options.origin_cell, network.cells.n_cells, len(set(network.cells.location_id)))
    for level in range(int(depth.max(initial=0))):
        chosen = depth[options.cell] == level
        np.add.at(total, rows[options.origin_cell[chosen]], total[rows[options.cell[chosen]]])
    return total


def _shares(params: RuleParams, abc: Texts) -> F64:
    return np.array([params.by_class.get(str(letter), params.service) for letter in abc], dtype=np.float64)
