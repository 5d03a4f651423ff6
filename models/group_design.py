"""The columns that tell groups of series apart: weekdays, waves of the month and event days, by attribute."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.demand.panel import DemandPanel
from models.local_design import regressor_values

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MONTH_PAIRS = 3
"""Pairs of sine and cosine in a month."""

MONTH_DAYS = 30.4
MAX_VALUES = 60
"""A common regressor with more values than this is no countdown to an event, and is left to all series together."""

OF_ONE, OF_SEVERAL = 0.7, 0.45
WAVE, RARE = 0.25, 0.55
"""Scales of columns, which set how far each is drawn to nothing: of one attribute, of several crossed; of waves of the
month and of days that come rarely. Found on store totals of M5 before d1858."""

MONTH, WEEKDAY = "month", "weekday"


@dataclass(frozen=True)
class Term:
    """A column over days: the weekday ``number``, the wave ``number`` of the month, or where a regressor is ``value``.

    ``is_rare`` columns are learnt for all and for single attributes, not for crossings.
    """

    kind: str
    number: int = 0
    name: str = ""
    value: float = 1.0
    is_rare: bool = False


@dataclass(frozen=True)
class Crossing:
    """Attributes crossed, the member of each group, and the members in order."""

    names: tuple[str, ...]
    of_group: tuple[str, ...]
    members: tuple[str, ...]


@dataclass(frozen=True)
class DesignColumn:
    """Which effect a column of the design stands for, and the scale that it was given."""

    crossing: int
    member: str
    term: int
    scale: float


def group_terms(panel: DemandPanel) -> tuple[Term, ...]:
    """Return the columns: weekdays, waves of the month, values of common regressors with few, own ones of 0 and 1."""
    out = [Term(WEEKDAY, day) for day in range(7)]
    out += [Term(MONTH, wave) for wave in range(2 * MONTH_PAIRS)]
    for name in sorted(panel.regressors):
        past = regressor_values(panel, name)[..., : panel.calendar.n_history]
        kinds = np.unique(past[past != 0])
        if past.ndim == 1 and 0 < len(kinds) <= MAX_VALUES and len(np.unique(past)) > 1:
            out += [Term("regressor", 0, name, float(value), is_rare=True) for value in kinds.tolist()]
        elif past.ndim == 2 and kinds.tolist() == [1.0] and not past.all():
            out.append(Term("regressor", 0, name))
    return tuple(out)


def term_values(panel: DemandPanel, term: Term) -> Doubles:
    """Return a column for every bucket, shape (n_buckets,), or for every series and bucket."""
    starts = panel.calendar.starts
    if term.kind == WEEKDAY:
        return np.asarray((starts.astype(np.int64) + 3) % 7 == term.number, np.float64)
    if term.kind == MONTH:
        angle = 2 * np.pi * (1 + term.number // 2) * (starts - starts.astype("datetime64[M]")).astype(np.float64)
        return np.asarray(np.cos(angle / MONTH_DAYS) if term.number % 2 else np.sin(angle / MONTH_DAYS))
    if term.name not in panel.regressors:
        return np.zeros(panel.calendar.n_buckets)
    return np.asarray(regressor_values(panel, term.name) == term.value, np.float64)


def crossings_of(names: tuple[str, ...], members: Ints) -> tuple[Crossing, ...]:
    """Return all, every attribute, every pair of attributes and the groups themselves, (n_groups, n_attributes)."""
    chosen: list[tuple[int, ...]] = [(), *((a,) for a in range(len(names))), *combinations(range(len(names)), 2)]
    if len(names) > 2:
        chosen.append(tuple(range(len(names))))
    out = []
    for columns in chosen:
        texts = tuple("\t".join(map(str, codes[list(columns)])) for codes in members)
        out.append(Crossing(tuple(names[a] for a in columns), texts, tuple(sorted(set(texts)))))
    return tuple(out)


def design_blocks(
    panel: DemandPanel, terms: tuple[Term, ...], crossings: tuple[Crossing, ...]
) -> tuple[sparse.csr_matrix, list[DesignColumn]]:
    """Return the scaled columns over all (group, day), and what each stands for; ``panel`` has a series per group."""
    n_groups, h = panel.n_series, panel.calendar.n_history
    values = [np.broadcast_to(term_values(panel, term)[..., :h], (n_groups, h)).reshape(-1) for term in terms]
    rows = np.arange(n_groups * h)
    blocks, columns = [], []
    for number, crossing in enumerate(crossings):
        place = {member: at for at, member in enumerate(crossing.members)}
        column = np.repeat(np.array([place[text] for text in crossing.of_group]), h)
        for at, term in enumerate(terms):
            if term.is_rare and len(crossing.names) > 1:
                continue
            scale = (1.0, OF_ONE, OF_SEVERAL)[min(2, len(crossing.names))]
            scale *= WAVE if term.kind == MONTH else RARE if term.is_rare else 1.0
            kept = values[at] != 0
            cells = (scale * values[at][kept], (rows[kept], column[kept]))
            blocks.append(sparse.csr_matrix(cells, shape=(len(rows), len(crossing.members))))
            columns += [DesignColumn(number, member, at, scale) for member in crossing.members]
    return sparse.hstack(blocks, format="csr"), columns
