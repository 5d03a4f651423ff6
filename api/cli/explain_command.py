"""``restock explain``: why one item at one location is planned as it is."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.options import json_option
from engine.plan.explain import explain
from experiments.exchange.catalogue import read_catalogue
from experiments.exchange.explanation import explanation_json, explanation_text
from experiments.exchange.plan_writer import read_plan_tables


@click.command("explain")
@click.argument("plan_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("item")
@click.argument("location")
@json_option
def command(plan_dir: Path, item: str, location: str, as_json: bool) -> None:
    """Say why ITEM at LOCATION is planned as it is in the plan folder PLAN_DIR."""
    found = explain(read_plan_tables(plan_dir), item, location)
    click.echo(explanation_json(found) if as_json else explanation_text(found, read_catalogue()), nl=False)
