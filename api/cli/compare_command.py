"""``restock compare``: what a plan changes in the one before it, and why."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pandas as pd

from api.cli.options import Writing, json_option, writes_results
from experiments.compare_plans import compare_plans
from experiments.exchange.plan_writer import write_table
from experiments.exchange.result_folder import refuse_existing, result_folder

N_SHOWN = 40
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("compare")
@click.argument("plan_dir", type=_FOLDER)
@click.argument("older_plan_dir", type=_FOLDER)
@writes_results
@json_option
def command(plan_dir: Path, older_plan_dir: Path, writing: Writing, as_json: bool) -> None:
    """Say line by line what the plan in PLAN_DIR changes in that of OLDER_PLAN_DIR, and why.

    With --out the tables changes and stability are written there as well.
    """
    if writing.out is not None:
        refuse_existing(writing.out, writing.overwrite)
    found = compare_plans(plan_dir, older_plan_dir)
    if writing.out is not None:
        with result_folder(writing.out, writing.overwrite) as folder:
            for name, table in found.items():
                write_table(table, folder / name)
    changes, measures = found["changes"], found["stability"].set_index("measure")["value"]
    if as_json:
        stability = {str(name): None if pd.isna(value) else value for name, value in measures.items()}
        lines = json.loads(changes.to_json(orient="records", date_format="iso"))
        click.echo(json.dumps({"stability": stability, "changes": lines}, indent=2, ensure_ascii=False))
        return
    click.echo(stability_text(found["stability"]))
    for row in changes.head(N_SHOWN).to_dict("records"):
        dates = f"{row['order_date_before']:%Y-%m-%d} -> {row['order_date']:%Y-%m-%d}"
        units = f"{row['units_before']:,.10g} -> {row['units']:,.10g}"
        click.echo(
            f"{row['change']:<6} {row['item_id']} from {row['source_id']} to {row['location_id']}: {units}, {dates}"
        )
        click.echo(f"       {row['reason']}")
    if len(changes) > N_SHOWN:
        click.echo(f"... and {len(changes) - N_SHOWN:,} more; --out writes them all, --json prints them")


def stability_text(stability: pd.DataFrame) -> str:
    """Return the measure of stability as a sentence."""
    value = stability.set_index("measure")["value"]
    if not value["lines"]:
        return "The older plan has no lines on the days that both plans cover."
    return (
        f"Of {value['lines']:,.0f} lines of the older plan on days in common {value['lines_kept']:.1%} stand "
        f"({value['units_kept']:.1%} of their units): {value['resized']:,.0f} with other units, "
        f"{value['moved']:,.0f} moved, {value['gone']:,.0f} gone; {value['new']:,.0f} are new."
    )
