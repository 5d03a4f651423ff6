"""Curves on disk: one array file a field, series along the first axis, mapped into memory and read by series.

A question about three items touches three rows of each file, however many series the plan has.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.policy.order_now import OrderCurves, from_arrays, to_arrays

FORMAT = 1
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class StoredCurves:
    """Open curves.

    Parameters
    ----------
    keys
        Item and location of every series as one text, sorted.
    rows
        The row of each key in ``by_series``.
    by_series
        The fields that have a row per series.
    shared
        The others, as arrays of one entry.
    """

    keys: npt.NDArray[np.str_]
    rows: npt.NDArray[np.int64]
    by_series: Mapping[str, npt.NDArray[Any]]
    shared: Mapping[str, npt.NDArray[Any]]

    @property
    def days_per_bucket(self) -> int:
        return int(self.shared["days_per_bucket"][0])

    def find(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.int64]:
        """Return the row of each (item, location), -1 where there is none; shape (n_pairs,)."""
        found = np.full(len(pairs), -1, dtype=np.int64)
        if len(self.keys) == 0 or not pairs:
            return found
        wanted = np.array([_key(*pair) for pair in pairs], dtype=np.str_)
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        hit = self.keys[places] == wanted
        found[hit] = self.rows[places[hit]]
        return found

    def take(self, rows: npt.NDArray[np.int64]) -> OrderCurves:
        """Return the curves of these rows, in this order."""
        return from_arrays({name: values[rows] for name, values in self.by_series.items()} | dict(self.shared))


def write_curves(folder: Path, curves: OrderCurves) -> None:
    """Write curves into a new folder."""
    folder.mkdir(parents=True)
    arrays = to_arrays(curves)
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    pairs = zip(curves.item_id, curves.location_id, strict=True)
    keys = np.array([_key(item_id, location_id) for item_id, location_id in pairs], dtype=np.str_)
    order = np.argsort(keys, kind="stable")
    np.save(folder / "keys.npy", keys[order], allow_pickle=False)
    np.save(folder / "rows.npy", order.astype(np.int64), allow_pickle=False)
    by_series = [name for name in arrays if isinstance(getattr(curves, name), np.ndarray)]
    header = {"format": FORMAT, "by_series": by_series, "shared": sorted(set(arrays) - set(by_series))}
    (folder / "header.json").write_text(json.dumps(header), encoding="utf-8")


def open_curves(folder: Path) -> StoredCurves:
    """Open curves for reading by series; nothing but the header is read yet.

    Raises
    ------
    ValueError
        They were written in another format.
    """
    header = json.loads((folder / "header.json").read_text(encoding="utf-8"))
    if header["format"] != FORMAT:
        raise ValueError(f"curves must be of format {FORMAT}. Got {header['format']!r} instead.")
    return StoredCurves(
        keys=_map(folder / "keys.npy"),
        rows=_map(folder / "rows.npy"),
        by_series={name: _map(folder / f"{name}.npy") for name in header["by_series"]},
        shared={name: _map(folder / f"{name}.npy") for name in header["shared"]},
    )


def _key(item_id: str, location_id: str) -> str:
    return f"{item_id}{_SEPARATOR}{location_id}"


def _map(path: Path) -> npt.NDArray[Any]:
    mapped: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped
