"""How sure the effects are that were learnt across series, and statements of them with their range.

An effect is uncertain for three reasons, and their variances add up:

- *Series differ*, in what they do and from bucket to bucket: a sandwich clustered by series (Liang & Zeger, 1986,
  Biometrika 73). Where few series hold most of an effect's weight they pull the fit towards themselves, so residuals
  are scaled up by what is left without them, as the jackknife does (Bell & McCaffrey, 2002, Survey Methodology 28);
  and the classic variance, with the dispersion of all, is the least.
- *Buckets have shocks that all series share.* A festival of three days has three of them, however many series sold
  then. A sandwich clustered by time cannot see this, since the fit passes through such days. So the variance of
  shared shocks and their autocovariances (Newey & West, 1987, Econometrica 55) are read off all buckets and applied
  to those of the effect, as Donald & Lang (2007, Review of Economics and Statistics 89) do with few groups.
- *The penalty draws effects towards none.* What it may have taken off is taken to be as large as the prior says for
  which that penalty is the best (Wood, 2006, Australian & New Zealand Journal of Statistics 48).

What series or years to come do otherwise than those of the history is in none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.messages import Message
from models.features import PRICE

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RANGE_DEVIATIONS = 1.2816
"""Standard errors on each side of an effect that hold 80 % of a normal distribution."""

PRICE_CHANGE = -0.10
"""Change of the list price for which the effect of a price is told."""

MOST_OF_ONE = 0.9
"""One series counts for this share of an effect's weight at most when its residuals are corrected for that."""

LEAST = 1e-9
"""Expected units below it are none, and are not divided by."""


@dataclass(frozen=True)
class Cells:
    """The buckets of series that effects were learnt from, arrays of one length.

    Parameters
    ----------
    design
        Columns of the regression without the constant, shape (n_cells, n_columns).
    units
        Units sold.
    expected
        Units that the regression expects there.
    exposure
        Weight of the cell in the fit: the expected units without any effect.
    series, bucket
        Number of the series and of the bucket.
    """

    design: sparse.csr_matrix
    units: Doubles
    expected: Doubles
    exposure: Doubles
    series: Ints
    bucket: Ints


@dataclass(frozen=True)
class EffectErrors:
    """Covariances of log effects, each of shape (n_columns, n_columns).

    ``clustered`` and ``classic`` are two estimates of what differences between series do, ``shared`` holds shared
    shocks and the penalty.
    """

    clustered: Doubles
    classic: Doubles
    shared: Doubles

    def of(self, weights: Doubles) -> Doubles:
        """Return the standard error of sums of log effects, shape (n,); ``weights`` has a row a sum."""
        own, plain, common = (
            ((weights @ matrix) * weights).sum(axis=1) for matrix in (self.clustered, self.classic, self.shared)
        )
        return np.asarray(np.sqrt(np.maximum(np.maximum(own, plain) + common, 0.0)))


def effect_errors(cells: Cells, penalty: float) -> EffectErrors:
    """Return how sure the effects of a penalised Poisson regression are.

    ``penalty`` is that of `sklearn.linear_model.PoissonRegressor`: it counts times the sum of the weights.
    """
    design = sparse.hstack([sparse.csr_matrix(np.ones((len(cells.units), 1))), cells.design], format="csr")
    held = np.full(design.shape[1], penalty * cells.exposure.sum())
    held[0] = 0.0
    information = (design.T @ design.multiply(cells.expected[:, None]).tocsr()).toarray()
    inverse = np.linalg.pinv(information + np.diag(held), hermitian=True)
    by_bucket, by_series = _sums(cells.bucket), _sums(cells.series)
    # A bucket's sum of the columns, in expected units: how far its shock moves each of them.
    reach = (by_bucket @ design.multiply(cells.expected[:, None]).tocsr()).toarray()
    off = cells.units - cells.expected
    shock = (by_bucket @ off) / np.maximum(reach[:, 0], LEAST)
    own = off - cells.expected * shock[cells.bucket]
    scores = (by_series @ design.multiply(own[:, None]).tocsr()).toarray()
    weight = (by_series @ design.multiply(design).multiply(cells.expected[:, None]).tocsr()).toarray()
    scores /= 1 - np.minimum(weight / np.maximum(weight.sum(axis=0), LEAST), MOST_OF_ONE)
    clustered = scores.T @ scores
    classic = information * float((own**2).sum() / max(cells.expected.sum(), LEAST))
    noise = (by_bucket @ own**2) / np.maximum(reach[:, 0], LEAST) ** 2
    leverage = np.clip(((reach @ inverse) * reach).sum(axis=1) / np.maximum(reach[:, 0], LEAST), 0.0, 1.0)
    free = np.where(reach[:, 0] > 0, 1 - leverage, 0.0)
    shared = reach.T @ _smoothed(reach, _shock_covariances(shock, noise, free))
    # The penalty that fits the noise best is the noise of an effect over its own spread.
    dispersion = np.trace(inverse @ (clustered + shared)) / max(np.trace(inverse @ information), LEAST)
    shared = shared + np.diag(held) * dispersion
    return EffectErrors(*((inverse @ inner @ inverse)[1:, 1:] for inner in (clustered, classic, shared)))


