"""From mean forecasts to whole sample paths, by what really happened to forecasts of the same level.

A model's own out-of-sample errors say more about the shape of demand than a fitted distribution: on the VN2
ordering game, drawing from the actuals of neighbours at the same forecast level cost 4 % less than a negative
binomial with dispersion fitted by level. A path takes one *stretch*: the ratios actual / forecast of one series
over consecutive leads from one origin.

- Dependence between series: path ``k`` takes the same origin for every series, so a shock that all of them
  shared then is shared again; and the shocks of `engine.forecast.shocks`, of all series and of groups of them.
- Dependence over time: the ratios of a stretch stay together, with their leads.
- Sums over items and buckets are therefore calibrated together, not only bucket by bucket.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.demand.panel import DemandPanel, Floats
from engine.forecast.backcast import Backcast, product_group
from engine.forecast.ratios import MIN_STRETCHES, RatioTable, assumed_backcast, forecast_level, ratio_table
from engine.forecast.shocks import ASSUMED, Shocks, even_factors, learn_shocks
from engine.forecast.streams import Streams
from engine.forecast.types import FittedState, SamplePaths

Ints = npt.NDArray[np.int64]
Ranks = npt.NDArray[np.int32]

BLOCK = 256
"""Series sampled at once: the largest temporary then stays near 10 MB."""

WINDOW_SHARE = 0.04
WINDOW_MIN, WINDOW_MAX = 4, 150
"""Neighbours on each side of a series' level: a share of the pool, within bounds."""

STRAY, STRAY_SHARE = 0.4, 0.15
"""Standard deviation of the logarithm of a series' own factor, and the share of its paths that have one: the
stretches are those of a few months, and now and then a series goes where none of them went (a contaminated normal:
Tukey 1960, in Contributions to Probability and Statistics). Chosen on quarters of the demo world before its default
date and on cutoffs of VN2 and M5 before those that tables are about (`benchmarks.forecast.sums --develop`)."""

OWN_SHARE = 0.8
OWN_FROM, OWN_HALF = 8, 6
"""With more = origins - OWN_FROM > 0, a path takes the series' own stretch with probability
OWN_SHARE * more / (more + OWN_HALF): on VN2 (26 origins) it lowers the pinball loss, on M5 with 8 it would raise it."""


