"""``restock migrate``: create the store or bring it to the current version."""

from __future__ import annotations

import click

from api.cli.options import home
from api.store.migration import migrate


@click.command("migrate")
def command() -> None:
    """Create the store under RESTOCK_HOME (or at RESTOCK_STORE), or bring it to the current version; safe to repeat."""
    click.echo(f"The store is at version {migrate(home())}.")
