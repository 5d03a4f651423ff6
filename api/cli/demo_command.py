"""``restock demo``: the made-up demo world, planned."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.entering import plan_and_enter
from api.cli.options import home, show_progress
from api.cli.summary import show_plan
from engine.execution import Run
from experiments.demo_world import NOTICE, build
from experiments.exchange.folder import write_tables
from experiments.exchange.result_folder import refuse_existing
from experiments.run_plan import PlanRequest
from experiments.settings import CONFIGS


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@click.option("--seed", default=0, show_default=True, help="Another seed makes another world.")
@click.option("--as-of", default="2025-10-27", show_default=True, help="Day of the plan.")
@click.option("--config", type=click.Path(path_type=Path), default=CONFIGS / "demo.toml", help="Settings of the plan.")
@click.option("--overwrite", is_flag=True, help="Replace an existing --out.")
def command(out: Path, seed: int, as_of: str, config: Path, overwrite: bool) -> int:
    """Build the demo world's tables, make its plan and say where to look. Needs no network."""
    refuse_existing(out, overwrite)
    click.echo(NOTICE)
    write_tables(build(seed, as_of).tables, out)
    request = PlanRequest(
        data=str(out),
        home=home(),
        config=config,
        out=out / "plan",
        overwrite=overwrite,
        notice=NOTICE,
    )
    result = plan_and_enter(request, Run(progress=show_progress))
    show_plan(result, as_json=False)
    click.echo(f"Tables    {out}")
    click.echo("Service   restock keys create me; restock serve")
    click.echo(f"MLflow    mlflow ui --backend-store-uri sqlite:///{home() / 'mlflow.db'}")
    return result.exit_code
