"""restock beside statsforecast on the textbook's series: M3 monthly and M4 weekly.

    python -m benchmarks.forecast.textbook [m3] [m4] [--also auto_arima] [--workers 2]

The mean absolute scaled error of point forecasts on the official hold-outs; with ``--development``, on the last part of
what is known before them, where methods are to be compared while they are made. A forecaster's point forecast is its
mean, before sample paths are made of it. The automatic choice is among the candidates of configs/monthly.toml.
AutoARIMA and the forecasters that ``--also`` names take up to seconds a series: they forecast `FEW` series, drawn with
a fixed seed. Reads RESTOCK_DATA; writes benchmarks/results/forecast_m3.md and forecast_m4.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.forecast.textbook_data import Doubles, Textbook, m3, m4
from benchmarks.forecast.textbook_peers import PEERS, SLOW_PEER, peer_forecast
from benchmarks.measure import write_table
from engine.demand.panel import DemandPanel
from engine.execution import Executor, Run, processes
from engine.forecast.pooled import PooledForecast
from engine.forecast.types import Fitted
from experiments.forecasters import build_forecaster
from experiments.settings import read_settings
from models.bucket_scores import score_buckets
from models.registry import create

ALL = 1_000_000
FEW = {"m3": 300, "m4": ALL}
CONFIG = Path(__file__).parents[2] / "configs" / "monthly.toml"

BEST = "automatic choice"


def our_forecasts(data: Textbook, executor: Executor) -> tuple[dict[str, Doubles], list[str]]:
    """Return forecasts (n, horizon) of each candidate and of the automatic choice, and how often each was taken."""
    panel, run = data.panel(), Run(executor, progress=lambda stage, done, total: print(stage, done, total, flush=True))
    settings = read_settings(CONFIG)
    chosen = replace(build_forecaster(settings, run), score=score_buckets).fit(panel)
    out = {}
    for name in settings.forecast.models:
        fitted = chosen.fitted.get(name) or create(name, settings.models.get(name), settings.forecast, run).fit(panel)
        out[name] = _mean(fitted, panel, data.horizon)
    model = chosen.model_of(panel.item_id, panel.location_id)
    taken = sorted(set(model))
    best = np.select([(model == name)[:, None] for name in taken], [out[name] for name in taken])
    return {**out, BEST: best}, [f"{name} {int((model == name).sum())}" for name in taken]


def their_own(names: Sequence[str], data: Textbook, executor: Executor) -> dict[str, Doubles]:
    """Return forecasts (n, horizon) of forecasters that take no part in the choice."""
    panel, params = data.panel(), read_settings(CONFIG).forecast
    made = [create(name, None, params, Run(executor)) for name in names]
    return {each.name: _mean(each.fit(panel), panel, data.horizon) for each in made}


def rows_of(data: Textbook, forecasts: Mapping[str, Doubles], drawn: npt.NDArray[np.int64]) -> list[dict[str, object]]:
    """Return a row per forecaster; one that forecast only the ``drawn`` series has no score over all of them."""
    few = data.take(drawn)
    out: list[dict[str, object]] = []
    for name, forecast in forecasts.items():
        whole = len(forecast) == len(data.ids)
        on_drawn = few.mase(forecast[drawn] if whole else forecast)
        score = f"{data.mase(forecast).mean():.4f}" if whole else ""
        against = float(on_drawn.mean() / few.mase(forecasts[SLOW_PEER]).mean())
        out.append(
            {
                "forecaster": name,
                f"MASE, {len(data.ids)} series": score,
                f"MASE, {len(drawn)} series": f"{on_drawn.mean():.4f}",
                "median there": f"{np.median(on_drawn):.4f}",
                f"mean / {SLOW_PEER}": f"{against:.3f}",
            }
        )
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Forecast, score and write a table for each data set named, by default both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", nargs="*", default=["m3", "m4"], metavar="m3|m4")
    parser.add_argument("--also", default="auto_arima", help="forecasters beside the candidates")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--few", type=int, help="other than the stated number of series for what is slow")
    parser.add_argument("--series", type=int, default=ALL, help="forecast only so many series, drawn with a fixed seed")
    parser.add_argument("--development", action="store_true", help="score on the end of the training part")
    options = parser.parse_args(arguments)
    for name in options.data:
        data = {"m3": m3, "m4": m4}[name]()
        data = _drawn(data, options.series)[0]
        data = data.development() if options.development else data
        few, drawn = _drawn(data, options.few or FEW[name])
        also = [each for each in options.also.split(",") if each]
        with processes(options.workers) as executor:
            ours, taken = our_forecasts(data, executor)
            ours |= their_own(also, few, executor)
            peers = {peer: peer_forecast(peer, few if peer == SLOW_PEER else data, executor) for peer in PEERS}
        scored = "the last part of the training data" if options.development else "the official hold-out, scored once"
        notes = [
            f"Scored on {scored}; methods were made on the training data alone. Horizon {data.horizon}.",
            f"The automatic choice took: {', '.join(taken)} series. It is by rolling-origin backtest, per segment, "
            "among the candidates of configs/monthly.toml.",
            f"{', '.join(PEERS)} are statsforecast's, with a season of {data.season}.",
        ]
        if data.bucket == "W":
            notes.append("restock takes a yearly season out of weeks where it shows; AutoETS estimates none so long.")
        title = f"{name.upper()} {'monthly' if name == 'm3' else 'weekly'}: mean absolute scaled error"
        write_table(
            f"forecast_{name}{'_development' if options.development else ''}", title,
            rows_of(data, {**ours, **peers}, drawn), [f"- {note}" for note in notes],
        )  # fmt: skip


def _drawn(data: Textbook, n: int) -> tuple[Textbook, npt.NDArray[np.int64]]:
    rows = np.sort(np.random.default_rng(0).permutation(len(data.ids))[:n])
    return data.take(rows), rows


def _mean(fitted: Fitted, panel: DemandPanel, horizon: int) -> Doubles:
    if not isinstance(fitted, PooledForecast):
        raise TypeError(f"A forecaster here must have a mean forecast. Got {type(fitted).__name__} instead.")
    return fitted.mean_at(panel, horizon).astype(np.float64)


if __name__ == "__main__":
    main()
