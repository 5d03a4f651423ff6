"""``restock plan``: from tables to a plan."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.entering import plan_and_enter
from api.cli.options import Reading, Writing, home, json_option, reads_data, show_progress, writes_results
from api.cli.summary import show_plan
from engine.execution import Run
from experiments.run_plan import PlanRequest


@click.command("plan")
@reads_data
@writes_results
@click.option(
    "--since",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the plan before this one: lines stay where chance explains the difference; what changed is told.",
)
@click.option("--opening", metavar="FOLDER", help="Exported state to plan from, in place of the stock in DATA.")
@click.option("--no-track", is_flag=True, help="Leave the run out of MLflow.")
@json_option
def command(
    reading: Reading, writing: Writing, since: Path | None, opening: str | None, no_track: bool, as_json: bool
) -> int:
    """Make a plan from DATA: a folder, a workbook or a database URL (env:NAME names one)."""
    request = PlanRequest(
        data=reading.data,
        config=reading.config,
        as_of=reading.as_of,
        repairs=reading.repairs,
        out=writing.out,
        overwrite=writing.overwrite,
        since=since,
        opening=opening,
        track=not no_track,
        home=home(),
    )
    result = plan_and_enter(request, Run(progress=show_progress))
    show_plan(result, as_json)
    return result.exit_code
