"""The fitted count model: a chain of states, a pool of sizes, and what both leave open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from engine.demand.panel import DemandPanel, Floats
from engine.forecast.empirical import divisible
from engine.forecast.pooled import offered_ahead
from engine.forecast.streams import Streams
from engine.forecast.types import FittedState, SamplePaths
from engine.messages import Message
from models.count_paths import Ahead, Urns, UrnWeights, draw_paths
from models.known_effects import KnownEffects
from models.sale_chain import Doubles, SaleChain, read_evidence
from models.sale_sizes import SizePool, listed_price, own_sizes, plain_sizes
from models.year_profile import YearProfile

BLOCK = 64
"""Series sampled at once: a thousand paths of twenty buckets then take some 25 MB."""


@dataclass(frozen=True)
class CountForecast:
    """A fitted count model.

    Parameters
    ----------
    chain
        States and their chance of a sale.
    pool
        Sizes to draw new ones from.
    weights
        How own, drawn and new sizes are mixed.
    spread
        Standard deviation of the log odds of a sale that all series share on a path.
    season
        What the time of the year does to demand.
    effects
        What events, promotions, prices and weekdays do to it.
    """

    chain: SaleChain
    pool: SizePool
    weights: UrnWeights
    spread: float
    season: YearProfile
    effects: KnownEffects
    notes: tuple[Message, ...] = ()

    def sample(self, panel: DemandPanel, horizon: int, n_paths: int, streams: Streams) -> SamplePaths:
        """Return paths over the ``horizon`` buckets from the panel's ``as_of`` on; zero where not on offer."""
        offered = offered_ahead(panel, horizon)
        exposure, n_history = self.exposure(panel), panel.calendar.n_history
        chance, urns = self.start(panel, exposure)
        factor = self._odds_factor(panel, n_paths, streams)
        units = np.zeros((panel.n_series, n_paths, horizon), np.float32)
        for first in range(0, panel.n_series, BLOCK):
            rows = np.arange(first, min(first + BLOCK, panel.n_series))
            generators = [streams.series(panel.item_id[r], panel.location_id[r], "counts") for r in rows]
            block = units[first : first + BLOCK]
            ahead = Ahead(chance[:, rows], exposure[rows, n_history : n_history + horizon], factor)
            draw_paths(self.chain, urns.take(rows), ahead, generators, block)
            block *= offered[rows, None, :]
        return SamplePaths(panel.item_id, panel.location_id, units)

    def exposure(self, panel: DemandPanel) -> Doubles:
        """Return how many plain buckets each bucket is worth, shape (n, n_buckets), > 0."""
        return self.effects(panel) * self.season(panel)

    def start(self, panel: DemandPanel, exposure: Doubles) -> tuple[Doubles, Urns]:
        """Return the chance of each state in the first bucket ahead, (n_states, n), and the urn of each series.

        ``exposure`` is that of the panel.
        """
        evidence = read_evidence(panel, exposure)
        chance = self.chain.ahead(evidence)
        own = own_sizes(plain_sizes(panel, evidence, self.chain.rate_of(chance)))
        low, high, factor = self.pool.window(own, listed_price(panel))
        return chance, Urns(self.weights, own.size, low, high, factor, self.pool.value, ~divisible(panel))

    def _odds_factor(self, panel: DemandPanel, n_paths: int, streams: Streams) -> Floats:
        """Factor of every path on the odds of a sale, of mean 1, evenly spread over its quantiles."""
        generator = streams.common("counts-shared", panel.calendar.as_of)
        off = self.spread * ndtri((generator.permutation(n_paths) + 0.5) / n_paths)
        return np.asarray(np.exp(off - self.spread**2 / 2), np.float32)

    def state(self) -> FittedState:
        """Return the fit as arrays and text."""
        arrays = {
            "rate": self.chain.rate, "start": self.chain.start, "move": self.chain.move,
            "edge": self.pool.edge, "key": self.pool.key, "value": self.pool.value,
            "weights": np.array([self.weights.new, self.weights.keep]), "spread": np.array(self.spread),
        }  # fmt: skip
        season = self.season.state()
        text = {"assumed": str(self.pool.assumed), "effects": self.effects.text(), **season.text}
        return FittedState({**arrays, **season.arrays}, text)

    @classmethod
    def from_state(cls, state: FittedState) -> CountForecast:
        """Return the fit that `state` describes."""
        rate, start, move, key, value, weights = (
            np.asarray(state.arrays[name], np.float64) for name in ("rate", "start", "move", "key", "value", "weights")
        )
        pool = SizePool(np.asarray(state.arrays["edge"], np.int64), key, value, state.text["assumed"] == "True")
        new, keep = weights
        spread = float(np.asarray(state.arrays["spread"], np.float64))
        season = YearProfile.from_state(state)
        effects = KnownEffects.from_text(state.text["effects"])
        return cls(SaleChain(rate, start, move), pool, UrnWeights(float(new), float(keep)), spread, season, effects)
