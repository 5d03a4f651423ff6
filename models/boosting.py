"""Gradient boosting: one global LightGBM model over all series, direct, with the step ahead as a feature.

A row is one series at one origin and one bucket after it; its label is demand over the series' level at the origin
times the known effect of the bucket (`models.known_effects`), its weight that product ** (2 - p), which makes the
Tweedie loss that of the units themselves. Rows are drawn at
many origins, so the fitted model serves any cutoff and stays frozen while a replay walks on. The recipe
follows what won the M5 contest (Makridakis et al., 2022, Int. J. Forecasting 38): global trees, Tweedie loss,
lags and rolling means; direct forecasts, since fed-back ones drift at the upper levels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import lightgbm as lgb
import numpy as np

from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel, Floats
from engine.execution import Executor, Serial
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled, stretch_length
from engine.forecast.streams import Streams
from engine.forecast.types import FittedState
from engine.messages import Message
from models.cold_start import ColdStart, learn_cold_start
from models.features import (
    RHYTHMS,
    Codes,
    History,
    Ints,
    Known,
    Singles,
    feature_rows,
    n_features,
    read_history,
    read_known,
)
from models.hold_out import errors_at, hold_out_origins, within_reach
from models.known_effects import KnownEffects, learn_known_effects
from models.moving_average import thirteen_weeks

MIN_ROWS = 500
"""With fewer rows to learn from than this there is no model, and the moving average stands in."""

MIN_GROUP = 10
"""An attribute whose texts hold fewer series than this on average tells them apart instead of grouping them."""

PULL = 0.1
"""Share of the level in the forecast: trees may say "next to nothing", yet a rare sale is never impossible."""

MAX_WEIGHT = 10
"""A row weighs at most this many times the median row, so that one odd giant does not shape everyone's trees."""

CHUNK_SERIES = 1024
"""Series whose features are made at once."""

ORIGIN_MIN = {"D": 28, "W": 8, "M": 3}
"""Buckets of history before the first origin that is learnt from."""


@dataclass(frozen=True)
class BoostingParams:
    """Settings of the global model.

    ``max_rows``: rows learnt from at most, drawn by ``seed`` evenly over the series. ``tweedie_power``: variance
    grows as mean to this power (1 = Poisson). ``min_rows_per_leaf`` is lowered to a hundredth of the rows.
    """

    n_trees: int = 250
    learning_rate: float = 0.05
    n_leaves: int = 31
    min_rows_per_leaf: int = 300
    tweedie_power: float = 1.5
    max_rows: int = 300_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 < self.tweedie_power < 2:
            raise ValueError(f"tweedie_power must lie in (1, 2). Got {self.tweedie_power} instead.")
        for name in ("n_trees", "n_leaves", "min_rows_per_leaf", "max_rows"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} must be >= 2. Got {getattr(self, name)} instead.")