def _sums(groups: Ints) -> sparse.csr_matrix:
    """Return the matrix that sums cells by group, shape (number of groups, n_cells)."""
    n = int(groups.max(initial=-1)) + 1
    return sparse.csr_matrix((np.ones(len(groups)), (groups, np.arange(len(groups)))), shape=(n, len(groups)))


def _shock_covariances(shock: Doubles, noise: Doubles, free: Doubles) -> Doubles:
    """Return the autocovariances of shared shocks from lag 0 on, with falling weights.

    ``noise`` is the variance that the series' own noise gives to each bucket's shock, ``free`` the share of it that the
    fit did not take up.
    """
    n_free = max(float(free.sum()), 1.0)
    n_lags = int(4 * (len(shock) / 100) ** (2 / 9))
    variance = max(0.0, float((shock**2 - free * noise).sum()) / n_free)
    lagged = [float((shock[lag:] * shock[:-lag]).sum()) / n_free for lag in range(1, n_lags + 1)]
    bounded = np.clip([variance, *lagged], -variance, variance)
    return np.asarray(bounded * (1 - np.arange(n_lags + 1) / (n_lags + 1)))


def _smoothed(reach: Doubles, covariances: Doubles) -> Doubles:
    """Return the sums over the buckets around each, weighted by their covariance with it; shape of ``reach``."""
    out: Doubles = covariances[0] * reach
    for lag, covariance in enumerate(covariances[1:], start=1):
        out[lag:] += covariance * reach[:-lag]
        out[:-lag] += covariance * reach[lag:]
    return out


class Term(Protocol):
    """A column of the regression: `models.known_effects.Column`."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def scale(self) -> float: ...
    @property
    def effect(self) -> float: ...


@dataclass(frozen=True)
class EffectRange:
    """What a regressor at a value does to demand: a factor, in 80 % of cases between ``low`` and ``high``.

    ``share`` is the depth of a promotion or the change of a price, ``value`` that of any other regressor with values of
    its own; None where there is nothing to tell. ``n_buckets`` counts the cells that it was learnt from.
    """

    name: str
    share: float | None
    value: float | None
    factor: float
    low: float
    high: float
    n_buckets: int


def effect_ranges(terms: Sequence[Term], cells: Cells, errors: EffectErrors) -> tuple[EffectRange, ...]:
    """Return the statements of effects, by name; ``terms`` are the columns of ``cells.design``, weekdays nameless.

    An event is told at its height, its lead and lag on the day next to it; a promotion at the mean depth that it had;
    the price at `PRICE_CHANGE`; another regressor at the largest value that it had.
    """
    names = [term.name for term in terms]
    filled = np.asarray((cells.design != 0).sum(axis=0)).ravel()
    weights, told = [], []
    for name in sorted(set(names) - {""}):
        if name.endswith("_depth") and name.removesuffix("_depth") in names:
            continue
        place = max((p for p, each in enumerate(names) if each == name), key=lambda p: terms[p].value or 0.0)
        row = np.zeros(len(terms))
        share, value = None, None
        row[place] = 1.0
        if name == PRICE:
            share = PRICE_CHANGE
            row[place] = np.log1p(share) / terms[place].scale
        elif f"{name}_depth" in names:
            depth = names.index(f"{name}_depth")
            row[depth] = cells.design[:, [depth]].sum() / max(filled[depth], 1)
            share = float(row[depth] * terms[depth].scale)
        elif not name.startswith(("event_", "promotion_")):
            value = terms[place].scale if terms[place].value is None else terms[place].value
        weights.append(row)
        told.append((name, share, value, int(filled[place])))
    if not told:
        return ()
    rows = np.stack(weights)
    logs = rows @ np.array([term.effect for term in terms])
    reach = RANGE_DEVIATIONS * errors.of(rows)
    factor, low, high = (np.exp(each).tolist() for each in (logs, logs - reach, logs + reach))
    return tuple(
        EffectRange(name, share, value, factor[i], low[i], high[i], count)
        for i, (name, share, value, count) in enumerate(told)
    )


def effect_notes(ranges: Sequence[EffectRange], code: str = "known-effect") -> tuple[Message, ...]:
    """Return a note on each effect, to stand among the assumptions of a run."""
    return tuple(
        Message(
            code,
            {
                "name": each.name,
                "share": None if each.share is None else round(each.share, 4),
                "value": None if each.value is None else round(each.value, 4),
                "factor": round(each.factor, 4),
                "low": round(each.low, 4),
                "high": round(each.high, 4),
                "buckets": each.n_buckets,
            },
        )
        for each in ranges
    )
