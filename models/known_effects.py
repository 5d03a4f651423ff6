"""What events, promotions, prices and weekdays do to demand, learnt across all series at once.

A festival comes once a year and a series sells little on its day, so one series cannot tell its effect; all of them
together can. A Poisson regression (scikit-learn) of demand over its local level gives a factor for every bucket. Trees
then explain what is left, and levels are read from demand less these effects, so that a festival does not
look like growth afterwards.

The penalty is chosen by cross-validation over blocks of time: an effect counts as far as it comes again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn import config_context
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import make_scorer, mean_poisson_deviance
from sklearn.model_selection import GridSearchCV, GroupKFold

from engine.demand.calendar import Bucket
from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel
from models.effect_errors import Cells, EffectRange, effect_errors, effect_ranges
from models.features import PRICE
from models.local_design import regressor_values

Doubles = npt.NDArray[np.float64]

MAX_CELLS = 200_000
"""Series times buckets that are learnt from: the best sellers, which tell most."""

MIN_CELLS = 1_000
HALF_LIFE = {"D": 28.0, "W": 6.0, "M": 3.0}
"""Half-life, in buckets, of the level around a bucket, read on both sides of it."""

MIN_AROUND = 4.0
"""Weight of plain buckets around one, below which its level is not known."""

MIN_PLAIN = 0.2
"""With a lesser share of buckets free of events and promotions, the level is read from all."""

PENALTIES = (1e-3, 1e-4, 1e-5)
MAX_DEMAND = 20.0
"""Demand is cut to this many levels (units where the level is below one), so that one absurd series sets no effect."""

MAX_KINDS = 60
"""A common regressor with more values than this is no countdown to an event, and counts by its value."""

N_FOLDS, N_BLOCKS = 3, 6
BOUND = 2.0
"""An effect is at most this many natural logarithms up or down."""


@dataclass(frozen=True)
class Column:
    """A column of the regression: a regressor over ``scale``, or where it equals ``value``; and its log effect."""

    name: str
    value: float | None
    scale: float
    effect: float


@dataclass(frozen=True)
class KnownEffects:
    """Log effects of columns; the name `WEEKDAY` stands for the day of the week.

    ``ranges`` says how sure they are; ``perverse`` what was found of a price that sells more the higher it is, and is
    not believed.
    """

    columns: tuple[Column, ...] = ()
    ranges: tuple[EffectRange, ...] = ()
    perverse: tuple[EffectRange, ...] = ()

    def __call__(self, panel: DemandPanel) -> Doubles:
        """Return the factor on the demand of every bucket, shape (n, n_buckets)."""
        common = np.zeros(panel.calendar.n_buckets)
        own = np.zeros((panel.n_series, panel.calendar.n_buckets))
        for column in self.columns:
            values = _values(panel, column)
            into = common if values.ndim == 1 else own
            into += column.effect * values
        return np.asarray(np.exp(np.clip(common + own, -BOUND, BOUND)))

    def text(self) -> str:
        """Return the effects as text; numbers keep every bit."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> KnownEffects:
        """Return what `text` describes."""
        told = json.loads(text)
        columns = tuple(Column(**column) for column in told["columns"])
        ranges, perverse = (tuple(EffectRange(**each) for each in told[name]) for name in ("ranges", "perverse"))
        return cls(columns, ranges, perverse)


WEEKDAY = ""