@dataclass(frozen=True)
class Boosting:
    """Global gradient boosting with the residual pool of a hold-out."""

    params: BoostingParams = field(default_factory=BoostingParams)
    executor: Executor = field(default_factory=Serial)
    name: str = "boosting"
    cold_start: ClassVar[bool] = True

    def fit(self, panel: DemandPanel) -> PooledForecast:
        """Fit before a hold-out to learn the errors there, then once more on everything."""
        ordered = panel.take(np.lexsort((panel.location_id.astype(np.str_), panel.item_id.astype(np.str_))))
        length = stretch_length(panel)
        origins = hold_out_origins(panel.calendar, length)
        before, after = self._both(ordered, length, int(origins[-1])) if len(origins) else (None, None)
        if before is None or after is None:
            fitted = fit_pooled(panel, thirteen_weeks)
            note = Message("boosting-too-short", {"n_series": panel.n_series, "n_buckets": panel.calendar.n_history})
            return PooledForecast(thirteen_weeks, fitted.pool, (*fitted.notes, note), {"trees": ""})
        pool = ResidualPool.learn(within_reach(errors_at(origins, length, ordered, before, self.executor)))
        return PooledForecast(after, pool, (), after.text())

    def _both(self, panel: DemandPanel, length: int, n_back: int) -> tuple[TreeMean | None, TreeMean | None]:
        """Return the model before the hold-out and the one of everything, fitted side by side."""
        # Threads that wait for each other on a busy machine are slower than one, so two fits share the workers.
        learn = partial(_learn, length=length, params=self.params, n_threads=max(1, self.executor.n_workers // 2))
        before, after = self.executor.map(learn, (panel.cut(n_back), panel))
        return before, after

    def from_state(self, state: FittedState) -> PooledForecast:
        pool = ResidualPool.from_state(state)
        if not state.text["trees"]:
            return PooledForecast(thirteen_weeks, pool, text={"trees": ""})
        mean = TreeMean(lgb.Booster(model_str=state.text["trees"]), TreeInputs.from_text(state.text))
        return PooledForecast(mean, pool, text=mean.text())


@dataclass(frozen=True)
class TreeInputs:
    """What a model reads besides the history.

    ``codes``: per attribute, the code of each text seen in the fit. ``regressors``: names, in the fit's order.
    ``start``: what to expect of a series before it sells. ``effects``: of events, promotions and weekdays.
    """

    codes: Codes
    regressors: tuple[str, ...]
    start: ColdStart
    effects: KnownEffects

    def read(self, panel: DemandPanel) -> tuple[History, Known]:
        """Return what features of a panel are made of."""
        history = read_history(panel, self.start(panel), self.effects(panel))
        return history, read_known(panel, self.codes, self.regressors)

    def text(self) -> dict[str, str]:
        """Return the inputs as text."""
        return {
            "codes": json.dumps(self.codes, ensure_ascii=False),
            "regressors": json.dumps(self.regressors, ensure_ascii=False),
            "start": self.start.text(),
            "effects": self.effects.text(),
        }

    @classmethod
    def from_text(cls, text: Mapping[str, str]) -> TreeInputs:
        """Return the inputs that `text` describes."""
        regressors = tuple(json.loads(text["regressors"]))
        start, effects = ColdStart.from_text(text["start"]), KnownEffects.from_text(text["effects"])
        return cls(json.loads(text["codes"]), regressors, start, effects)


@dataclass(frozen=True)
class TreeMean:
    """The mean forecast of a fitted model, for any panel with the same bucket length."""

    trees: lgb.Booster
    inputs: TreeInputs

    def __call__(self, panel: DemandPanel, horizon: int) -> Floats:
        """Return mean demand of the buckets to come, shape (n, horizon)."""
        n, origin = panel.n_series, panel.calendar.n_history
        mean = np.zeros((n, horizon), np.float32)
        for start in range(0, n if horizon else 0, CHUNK_SERIES):
            part = panel.take(np.arange(start, min(start + CHUNK_SERIES, n)))
            history, known = self.inputs.read(part)
            rows = np.repeat(np.arange(part.n_series), horizon)
            steps = np.tile(np.arange(horizon), part.n_series)
            origins = np.full(len(rows), origin)
            features = feature_rows(history, known, RHYTHMS[panel.calendar.bucket], rows, origins, steps)
            relative = np.asarray(self.trees.predict(features, num_threads=1)).reshape(-1, horizon)
            level = history.scale[:, origin][:, None] * history.effect[:, origin : origin + horizon]
            mean[start : start + part.n_series] = ((1 - PULL) * relative + PULL) * level
        return mean

    def text(self) -> dict[str, str]:
        """Return the model as text."""
        return {"trees": self.trees.model_to_string(), **self.inputs.text()}


def _learn(panel: DemandPanel, length: int, params: BoostingParams, n_threads: int) -> TreeMean | None:
    """Return the model of a panel sorted by key; None if it holds too few rows."""
    codes, effects = _codes(panel), learn_known_effects(panel)
    start = learn_cold_start(panel, codes, effects)
    inputs = TreeInputs(codes, tuple(sorted(panel.regressors)), start, effects)
    features, labels, weights = _rows(panel, inputs, length, params)
    if len(labels) < MIN_ROWS or not labels.any():
        return None
    columns = features.shape[1]
    settings = {
        "objective": "tweedie",
        "tweedie_variance_power": params.tweedie_power,
        "learning_rate": params.learning_rate,
        "num_leaves": params.n_leaves,
        "min_data_in_leaf": min(params.min_rows_per_leaf, max(10, len(labels) // 100)),
        "feature_fraction": 0.6,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "max_bin": 63,
        "cat_smooth": 20.0,
        "max_cat_threshold": 8,
        "seed": params.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": n_threads,
        "verbosity": -1,
    }
    data = lgb.Dataset(
        features, labels, weight=np.minimum(weights, MAX_WEIGHT * np.median(weights)), params=settings,
        feature_name=[f"f{i}" for i in range(columns)],
        categorical_feature=list(range(columns - len(codes), columns)),
    )  # fmt: skip
    trained = lgb.train(settings, data, params.n_trees)
    # Read back from its text, so that a stored model gives the bits of the fitted one.
    return TreeMean(lgb.Booster(model_str=trained.model_to_string()), inputs)


def _rows(
    panel: DemandPanel, inputs: TreeInputs, length: int, params: BoostingParams
) -> tuple[Singles, Singles, Singles]:
    """Return features, labels and weights at drawn origins and steps, at most ``max_rows`` of them."""
    rhythm = RHYTHMS[panel.calendar.bucket]
    n_first, n_history = ORIGIN_MIN[panel.calendar.bucket], panel.calendar.n_history
    parts: list[tuple[Singles, Singles, Singles]] = []
    n_cells = panel.n_series * max(0, n_history - n_first)
    per_series = params.max_rows / max(1, panel.n_series)
    for start in range(0, panel.n_series if n_cells else 0, CHUNK_SERIES):
        part = panel.take(np.arange(start, min(start + CHUNK_SERIES, panel.n_series)))
        generator = Streams(params.seed).common("boosting-rows", f"{start}")
        history, known = inputs.read(part)
        rows, target, steps = _drawn(generator, part.n_series, (n_first, n_history), length, per_series)
        offered = on_offer(part)[rows, target] & (history.seen[rows, target] > 0)
        rows, target, steps = rows[offered], target[offered], steps[offered]
        origins = target - steps
        scale = history.scale[rows, origins]
        # What a label says of the units: more where more is sold, and less for part of a bucket.
        weight = (scale * history.effect[rows, target]) ** (2 - params.tweedie_power) * history.share[rows, target]
        parts.append(
            (
                feature_rows(history, known, rhythm, rows, origins, steps),
                (history.demand[rows, target] / scale).astype(np.float32),
                weight.astype(np.float32),
            )
        )
    if not parts:
        nothing = np.zeros(0, np.float32)
        return np.zeros((0, n_features(rhythm, inputs.regressors, len(inputs.codes))), np.float32), nothing, nothing
    return (
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]),
    )


def _drawn(
    generator: np.random.Generator, n_series: int, span: tuple[int, int], length: int, per_series: float
) -> tuple[Ints, Ints, Ints]:
    """Return series, targets and steps: each series the same number of targets, spread evenly over its history."""
    first, last = span
    # A bucket is worth no more rows than twice its share of steps: the same label with nearly the same features.
    count = min(per_series, 2.0 * (last - first), float(length) * (last - first))
    n_rows = int(count * n_series)
    rows = np.arange(n_rows) * n_series // max(1, n_rows)
    target = first + np.floor(generator.random(n_rows) * (last - first)).astype(np.int64)
    steps = np.floor(generator.random(n_rows) * length).astype(np.int64)
    order = np.lexsort((steps, target, rows))
    rows, target, steps = rows[order], target[order], steps[order]
    possible = target - steps >= first
    return rows[possible], target[possible], steps[possible]


def _codes(panel: DemandPanel) -> dict[str, dict[str, int]]:
    """Return a code for every text of every attribute that groups series, by sorted text."""
    static = panel.static.assign(location_id=panel.location_id)
    out: dict[str, dict[str, int]] = {}
    for name in sorted(static.columns):
        if static[name].dtype.kind in "fiub" or str(static[name].dtype) == "boolean":
            continue
        texts = sorted(set(static[name].astype("string").fillna("").tolist()))
        if 2 <= len(texts) <= panel.n_series / MIN_GROUP:
            out[str(name)] = {text: code for code, text in enumerate(texts)}
    return out
