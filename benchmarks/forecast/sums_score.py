"""Where the demand of each span came to lie among the paths of a frozen fit, kept by cutoff so that a run resumes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

import engine.demand
import engine.forecast
import models
from benchmarks.forecast.m5.hierarchy import summing
from benchmarks.forecast.m5.slices import velocity_classes
from benchmarks.forecast.sums_data import SumSet
from engine.demand.panel import DemandPanel
from engine.execution import Executor, Run
from engine.forecast.backtest import Actuals, score_intervals
from engine.forecast.params import ForecastParams
from engine.forecast.sampling import series_blocks
from engine.forecast.streams import Streams
from engine.forecast.types import Fitted
from models.registry import create

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_PATHS = ForecastParams().n_paths


@dataclass(frozen=True)
class Places:
    """Where the demand that came lies among the paths.

    Parameters
    ----------
    below, at_most
        Shares of the paths below the demand, and at most it, shape (n, n_spans), NaN where not scored.
    actual, error
        Units that came, and the mean of the paths minus them, same shape.
    velocity
        Class of each series by what it sold before the cutoff, see `velocity_classes`, shape (n,).
    group_below, group_at_most
        The same of sums over the series of each group, path by path, shape (n_groups, n_spans).
    """

    below: Doubles
    at_most: Doubles
    actual: Doubles
    error: Doubles
    velocity: Ints
    group_below: Doubles
    group_at_most: Doubles

    def save(self, path: Path) -> None:
        """Write all of it, aside first, so that a killed run leaves no file that looks complete."""
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".part.npz")
        np.savez_compressed(aside, **{field.name: getattr(self, field.name) for field in fields(self)})
        aside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Places:
        """Return what `save` wrote."""
        with np.load(path) as kept:
            return cls(**{field.name: kept[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class Block:
    """Some series of a cutoff; ``number`` is the group of each, -1 in none."""

    panel: DemandPanel
    actuals: Actuals
    ends: npt.NDArray[np.int32]
    number: Ints
    n_groups: int


def measured(sums: SumSet, model: str, executor: Executor, folder: Path, fresh: bool = False) -> Iterator[Places]:
    """Yield what every cutoff scores, earliest first; a fit is made only if a cutoff of it is not in ``folder``,
    or if ``fresh``."""
    for cutoffs in sums.fits:
        fitted: Fitted | None = None
        fit_panel = sums.at(cutoffs[0])[0]
        code = _digest([path.read_bytes() for path in _sources()])
        for cutoff in cutoffs:
            panel, actuals = sums.at(cutoff)
            parts = [panel.units, panel.available, panel.offered, panel.price, actuals.units, sums.ends]
            data = _digest([np.ascontiguousarray(part).data for part in parts])
            told = f"{fit_panel.calendar.as_of}_{panel.calendar.as_of}_{panel.n_series}_{N_PATHS}"
            path = folder / f"sums_{sums.name}_{model}_{told}_{data}_{code}.npz"
            if fresh or not path.exists():
                fitted = fitted or create(model, run=Run(executor)).fit(fit_panel)
                placed(sums, panel, actuals, fitted, executor).save(path)
            yield Places.load(path)


def placed(sums: SumSet, panel: DemandPanel, actuals: Actuals, fitted: Fitted, executor: Executor) -> Places:
    """Sample all series in blocks and return where the demand came to lie."""
    named = sums.groups != ""
    number = np.full(len(named), -1)
    number[named] = np.unique(sums.groups[named], return_inverse=True)[1]
    n_groups = int(number.max()) + 1
    blocks = [
        Block(
            panel.take(rows), Actuals(actuals.units[rows], actuals.seen[rows]), sums.ends[rows], number[rows], n_groups
        )
        for rows in series_blocks(panel)
    ]
    found = list(executor.map(partial(_block, fitted=fitted), blocks))
    series = [np.concatenate([one[i] for one in found]) for i in range(4)]
    paths, came = (np.sum([one[i] for one in found], axis=0) for i in (4, 5))
    history = panel.units.shape[1]
    return Places(
        *series,
        velocity=velocity_classes(panel.units, panel.offered[:, :history]),
        group_below=(paths < came[:, None]).mean(axis=1),
        group_at_most=(paths <= came[:, None]).mean(axis=1),
    )


def _block(block: Block, fitted: Fitted) -> tuple[Doubles, Doubles, Doubles, Doubles, Doubles, Doubles]:
    """Return below, at_most, actual, error (n, n_spans), and of groups the paths and the units that came."""
    n, horizon = block.actuals.units.shape
    paths = fitted.sample(block.panel, horizon, N_PATHS, Streams(0))
    to_groups = summing(block.number[None], block.n_groups)
    scores, group_paths, group_units = [], [], []
    for end in block.ends.T:
        interval = np.column_stack([np.zeros(n, np.int32), end])
        scores.append(score_intervals(paths, block.actuals, interval, (0.5,)))
        counted = block.actuals.seen & (np.arange(horizon) < end[:, None])
        spent = np.zeros((n, N_PATHS))
        for t in range(horizon if block.n_groups else 0):
            spent += np.where(counted[:, t, None], paths.units[:, :, t], 0)
        group_paths.append(to_groups @ spent)
        group_units.append(to_groups @ np.where(counted, block.actuals.units, 0).sum(axis=1))
    below, at_most, actual, error = (
        np.stack([getattr(score, name) for score in scores], axis=1) for name in ("below", "at_most", "actual", "error")
    )
    return below, at_most, actual, error, np.stack(group_paths, axis=2), np.stack(group_units, axis=1)


def _sources() -> list[Path]:
    """Return the files that forecasts are made by: with others, what was kept is of no use."""
    folders = [Path(package.__path__[0]) for package in (engine.demand, engine.forecast, models)]
    return [path for folder in folders for path in sorted(folder.glob("*.py"))]


def _digest(parts: list[bytes | memoryview]) -> str:
    found = blake2b(digest_size=8)
    for part in parts:
        found.update(part)
    return found.hexdigest()
