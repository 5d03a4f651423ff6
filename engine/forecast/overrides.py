"""Forecast overrides: what planners change is done to whole sample paths, after the fit and before any decision."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.config import PlanConfig
from engine.demand.keys import SeriesKeys
from engine.demand.panel import DemandPanel
from engine.execution import Run, Serial
from engine.forecast.empirical import BLOCK, divisible, round_whole
from engine.forecast.on_top import OnTop
from engine.forecast.overrides_select import Doubles, holding_overrides
from engine.forecast.overrides_settle import Settled, settle
from engine.forecast.sampling import series_blocks
from engine.forecast.streams import Streams
from engine.forecast.types import Fitted, SamplePaths
from engine.messages import Message
from engine.tables.tables import Tables


def with_overrides(
    fitted: Fitted, panel: DemandPanel, tables: Tables, config: PlanConfig, run: Run
) -> tuple[Fitted, tuple[Message, ...]]:
    """Return a fitted model whose paths carry the forecast overrides of ``tables``, and a note on each override.

    A ``set`` or ``add`` speaks of units over many series, while paths are sampled block by block. So the covered
    series are sampled here once for their mean forecast, with the streams that sample them later, and
    what is carried on is a factor and units to add for each of their buckets, not paths.

    Parameters
    ----------
    fitted
        Returned as it is where no override applies.
    panel
        All series, with the known future of the whole forecast.
    """
    changes, notes = holding_overrides(tables, panel)
    if not changes.series:
        return fitted, notes
    covered = np.unique(np.concatenate(changes.series))
    own = panel.take(covered)
    changes = replace(changes, series=tuple(np.searchsorted(covered, rows) for rows in changes.series))
    offered = own.offered[:, own.calendar.n_history :]
    settled, effects = settle(changes, _mean_forecast(fitted, own, config, run), offered, own.calendar)
    keys = SeriesKeys(own.item_id, own.location_id)
    return Overridden(fitted, own.calendar.as_of, keys, settled), (*notes, *effects)


@dataclass(frozen=True)
class Overridden(OnTop):
    """A fitted model with overrides on top, for forecasts from ``as_of``.

    What it tells of itself (notes, choice, state) is the model's own: overrides belong to a run.

    Parameters
    ----------
    fitted
        The model.
    as_of
        Day from which ``settled`` counts its buckets.
    keys
        The series that overrides cover.
    settled
        What becomes of their paths.
    """

    as_of: np.datetime64
    keys: SeriesKeys
    settled: Settled

    def sample(self, panel: DemandPanel, horizon: int, n_paths: int, streams: Streams) -> SamplePaths:
        """Return the model's paths, scaled where overrides say so; other buckets keep every bit.

        Units stay whole by rounding up with the probability of the fraction, drawn from each series' own stream.

        Raises
        ------
        ValueError
            If the panel's day is another or the horizon longer than the overrides were settled for.
        """
        settled_for = self.settled.factor.shape[1]
        if panel.calendar.as_of != self.as_of or horizon > settled_for:
            raise ValueError(
                f"overrides are settled for {settled_for} buckets from {self.as_of}. "
                f"Got {horizon} buckets from {panel.calendar.as_of} instead."
            )
        paths = self.fitted.sample(panel, horizon, n_paths, streams)
        place = self.keys.rows_of(panel.item_id, panel.location_id)
        covered = np.flatnonzero(place >= 0)
        if not len(covered):
            return paths
        units, whole = np.array(paths.units), ~divisible(panel)
        for start in range(0, len(covered), BLOCK):
            rows = covered[start : start + BLOCK]
            factor, added = (each[place[rows], None, :horizon] for each in (self.settled.factor, self.settled.added))
            scaled = units[rows] * factor + added
            generators = [streams.series(panel.item_id[r], panel.location_id[r], "overrides") for r in rows]
            round_whole(scaled, whole[rows], generators)
            units[rows] = np.where((factor != 1) | (added != 0), scaled, units[rows])
        return SamplePaths(paths.item_id, paths.location_id, units)


@dataclass(frozen=True)
class _Block:
    """Series to be sampled for their mean, in any process."""

    fitted: Fitted
    panel: DemandPanel
    n_paths: int
    streams: Streams


def _mean_forecast(fitted: Fitted, panel: DemandPanel, config: PlanConfig, run: Run) -> Doubles:
    """Return the mean of the paths of every series over all future buckets, shape (n, n_future)."""
    streams, n_paths = Streams(config.seed), config.forecast.n_paths
    blocks = [_Block(fitted, panel.take(rows), n_paths, streams) for rows in series_blocks(panel)]
    # One block does not pay for starting processes.
    executor = run.executor if len(blocks) > 1 else Serial()
    run.step("overrides", 0, len(blocks))
    means = []
    for mean in executor.map(_mean_of, blocks):
        means.append(mean)
        run.step("overrides", len(means), len(blocks))
    return np.concatenate(means)


def _mean_of(block: _Block) -> Doubles:
    paths = block.fitted.sample(block.panel, block.panel.calendar.n_future, block.n_paths, block.streams)
    mean: Doubles = paths.units.mean(axis=1, dtype=np.float64)
    return mean
