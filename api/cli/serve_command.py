"""``restock serve``: the HTTP service and its worker."""

from __future__ import annotations

from pathlib import Path

import click

from api.cli.options import home
from api.serve import serve


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to answer on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--store", "store_url", metavar="URL", help="Database of the store; env:NAME accepted. Default: SQLite.")
@click.option("--data-root", type=click.Path(path_type=Path), help="Folder whose data may be planned over HTTP.")
def command(host: str, port: int, store_url: str | None, data_root: Path | None) -> int:
    """Start the HTTP service and its worker; Ctrl-C stops both."""
    return serve(home(), host, port, store_url, data_root)
