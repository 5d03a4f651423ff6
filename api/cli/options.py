"""Options that several commands share, handed to them as one object."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


@dataclass(frozen=True)
class Reading:
    """What to read and with which settings: the options of every command that reads ``DATA``."""

    data: str
    config: Path | None
    as_of: str | None
    repairs: tuple[str, ...]


@dataclass(frozen=True)
class Writing:
    """Where results go."""

    out: Path | None
    overwrite: bool


def reads_data(command: Command) -> Command:
    """Add ``DATA``, ``--config``, ``--as-of`` and ``--repair``; the command receives a `Reading`."""

    @click.argument("data", metavar="DATA")
    @click.option(
        "--config", type=click.Path(path_type=Path), help="TOML file of settings that differ from the defaults."
    )
    @click.option("--as-of", metavar="DATE", help="Day of the plan; by default the day after the last complete bucket.")
    @click.option("--repair", metavar="NAMES", default="", help="Repairs that may be made, separated by commas.")
    @functools.wraps(command)
    def wrapped(data: str, config: Path | None, as_of: str | None, repair: str, **others: Any) -> Any:
        return command(reading=Reading(data, config, as_of, names(repair)), **others)

    return wrapped


def writes_results(command: Command) -> Command:
    """Add ``--out`` and ``--overwrite``; the command receives a `Writing`.

    At a terminal an existing ``--out`` is asked about; without one it needs ``--overwrite``.
    """

    @click.option("--out", type=click.Path(path_type=Path), help="Folder for the results.")
    @click.option("--overwrite", is_flag=True, help="Replace an existing --out.")
    @functools.wraps(command)
    def wrapped(out: Path | None, overwrite: bool, **others: Any) -> Any:
        if out is not None and out.exists() and not overwrite and sys.stdin.isatty():
            overwrite = click.confirm(f"{out} exists. Replace it?", default=False, err=True)
        return command(writing=Writing(out, overwrite), **others)

    return wrapped


json_option = click.option("--json", "as_json", is_flag=True, help="Results as JSON on stdout.")


def home() -> Path:
    """Return the folder of restock's state: ``RESTOCK_HOME``, by default ``./.restock``."""
    return Path(os.environ.get("RESTOCK_HOME", ".restock")).absolute()


def names(text: str) -> tuple[str, ...]:
    """Return the names in a comma list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def show_progress(stage: str, done: int, total: int) -> None:
    """Write one line of progress to stderr when it is a terminal."""
    if sys.stderr.isatty():
        end = "\n" if done >= total else ""
        click.echo(f"\r\033[K{stage}: {done}/{total}{end}", nl=False, err=True)
