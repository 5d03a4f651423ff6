"""``restock replay``: what policies would have done with the history."""

from __future__ import annotations

import json
from pathlib import Path

import click

from api.cli.options import Writing, home, json_option, names, show_progress, writes_results
from engine.execution import Run
from experiments.replay.run import ReplayRequest, ReplayResult, run_replay

_SHOWN = ("policy", "cost", "place", "fill_rate", "stock_out_share", "stock_value", "turns", "order_lines", "transfers")
_SHARES = ("place", "fill_rate", "stock_out_share")


@click.command("replay")
@click.argument("data", metavar="DATA")
@click.option(
    "--policy", "policies", type=click.Path(path_type=Path), multiple=True, required=True, metavar="FILE",
    help="Settings file, or one with [policy]; repeatable. Others are compared with the first.",
)  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path), help="Settings of the world; default: the first policy's.")
@click.option("--from", "first_day", metavar="DATE", help="First decision; default: 52 weeks before the end, or half.")
@click.option("--weeks", type=click.IntRange(min=1), help="Weeks to replay; default: to the end of the history.")
@click.option(
    "--every", "every_days", type=click.IntRange(min=1), default=7, show_default=True, help="Days between decisions."
)
@click.option("--refit-weeks", type=click.IntRange(min=1), default=4, show_default=True, help="Weeks between fits.")
@click.option("--what-if", type=click.Path(path_type=Path), metavar="FILE", help="Changes to compare with and without.")
@click.option("--opening", metavar="FOLDER", help="Exported state that all policies open with, from its day on.")
@click.option("--repair", metavar="NAMES", default="", help="Repairs that may be made, separated by commas.")
@writes_results
@click.option("--no-track", is_flag=True, help="Leave the run out of MLflow.")
@json_option
def command(
    data: str, policies: tuple[Path, ...], config: Path | None, first_day: str | None, weeks: int | None,
    every_days: int, refit_weeks: int, what_if: Path | None, opening: str | None, repair: str, writing: Writing,
    no_track: bool, as_json: bool,
) -> int:  # fmt: skip
    """Walk policies through the history of DATA week by week, each knowing only what was known then."""
    request = ReplayRequest(
        data=data,
        home=home(),
        policies=policies,
        config=config,
        first_day=first_day,
        weeks=weeks,
        every_days=every_days,
        refit_weeks=refit_weeks,
        what_if=what_if,
        opening=opening,
        repairs=names(repair),
        out=writing.out,
        overwrite=writing.overwrite,
        track=not no_track,
    )
    result = run_replay(request, Run(progress=show_progress))
    if as_json:
        click.echo(_as_json(result))
    else:
        _show(result)
    return result.exit_code


def _as_json(result: ReplayResult) -> str:
    tables = result.replayed.tables
    content = {
        "run_id": result.run_id,
        "out": str(result.out),
        "scored": list(result.replayed.scored),
        "tracked_run": result.tracked or None,
        "exit_code": result.exit_code,
        **{name: json.loads(tables[name].to_json(orient="records")) for name in ("summary", "differences")},
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _show(result: ReplayResult) -> None:
    """Print the policies side by side, how sure the differences in cost are, and where the rest is."""
    summary, differences = result.replayed.tables["summary"], result.replayed.tables["differences"]
    first, last = result.replayed.scored
    click.echo(f"Replay counted from {first} to {last}")
    for assumption in dict.fromkeys(summary["demand_as"]):
        rows = summary[summary["demand_as"] == assumption]
        told = "what the shop sold" if assumption == "sales" else "what would have sold, had the shop not run out"
        click.echo(f"\nDemand: {told}")
        texts = {name: [_text(name, value) for value in rows[name]] for name in _SHOWN[1:]}
        click.echo(rows[["policy"]].assign(**texts).to_string(index=False))
        chosen = (differences["demand_as"] == assumption) & (differences["measure"] == "cost")
        for row in differences[chosen].itertuples():
            span = f"{row.low:+,.0f} to {row.high:+,.0f}"
            click.echo(f"  {row.policy} less {row.base}: cost {row.difference:+,.0f}, in nine of ten draws {span}")
    click.echo(f"\nReport    {result.out / 'report.html'}")
    if result.tracked:
        click.echo(f"Tracked   MLflow run {result.tracked}, one below it for each policy")


def _text(name: str, value: float) -> str:
    if value != value:
        return ""
    return f"{value:.1%}" if name in _SHARES else f"{value:,.1f}" if name == "turns" else f"{value:,.0f}"
