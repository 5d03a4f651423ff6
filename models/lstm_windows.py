"""What the LSTM reads: a stretch of history before an origin, and what is known of each bucket after it.

Both are relative to the series' level at the origin and freed of the known effects of events, promotions and weekdays
(`models.known_effects`), so that one net serves a best seller and a part sold twice a year.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.demand.calendar import Calendar
from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel
from engine.forecast.streams import Streams
from models.cold_start import ColdStart, learn_cold_start
from models.features import RHYTHMS, History, Ints, Known, Singles, feature_rows, read_history, read_known
from models.known_effects import KnownEffects, learn_known_effects
from models.lstm_net import LARGEST
from models.lstm_params import LstmParams

Doubles = npt.NDArray[np.float64]

CONTEXT = {"D": 56, "W": 52, "M": 24}
"""Buckets before the origin that the encoder reads."""

ORIGIN_MIN = {"D": 28, "W": 8, "M": 3}
"""Buckets of history before the first origin that is learnt from."""

HARMONICS = 3
"""Waves of the week and of the year."""

CHUNK_SERIES = 256
"""Series read at once, in training and in use."""

ODD = 20.0
"""Units in a bucket count as at most so many times what the level says, and so many more."""


@dataclass(frozen=True)
class Windows:
    """Windows to learn from; ``m`` of them with ``k`` steps each.

    Parameters
    ----------
    context
        Shape (m, n_buckets, C).
    features
        Shape (m, k, F), NaN where unknown.
    units
        Units sold in the step's bucket, shape (m, k).
    scale
        What level, known effect and time on sale say of them, shape (m, k); 0 = not on offer, nothing to learn.
    """

    context: Singles
    features: Singles
    units: Singles
    scale: Singles


@dataclass(frozen=True)
class Inputs:
    """What is learnt before the net: ``regressors`` in the fit's order, the cold start and the known effects."""

    regressors: tuple[str, ...]
    start: ColdStart
    effects: KnownEffects

    @classmethod
    def learn(cls, panel: DemandPanel) -> Inputs:
        """Learn from a panel sorted by key."""
        effects = learn_known_effects(panel)
        return cls(tuple(sorted(panel.regressors)), learn_cold_start(panel, {}, effects), effects)

    def read(self, panel: DemandPanel) -> tuple[History, Known]:
        """Return what windows of a panel are made of."""
        known = read_known(panel, {}, self.regressors)
        by_bucket = {name: known.by_bucket[name] for name in self.regressors}
        history = read_history(panel, self.start(panel), self.effects(panel))
        return history, replace(known, by_bucket={**waves(panel.calendar), **by_bucket})

    def text(self) -> dict[str, str]:
        """Return the inputs as text."""
        regressors = json.dumps(self.regressors, ensure_ascii=False)
        return {"regressors": regressors, "start": self.start.text(), "effects": self.effects.text()}

    @classmethod
    def from_text(cls, text: Mapping[str, str]) -> Inputs:
        """Return the inputs that `text` describes."""
        regressors = tuple(json.loads(text["regressors"]))
        return cls(regressors, ColdStart.from_text(text["start"]), KnownEffects.from_text(text["effects"]))


def waves(calendar: Calendar) -> dict[str, Singles]:
    """Return sines and cosines of the year, and of the week for days, by name, each of shape (n_buckets,)."""
    starts = calendar.starts
    day_of_year = (starts - starts.astype("datetime64[Y]")).astype(np.float64)
    cycles = {"year": day_of_year / 365.25}
    if calendar.bucket == "D":
        cycles["week"] = ((starts.astype(np.int64) + 3) % 7) / 7
    out = {}
    for name, phase in cycles.items():
        for k in range(1, HARMONICS + 1):
            out[f"{name}-sin-{k}"] = np.sin(2 * np.pi * k * phase).astype(np.float32)
            out[f"{name}-cos-{k}"] = np.cos(2 * np.pi * k * phase).astype(np.float32)
    return out


