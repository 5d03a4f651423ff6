"""What weekdays, events and the time of the month do to demand in each part of the assortment.

`models.known_effects` learns one effect for all series from the best sellers; yet meat sells on other days than toys,
and a shop by a motorway on other days than one in town. Series that share attributes are summed, which takes most of
the noise away, and one ridge regression (scikit-learn) of the logarithm of those sums over their local level tells how
far every attribute, and every crossing of attributes, departs from all. What few sums support stays near nothing: the
penalty is chosen by cross-validation over blocks of time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold

from engine.demand.on_offer import on_offer
from engine.demand.panel import DemandPanel
from models.alignment import weights_of
from models.features import Codes, coded
from models.group_design import Term, crossings_of, design_blocks, group_terms, term_values

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_GROUPS = 400
"""Groups whose sums are learnt from, at most."""

MIN_SERIES = 10
"""Series per group, on average; with fewer the sums are hardly less noisy than the series."""

MIN_UNITS = 10.0
"""Units expected of a sum on a day, below which its logarithm says nothing."""

STEADY_UNITS = 150.0
"""A sum of so many units varies as much by chance as by what no column explains, and weighs half of a huge one."""

CLOSED = 0.3
"""A sum below this share of its median over time tells of a closed shop, not of a weekday."""

HALF_LIFE = 28.0
"""Half-life, in days, of the level around a day, read on both sides of it."""

N_ROUNDS = 3
"""Rounds of reading the level without the effects, and the effects without the level."""

PENALTIES = (1.0, 3.0, 10.0)
N_FOLDS, N_BLOCKS = 3, 6
BOUND = 1.0
"""A group departs from all by at most this many natural logarithms."""

CHUNK_SERIES = 1024
"""Series summed at once."""


@dataclass(frozen=True)
class CrossedEffects:
    """Log effects of one crossing of attributes: of every term, by member (its codes joined by a tab)."""

    names: tuple[str, ...]
    by_member: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class GroupEffects:
    """Log effects of columns by attribute, added over the crossings that a series belongs to.

    ``codes`` gives per attribute the code of each text known at the fit; an unknown text has no effect of its own.
    """

    codes: Codes
    terms: tuple[Term, ...] = ()
    crossings: tuple[CrossedEffects, ...] = ()

    def __call__(self, panel: DemandPanel) -> Doubles:
        """Return the factor on the demand of every bucket, shape (n, n_buckets)."""
        total = np.zeros((panel.n_series, panel.calendar.n_buckets))
        if not self.terms or not panel.n_series:
            return np.exp(total)
        # Series with the same attributes share their weights, and all but the regressors of their own.
        keys = np.stack(list(coded(panel, self.codes).values()), axis=1)
        members, group = np.unique(keys, axis=0, return_inverse=True)
        group = group.reshape(-1)
        weights = self._weights(members)
        common = np.zeros((len(members), panel.calendar.n_buckets))
        # Term by term, not as one matrix product: a row then has the same bits alone and in any batch.
        for number, term in enumerate(self.terms):
            values = term_values(panel, term)
            if values.ndim == 1:
                common += weights[:, number, None] * values
            else:
                total += weights[group, number, None] * values
        return np.asarray(np.exp(np.clip(total + common[group], -BOUND, BOUND)))

    def _weights(self, members: Ints) -> Doubles:
        """Return the log effects of groups, shape (n_groups, n_terms), from their codes (n_groups, n_attributes)."""
        place = {name: column for column, name in enumerate(self.codes)}
        nothing = (0.0,) * len(self.terms)
        out = np.zeros((len(members), len(self.terms)))
        for crossing in self.crossings:
            columns = [place[name] for name in crossing.names]
            out += [crossing.by_member.get(member_text(codes[columns]), nothing) for codes in members]
        return out

    def text(self) -> str:
        """Return the effects as text; numbers keep every bit."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> GroupEffects:
        """Return what `text` describes."""
        told = json.loads(text)
        crossings = (
            CrossedEffects(tuple(one["names"]), {member: tuple(e) for member, e in one["by_member"].items()})
            for one in told["crossings"]
        )
        return cls(told["codes"], tuple(Term(**term) for term in told["terms"]), tuple(crossings))


def member_text(codes: Ints) -> str:
    """Return what a member of a crossing is called: its codes, joined by a tab."""
    return "\t".join(map(str, codes))


