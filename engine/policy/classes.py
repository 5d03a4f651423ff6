"""ABC and XYZ classes (docs/design.md, 5)."""

from __future__ import annotations

import numpy as np

from engine.policy.types import F64, Bools, Texts

ABC_CUTS = (0.80, 0.95)
XYZ_CUTS = (0.5, 1.0)

_WEEKS_A_YEAR = 52
_WEEKS_A_SEASON = 4
_FEWEST_WEEKS = 8


def abc_classes(revenue: F64, cuts: tuple[float, float] = ABC_CUTS) -> Texts:
    """Return "A", "B" or "C" by revenue of the last 52 weeks, shape (n,).

    A row is A if the rows that earn more than it hold less than 80 % of all revenue, B if less than 95 %, else C: so
    the row that crosses a cut is in the higher class, rows of equal revenue share a class, and rows without revenue
    are C. The order of the rows does not matter.
    """
    values, at = np.unique(revenue, return_inverse=True)
    of_value = values * np.bincount(at, minlength=len(values))
    total = of_value.sum()
    if not total > 0:
        return np.full(len(revenue), "C", dtype=object)
    above = (of_value[::-1].cumsum()[::-1] - of_value)[at] / total
    classes = np.where(above < cuts[0], "A", np.where(above < cuts[1], "B", "C"))
    return np.where(revenue > 0, classes, "C").astype(object)


def xyz_classes(weekly_units: F64, observed: Bools, cuts: tuple[float, float] = XYZ_CUTS) -> Texts:
    """Return "X", "Y" or "Z" by the coefficient of variation of de-seasonalised weekly demand, shape (n,).

    X below 0.5, Y below 1, else Z; Z also for fewer than 8 observed weeks or without demand. Demand is divided by
    its seasonal index, the mean of each of 13 four-week seasons against the mean of all, where at least two years
    were observed; below that no season can be told from chance, and demand is taken as it is.

    Parameters
    ----------
    weekly_units
        Units a week, shape (n, n_weeks), the last week last.
    observed
        Whether the week was on offer and on sale, same shape; others do not count.
    """
    counted = np.where(observed, weekly_units, 0.0)
    n_observed = observed.sum(axis=1)
    smooth = counted / _seasonal_index(counted, observed)
    mean = np.divide(smooth.sum(axis=1), n_observed, out=np.zeros(len(counted)), where=n_observed > 0)
    spread = np.where(observed, smooth - mean[:, None], 0.0)
    deviation = np.sqrt((spread * spread).sum(axis=1) / np.maximum(n_observed - 1, 1))
    known = (n_observed >= _FEWEST_WEEKS) & (mean > 0)
    variation = np.divide(deviation, mean, out=np.full(len(counted), np.inf), where=known)
    return np.where(variation < cuts[0], "X", np.where(variation < cuts[1], "Y", "Z")).astype(object)


def _seasonal_index(counted: F64, observed: Bools) -> F64:
    n_weeks = counted.shape[1]
    index = np.ones(counted.shape)
    # Counted from the end, so that the last week is always in the last season.
    season = (np.arange(n_weeks) - n_weeks) % _WEEKS_A_YEAR // _WEEKS_A_SEASON
    n_observed = observed.sum(axis=1)
    level = np.divide(counted.sum(axis=1), n_observed, out=np.zeros(len(counted)), where=n_observed > 0)
    long_enough = (n_observed >= 2 * _WEEKS_A_YEAR) & (level > 0)
    for number in range(_WEEKS_A_YEAR // _WEEKS_A_SEASON):
        weeks = season == number
        n_seen = observed[:, weeks].sum(axis=1)
        units = counted[:, weeks].sum(axis=1)
        usable = long_enough & (units > 0)
        share = np.divide(units, n_seen * level, out=np.ones(len(counted)), where=usable)
        index[:, weeks] = share[:, None]
    return index
