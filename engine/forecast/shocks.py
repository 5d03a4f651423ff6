"""Shocks that many series share over a stretch: how wide they are, learnt from a backcast, and drawn for paths.

What a group of series sums to is off by more than chance where its series are off together. Four kinds of shock are
told apart, as crossed random effects: of all series, of a location, of a group of products, and of a group at a
location. The covariance of the errors of two series that have one kind in common is estimated from sums over all
pairs, which chance, independent from series to series, leaves unbiased: (sum d) ** 2 - sum d ** 2 over the same of
the forecasts (moment estimation of variance components; Henderson 1953, Biometrics 9). Names of one kind weigh by
how well each is known, and each is drawn towards their mean (DerSimonian and Laird 1986, Controlled Clinical
Trials 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from engine.demand.panel import Floats, Ids
from engine.forecast.backcast import Backcast
from engine.forecast.streams import Streams

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ALL, LOCATION, GROUP, BOTH = "all", "location", "group", "group at location"
KINDS = (ALL, LOCATION, GROUP, BOTH)

USUAL, USUAL_ORIGINS = 0.05, 2.0
"""Standard deviation of the shock of all series over a stretch where nothing is known, and the independent origins
that what is usual counts for. Learnt beyond what differs between origins it was 0.01 to 0.04 in M5 stores, VN2 and
the demo world; that of a product group 0.06 to 0.1, 0.13 to 0.2 and 0.14 in turn."""

ASSUMED = 0.2
"""The same where not even the spread of single series could be learnt."""

MIN_ROWS = 20
"""With fewer series a shock cannot be told from their own noise."""

LEAST, MOST = 0.005, 0.6
"""A smaller standard deviation is not worth drawing; a larger one is cut."""

FAR_FACTOR, FAR_UNITS = 10.0, 10.0
"""Demand of a stretch counts up to this many times its forecast, plus these units."""

BETWEEN = "\x1f"


@dataclass(frozen=True)
class Shocks:
    """Standard deviations of the logarithm of what series are multiplied by together.

    Parameters
    ----------
    kind, name
        One of `KINDS`, and the location, group or both that the shock is of, shape (n_shocks,).
    spread
        Shape (n_shocks,).
    usual
        That of a name which was not learnt from, by kind, shape (4,).
    """

    kind: npt.NDArray[np.str_]
    name: npt.NDArray[np.str_]
    spread: Doubles
    usual: Doubles

    @classmethod
    def of_all(cls, spread: float) -> Shocks:
        """Return a shock of all series alone."""
        nothing = np.zeros(0, np.str_)
        return cls(nothing, nothing, np.zeros(0), np.array([spread, 0.0, 0.0, 0.0]))

    def factors(
        self, location_id: Ids, group: Ids, n_paths: int, date: np.datetime64, streams: Streams
    ) -> list[tuple[Floats, Ints]]:
        """Return per kind the factors of its names, (n_names, n_paths) of mean 1, and the row of each series there.

        A factor depends on its kind, name and ``date`` alone, so series of one name share it in any batch. A product
        group that was not learnt from is as if it had not been given.
        """
        learnt = self.name[self.kind == GROUP]
        group = np.where(np.isin(group.astype(np.str_), learnt), group.astype(np.str_), "")
        known = {(k, n): float(s) for k, n, s in zip(self.kind, self.name, self.spread, strict=True)}
        out: list[tuple[Floats, Ints]] = []
        for number, (kind, label) in enumerate(labels(location_id, group).items()):
            names, row = np.unique(label, return_inverse=True)
            spread = [known.get((kind, name), float(self.usual[number])) for name in names]
            if not any(spread):
                continue
            factor = np.ones((len(names), n_paths), np.float32)
            for place, (name, width) in enumerate(zip(names, spread, strict=True)):
                if width > 0:
                    generator = streams.common(f"residual-shock{BETWEEN}{kind}{BETWEEN}{name}", date)
                    factor[place] = even_factors(width, n_paths)[generator.permutation(n_paths)]
            out.append((factor, row.astype(np.int64)))
        return out


def even_factors(spread: float, n_paths: int, share: float = 1.0) -> Floats:
    """Return factors of mean 1: on a share of the paths lognormal, evenly spread over the quantiles; else all alike."""
    n_moved = round(share * n_paths)
    factor = np.ones(n_paths)
    factor[:n_moved] = np.exp(spread * ndtri((np.arange(n_moved) + 0.5) / max(n_moved, 1)))
    even: Floats = (factor / factor.mean()).astype(np.float32)
    return even


def labels(location_id: Ids, group: Ids) -> dict[str, npt.NDArray[np.str_]]:
    """Return the name of each series by kind, shape (n,) each."""
    place, product = location_id.astype(np.str_), group.astype(np.str_)
    both = np.char.add(np.char.add(place, BETWEEN), product)
    return {ALL: np.full(len(place), "", np.str_), LOCATION: place, GROUP: product, BOTH: both}


def learn_shocks(past: Backcast) -> Shocks:
    """Return the shocks of a backcast, over whole stretches.

    Paths take the errors of one origin for all series, so of the shock of all series only what goes beyond the
    differences between origins is left to draw: that all of them were off in the same direction.
    """
    n_rows, n_origins, length = past.mean.shape
    if n_rows < MIN_ROWS or n_origins < 2:
        return Shocks.of_all(USUAL)
    n_apart = _independent(past.origins, n_origins, length)
    said, came = _sums(past)
    if not (said.sum(axis=0) > 0).all():
        return Shocks.of_all(USUAL)
    error = came - said
    between = float(np.var(error.sum(axis=0) / said.sum(axis=0), ddof=1))
    pairs = pairs_by_kind(error, said, labels(past.location_id, past.group))
    whole = pairs[ALL]
    shared = float(whole.error[0] / whole.forecast[0]) if whole.forecast[0] > 0 else 0.0
    all_of_it = (n_apart * max(shared, 0.0) + USUAL_ORIGINS * USUAL**2) / (n_apart + USUAL_ORIGINS)
    usual = {ALL: max(all_of_it - between, all_of_it / 4)}
    kind, name, variance = [], [], []
    for label, one in list(pairs.items())[1:]:
        above = shared + (usual[LOCATION] + usual[GROUP] if label == BOTH else 0.0)
        usual[label], each = _drawn_in(one, above, n_apart)
        kind += [label] * len(one.name)
        name += list(one.name)
        variance.append(each)
    spread = _width(np.concatenate([np.zeros(0), *variance]))
    return Shocks(
        np.array(kind, np.str_), np.array(name, np.str_), spread,
        _width(np.array([usual.get(label, 0.0) for label in KINDS])),
    )  # fmt: skip


def _width(variance: Doubles) -> Doubles:
    width = np.minimum(np.sqrt(variance), MOST)
    return np.where(width < LEAST, 0.0, width)


def _sums(past: Backcast) -> tuple[Doubles, Doubles]:
    """Return forecast and demand of whole stretches, of buckets seen in full, shape (rows, n_origins) each."""
    known = np.isfinite(past.actual) & ~past.censored
    said = np.where(known, past.mean, 0).sum(axis=2, dtype=np.float64)
    came = np.where(known, past.actual, 0).sum(axis=2, dtype=np.float64)
    return said, np.minimum(came, FAR_FACTOR * said + FAR_UNITS)


@dataclass(frozen=True)
class Pairs:
    """Of the names of a kind, shape (n_names,) each: what pairs of their series say.

    Parameters
    ----------
    error, forecast
        Products of the errors and of the forecasts of all pairs, each both ways, added up over the origins.
    chance
        Squared errors of single series over the squared sum of their forecasts.
    """

    name: npt.NDArray[np.str_]
    error: Doubles
    forecast: Doubles
    chance: Doubles


def pairs_by_kind(error: Doubles, said: Doubles, label: Mapping[str, npt.NDArray[np.str_]]) -> dict[str, Pairs]:
    """Return the pairs of each kind that have nothing finer in common, of (n_rows, n_origins) both.

    A kind that does not tell series apart, or each from all others, is left out.
    """
    n_names = {kind: len(np.unique(label[kind])) for kind in (LOCATION, GROUP)}
    kinds = [ALL, *(kind for kind in (LOCATION, GROUP) if n_names[kind] > 1)]
    kinds += [BOTH] if len(kinds) == 3 else []
    out: dict[str, Pairs] = {}
    for kind in kinds:
        name, row = np.unique(label[kind], return_inverse=True)
        total = [_by_name(values, row, len(name)) for values in (error, said, error**2, said**2)]
        chance = total[2].sum(axis=1) / np.maximum((total[1] ** 2).sum(axis=1), 1e-12)
        out[kind] = Pairs(
            name, (total[0] ** 2 - total[2]).sum(axis=1), (total[1] ** 2 - total[3]).sum(axis=1), chance
        )  # fmt: skip
    if BOTH in out:
        for kind in (LOCATION, GROUP):
            _, first = np.unique(label[BOTH], return_index=True)
            holder = np.searchsorted(out[kind].name, label[kind][first])
            out[kind] = _without(out[kind], out[BOTH], holder)
    for kind in kinds[1:]:
        out[ALL] = _without(out[ALL], out[kind], np.zeros(len(out[kind].name), np.int64))
    return out


def _without(wide: Pairs, fine: Pairs, holder: Ints) -> Pairs:
    """Return the pairs of the wider names less those of the finer names within; ``holder``: the wider of each."""
    less = [np.bincount(holder, values, len(wide.name)) for values in (fine.error, fine.forecast)]
    return Pairs(wide.name, wide.error - less[0], wide.forecast - less[1], wide.chance)


def _drawn_in(pairs: Pairs, above: float, n_apart: float) -> tuple[float, Doubles]:
    """Return the variance of a kind beyond the kinds above it, and that of each name, drawn towards it."""
    known = pairs.forecast > 1e-9 * max(float(pairs.forecast.max(initial=0)), 1e-300)
    seen = np.where(known, pairs.error / np.where(known, pairs.forecast, 1), above) - above
    variance = USUAL**2
    for _ in range(3):
        weight = np.where(known, 1 / (variance + pairs.chance) ** 2, 0)
        variance = max(float((weight * seen).sum() / max(float(weight.sum()), 1e-300)), 1e-6)
    sure = n_apart * np.where(known, variance / (variance + pairs.chance), 0)
    each = (sure * np.maximum(seen, 0) + USUAL_ORIGINS * variance) / (sure + USUAL_ORIGINS)
    return variance, np.asarray(each, np.float64)


def _by_name(values: Doubles, row: npt.NDArray[np.intp], n_names: int) -> Doubles:
    return np.stack([np.bincount(row, values[:, o], n_names) for o in range(values.shape[1])], axis=1)


def _independent(origins: Ints, n_origins: int, length: int) -> float:
    """Return how many stretches fit side by side into the time that the origins cover, at most one an origin."""
    if len(origins) == 0:
        return float(n_origins)
    return min(float(n_origins), 1 + float(origins.max() - origins.min()) / length)
