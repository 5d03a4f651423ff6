"""The 12 levels of M5 as group numbers of series, with the scale and weight that the contest gives every group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from benchmarks.forecast.m5.panels import FOLDER

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVELS: tuple[tuple[str, ...], ...] = (
    (),
    ("state_id",),
    ("store_id",),
    ("cat_id",),
    ("dept_id",),
    ("state_id", "cat_id"),
    ("state_id", "dept_id"),
    ("store_id", "cat_id"),
    ("store_id", "dept_id"),
    ("item_id",),
    ("item_id", "state_id"),
    ("item_id", "store_id"),
)
"""Columns that series of one group share, from the total (level 1) to the series (level 12)."""

N_UPPER = 9
"""Levels whose groups hold many items; a group of the others lies within one item."""

NO_KEY = "X"
SUFFIX = "_evaluation"


@dataclass(frozen=True)
class Hierarchy:
    """Groups of the series at hand, numbered from the top level down.

    Parameters
    ----------
    level
        Level of each group, 1 to 12, ascending, shape (n_groups,).
    group
        Group of each series at each level, shape (12, n_series); -1 where not all of the group's series are at hand.
    mse
        The contest's scale: mean squared one-day change up to the last training day, shape (n_groups,).
    weight
        Weight of each group, summing to 1 in a level, shape (n_groups,).
    """

    level: npt.NDArray[np.int8]
    group: Ints
    mse: Doubles
    weight: Doubles

    @property
    def n_groups(self) -> int:
        return len(self.level)

    @property
    def n_upper(self) -> int:
        """Groups of the upper levels, which come first."""
        return int(np.searchsorted(self.level, N_UPPER, side="right"))

    @property
    def present(self) -> list[int]:
        """Levels that have groups."""
        return [int(level) for level in np.unique(self.level)]

    def sums(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Return the sums over the series of each group, shape (n_groups, n), of ``values`` (n_series, n)."""
        return summing(self.group, self.n_groups) @ values

    def within(self, rows: Ints) -> tuple[Hierarchy, Ints]:
        """Return the hierarchy of some series, holding whole items, and the numbers here of its groups.

        It has all upper groups, each with what the series add to it, and the lower groups of the series alone.
        """
        below = np.unique(self.group[N_UPPER:, rows])
        kept = np.concatenate([np.arange(self.n_upper), below[below >= 0]])
        here = self.group[:, rows]
        group = np.where(here >= 0, np.searchsorted(kept, here), -1)
        return Hierarchy(self.level[kept], group, self.mse[kept], self.weight[kept]), kept

    def by_level(self, score: Doubles) -> dict[int, float]:
        """Return the weighted sum of a score of groups at every level that has groups."""
        total = np.bincount(self.level, self.weight * score, minlength=len(LEVELS) + 1)
        return {level: float(total[level]) for level in self.present}


def read_hierarchy(items: pd.DataFrame, all_items: pd.DataFrame, folder: Path = FOLDER) -> Hierarchy:
    """Return the hierarchy of ``items``, some of ``all_items``, with the contest's scales and weights."""
    return hierarchy_of(items, all_items, pd.read_parquet(next(folder.glob("m5_wrmsse_scale_weights_*.parquet"))))


def hierarchy_of(items: pd.DataFrame, all_items: pd.DataFrame, table: pd.DataFrame) -> Hierarchy:
    """Return the hierarchy of ``items``; ``table`` has a row ``level, key1, key2, mse_..., weight_...`` a group.

    A group counts if all of its series are among ``items``; weights of a level are scaled to sum to 1.

    Raises
    ------
    ValueError
        If the table lacks a group.
    """
    table = table.sort_values("level", kind="stable", ignore_index=True)
    level = table["level"].to_numpy(np.int8)
    place = pd.MultiIndex.from_frame(table[["level", "key1", "key2"]])
    codes = np.stack([_codes(items, number, place) for number in range(1, len(LEVELS) + 1)])
    whole = np.concatenate([_codes(all_items, number, place) for number in range(1, len(LEVELS) + 1)])
    n_here, n_all = (np.bincount(found.reshape(-1), minlength=len(table)) for found in (codes, whole))
    kept = (n_all > 0) & (n_here == n_all)
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    mse, weight = (
        table[next(name for name in table if str(name).startswith(start))].to_numpy(np.float64)[kept]
        for start in ("mse", "weight")
    )
    total = np.bincount(level[kept], weight, minlength=len(LEVELS) + 1)[level[kept]]
    return Hierarchy(level[kept], number[codes], mse, weight / np.where(total > 0, total, 1))


def summing(group: Ints, n_groups: int) -> sparse.csr_matrix:
    """Return the matrix of ones that sums series to groups; ``group`` (n_levels, n_series), -1 in none."""
    level, series = np.nonzero(group >= 0)
    ones = np.ones(len(series), np.float32)
    return sparse.csr_matrix((ones, (group[level, series], series)), shape=(n_groups, group.shape[1]))


def _codes(items: pd.DataFrame, number: int, place: pd.MultiIndex) -> Ints:
    """Return the row of the table for every series at a level."""
    columns = LEVELS[number - 1]
    if columns == ("item_id", "store_id"):
        keys = [items["id"] + SUFFIX]
    else:
        keys = [items[column] for column in columns] or [pd.Series("Total", index=items.index)]
    keys += [pd.Series(NO_KEY, index=items.index)] * (2 - len(keys))
    wanted = pd.MultiIndex.from_arrays([np.full(len(items), number, np.int8), *keys])
    # Level 11 is named by item, then state; the levels above by place, then product.
    found = np.asarray(place.get_indexer(wanted), np.int64)
    if (found < 0).any():
        first = wanted[int(np.argmax(found < 0))]
        raise ValueError(f"every group must have a scale and weight. Found none for {first}. Restore the table.")
    return found
