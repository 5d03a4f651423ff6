"""restock beside statsforecast on the textbook's series: M3 monthly and M4 weekly.

    python -m benchmarks.forecast.textbook [m3] [m4] [--models theta,arima_111,ets,blend,arima] [--workers 2]

The mean absolute scaled error of point forecasts on the official hold-outs; with ``--development``, on the last part of
what is known before them, where methods are to be compared while they are made. A forecaster's point forecast is its
mean, before sample paths are made of it. AutoARIMA, which takes seconds a series, forecasts ``--arima-series`` of them,
drawn with a fixed seed. Reads RESTOCK_DATA; writes benchmarks/results/forecast_m3.md and forecast_m4.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.forecast.textbook_data import Doubles, Textbook, m3, m4
from benchmarks.forecast.textbook_peers import PEERS, SLOW_PEER, peer_forecast
from benchmarks.measure import write_table
from engine.demand.panel import DemandPanel
from engine.execution import Executor, Run, processes
from engine.forecast.params import ForecastParams
from engine.forecast.pooled import PooledForecast
from engine.forecast.types import Fitted, Forecaster
from models.arima import Arima, ArimaParams
from models.arima_111 import Arima111
from models.best_of import BestOf
from models.blend import Blend, BlendParams
from models.ets import Ets, EtsParams
from models.theta import Theta

ALL = 1_000_000
"""Series fitted at most by a per-series model: here, all of them."""

BEST = "automatic choice"


def candidates(names: Sequence[str], executor: Executor) -> list[Forecaster]:
    """Return restock's forecasters of these names, set to fit every series."""
    made: list[Forecaster] = [
        Theta(),
        Arima111(),
        Ets(EtsParams(ALL), executor),
        Blend(BlendParams(ALL), executor),
        Arima(ArimaParams(ALL), executor),
    ]
    return [forecaster for forecaster in made if forecaster.name in names]


def our_forecasts(data: Textbook, names: Sequence[str], executor: Executor) -> tuple[dict[str, Doubles], list[str]]:
    """Return forecasts (n, horizon) of each forecaster and of the automatic choice, and how often each was taken."""
    panel, run = data.panel(), Run(executor, progress=lambda stage, done, total: print(stage, done, total, flush=True))
    made = candidates(names, executor)
    chosen = BestOf(made, ForecastParams(), run).fit(panel)
    out = {}
    for forecaster in made:
        fitted = chosen.fitted.get(forecaster.name)
        out[forecaster.name] = _mean(fitted or forecaster.fit(panel), panel, data.horizon)
    model = chosen.model_of(panel.item_id, panel.location_id)
    best = np.zeros_like(data.test)
    for name in sorted(set(model)):
        rows = model == name
        best[rows] = _mean(chosen.fitted[name], panel, data.horizon)[rows]
    return {**out, BEST: best}, [f"{name} {int((model == name).sum())}" for name in sorted(set(model))]


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
    parser.add_argument("--models", default="theta,arima_111,ets,blend,arima")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--arima-series", type=int, default=500)
    parser.add_argument("--series", type=int, default=ALL, help="forecast only so many series, drawn with a fixed seed")
    parser.add_argument("--development", action="store_true", help="score on the end of the training part")
    options = parser.parse_args(arguments)
    for name in options.data:
        data = {"m3": m3, "m4": m4}[name]()
        data = _drawn(data, options.series)[0]
        data = data.development() if options.development else data
        few, drawn = _drawn(data, options.arima_series)
        with processes(options.workers) as executor:
            ours, taken = our_forecasts(data, options.models.split(","), executor)
            peers = {peer: peer_forecast(peer, few if peer == SLOW_PEER else data, executor) for peer in PEERS}
        scored = "the last part of the training data" if options.development else "the official hold-out, scored once"
        notes = [
            f"Scored on {scored}; methods were made on the training data alone. Horizon {data.horizon}.",
            f"The automatic choice took: {', '.join(taken)} series. It is by rolling-origin backtest, per segment.",
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
