"""``restock keys``: create, list and revoke API keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from api import keys
from api.cli.options import home, names
from api.store.database import Store
from api.store.migration import open_store


@contextmanager
def _store() -> Iterator[Store]:
    store = open_store(home())
    try:
        yield store
    finally:
        store.close()


@click.group("keys")
def command() -> None:
    """Create, list and revoke API keys."""


@command.command("create")
@click.argument("name")
@click.option("--scopes", default=",".join(keys.SCOPES), show_default=True, help="Separated by commas.")
def create(name: str, scopes: str) -> None:
    """Create a key called NAME and print it: it is shown once and stored only as a hash."""
    with _store() as store:
        click.echo(keys.create(store, name, names(scopes)))


@command.command("list")
def show() -> None:
    """List the keys."""
    with _store() as store:
        for key in keys.listed(store):
            state = "revoked" if key.revoked_at else "active"
            click.echo(f"{key.id}  {state}  {key.name}  {','.join(sorted(key.scopes))}")


@command.command("revoke")
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke the key KEY_ID at once."""
    with _store() as store:
        keys.revoke(store, key_id)
    click.echo(f"Revoked {key_id}.")
