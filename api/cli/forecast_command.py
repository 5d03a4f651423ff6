"""``restock forecast``: demand as a distribution."""

from __future__ import annotations

import click

from api.cli.options import Reading, Writing, home, json_option, names, reads_data, show_progress, writes_results
from api.cli.summary import show_forecast
from engine.errors import ConfigError
from engine.execution import Run
from experiments.run_forecast import ForecastRequest, run_forecast


@click.command("forecast")
@reads_data
@writes_results
@click.option("--horizon", type=click.IntRange(min=1), help="Buckets ahead; by default 28 days, 8 weeks or 6 months.")
@click.option("--quantiles", metavar="LIST", help="Such as 0.05,0.5,0.95; by default those of the settings.")
@click.option("--by", multiple=True, metavar="COLUMNS", help="Also by these columns of items or locations, or total.")
@json_option
def command(
    reading: Reading, writing: Writing, horizon: int | None, quantiles: str | None, by: tuple[str, ...], as_json: bool
) -> int:
    """Forecast the demand in DATA; needs the table sales alone."""
    request = ForecastRequest(
        data=reading.data,
        home=home(),
        config=reading.config,
        as_of=reading.as_of,
        repairs=reading.repairs,
        out=writing.out,
        overwrite=writing.overwrite,
        horizon=horizon,
        quantiles=_levels(quantiles),
        by=tuple(names(columns) for columns in by),
    )
    result = run_forecast(request, Run(progress=show_progress))
    show_forecast(result, as_json)
    return result.exit_code


def _levels(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        levels = tuple(sorted({float(part) for part in names(text)}))
    except ValueError:
        levels = ()
    if not levels or not all(0 < level < 1 for level in levels):
        raise ConfigError("--quantiles is a list of numbers between 0 and 1", repr(text), "Write 0.05,0.5,0.95")
    return levels
