"""Gradient boosting: one global LightGBM model over all series, direct, with the step ahead as a feature.

A row is one series at one origin and one bucket after it; its label is demand over the series' level at the origin
times the known effect of the bucket (`models.known_effects`), its weight that product ** (2 - p), which makes the
Tweedie loss that of the units themselves. Rows are drawn at
many origins, so the fitted model serves any cutoff and stays frozen while a replay walks on. The recipe
follows what won the M5 contest (Makridakis et al., 2022, Int. J. Forecasting 38): global trees, Tweedie loss,
lags and rolling means; direct forecasts, since fed-back ones drift at the upper levels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import lightgbm as lgb
import numpy as np

from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel
from engine.execution import Executor, Serial
from engine.forecast.empirical import ResidualPool
from engine.forecast.pooled import PooledForecast, fit_pooled, stretch_length
from engine.forecast.streams import Streams
from engine.forecast.types import FittedState
from engine.messages import Message
from models.alignment import Totals, aligned, learn_share, sample_rows, weights_of
from models.cold_start import learn_cold_start
from models.effect_errors import effect_notes
from models.features import RHYTHMS, Ints, Singles, feature_rows, n_features
from models.group_codes import group_codes
from models.group_effects import learn_group_effects
from models.hold_out import errors_at, hold_out_origins, within_reach
from models.known_effects import learn_known_effects
from models.moving_average import thirteen_weeks
from models.tree_mean import CHUNK_SERIES, TreeInputs, TreeMean

MIN_ROWS = 500
"""With fewer rows to learn from than this there is no model, and the moving average stands in."""

YEARLY_FROM = 2
"""Years of history from which on the time of the year is read."""

MAX_WEIGHT = 10
"""A row weighs at most this many times the median row, so that one odd giant does not shape everyone's trees."""

MAX_LABEL = 20.0
"""Labels are cut to this many levels (units where the level is below one), so that one absurd series is no lesson."""

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
            return PooledForecast(thirteen_weeks, fitted.pool, (*fitted.notes, note), {"trees": ""}, stands_in=True)
        before, after = align(before, after, ordered, origins, length, self.executor)
        pool = ResidualPool.learn(within_reach(errors_at(origins, length, ordered, before, self.executor)))
        effects = after.inputs.effects
        notes = (*effect_notes(effects.ranges), *effect_notes(effects.perverse, "perverse-effect"))
        return PooledForecast(after, pool, notes, after.text())

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
        mean = TreeMean.from_text(state.text)
        return PooledForecast(mean, pool, text=mean.text())


def align(
    before: TreeMean, after: TreeMean, panel: DemandPanel, origins: Ints, length: int, executor: Executor
) -> tuple[TreeMean, TreeMean]:
    """Return both models with the factors of their cutoffs: of every origin of the hold-out, and of the panel's own."""
    sample = panel.take(sample_rows(panel.n_series))
    past = list(executor.map(partial(_totals, mean=before, length=length), ((sample, int(b)) for b in origins)))
    held_out = Totals(*np.array(past).T)
    # Stretches of origins that lie closer than their length tell the same thing several times.
    share = learn_share(held_out, apart=float(np.diff(origins).mean()) / length if len(origins) > 1 else 1.0)
    dates = [panel.cut(int(back)).calendar.as_of for back in origins]
    now = Totals(*np.array([_totals((sample, 0), after, min(length, panel.calendar.n_future))]).T)
    return (
        replace(before, alignment=aligned(dates, held_out, share)),
        replace(after, alignment=aligned([panel.calendar.as_of], now, share)),
    )


def _totals(task: tuple[DemandPanel, int], mean: TreeMean, length: int) -> tuple[float, float, float]:
    """Return sums of trees, levels and sales over the ``length`` buckets after an origin, as far as on sale.

    From the panel's own cutoff on (0 buckets back) sales are not known, and 0.
    """
    panel, back = task
    h = panel.calendar.n_history
    ahead = slice(h - back, h - back + length)
    share = on_offer(panel)[:, ahead].astype(np.float64)
    units = np.zeros(share.shape)
    if back:
        share *= panel.available[:, ahead]
        units = np.where(share > 0, panel.units[:, ahead].astype(np.float64), 0.0)
    trees, levels = np.zeros((2, *share.shape))
    for start in range(0, panel.n_series, CHUNK_SERIES):
        rows = np.arange(start, min(start + CHUNK_SERIES, panel.n_series))
        trees[rows], levels[rows] = mean.unaligned(panel.take(rows).cut(back), length)
    weight = weights_of(levels.sum(axis=1) / max(1, length))[:, None]
    return float((weight * share * trees).sum()), float((weight * share * levels).sum()), float((weight * units).sum())


def _learn(panel: DemandPanel, length: int, params: BoostingParams, n_threads: int) -> TreeMean | None:
    """Return the model of a panel sorted by key; None if it holds too few rows."""
    codes, effects = group_codes(panel), learn_known_effects(panel)
    start = learn_cold_start(panel, codes, effects)
    groups = learn_group_effects(panel, codes, effects)
    # With hardly more than a year the time of the year tells one date from another, and a season from no growth.
    is_yearly = panel.calendar.n_history >= YEARLY_FROM * RHYTHMS[panel.calendar.bucket].year
    inputs = TreeInputs(codes, tuple(sorted(panel.regressors)), is_yearly, start, effects, groups)
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
                np.minimum(history.demand[rows, target] / scale, MAX_LABEL / np.minimum(scale, 1)).astype(np.float32),
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
