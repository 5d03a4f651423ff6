"""Mean forecasts of series and of their groups made to agree, with the least error variance (MinT).

Wickramasuriya, Athanasopoulos & Hyndman (2019, Journal of the American Statistical Association 114): of all coherent
forecasts that stay unbiased, the projection along the covariance W of the base forecasts' errors has the least total
variance. Groups are codes and W is a diagonal plus the errors themselves, so nothing larger than groups x groups is
solved, and no summing matrix of all series is ever filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

REACH = 4.0
"""A reconciled mean is at most this multiple of its base mean, and at least its base mean over this."""

MIN_ERRORS = 4
"""With fewer known past errors the variance is that of its level, in proportion to the mean forecast."""

MAX_ROUNDS = 8
"""Rounds in which what lies beyond its bounds is held there and the others take what is left."""

RIDGE = 1e-9
"""Share by which the diagonal of the system is raised: two levels with the same groups say the same thing twice."""


@dataclass(frozen=True)
class Level:
    """One grouping of the series, with forecasts of its own.

    Parameters
    ----------
    group
        Number of each series' group from 0, shape (n,).
    mean
        Base mean forecast of every group, shape (n_groups, horizon), units.
    error
        Past errors (actual less forecast) of every group, shape (n_groups, n_errors), units; NaN = unknown. A column
        is the same origin and lead at every level and for the series.
    """

    group: Ints
    mean: Doubles
    error: Doubles

    def __post_init__(self) -> None:
        n_groups = len(self.mean)
        if self.mean.ndim != 2 or self.error.ndim != 2 or len(self.error) != n_groups:
            raise ValueError(
                "mean and error must have a row per group. "
                f"Got shapes {self.mean.shape} and {self.error.shape} instead."
            )
        if self.group.size and not (self.group.min() >= 0 and self.group.max() < n_groups):
            raise ValueError(f"group must lie in [0, {n_groups - 1}]. Got others instead.")


@dataclass(frozen=True)
class ErrorCovariance:
    """Covariance of base errors, diag(own) + shared @ shared.T over the series, then the groups of every level.

    Parameters
    ----------
    own
        Shape (n + n_groups,), >= 0.
    shared
        Shape (n + n_groups, n_errors); without columns the errors are independent.
    """

    own: Doubles
    shared: Doubles

    def __post_init__(self) -> None:
        if self.own.ndim != 1 or self.shared.ndim != 2 or len(self.own) != len(self.shared):
            raise ValueError(f"own and shared must have as many rows. Got {self.own.shape} and {self.shared.shape}.")
        if self.own.size and not self.own.min() >= 0:
            raise ValueError("own must be >= 0. Got negative or unknown variances instead.")


def structural_covariance(n_series: int, levels: Sequence[Level]) -> ErrorCovariance:
    """Return variances in proportion to the number of series added up: for forecasts without past errors."""
    counts = [np.bincount(level.group, minlength=len(level.mean)).astype(np.float64) for level in levels]
    own = np.concatenate([np.ones(n_series), *counts])
    return ErrorCovariance(own, np.zeros((len(own), 0)))


def diagonal_covariance(mean: Doubles, error: Doubles, levels: Sequence[Level]) -> ErrorCovariance:
    """Return the mean squares of past errors, as if they were independent.

    Parameters
    ----------
    mean, error
        Of the series, shapes (n, horizon) and (n, n_errors); see `Level`.
    """
    own = np.concatenate([_variance(m, e) for m, e in _by_level(mean, error, levels)])
    return ErrorCovariance(own, np.zeros((len(own), 0)))


def shrunk_covariance(mean: Doubles, error: Doubles, levels: Sequence[Level]) -> ErrorCovariance:
    """Return the covariance of past errors with correlations drawn towards zero, as far as chance explains them.

    The share is that of Schäfer & Strimmer (2005, Statistical Applications in Genetics and Molecular Biology 4); an
    unknown error counts as none. Arguments are those of `diagonal_covariance`.
    """
    parts = _by_level(mean, error, levels)
    variance = np.concatenate([_variance(m, e) for m, e in parts])
    spread = np.sqrt(variance)[:, None]
    every = np.concatenate([e for _, e in parts])
    known = np.isfinite(every) & (spread > 0)
    scaled = np.divide(every, spread, out=np.zeros(every.shape), where=known)
    share = _shrinkage(scaled)
    n_errors = max(1, every.shape[1])
    seen = np.einsum("ij,ij->i", scaled, scaled) / n_errors
    # What the errors give to the diagonal is taken off it, so that the variances stay what they are.
    own = variance * np.maximum(1 - (1 - share) * seen, 0)
    return ErrorCovariance(own, np.sqrt((1 - share) / n_errors) * spread * scaled)


def reconciled_means(
    mean: Doubles, levels: Sequence[Level], covariance: ErrorCovariance, reach: float = REACH
) -> Doubles:
    """Return the means of the series that agree best with the forecasts of all levels, shape (n, horizon).

    Sums over any grouping of them are the reconciled forecasts of that grouping, so paths scaled by reconciled over
    base mean are coherent. Each bucket stands alone. A mean stays within a factor ``reach`` of its base mean either
    way, so none is negative and a base mean of zero (not on offer) stays zero: what lies beyond is held at its bound,
    and the others are solved again with what is left. Where the base forecasts already agree, they come back as they
    are.

    Parameters
    ----------
    mean
        Base mean forecasts of the series, shape (n, horizon), >= 0, in an order that is always the same (by key).
    covariance
        From `structural_covariance`, `diagonal_covariance` or `shrunk_covariance`.
    reach
        At least 1; infinity bounds by zero alone.
    """
    n, n_groups = len(mean), sum(len(level.mean) for level in levels)
    if any(len(level.group) != n or level.mean.shape[1] != mean.shape[1] for level in levels):
        raise ValueError(f"every level must have {n} group numbers and {mean.shape[1]} buckets. Got others instead.")
    if len(covariance.own) != n + n_groups:
        raise ValueError(f"covariance must have {n + n_groups} rows. Got {len(covariance.own)} instead.")
    if not reach >= 1:
        raise ValueError(f"reach must be >= 1. Got {reach} instead.")
    if n == 0 or n_groups == 0:
        return np.array(mean)
    system = _System.of(levels, covariance, n)
    upper = np.concatenate([level.mean for level in levels])
    # Threads would change the order of sums, and with it the last bits.
    with threadpool_limits(limits=1):
        buckets = [_one_bucket(mean[:, t], upper[:, t], system, reach) for t in range(mean.shape[1])]
    return np.stack(buckets, axis=1) if buckets else np.zeros(mean.shape)


@dataclass(frozen=True)
class _System:
    """What all buckets share: ``adding`` (n_groups, n) sums series to groups; ``matrix`` is C W C'.

    C = [-adding, I] gives how far groups and sums of series are apart; ``apart`` (n_groups, n_errors) is C @ shared.
    """

    adding: sparse.csc_array
    own: Doubles
    shared: Doubles
    matrix: Doubles
    apart: Doubles

    @classmethod
    def of(cls, levels: Sequence[Level], covariance: ErrorCovariance, n: int) -> _System:
        first = np.cumsum([0, *(len(level.mean) for level in levels)])
        rows = np.concatenate([level.group + start for level, start in zip(levels, first, strict=False)])
        columns = np.tile(np.arange(n), len(levels))
        adding = sparse.csc_array((np.ones(len(rows)), (rows, columns)), shape=(int(first[-1]), n))
        own, shared = covariance.own[:n], covariance.shared[:n]
        matrix = np.diag(covariance.own[n:]) + _squared(adding, own)
        return cls(adding, own, shared, matrix, covariance.shared[n:] - adding @ shared)

    def moves(self, gap: Doubles, held: npt.NDArray[np.bool_]) -> Doubles:
        """Return what closes ``gap`` (n_groups,) best where the series ``held`` (n,) do not move, shape (n,)."""
        rows = np.flatnonzero(held)
        part = self.adding[:, rows]
        # A series that is held has no error: its share of the system is taken off.
        apart = self.apart + part @ self.shared[rows]
        matrix = self.matrix - _squared(part, self.own[rows]) + apart @ apart.T
        diagonal = np.diagonal(matrix).copy()
        # A group that is certain and whose series are all held has nothing to say.
        silent = diagonal <= RIDGE * np.diagonal(self.matrix)
        matrix[silent], matrix[:, silent] = 0.0, 0.0
        matrix[np.diag_indices_from(matrix)] = np.where(silent, 1.0, diagonal * (1 + RIDGE))
        weight = np.linalg.solve(matrix, np.where(silent, 0.0, gap))
        moved = self.own * (self.adding.T @ weight) - self.shared @ (apart.T @ weight)
        return np.where(held, 0.0, moved)


def _one_bucket(base: Doubles, upper: Doubles, system: _System, reach: float) -> Doubles:
    """Return the reconciled means of the series in one bucket, shape (n,)."""
    held = base <= 0
    low, high = base / reach, np.where(held, base, base * reach if np.isfinite(reach) else np.inf)
    value = base
    for _ in range(MAX_ROUNDS):
        start = np.where(held, value, base)
        value = start + system.moves(upper - system.adding @ start, held)
        beyond = ~held & ((value < low) | (value > high))
        value = np.clip(value, low, high)
        if not beyond.any():
            break
        held = held | beyond
    return value


def _squared(adding: sparse.csc_array, weight: Doubles) -> Doubles:
    """Return adding @ diag(weight) @ adding.T, shape (n_groups, n_groups)."""
    return np.asarray((adding.multiply(weight).tocsr() @ adding.T).toarray(), np.float64)


def _by_level(mean: Doubles, error: Doubles, levels: Sequence[Level]) -> list[tuple[Doubles, Doubles]]:
    return [(mean, error), *((level.mean, level.error) for level in levels)]


def _variance(mean: Doubles, error: Doubles) -> Doubles:
    """Return the mean square of each row's known errors, shape (rows,); see `MIN_ERRORS`."""
    known = np.isfinite(error)
    count = known.sum(axis=1)
    square = np.where(known, error, 0.0) ** 2
    variance = square.sum(axis=1) / np.maximum(count, 1)
    enough = count >= MIN_ERRORS
    size = mean.mean(axis=1) if mean.shape[1] else np.zeros(len(mean))
    total = size[enough].sum()
    # Without any errors, counts vary as much as their mean.
    per_unit = variance[enough].sum() / total if total > 0 else 1.0
    return np.where(enough, variance, per_unit * size)


def _shrinkage(scaled: Doubles) -> float:
    """Return the share in [0, 1] by which correlations are drawn to zero, from errors of variance 1 (rows, n_errors).

    Sums over all pairs of rows are read off the products of columns, which are few.
    """
    n_rows, n_errors = scaled.shape
    if n_rows < 2 or n_errors < 2:
        return 1.0
    squares = scaled**2
    own = squares.sum(axis=1)
    # Sums over pairs of different rows: of squared correlations, and of squared products of errors.
    correlation = (((scaled.T @ scaled) ** 2).sum() - (own**2).sum()) / n_errors**2
    products = (squares.sum(axis=0) ** 2).sum() - (squares**2).sum()
    variance = (products - n_errors * correlation) * n_errors / (n_errors - 1) ** 3
    return float(np.clip(variance / correlation, 0, 1)) if correlation > 0 else 1.0
