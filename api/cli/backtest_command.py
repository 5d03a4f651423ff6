"""``restock backtest``: forecasters compared on the past."""

from __future__ import annotations

import click

from api.cli.options import Reading, Writing, home, json_option, names, reads_data, show_progress, writes_results
from engine.execution import Run
from experiments.backtest import BacktestRequest, run_backtest


@click.command("backtest")
@reads_data
@writes_results
@click.option("--models", default="", metavar="NAMES", help="By comma; default: those of the settings.")
@json_option
def command(reading: Reading, writing: Writing, models: str, as_json: bool) -> int:
    """Compare forecasters on the protection intervals of DATA, beside a baseline; tracked in MLflow."""
    request = BacktestRequest(
        data=reading.data,
        home=home(),
        config=reading.config,
        as_of=reading.as_of,
        repairs=reading.repairs,
        out=writing.out,
        overwrite=writing.overwrite,
        models=names(models),
    )
    result = run_backtest(request, Run(progress=show_progress))
    if as_json:
        click.echo(result.scores.to_json(orient="records", indent=2))
    else:
        click.echo(result.scores.to_string(index=False, float_format="{:,.4f}".format))
        click.echo("\nForecast value added: what the choice among these models adds to the baseline, by class")
        click.echo(result.value_added.to_string(index=False, float_format="{:,.4f}".format))
        click.echo(f"Tables are in {result.out}; tracked as MLflow run {result.tracked}")
    return result.exit_code
