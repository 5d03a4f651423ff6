"""What to expect of a series before it has sold: the demand of others with its attributes and its price.

A Poisson regression of demand per bucket on attributes and log price (scikit-learn), over the series that are long
enough on sale. The penalty is chosen by cross-validation, so attributes that tell nothing are drawn to nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.linear_model import PoissonRegressor
from sklearn.model_selection import GridSearchCV, KFold

from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel
from models.features import Codes, coded
from models.segments import MIN_SEEN

Doubles = npt.NDArray[np.float64]

MIN_SERIES, MAX_SERIES = 40, 20_000
"""Of many series, so many evenly spaced ones are read; with fewer than enough of those nothing is learnt."""

CHUNK_SERIES = 1024
"""Series read at once."""

RECENT = {"D": 364, "W": 52, "M": 12}
"""Latest buckets whose mean demand is learnt from."""

PENALTIES = (10.0, 1.0, 0.1, 0.01)
N_FOLDS = 5
UNKNOWN = 0.5
"""Units per bucket expected where nothing was learnt."""


@dataclass(frozen=True)
class ColdStart:
    """A fitted expectation.

    Parameters
    ----------
    codes
        Per attribute, the code of each text known at the fit.
    effect
        Per attribute, the log effect of each code; an unknown text has none.
    price
        Mean and standard deviation of log prices at the fit, and the log effect of one standard deviation.
    base
        Log demand per bucket before effects.
    most
        Largest mean demand per bucket of a series learnt from, and so the most to expect.
    """

    codes: Codes
    effect: Mapping[str, tuple[float, ...]]
    price: tuple[float, float, float]
    base: float
    most: float

    def __call__(self, panel: DemandPanel) -> Doubles:
        """Return units per bucket to expect of each series, shape (n,)."""
        if not self.most:
            return np.full(panel.n_series, UNKNOWN)
        mean, deviation, slope = self.price
        total = self.base + slope * _scaled_price(panel, mean, deviation)
        for name, codes in coded(panel, self.codes).items():
            effects = np.append(self.effect[name], 0.0)
            total = total + effects[codes]
        return np.minimum(np.exp(np.minimum(total, 50.0)), self.most)

    def text(self) -> str:
        """Return the expectation as text; numbers keep every bit."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> ColdStart:
        """Return what `text` describes."""
        told = json.loads(text)
        effect = {name: tuple(values) for name, values in told["effect"].items()}
        return cls(**{**told, "effect": effect, "price": tuple(told["price"])})


def nothing_learnt(codes: Codes) -> ColdStart:
    """Return the expectation of `UNKNOWN` units for every series."""
    return ColdStart(codes, {}, (0.0, 1.0, 0.0), 0.0, 0.0)


def learn_cold_start(panel: DemandPanel, codes: Codes, effects: Callable[[DemandPanel], Doubles]) -> ColdStart:
    """Learn from the series of a panel, in its order; ``effects`` gives the known factors on demand, (n, n_buckets)."""
    if panel.n_series < MIN_SERIES:
        return nothing_learnt(codes)
    bucket, h = panel.calendar.bucket, panel.calendar.n_history
    chosen = np.unique(np.rint(np.linspace(0, panel.n_series - 1, MAX_SERIES)).astype(np.int64))
    latest = slice(max(0, h - RECENT[bucket]), h)
    exposure, units = np.zeros((2, len(chosen)))
    for start in range(0, len(chosen), CHUNK_SERIES):
        rows = slice(start, start + CHUNK_SERIES)
        read = panel.take(chosen[rows])
        share = np.where(on_offer(read)[:, latest], read.available[:, latest], 0)
        exposure[rows] = (share * effects(read)[:, latest]).sum(axis=1, dtype=np.float64)
        units[rows] = np.where(share > 0, read.units[:, latest], 0).sum(axis=1, dtype=np.float64)
    long_enough = exposure >= MIN_SEEN[bucket]
    demand = units[long_enough] / exposure[long_enough]
    part = panel.take(chosen[long_enough])
    folds = list(KFold(N_FOLDS, shuffle=True, random_state=0).split(demand)) if len(demand) >= MIN_SERIES else []
    if not folds or not all(demand[train].any() and demand[test].any() for train, test in folds):
        return nothing_learnt(codes)
    mean, deviation = _price_scale(part)
    found = coded(part, codes)
    columns = [sparse.csr_matrix(_scaled_price(part, mean, deviation)[:, None])]
    columns += [_one_hot(values, len(codes[name])) for name, values in found.items()]
    # Demand over its mean, so that a penalty means the same whatever the units.
    search = GridSearchCV(
        PoissonRegressor(max_iter=1000, tol=1e-6),
        {"alpha": list(PENALTIES)},
        scoring="neg_mean_poisson_deviance",
        cv=folds,
    )
    search.fit(sparse.hstack(columns, format="csr"), demand / demand.mean())
    best = search.best_estimator_
    by_attribute, at = {}, 1
    for name in found:
        by_attribute[name] = tuple(best.coef_[at : at + len(codes[name])].tolist())
        at += len(codes[name])
    base = float(best.intercept_ + np.log(demand.mean()))
    return ColdStart(codes, by_attribute, (mean, deviation, float(best.coef_[0])), base, float(demand.max()))


def _one_hot(codes: npt.NDArray[np.int64], n_codes: int) -> sparse.csr_matrix:
    rows = np.flatnonzero(codes >= 0)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, codes[rows])), shape=(len(codes), n_codes))


def _log_price(panel: DemandPanel) -> Doubles:
    if "unit_price" not in panel.static:
        return np.full(panel.n_series, np.nan)
    price = pd.to_numeric(panel.static["unit_price"]).to_numpy(np.float64, na_value=np.nan)
    return np.log(np.where(price > 0, price, np.nan))


def _price_scale(panel: DemandPanel) -> tuple[float, float]:
    known = _log_price(panel)
    known = known[np.isfinite(known)]
    if not len(known):
        return 0.0, 1.0
    return float(known.mean()), float(known.std()) or 1.0


def _scaled_price(panel: DemandPanel, mean: float, deviation: float) -> Doubles:
    """Return log prices in standard deviations from their mean, 0 where none is known."""
    return np.nan_to_num((_log_price(panel) - mean) / deviation)
