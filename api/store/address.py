"""Addresses of databases: ``env:NAME`` in their place, and passwords kept out of everything a person reads."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from engine.errors import ConfigError

STORE_VARIABLE = "RESTOCK_STORE"
"""The environment variable that names the store of a home: an address, or ``env:NAME``."""

_PREFIX = "env:"
# Up to the last @ of the word: a password may hold any other sign, and better too much is hidden than too little.
# One slash is a slip of the pen that hides nothing less.
_PASSWORD = re.compile(r"(?P<head>[A-Za-z][\w+.-]*:/{1,2}[^\s/@:]*:)\S*@")
_QUERY = re.compile(r"(?P<head>[?&](?:password|passwd|pwd|sslpassword)=)[^\s&]+", re.IGNORECASE)
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "sqlite": "sqlite"}


def redact(text: str) -> str:
    """Return the text with the password of every address in it replaced by ``***``."""
    return _QUERY.sub(r"\g<head>***", _PASSWORD.sub(r"\g<head>***@", text))


def resolve(address: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the address itself, or for ``env:NAME`` what the environment holds under that name.

    Raises
    ------
    ConfigError
        The environment has no such name.
    """
    if not address.startswith(_PREFIX):
        return address
    name = address.removeprefix(_PREFIX)
    value = (os.environ if environment is None else environment).get(name)
    if not value:
        raise ConfigError(
            "env:NAME names an environment variable that holds an address",
            f"no value under {name}",
            f"Set {name}",
        )
    return value


def store_url(address: str) -> sa.URL:
    """Return the address of a store, with the driver that restock ships.

    Raises
    ------
    ConfigError
        It is no address of a SQLite file or of PostgreSQL. The message never holds the address.
    """
    try:
        url = sa.make_url(resolve(address))
    except (sa.exc.ArgumentError, ValueError):
        # Without the cause: it may quote the address, password and all. ValueError: a port that is no number.
        raise ConfigError(
            "A store is given by an address such as sqlite:////path/store.db or postgresql://user@host/name",
            "text that is no such address",
            "Correct it, or name a variable that holds it: env:NAME",
        ) from None
    driver = _DRIVERS.get(url.drivername, url.drivername)
    if driver not in _DRIVERS.values():
        raise ConfigError(
            "A store is a SQLite file or a PostgreSQL database",
            f"{url.drivername}://",
            "Give sqlite:////path/store.db or postgresql://user@host/name",
        )
    if driver == "sqlite" and url.database in (None, "", ":memory:"):
        raise ConfigError(
            "A SQLite store is a file: server and worker both open it",
            "no file name",
            "Give sqlite:////path/store.db",
        )
    return url.set(drivername=driver)


def store_address(home: Path, given: str | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Return the address of the store: the one given, else that of ``RESTOCK_STORE``, else a file under ``home``."""
    named = given or (os.environ if environment is None else environment).get(STORE_VARIABLE)
    embedded = sa.URL.create("sqlite", database=str(home.absolute() / "store.db"))
    return named or embedded.render_as_string(hide_password=False)