def learn_known_effects(panel: DemandPanel) -> KnownEffects:
    """Learn from the history of a panel, in its order; without enough of it there are no effects."""
    h = panel.calendar.n_history
    if not panel.n_series or not h:
        return KnownEffects()
    total = panel.units.sum(axis=1, dtype=np.float64)
    best = np.sort(np.argsort(-total, kind="stable")[: max(1, MAX_CELLS // h)])
    part = panel.take(best)
    columns = _columns(part)
    share = np.where(on_offer(part)[:, :h], part.available.astype(np.float64), 0.0)
    plain = share * _plain(part)
    level = _local_level(np.where(plain > 0, part.units, 0.0), plain, part.calendar.bucket)
    row, bucket = np.nonzero((share > 0) & (level > 0))
    block = bucket * N_BLOCKS // h
    if not columns or len(row) < MIN_CELLS or len(np.unique(block)) < N_FOLDS:
        return KnownEffects()
    exposure = (share * level)[row, bucket]
    demand = np.minimum(part.units[row, bucket] / exposure, MAX_DEMAND / np.minimum(exposure, 1))
    folds = list(GroupKFold(N_FOLDS).split(demand, groups=block))
    if not all(demand[train].any() and demand[test].any() for train, test in folds):
        return KnownEffects()
    values = []
    for column in columns:
        found = _values(part, column)
        if column.name == PRICE:
            # A level that is read off the buckets around holds the effect of their price: what is left to learn from is
            # how a price differs from theirs.
            past = np.broadcast_to(found, (part.n_series, part.calendar.n_buckets))[:, :h]
            found = past - _local_level(past * plain, plain, part.calendar.bucket)
        values.append(sparse.csr_matrix((found[bucket] if found.ndim == 1 else found[row, bucket])[:, None]))
    data = _Data(demand, exposure, part.units[row, bucket].astype(np.float64), row, bucket, folds)
    learnt, ranges = _fitted(columns, values, data)
    kept = [i for i, column in enumerate(learnt) if column.name != PRICE or column.effect <= 0]
    if len(kept) == len(learnt):
        return KnownEffects(learnt, ranges)
    # A price that falls while an item is sold off goes with falling demand and does not cause it.
    perverse = tuple(each for each in ranges if each.name == PRICE)
    learnt, ranges = _fitted([columns[i] for i in kept], [values[i] for i in kept], data)
    return KnownEffects(learnt, ranges, perverse)


@dataclass(frozen=True)
class _Data:
    """Cells (m,) to learn from: demand over its level, exposure, units, places, and the folds to choose by."""

    demand: Doubles
    exposure: Doubles
    units: Doubles
    row: npt.NDArray[np.int64]
    bucket: npt.NDArray[np.int64]
    folds: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]


def _fitted(
    columns: Sequence[Column], values: Sequence[sparse.csr_matrix], data: _Data
) -> tuple[tuple[Column, ...], tuple[EffectRange, ...]]:
    """Return the columns with their effects, and how sure these are."""
    if not columns:
        return (), ()
    design = sparse.hstack(values, format="csr")
    # Scores weigh cells as the fit does: else series that hardly sell would choose the penalty.
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            PoissonRegressor(max_iter=1000, tol=1e-5).set_fit_request(sample_weight=True),
            {"alpha": list(PENALTIES)},
            scoring=make_scorer(mean_poisson_deviance, greater_is_better=False).set_score_request(sample_weight=True),
            cv=data.folds,
        )
        search.fit(design, data.demand, sample_weight=data.exposure)
    best = search.best_estimator_
    learnt = tuple(replace(c, effect=effect) for c, effect in zip(columns, best.coef_.tolist(), strict=True))
    cells = Cells(design, data.units, data.exposure * best.predict(design), data.exposure, data.row, data.bucket)
    return learnt, effect_ranges(learnt, cells, effect_errors(cells, float(best.alpha)))


def _columns(panel: DemandPanel) -> tuple[Column, ...]:
    """Return the columns that a history can tell anything of, without effects yet.

    Of a common regressor of days with few values every value is a column of its own, so the days before a festival need
    not follow a straight line; other regressors count by their value.
    """
    out = []
    if panel.calendar.bucket == "D":
        out += [Column(WEEKDAY, float(day), 1.0, 0.0) for day in range(1, 7)]
    for name in sorted(panel.regressors):
        past = regressor_values(panel, name)[..., : panel.calendar.n_history]
        if not past.size or past.max() <= past.min():
            continue
        kinds = np.unique(past[past != 0]) if past.ndim == 1 else np.zeros(0)
        if panel.calendar.bucket == "D" and 0 < len(kinds) <= MAX_KINDS:
            out += [Column(name, float(value), 1.0, 0.0) for value in kinds.tolist()]
        else:
            out.append(Column(name, None, float(np.abs(past).max()), 0.0))
    return tuple(out)


def _values(panel: DemandPanel, column: Column) -> Doubles:
    """Return a column for every bucket, shape (n_buckets,), or for every series and bucket."""
    if column.name == WEEKDAY:
        return np.asarray((panel.calendar.starts.astype(np.int64) + 3) % 7 == column.value, dtype=np.float64)
    if column.name not in panel.regressors:
        return np.zeros(panel.calendar.n_buckets)
    values = regressor_values(panel, column.name)
    if column.value is not None:
        return np.asarray(values == column.value, dtype=np.float64)
    # Beyond the values that it was learnt at an effect is not known: a festival of which a history caught the last few
    # hours would grow without bounds with a whole one. A price's is an elasticity, and goes on.
    return values / column.scale if column.name == PRICE else np.clip(values / column.scale, -1.0, 1.0)


def _local_level(units: Doubles, plain: Doubles, bucket: Bucket) -> Doubles:
    """Return units per bucket around every bucket of the history, of weights ``plain``; 0 where not known."""
    h = units.shape[1]
    keep = 0.5 ** (1 / HALF_LIFE[bucket])
    above, below = np.zeros(plain.shape), np.zeros(plain.shape)
    for order in (range(h), range(h - 1, -1, -1)):
        sold, seen = np.zeros(len(plain)), np.zeros(len(plain))
        for t in order:
            above[:, t] += sold
            below[:, t] += seen
            sold, seen = keep * (sold + units[:, t]), keep * (seen + plain[:, t])
    return np.where(below >= MIN_AROUND, above / np.maximum(below, MIN_AROUND), 0.0)


def _plain(panel: DemandPanel) -> Doubles:
    """Return 1 for buckets without event or promotion, else 0, shape (n, n_history).

    What is not zero nearly always, such as a temperature, is neither.
    """
    h = panel.calendar.n_history
    plain = np.ones((panel.n_series, h), np.bool_)
    for name in panel.regressors:
        without = regressor_values(panel, name)[..., :h] == 0
        if name != PRICE and without.mean() >= MIN_PLAIN:
            plain &= without
    return plain.astype(np.float64) if plain.mean() >= MIN_PLAIN else np.ones(plain.shape)
