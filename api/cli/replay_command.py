"""``restock replay``: what policies would have done with the history."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from api.cli.options import Command, Writing, home, json_option, names, show_progress, writes_results
from engine.execution import Run
from experiments.replay.run import ReplayRequest, ReplayResult, run_replay

_SHOWN = ("policy", "cost", "place", "fill_rate", "stock_out_share", "stock_value", "turns", "order_lines", "transfers")
_OF_PRESALES = ("presale_local", "presale_waiting_days")
_SHARES = ("place", "fill_rate", "stock_out_share", "presale_local")
_TENTHS = ("turns", "presale_waiting_days")


@dataclass(frozen=True)
class _Compared:
    """What is walked through which history, and with which changes to it."""

    data: str
    policies: tuple[Path, ...]
    config: Path | None
    what_if: Path | None
    opening: str | None
    repairs: tuple[str, ...]


@dataclass(frozen=True)
class _Walk:
    """Which stretch of the history is walked, and in which steps."""

    first_day: str | None
    weeks: int | None
    every_days: int
    refit_weeks: int


def _compares_policies(command: Command) -> Command:
    """Add ``DATA``, ``--policy``, ``--config``, ``--what-if``, ``--opening``, ``--repair``; it gets a `_Compared`."""

    @click.argument("data", metavar="DATA")
    @click.option(
        "--policy", "policies", type=click.Path(path_type=Path), multiple=True, required=True, metavar="FILE",
        help="Settings file, or one with [policy]; repeatable. Others are compared with the first.",
    )  # fmt: skip
    @click.option(
        "--config", type=click.Path(path_type=Path), help="Settings of the world; default: the first policy's."
    )
    @click.option(
        "--what-if", type=click.Path(path_type=Path), metavar="FILE", help="Changes to compare with and without."
    )
    @click.option("--opening", metavar="FOLDER", help="Exported state that all policies open with, from its day on.")
    @click.option("--repair", metavar="NAMES", default="", help="Repairs that may be made, separated by commas.")
    @functools.wraps(command)
    def wrapped(
        data: str, policies: tuple[Path, ...], config: Path | None, what_if: Path | None, opening: str | None,
        repair: str, **others: Any,
    ) -> Any:  # fmt: skip
        return command(compared=_Compared(data, policies, config, what_if, opening, names(repair)), **others)

    return wrapped


def _walks_history(command: Command) -> Command:
    """Add ``--from``, ``--weeks``, ``--every`` and ``--refit-weeks``; the command receives a `_Walk`."""

    @click.option(
        "--from", "first_day", metavar="DATE", help="First decision; default: 52 weeks before the end, or half."
    )
    @click.option("--weeks", type=click.IntRange(min=1), help="Weeks to replay; default: to the end of the history.")
    @click.option(
        "--every", "every_days", type=click.IntRange(min=1), default=7, show_default=True,
        help="Days between decisions.",
    )  # fmt: skip
    @click.option("--refit-weeks", type=click.IntRange(min=1), default=4, show_default=True, help="Weeks between fits.")
    @functools.wraps(command)
    def wrapped(first_day: str | None, weeks: int | None, every_days: int, refit_weeks: int, **others: Any) -> Any:
        return command(walk=_Walk(first_day, weeks, every_days, refit_weeks), **others)

    return wrapped


@click.command("replay")
@_compares_policies
@_walks_history
@writes_results
@click.option("--no-track", is_flag=True, help="Leave the run out of MLflow.")
@json_option
def command(compared: _Compared, walk: _Walk, writing: Writing, no_track: bool, as_json: bool) -> int:
    """Walk policies through the history of DATA week by week, each knowing only what was known then."""
    request = ReplayRequest(
        data=compared.data,
        home=home(),
        policies=compared.policies,
        config=compared.config,
        first_day=walk.first_day,
        weeks=walk.weeks,
        every_days=walk.every_days,
        refit_weeks=walk.refit_weeks,
        what_if=compared.what_if,
        opening=compared.opening,
        repairs=compared.repairs,
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
    shown = (*_SHOWN, *(_OF_PRESALES if summary["presale_units"].any() else ()))
    click.echo(f"Replay counted from {first} to {last}")
    for assumption in dict.fromkeys(summary["demand_as"]):
        rows = summary[summary["demand_as"] == assumption]
        told = "what the shop sold" if assumption == "sales" else "what would have sold, had the shop not run out"
        click.echo(f"\nDemand: {told}")
        texts = {name: [_text(name, value) for value in rows[name]] for name in shown[1:]}
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
    return f"{value:.1%}" if name in _SHARES else f"{value:,.1f}" if name in _TENTHS else f"{value:,.0f}"