def learn_group_effects(panel: DemandPanel, codes: Codes, effects: Callable[[DemandPanel], Doubles]) -> GroupEffects:
    """Learn from a panel of days, in its order; without large enough groups, or days, there are no effects.

    Parameters
    ----------
    panel
        What is learnt from.
    codes
        Per attribute, the code of each text.
    effects
        Gives the known factors on demand of all series, (n, n_buckets); groups are told apart beyond them.
    """
    chosen = _attributes(panel, codes)
    if panel.calendar.bucket != "D" or not chosen:
        return GroupEffects(chosen)
    members, group = np.unique(np.stack(list(coded(panel, chosen).values()), axis=1), axis=0, return_inverse=True)
    expected, sold = _sums(panel, group.reshape(-1), len(members), effects)
    log, weight = _logs(expected, sold)
    usable, h = weight > 0, panel.calendar.n_history
    block = np.broadcast_to(np.arange(h) * N_BLOCKS // h, weight.shape)[usable]
    if len(np.unique(block)) < N_FOLDS:
        return GroupEffects(chosen)
    terms = group_terms(panel)
    first = np.array([np.argmax(group == g) for g in range(len(members))])
    crossings = crossings_of(tuple(chosen), members)
    design, columns = design_blocks(panel.take(first), terms, crossings)
    design = design[usable.reshape(-1)]
    folds = list(GroupKFold(N_FOLDS).split(block, groups=block))
    coefficients = _coefficients(design, log, weight, folds)
    by_crossing = [{m: np.zeros(len(terms)) for m in crossing.members} for crossing in crossings]
    for effect, column in zip(coefficients.tolist(), columns, strict=True):
        by_crossing[column.crossing][column.member][column.term] = column.scale * effect
    found = (
        CrossedEffects(crossing.names, {m: tuple(e.tolist()) for m, e in of.items()})
        for crossing, of in zip(crossings, by_crossing, strict=True)
    )
    return GroupEffects(chosen, terms, tuple(found))


def _attributes(panel: DemandPanel, codes: Codes) -> dict[str, dict[str, int]]:
    """Return the attributes that are crossed: those with fewest texts first, as long as their groups stay large."""
    chosen: dict[str, dict[str, int]] = {}
    found = coded(panel, codes)
    for name in sorted(codes, key=lambda one: (len(codes[one]), one)):
        keys = np.stack([found[one] for one in (*chosen, name)], axis=1)
        if len(np.unique(keys, axis=0)) <= min(MAX_GROUPS, panel.n_series / MIN_SERIES):
            chosen[name] = dict(codes[name])
    return chosen


def _sums(
    panel: DemandPanel, group: Ints, n_groups: int, effects: Callable[[DemandPanel], Doubles]
) -> tuple[Doubles, Doubles]:
    """Return units expected of every group, by the means and known effects of its series, and sold; (n_groups, h)."""
    h = panel.calendar.n_history
    expected, sold = np.zeros((2, n_groups, h))
    counts = weights_of(panel.units.mean(axis=1, dtype=np.float64))[:, None]
    for start in range(0, panel.n_series, CHUNK_SERIES):
        rows = np.arange(start, min(start + CHUNK_SERIES, panel.n_series))
        part = panel.take(rows)
        share = np.where(on_offer(part)[:, :h], part.available.astype(np.float64), 0.0) * effects(part)[:, :h]
        units = np.where(share > 0, part.units.astype(np.float64), 0.0)
        mean = units.sum(axis=1) / np.maximum(share.sum(axis=1), 1e-9)
        np.add.at(expected, group[rows], counts[rows] * mean[:, None] * share)
        np.add.at(sold, group[rows], counts[rows] * units)
    return expected, sold


def _logs(expected: Doubles, sold: Doubles) -> tuple[Doubles, Doubles]:
    """Return the logarithm of sold over expected, and its weight in [0, 1); 0 where it says nothing."""
    enough = expected >= MIN_UNITS
    ratio = np.divide(sold, expected, out=np.zeros_like(sold), where=enough)
    usual = np.array([np.median(row[known]) if known.any() else 0.0 for row, known in zip(ratio, enough, strict=True)])
    usable = enough & (ratio > CLOSED * usual[:, None])
    units = np.where(usable, expected * usual[:, None], 0.0)
    return np.log(np.where(usable, ratio, 1.0)), units / (units + STEADY_UNITS)


def _coefficients(design: sparse.csr_matrix, log: Doubles, weight: Doubles, folds: list[tuple[Ints, Ints]]) -> Doubles:
    """Return the coefficient of every column, from the logs (n_groups, h) at cells of weight above zero."""
    usable = weight > 0
    explained = np.zeros(log.shape)
    model = Ridge(fit_intercept=False, solver="sparse_cg", tol=1e-5)
    search = GridSearchCV(model, {"alpha": list(PENALTIES)}, cv=folds, scoring="neg_mean_squared_error")
    for number in range(N_ROUNDS):
        departs = (log - _level(log - explained, weight))[usable]
        if number == 0:
            model = search.fit(design, departs, sample_weight=weight[usable]).best_estimator_
        else:
            model.fit(design, departs, sample_weight=weight[usable])
        explained[usable] = design @ model.coef_
    return np.asarray(model.coef_, np.float64)


def _level(values: Doubles, weight: Doubles) -> Doubles:
    """Return the weighted mean around every day, shape (n_groups, h), the day itself left out."""
    keep = 0.5 ** (1 / HALF_LIFE)
    h = values.shape[1]
    above, below = np.zeros(values.shape), np.zeros(values.shape)
    for order in (range(h), range(h - 1, -1, -1)):
        total, seen = np.zeros(len(values)), np.zeros(len(values))
        for t in order:
            above[:, t] += total
            below[:, t] += seen
            total = keep * (total + weight[:, t] * values[:, t])
            seen = keep * (seen + weight[:, t])
    return above / np.maximum(below, 1e-9)
