"""LSTM: one global recurrent net over all series, with a count likelihood. Needs the extra ``lstm``.

The net gives the mean; the residual pool of a hold-out gives its distribution and the shocks that series share, as for
the other forecasters. What the net reads is in `models.lstm_windows`, how it learns in `models.lstm_training`, how it
is applied in `models.lstm_net`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from engine.demand.panel import DemandPanel, Floats
from engine.execution import Executor, Serial
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, stretch_length
from engine.forecast.streams import Streams
from engine.forecast.types import FittedState, SamplePaths
from engine.messages import Message
from models.hold_out import errors_at, hold_out_origins, within_reach
from models.local import MIN_HISTORY, too_short
from models.lstm_net import Net
from models.lstm_params import LstmParams
from models.lstm_training import train
from models.lstm_windows import CHUNK_SERIES, Inputs, ahead, draw_windows
from models.moving_average import thirteen_weeks

__all__ = ["Lstm", "LstmForecast", "LstmMean", "LstmParams"]


@dataclass(frozen=True)
class LstmMean:
    """The mean forecast of a fitted net, for any panel with the same bucket length."""

    net: Net
    inputs: Inputs

    def __call__(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return mean demand of the buckets to come, shape (n, horizon)."""
        n, origin = panel.n_series, panel.calendar.n_history
        mean = np.zeros((n, horizon), np.float32)
        for start in range(0, n if horizon else 0, CHUNK_SERIES):
            part = panel.take(np.arange(start, min(start + CHUNK_SERIES, n)))
            history, known = self.inputs.read(part)
            relative = self.net.relative_mean(*ahead(history, known, panel.calendar.bucket, horizon))
            level = history.scale[:, origin][:, None] * history.effect[:, origin : origin + horizon]
            mean[start : start + part.n_series] = relative * level
        return mean


@dataclass(frozen=True)
class LstmForecast:
    """A fitted net with the distribution of its own past errors."""

    mean_at: LstmMean
    pool: ResidualPool
    notes: tuple[Message, ...] = ()

    def sample(self, panel: DemandPanel, horizon: int, n_paths: int, streams: Streams) -> SamplePaths:
        """Return paths over the ``horizon`` buckets from the panel's ``as_of`` on; zero where not on offer."""
        return PooledForecast(self.mean_at, self.pool).sample(panel, horizon, n_paths, streams)

    def state(self) -> FittedState:
        pool = self.pool.state()
        net = {f"net/{name}": array for name, array in self.mean_at.net.arrays().items()}
        return FittedState({**pool.arrays, **net}, {**pool.text, **self.mean_at.inputs.text()})


@dataclass(frozen=True)
class Lstm:
    """A global LSTM with the residual pool of a hold-out."""

    params: LstmParams = field(default_factory=LstmParams)
    executor: Executor = field(default_factory=Serial)
    name: str = "lstm"

    def fit(self, panel: DemandPanel) -> LstmForecast | PooledForecast:
        """Fit before a hold-out to learn the errors there, then once more on everything."""
        ordered = panel.take(np.lexsort((panel.location_id.astype(np.str_), panel.item_id.astype(np.str_))))
        length = stretch_length(ordered)
        origins = hold_out_origins(ordered.calendar, length)
        before = ordered.cut(int(origins[-1])) if len(origins) else ordered
        least = MIN_HISTORY[panel.calendar.bucket]
        if not len(origins) or before.calendar.n_history < least or not before.units.any():
            return too_short(panel, self.name, least)
        learn = partial(_learn, length=length, params=self.params)
        early, late = self.executor.map(learn, (before, ordered))
        pool = ResidualPool.learn(within_reach(errors_at(origins, length, ordered, early, self.executor)))
        return LstmForecast(late, pool)

    def from_state(self, state: FittedState) -> LstmForecast | PooledForecast:
        pool = ResidualPool.from_state(state)
        net = {name.removeprefix("net/"): array for name, array in state.arrays.items() if name.startswith("net/")}
        if not net:
            return PooledForecast(thirteen_weeks, pool)
        return LstmForecast(LstmMean(Net.from_arrays(net), Inputs.from_text(state.text)), pool)


def _learn(panel: DemandPanel, length: int, params: LstmParams) -> LstmMean:
    inputs = Inputs.learn(panel)
    return LstmMean(train(draw_windows(panel, inputs, length, params), params), inputs)
