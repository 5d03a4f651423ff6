"""``restock review``: the overrides of a past plan beside what happened."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.options import Reading, home, json_option, reads_data
from experiments.review_overrides import review_overrides
from experiments.settings import read_settings


@click.command("review")
@click.argument("plan_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
@reads_data
@json_option
def command(plan_dir: Path, reading: Reading, as_json: bool) -> int:
    """Compare the forecast overrides of the plan or forecast in PLAN_DIR with the sales of DATA since then."""
    settings = read_settings(reading.config)
    found = review_overrides(plan_dir, reading.data, settings, reading.as_of, reading.repairs, home())
    if as_json:
        click.echo(found.scores.to_json(orient="records", indent=2))
    elif found.scores.empty:
        click.echo("No override of the forecast was applied there.")
    else:
        click.echo(found.scores.to_string(index=False, float_format="{:,.1f}".format, na_rep="-"))
        if len(found.authors):
            click.echo("\nBy author; gain: units by which the forecast came closer")
            click.echo(found.authors.to_string(index=False, float_format="{:,.1f}".format))
    return found.exit_code
