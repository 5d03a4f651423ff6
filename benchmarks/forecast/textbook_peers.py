"""Point forecasts of statsforecast's automatic models, kept on disk: AutoARIMA takes seconds a series."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import statsforecast
from statsforecast.models import AutoARIMA, AutoETS, SeasonalNaive

from benchmarks.forecast.textbook_data import Doubles, Textbook
from engine.execution import Executor

CACHE = Path(__file__).parent.parent / "results" / "cache"
CHUNK = 8

PEERS: Mapping[str, Callable[..., AutoARIMA | AutoETS | SeasonalNaive]] = {
    "AutoARIMA": AutoARIMA,
    "AutoETS": AutoETS,
    "SeasonalNaive": SeasonalNaive,
}

SLOW_PEER = "AutoARIMA"


def peer_forecast(name: str, data: Textbook, executor: Executor) -> Doubles:
    """Return a peer's forecasts of the buckets after each series, shape (n, horizon)."""
    path = CACHE / f"{name}-{statsforecast.__version__}-{_digest(data)}.npy"
    if path.exists():
        return np.asarray(np.load(path), np.float64)
    chunks = [data.train[start : start + CHUNK] for start in range(0, len(data.train), CHUNK)]
    work = partial(_forecast_chunk, name, data.season, data.horizon)
    forecast = np.concatenate(list(executor.map(work, chunks)))
    CACHE.mkdir(parents=True, exist_ok=True)
    np.save(path, forecast)
    return forecast


def _forecast_chunk(name: str, season: int, horizon: int, series: tuple[Doubles, ...]) -> Doubles:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.stack([PEERS[name](season_length=season).forecast(y, horizon)["mean"] for y in series])


def _digest(data: Textbook) -> str:
    found = hashlib.sha256(f"{data.season} {data.horizon}".encode())
    for y in data.train:
        found.update(len(y).to_bytes(8, "little") + y.tobytes())
    return found.hexdigest()[:16]