@dataclass(frozen=True)
class ResidualPool:
    """Stretches of actual / forecast by origin, sorted by forecast level.

    Parameters
    ----------
    ratio
        Shape (n_origins, rows, length), float32, >= 0; mean 1 at every level; row ``r`` of origin ``o`` is
        the stretch with the ``r``-th lowest forecast level there.
    level
        Mean forecast per bucket of those stretches, shape (n_origins, rows), ascending in each origin.
    rank
        Row of a series in each origin, shape (rows, n_origins), for series in the order of ``item_id``;
        -1 where it has none of its own.
    own
        Factor on a series' own stretches that keeps their mean at 1, shape (rows,); 0 = never drawn.
    item_id, location_id
        Keys of the series learnt from, shape (rows,).
    shocks
        What many series are off together by.
    assumed
        True if there was too little to learn from, so that the ratios are `assumed_backcast`'s.
    """

    ratio: Floats
    level: Floats
    rank: Ranks
    own: Floats
    item_id: npt.NDArray[np.object_]
    location_id: npt.NDArray[np.object_]
    shocks: Shocks
    assumed: bool = False

    @classmethod
    def learn(cls, past: Backcast) -> ResidualPool:
        """Learn from out-of-sample forecasts; from `assumed_backcast` if they hold fewer than 24 stretches."""
        table = ratio_table(past)
        if table.n_stretches >= MIN_STRETCHES:
            return cls._of(table, learn_shocks(past.by_key()), assumed=False)
        return cls._of(ratio_table(assumed_backcast()), Shocks.of_all(ASSUMED), assumed=True)

    @classmethod
    def _of(cls, table: RatioTable, shocks: Shocks, assumed: bool) -> ResidualPool:
        return cls(
            table.ratio, table.level, table.rank, table.own, table.item_id, table.location_id, shocks, assumed
        )  # fmt: skip

    def sample(self, mean: Floats, panel: DemandPanel, n_paths: int, streams: Streams) -> SamplePaths:
        """Return paths around ``mean`` (n, horizon), one row per series of ``panel``.

        Buckets beyond the learnt length go on with another stretch, of the next origin, whose early leads are
        left out; errors of the two are then independent but for what neighbours at one level share.
        Whole units come from rounding up with the probability of the fraction, so the mean is kept.
        """
        n, horizon = mean.shape
        if n != panel.n_series:
            raise ValueError(f"mean must have {panel.n_series} rows. Got {n} instead.")
        scaled = np.maximum(np.ascontiguousarray(mean, np.float32), 0)
        origin = self._origins(panel, n_paths, streams)
        groups = product_group(panel)
        shocks = self.shocks.factors(panel.location_id, groups, n_paths, panel.calendar.as_of, streams)
        whole = ~divisible(panel)
        own = self._own_rows(panel)
        units = np.empty((n, n_paths, horizon), np.float32)
        for start in range(0, n, BLOCK):
            rows = np.arange(start, min(start + BLOCK, n))
            generators = [streams.series(panel.item_id[r], panel.location_id[r], "residuals") for r in rows]
            common = np.ones((len(rows), n_paths), np.float32)
            for factor, row in shocks:
                common *= factor[row[rows]]
            self._block(scaled[rows], own[rows], (origin, common), generators, units[rows[0] : rows[-1] + 1])
            round_whole(units[rows[0] : rows[-1] + 1], whole[rows], generators)
        return SamplePaths(panel.item_id, panel.location_id, units)

    def _block(
        self, mean: Floats, own: Ints, common: tuple[Ints, Floats], generators: list[np.random.Generator], out: Floats
    ) -> None:
        """Write mean times ratios into ``out`` (rows, n_paths, horizon); ``common``: origins, and factors of shocks."""
        origin, shared = common
        n_origins, n_rows, length = self.ratio.shape
        last_row = n_rows - 1
        can_own = (own >= 0) & (self.own[own] > 0)
        n_paths, horizon = out.shape[1:]
        draws = np.stack([g.random((3, n_paths), np.float32) for g in generators])
        even = even_factors(STRAY, n_paths, STRAY_SHARE)
        moved = shared * np.stack([even[g.permutation(n_paths)] for g in generators])
        tail = length - length // 2
        n_stretches = 1 + max(0, -(-(horizon - length) // tail))
        level = forecast_level(mean[:, :length])
        ends = [[np.searchsorted(row, level, side=side) for side in ("left", "right")] for row in self.level]
        place = np.array(ends, np.int64).sum(axis=1) // 2
        width = int(np.clip(round(WINDOW_SHARE * n_rows), WINDOW_MIN, WINDOW_MAX))
        offset = np.rint((draws[:, 0] + draws[:, 1] - 1) * np.float32(width)).astype(np.int64)
        more = max(0, n_origins - OWN_FROM)
        share = OWN_SHARE * more / (more + OWN_HALF)
        for s in range(n_stretches):
            o = (origin + s) % n_origins
            # Reflected at both ends, so that the largest series does not stand for all large ones.
            row = np.clip(last_row - np.abs(last_row - np.abs(place[o].T + offset)), 0, last_row)
            mine = self.rank[own][:, o]
            use_own = can_own[:, None] & (mine >= 0) & (draws[:, 2] < share)
            row = np.where(use_own, mine, row)
            first, lead = (0, 0) if s == 0 else (length + (s - 1) * tail, length // 2)
            last = min(horizon, first + length - lead)
            factor = np.where(use_own, moved * self.own[own][:, None], moved)
            stretch = self.ratio[o, row, lead : lead + last - first]
            np.multiply(stretch, factor[:, :, None], out=out[:, :, first:last])
            out[:, :, first:last] *= mean[:, None, first:last]

    def _origins(self, panel: DemandPanel, n_paths: int, streams: Streams) -> Ints:
        """Origin of every path, each used equally often (+- 1), in an order drawn once for all series."""
        generator = streams.common("residual-origin", panel.calendar.as_of)
        n_origins = self.ratio.shape[0]
        start = int(generator.integers(n_origins))
        origin: Ints = (generator.permutation(n_paths).astype(np.int64) + start) % n_origins
        return origin

    def _own_rows(self, panel: DemandPanel) -> Ints:
        """Row of each series of the panel among the series learnt from, -1 if it is not there."""
        rows = {(i, loc): r for r, (i, loc) in enumerate(zip(self.item_id, self.location_id, strict=True))}
        keys = zip(panel.item_id, panel.location_id, strict=True)
        return np.array([rows.get(key, -1) for key in keys], np.int64)

    def state(self) -> FittedState:
        """Return the pool as arrays and text."""
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "ratio": self.ratio,
            "level": self.level,
            "rank": self.rank,
            "own": self.own,
            "item_id": self.item_id.astype(np.str_),
            "location_id": self.location_id.astype(np.str_),
            "shock_kind": self.shocks.kind,
            "shock_name": self.shocks.name,
            "shock_spread": self.shocks.spread,
            "shock_usual": self.shocks.usual,
        }
        return FittedState(arrays, {"assumed": str(self.assumed)})

    @classmethod
    def from_state(cls, state: FittedState) -> ResidualPool:
        """Return the pool that `state` describes."""
        a = state.arrays
        kind, name = (np.asarray(a[f"shock_{part}"], np.str_) for part in ("kind", "name"))
        shocks = Shocks(kind, name, np.asarray(a["shock_spread"], np.float64), np.asarray(a["shock_usual"], np.float64))
        return cls(
            np.asarray(a["ratio"], np.float32), np.asarray(a["level"], np.float32),
            np.asarray(a["rank"], np.int32), np.asarray(a["own"], np.float32),
            np.asarray(a["item_id"], np.object_), np.asarray(a["location_id"], np.object_), shocks,
            state.text["assumed"] == "True",
        )  # fmt: skip


def divisible(panel: DemandPanel) -> npt.NDArray[np.bool_]:
    """Return whether fractions of a unit exist for each series, shape (n,); whole units where not stated."""
    if "divisible" not in panel.static:
        return np.zeros(panel.n_series, np.bool_)
    return panel.static["divisible"].fillna(False).to_numpy(np.bool_)


def round_whole(units: Floats, whole: npt.NDArray[np.bool_], generators: list[np.random.Generator]) -> None:
    """Round ``units`` (rows, n_paths, horizon) in place, up with the probability of the fraction."""
    n_paths, horizon = units.shape[1:]
    for row, generator in enumerate(generators):
        if whole[row]:
            # Drawn bucket by bucket, all paths at once, so that a longer horizon only adds to the end.
            noise = generator.random((horizon, n_paths), np.float32)
            np.floor(units[row] + noise.T, out=units[row])
