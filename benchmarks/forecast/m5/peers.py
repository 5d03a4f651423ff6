"""Named peers on M5, run once: what they forecast is kept by the hash of the data and the versions of the libraries.

    python -m benchmarks.forecast.m5.peers seasonal_naive auto_ets mlforecast [--last-day 1913] [--workers 2] [--fresh]

``--fresh`` runs a peer again although its forecast is kept, to time it beside restock. A peer of statsforecast goes on
from the parts that an earlier run kept.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np

from benchmarks.forecast.m5.blocks import Truth
from benchmarks.forecast.m5.one import read_truth
from benchmarks.forecast.m5.slices import add_arguments
from benchmarks.measure import RESULTS
from engine.demand.panel import DemandPanel, Floats

CACHE = RESULTS / "cache"


@dataclass(frozen=True)
class PeerForecast:
    """What a peer forecast; None is what it does not give.

    Parameters
    ----------
    seconds
        Wall time from data in the library's form to the last forecast.
    mean
        Mean of every series, shape (n, horizon).
    quantiles
        The contest's quantiles of every group, shape (n_groups, n_quantiles, horizon).
    deciles
        Of the sampled series, shape (n_sampled, n_deciles, horizon).
    """

    seconds: float
    mean: Floats | None = None
    quantiles: Floats | None = None
    deciles: Floats | None = None

    def save(self, path: Path) -> None:
        """Write all of it to a file, aside first, so that a killed run leaves none that looks complete."""
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".part.npz")
        parts = {"mean": self.mean, "quantiles": self.quantiles, "deciles": self.deciles}
        given = {name: part for name, part in parts.items() if part is not None}
        np.savez(aside, seconds=np.float64(self.seconds), **given)
        aside.replace(path)

    @classmethod
    def load(cls, path: Path) -> PeerForecast:
        """Return what `save` wrote."""
        with np.load(path) as kept:
            parts = {name: kept[name] for name in kept.files if name != "seconds"}
            return cls(float(kept["seconds"]), **parts)


Peer = Callable[[Truth, int], PeerForecast]


@dataclass(frozen=True)
class Entry:
    """A peer: its module and function, its distributions, and what tells one setting of it from another.

    ``is_told`` states whether it reads prices and events.
    """

    path: str
    libraries: tuple[str, ...]
    recipe: str
    is_told: bool = False


PEERS: Mapping[str, Entry] = {
    "seasonal_naive": Entry("local_peers:seasonal_naive", ("statsforecast",), "season 7, every group"),
    "auto_ets": Entry("local_peers:auto_ets", ("statsforecast",), "season 7, every group"),
    "auto_ets_sample": Entry("local_peers:auto_ets_sample", ("statsforecast",), "season 7, sample"),
    "auto_arima": Entry("local_peers:auto_arima", ("statsforecast",), "season 7, approximate search, sample"),
    "mlforecast": Entry(
        "mlforecast_peer:forecast", ("mlforecast", "lightgbm"), "tweedie, 600 trees, recursive", is_told=True
    ),
    "prophet": Entry("prophet_peer:forecast", ("prophet",), "weekly, events, snap, sample", is_told=True),
}


def kept_at(name: str, panel: DemandPanel, folder: Path = CACHE) -> Path:
    """Return the file of a peer's forecast after a panel."""
    entry = PEERS[name]
    found = blake2b(digest_size=8)
    for text in (str(panel.calendar.as_of), entry.recipe, *(f"{one} {version(one)}" for one in entry.libraries)):
        found.update(text.encode() + b"\0")
    found.update("\n".join(f"{i} {loc}" for i, loc in zip(panel.item_id, panel.location_id, strict=True)).encode())
    known = [panel.regressors[key] for key in sorted(panel.regressors)] if entry.is_told else []
    for values in (panel.units, panel.offered, *known):
        found.update(np.ascontiguousarray(values).data)
    return folder / f"m5_{name}_{panel.calendar.as_of}_{panel.n_series}_{found.hexdigest()}.npz"


def part_at(model: str, history: Floats, setting: tuple[object, ...]) -> Path:
    """Return the file of a part of a peer of statsforecast: a model after some histories."""
    found = blake2b(f"{model} {version('statsforecast')} {setting}".encode(), digest_size=8)
    found.update(np.ascontiguousarray(history).data)
    return CACHE / "parts" / f"m5_{model}_{found.hexdigest()}.npz"


def run_peer(name: str, truth: Truth, n_workers: int, folder: Path = CACHE, fresh: bool = False) -> PeerForecast:
    """Return a peer's forecast, kept or made now."""
    path = kept_at(name, truth.panel, folder)
    if path.exists() and not fresh:
        return PeerForecast.load(path)
    module, function = PEERS[name].path.split(":")
    peer = cast(Peer, getattr(import_module(f"benchmarks.forecast.m5.{module}"), function))
    found = peer(truth, n_workers)
    found.save(path)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run peers and keep what they forecast."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("peers", nargs="+", choices=PEERS)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--fresh", action="store_true")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    truth = read_truth(options)
    for name in options.peers:
        started = time.perf_counter()
        found = run_peer(name, truth, options.workers, options.cache, options.fresh)
        print(f"{name}: {found.seconds:.1f} s, now {time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
