"""Reads tables from a SQL database given by URL, or by ``env:NAME`` for a URL that must not be shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from engine.errors import ConfigError
from experiments.exchange.reading import ColumnBuilder, Read, is_known, not_read, table_named

_BATCH = 20_000
_RULE = "DATA is a folder, a workbook or the URL of a database that can be reached"


def is_database(data: str) -> bool:
    """Return whether ``data`` names a database."""
    return data.startswith("env:") or "://" in data


def database_url(data: str) -> URL:
    """Return the URL that ``data`` states or that the environment holds under its name.

    Raises
    ------
    ConfigError
        If the variable is not set or the text is no URL; the text itself is never shown.
    """
    address = data
    if data.startswith("env:"):
        name = data.removeprefix("env:")
        address = os.environ.get(name, "")
        if not address:
            raise ConfigError(_RULE, f"no environment variable {name}", "Set it to the URL of the database.")
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # The message of the cause quotes the address, which may hold a password. ValueError: a port that is no number.
        raise ConfigError(_RULE, "an address that is no URL", "Write it as dialect://user@host/name.") from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    return url


def shown(url: URL) -> str:
    """Return the URL without password and options, fit for a log."""
    return url.set(query={}).render_as_string(hide_password=True)


def read_database(url: URL) -> Read:
    """Return the tables and views of a database that bear the names of the contract.

    Raises
    ------
    ConfigError
        If the database cannot be reached or read.
    """
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        # SQLite would create an empty file.
        raise ConfigError(_RULE, f"no file {url.database}", "Give the path of an existing database.")
    try:
        engine = sa.create_engine(url)
        try:
            with engine.connect() as connection:
                return Read(_frames(connection))
        finally:
            engine.dispose()
    except (SQLAlchemyError, NoSuchModuleError, ImportError) as error:
        reason = _reason(error, url)
        raise ConfigError(_RULE, f"{shown(url)}: {reason}", "Check address, driver and rights.") from None


def _frames(connection: Connection) -> dict[str, pd.DataFrame]:
    inspector = sa.inspect(connection)
    frames: dict[str, pd.DataFrame] = {}
    for name in sorted([*inspector.get_table_names(), *inspector.get_view_names()]):
        table = table_named(name)
        if table and table not in frames:
            columns = [str(column["name"]) for column in inspector.get_columns(name)]
            frames[table] = _frame(connection, table, name, columns)
    return frames


def _frame(connection: Connection, table: str, name: str, columns: list[str]) -> pd.DataFrame:
    known = [column for column in columns if is_known(table, column)]
    builders = {column: ColumnBuilder() for column in known}
    n_rows = 0
    # Columns without a type: values come as the driver gives them, so dirt reaches the checks, not the driver.
    query = sa.select(*[sa.column(column) for column in known]) if known else sa.select(sa.literal(1))
    result = connection.execution_options(yield_per=_BATCH).execute(query.select_from(sa.table(name)))
    for batch in result.partitions():
        n_rows += len(batch)
        cells: list[tuple[Any, ...]] = list(zip(*batch, strict=True))
        for place, column in enumerate(known):
            builders[column].add(list(cells[place]))
    series = [builders[column].column() if column in builders else not_read(n_rows) for column in columns]
    frame = pd.concat(series, axis=1)
    frame.columns = pd.Index(columns)
    return frame


def _reason(error: Exception, url: URL) -> str:
    text = str(getattr(error, "orig", None) or error).splitlines()[0]
    for secret in (url.password, *(value for value in url.query.values() if isinstance(value, str))):
        if secret:
            text = text.replace(str(secret), "***")
    return f"{type(error).__name__}: {text}"
