"""Counts: whether a bucket sells and how much, each learnt across all series. For intermittent demand.

Whether: a chain of states that all series share (`models.sale_chain`). How much: the series' own past sizes mixed with
what followed elsewhere (`models.sale_sizes`). Both are drawn along a path: the state once, then its moves from bucket
to bucket; the sizes from an urn that remembers the path's own. So what is not known of a series stays the same along
a path, and sums over a lead time are as wide as they should be. On each path one factor shifts the odds of all sales.

A bucket of a high season (`models.year_profile`), an event or a promotion (`models.known_effects`) is worth several
plain ones, of a low season a part of one: its chance of a sale is that of a sale in any of them, and sizes take up what
is left of the change in demand. Histories are read in the same way, so states and sizes are those of plain buckets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.demand.panel import DemandPanel
from engine.forecast.backtest import cutoffs
from engine.forecast.types import FittedState
from engine.messages import Message
from models.count_choice import SPREAD_USUAL, USUAL, choose_weights, shared_spread
from models.count_forecast import CountForecast
from models.effect_errors import effect_notes
from models.known_effects import learn_known_effects
from models.sale_chain import learn_chain, read_evidence
from models.sale_sizes import learn_sizes, listed_price, plain_sizes
from models.year_profile import learn_profile

N_CUTOFFS = 3
"""Earlier cutoffs, an interval apart, at which a fit made before them shows what it leaves open."""


@dataclass(frozen=True)
class Counts:
    """A count model with the distribution of sums over any interval, learnt across all series."""

    name: str = "counts"

    def fit(self, panel: DemandPanel) -> CountForecast:
        """Learn states, moves and sizes; choose how sizes are mixed at earlier cutoffs, by a fit made before them."""
        ordered = panel.take(np.lexsort((panel.location_id.astype(np.str_), panel.item_id.astype(np.str_))))
        fitted = _learnt(ordered)
        horizon = int(panel.interval[:, 1].max()) if panel.n_series else 0
        backs = cutoffs(panel, N_CUTOFFS, horizon)
        if len(backs):
            earlier = _learnt(ordered.cut(int(backs.max())))
            spread = shared_spread(earlier, ordered, backs, horizon)
            fitted = replace(fitted, weights=choose_weights(earlier, ordered, backs), spread=spread)
        return fitted

    def from_state(self, state: FittedState) -> CountForecast:
        return CountForecast.from_state(state)


def _learnt(panel: DemandPanel) -> CountForecast:
    effects = learn_known_effects(panel)
    season, noted = learn_profile(panel, effects(panel))
    evidence = read_evidence(panel, effects(panel) * season(panel))
    chain = learn_chain(evidence)
    rate = chain.rate_of(chain.ahead(evidence))
    pool = learn_sizes(plain_sizes(panel, evidence, rate), listed_price(panel))
    notes = (Message("residuals-assumed", {"n_series": panel.n_series}),) if pool.assumed else ()
    notes = (*notes, *noted, *effect_notes(effects.ranges), *effect_notes(effects.perverse, "perverse-effect"))
    return CountForecast(chain, pool, USUAL, SPREAD_USUAL, season, effects, notes)
