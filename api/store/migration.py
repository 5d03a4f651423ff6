"""Bringing a store up to date. The scripts lie in ``migrations/versions`` and ship with the package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from api.store.address import redact
from api.store.database import Store, connect
from engine.errors import ConfigError

_SCRIPTS = Path(__file__).parent / "migrations"
# Any number will do, as long as it is the same in every process that migrates a store.
_LOCK = 7_307_215


def migrate(home: Path, address: str | None = None) -> str:
    """Bring the store of a home to the newest revision and return that; an up-to-date one stays as it is.

    All of it is one transaction, and of several processes that start at once one does it while the others wait.

    Raises
    ------
    ConfigError
        The address is wrong, nothing answers there, or a newer restock has written the store.
    """
    store = connect(home, address)
    try:
        with _reaching(store), store.write() as connection:
            _lock(connection)
            _refuse_newer(_revision(connection))
            command.upgrade(_config(connection), "head")
            return str(_revision(connection))
    finally:
        store.close()


def open_store(home: Path, address: str | None = None) -> Store:
    """Open the store of a home for use: an empty one and an embedded one are migrated, any other must be up to date.

    A shared database is changed only on purpose, by ``restock migrate``.

    Raises
    ------
    ConfigError
        The address is wrong, nothing answers there, or the store is older or newer than this restock.
    """
    store = connect(home, address)
    try:
        with _reaching(store), store.read() as connection:
            found = _revision(connection)
        _refuse_newer(found)
        if found not in (None, _head()) and store.engine.dialect.name != "sqlite":
            raise ConfigError(
                f"A shared store is at revision {_head()}", f"revision {found}", "Bring it up to date: restock migrate"
            )
        if found != _head():
            migrate(home, address)
    except BaseException:
        store.close()
        raise
    return store


@contextmanager
def _reaching(store: Store) -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        address = store.engine.url.set(query={}).render_as_string(hide_password=True)
        reason = str(error.orig).splitlines()[0]
        raise ConfigError(
            "The store can be reached",
            redact(f"{address}: {reason}"),
            "Check its address, that its server runs, and the rights to it",
        ) from error


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _head() -> str:
    return str(ScriptDirectory.from_config(_config(None)).get_current_head())


def _refuse_newer(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions()}
    if revision is not None and revision not in known:
        raise ConfigError(
            "A store is used by the restock that wrote it or a newer one",
            f"revision {revision}, unknown here",
            "Install the newer restock",
        )


def _config(connection: sa.Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _lock(connection: sa.Connection) -> None:
    # SQLite: the transaction already holds the write lock.
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