def contexts(history: History, known: Known, bucket: str, rows: Ints, origins: Ints) -> Singles:
    """Return what the encoder reads before each (series, origin), shape (m, n_buckets, C); 0 before the history.

    Channels: demand over the level at the origin, whether it was seen, the bucket's known effect, the
    running levels after it over the level at the origin, and the day of the week.
    """
    back = origins[:, None] - CONTEXT[bucket] + np.arange(CONTEXT[bucket])
    inside = back >= 0
    at = np.maximum(back, 0)
    series = rows[:, None]
    scale = history.scale[rows, origins][:, None]
    channels = [
        np.log1p(history.demand[series, at] / scale),
        (history.seen[series, at] > 0).astype(np.float64),
        np.log(history.effect[series, at]),
        *(np.log(smooth[series, at + 1] / scale) for smooth in history.smooth),
        *(known.by_bucket[name][at].astype(np.float64) for name in ("week-sin-1", "week-cos-1") if bucket == "D"),
    ]
    out = np.stack([np.where(inside, channel, 0.0) for channel in channels], axis=2)
    return np.asarray(np.clip(out, -LARGEST, LARGEST), np.float32)


def ahead(history: History, known: Known, bucket: str, n_steps: int) -> tuple[Singles, Singles]:
    """Return what the net reads of every series at the end of its history, to forecast ``n_steps`` buckets."""
    n, origin = history.demand.shape
    rows, steps = np.repeat(np.arange(n), n_steps), np.tile(np.arange(n_steps), n)
    features = feature_rows(history, known, RHYTHMS[bucket], rows, np.full(n * n_steps, origin), steps)
    context = contexts(history, known, bucket, np.arange(n), np.full(n, origin))
    return context, features.reshape(n, n_steps, -1)


def draw_windows(panel: DemandPanel, inputs: Inputs, length: int, params: LstmParams) -> Windows:
    """Return windows at origins drawn evenly over the series and the history, with steps drawn within ``length``."""
    bucket, n_history = panel.calendar.bucket, panel.calendar.n_history
    first, last = ORIGIN_MIN[bucket], n_history - length + 1
    count = min(params.n_windows, panel.n_series * max(0, last - first))
    series = np.arange(count) * panel.n_series // max(1, count)
    parts = []
    for start in range(0, panel.n_series, CHUNK_SERIES):
        chunk = np.arange(start, min(start + CHUNK_SERIES, panel.n_series))
        rows = series[(series >= chunk[0]) & (series <= chunk[-1])] - start
        generator = Streams(params.seed).common("lstm-windows", f"{start}")
        origins = first + np.floor(generator.random(len(rows)) * (last - first)).astype(np.int64)
        steps = np.sort(np.floor(generator.random((len(rows), params.n_steps)) * length).astype(np.int64), axis=1)
        part = panel.take(chunk)
        parts.append(_windows(part, inputs.read(part), rows, origins, steps))
    names = ("context", "features", "units", "scale")
    return Windows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _windows(panel: DemandPanel, read: tuple[History, Known], rows: Ints, origins: Ints, steps: Ints) -> Windows:
    history, known = read
    bucket, (m, k) = panel.calendar.bucket, steps.shape
    flat = (np.repeat(rows, k), np.repeat(origins, k), steps.ravel())
    features = feature_rows(history, known, RHYTHMS[bucket], *flat)
    target = flat[1] + flat[2]
    learnt = on_offer(panel)[flat[0], target] & (history.seen[flat[0], target] > 0)
    level = history.scale[flat[0], flat[1]]
    scale = np.where(learnt, level * history.effect[flat[0], target] * history.share[flat[0], target], 0.0)
    units = np.minimum(panel.units[flat[0], target], np.rint(ODD * scale + ODD))
    return Windows(
        contexts(history, known, bucket, rows, origins),
        features.reshape(m, k, -1),
        units.reshape(m, k).astype(np.float32),
        scale.reshape(m, k).astype(np.float32),
    )
