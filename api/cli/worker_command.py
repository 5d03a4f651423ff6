"""``restock worker``: work through the jobs of a store."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.options import home
from api.worker import main


@click.command("worker")
@click.option("--data-root", type=click.Path(path_type=Path), help="Folder whose data may be planned over HTTP.")
def command(data_root: Path | None) -> int:
    """Take jobs from the store (RESTOCK_STORE, or SQLite under RESTOCK_HOME) until stopped."""
    return main(home(), data_root=data_root)
