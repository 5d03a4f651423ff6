"""Opening the store: one connection pool, short transactions, the same guarantees on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from api.store.address import store_address, store_url

_WRITES = "restock_writes"
_BUSY_SECONDS = 30
_BUSY_PAUSE = 0.02


@dataclass(frozen=True)
class Store:
    """An open store. ``read`` and ``write`` each yield a connection inside one transaction.

    ``artifacts`` is the folder of what is too big for SQL; every machine that opens the store must see it.
    """

    engine: sa.Engine
    artifacts: Path

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection for reading: everything read through it is of one moment on SQLite."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Yield a connection for writing; all of it is kept, or on an exception none.

        On SQLite the write lock is taken at the start (``BEGIN IMMEDIATE``): a transaction that reads and then
        writes would otherwise fail when another one has written in between.
        """
        with self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def connect(home: Path, address: str | None = None) -> Store:
    """Open the store of a home as it is (`api.store.migration.open_store` brings it up to date first).

    ``address``: that of the SQL part (``env:NAME`` accepted); by default ``RESTOCK_STORE``, else a file under ``home``.

    Raises
    ------
    ConfigError
        The address is none of a SQLite file or PostgreSQL.
    """
    url = store_url(store_address(home, address))
    # hide_parameters: an error or a log line shows the statement, never the values.
    engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=url.get_backend_name() != "sqlite")
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return Store(engine, home.absolute() / "artifacts")


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own transactions leave DDL outside and begin late; ours are begun in `_begin_sqlite`.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # SQLite waits for a statement's lock (busy_timeout) but not for this switch: of connections that open
    # a new file at once, all but one are told at once that it is locked.
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE)


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
