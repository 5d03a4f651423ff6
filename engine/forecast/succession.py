"""Run-down: while an item and its successor are both on sale, no unit of their demand is forecast twice.

The forecast of a successor is that of the pair (`engine.demand.succession`). As long as stock of the old item lasts,
what is asked of it comes off the successor; once that is used up, or the old item ends, the whole demand of the pair is
the successor's. This is settled on every path, since some use the stock up sooner than others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.demand.keys import SeriesKeys
from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel, Floats, Ids
from engine.demand.succession import Pairs
from engine.forecast.empirical import divisible, round_whole
from engine.forecast.on_top import OnTop
from engine.forecast.run_down import PooledStock, generations, served_share, share_of_old, thinned
from engine.forecast.streams import Streams
from engine.forecast.types import Fitted, SamplePaths
from engine.messages import Message, Value
from engine.tables.tables import Tables

Ints = npt.NDArray[np.int64]


def with_run_down(
    fitted: Fitted, panel: DemandPanel, tables: Tables, stock: PooledStock | None = None
) -> tuple[Fitted, tuple[Message, ...]]:
    """Return a fitted model whose paths share the demand of a pair between the old item and its successor.

    From the day on which a successor is on offer, the old item sells what its stock and inbound allow and no more of it
    is counted on: its own paths end there, so that a plan does not buy it again, and demand passes over. Without
    ``stock`` the old item serves all that is asked of it until it ends.

    Parameters
    ----------
    fitted
        Returned as it is where no old item and successor will be on offer together.
    panel
        All series, with the known future of the whole forecast and the history of `with_predecessors`.
    stock
        What there is to sell of the panel's series.
    """
    pairs = Pairs.of(panel, tables)
    heir, old = (on_offer(panel.take(rows))[:, panel.calendar.n_history :] for rows in (pairs.heir, pairs.old))
    pairs = pairs.take(np.flatnonzero((heir & old).any(axis=1)))
    if not len(pairs.heir):
        return fitted, ()
    told: dict[str, Value] = {
        "n_items": len(set(panel.item_id[pairs.heir])),
        "successor": str(panel.item_id[pairs.heir[0]]),
        "predecessor": str(panel.item_id[pairs.old[0]]),
    }
    if stock is None:
        stock, note = (
            PooledStock.unlimited(panel.n_series, panel.calendar.n_future),
            Message("run-down-without-stock", told),
        )
    else:
        units = float(stock.units[np.unique(stock.pool[pairs.old])].sum())
        note = Message("run-down", {**told, "units": units})
    family = _families(panel.item_id, pairs)
    rows = np.flatnonzero(family >= 0)
    own = replace(pairs, heir=np.searchsorted(rows, pairs.heir), old=np.searchsorted(rows, pairs.old))
    return RunDown(fitted, panel.take(rows), family[rows], own, stock.take(rows)), (note,)


@dataclass(frozen=True)
class RunDown(OnTop):
    """A fitted model with run-downs on top, for forecasts from the panel's ``as_of``.

    What it tells of itself (notes, choice, state) is the model's own: stock belongs to a run.

    Parameters
    ----------
    fitted
        The model.
    panel
        All series of the items that follow each other.
    family
        A number for each series that items which follow each other have in common, shape (n,).
    pairs
        The successors and what they follow, as rows of ``panel``.
    stock
        What there is to sell of the panel's series.
    """

    panel: DemandPanel
    family: Ints
    pairs: Pairs
    stock: PooledStock

    def sample(self, panel: DemandPanel, horizon: int, n_paths: int, streams: Streams) -> SamplePaths:
        """Return the model's paths, those of old items and successors settled; all others keep every bit.

        The old item's part of a pair is its mean forecast over that of the pair, in the buckets with both on offer. As
        far as its stock serves demand on a path, that part stays with it, and each unit of the successor's path is kept
        with the probability of the rest, drawn from the series' own stream. To take one path's units from the other's
        would leave demand wherever chance alone makes the two differ.

        Raises
        ------
        ValueError
            If the panel's day is another or the horizon longer than the run-downs were made for.
        """
        calendar = self.panel.calendar
        if panel.calendar.as_of != calendar.as_of or horizon > calendar.n_future:
            raise ValueError(
                f"run-downs are made for {calendar.n_future} buckets from {calendar.as_of}. "
                f"Got {horizon} buckets from {panel.calendar.as_of} instead."
            )
        paths = self.fitted.sample(panel, horizon, n_paths, streams)
        place = SeriesKeys(self.panel.item_id, self.panel.location_id).rows_of(panel.item_id, panel.location_id)
        asked = np.flatnonzero(place >= 0)
        if not len(asked):
            return paths
        # The items of a pair may lie in two blocks: whole families are drawn for each of them.
        rows = np.flatnonzero(np.isin(self.family, self.family[place[asked]]))
        units = np.array(paths.units)
        units[asked] = self._settled(rows, n_paths, streams)[np.searchsorted(rows, place[asked]), :, :horizon]
        return SamplePaths(paths.item_id, paths.location_id, units)

    def _settled(self, rows: Ints, n_paths: int, streams: Streams) -> Floats:
        """Return the paths of whole families to the end of the panel's future."""
        part = self.panel.take(rows)
        units = np.array(self.fitted.sample(part, part.calendar.n_future, n_paths, streams).units)
        offer = on_offer(part)[:, part.calendar.n_history :]
        whole = ~divisible(part)
        generators = [streams.series(i, at, "run-down") for i, at in zip(part.item_id, part.location_id, strict=True)]
        stock = self.stock.take(rows)
        mine = self.pairs.take(np.flatnonzero(np.isin(self.pairs.heir, rows)))
        pairs = replace(mine, heir=np.searchsorted(rows, mine.heir), old=np.searchsorted(rows, mine.old))
        together = offer[pairs.heir] & offer[pairs.old]
        stays = share_of_old(units, pairs, together)[:, None] * together
        for generation in generations(pairs):
            served = served_share(units, stock)
            taken_over = np.zeros_like(offer)
            for pair in generation:
                heir, old = pairs.heir[pair], pairs.old[pair]
                taken_over[old] |= offer[heir]
                keep = 1 - stays[pair] * served[stock.pool[old]]
                units[heir] = thinned(units[heir], keep, generators[heir]) if whole[heir] else units[heir] * keep
            for old in np.unique(pairs.old[generation]):
                share = served[stock.pool[old]]
                kept = (units[old] * share).astype(np.float32)[None]
                round_whole(kept, whole[[old]], [generators[old]])
                units[old] = np.where(taken_over[old] & (share < 1), kept[0], units[old])
        return units


def _families(item_id: Ids, pairs: Pairs) -> Ints:
    """Return a number for each series that items which follow each other have in common, -1 for other items."""
    _, item = np.unique(item_id.astype(np.str_), return_inverse=True)
    number = np.arange(len(item))
    heir, old = item[pairs.heir], item[pairs.old]
    while (number[heir] != number[old]).any():
        least = np.minimum(number[heir], number[old])
        np.minimum.at(number, heir, least)
        np.minimum.at(number, old, least)
    paired = np.isin(item, np.concatenate([heir, old]))
    return np.where(paired, number[item], -1)
