"""API keys: a token is shown once, when it is made; the store keeps its hash and its scopes.

A token is ``rsk_<id>_<secret>``. The secret has 256 random bits, so a plain SHA-256 withstands guessing; the id
finds the row, and the hashes are compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from api.clock import Clock, utc_now
from api.store.audit import record
from api.store.database import Store
from api.store.schema import api_keys
from engine.errors import ConfigError

SCOPES = {
    "plans:read": "Read plans and their tables",
    "plans:write": "Ask for plans and cancel them",
    "orders:read": "Ask what to order now",
}
"""What a key may be allowed, and what it means."""

_PREFIX = "rsk"


@dataclass(frozen=True)
class ApiKey:
    """A key as it may be shown: never its secret."""

    id: str
    name: str
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None


def create(store: Store, name: str, scopes: Collection[str], clock: Clock = utc_now) -> str:
    """Make a key and return its token, which is nowhere kept.

    Raises
    ------
    ConfigError
        No name, no scope, or one that is unknown.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if not name.strip() or not scopes or unknown:
        raise ConfigError(
            f"A key has a name and scopes out of {', '.join(SCOPES)}",
            f"name {name!r}, scopes {', '.join(sorted(scopes)) or 'none'}",
            "Give a name and at least one of these scopes",
        )
    key_id, secret = secrets.token_hex(8), secrets.token_hex(32)
    with store.write() as connection:
        now = clock()
        connection.execute(
            api_keys.insert().values(
                id=key_id, name=name, scopes=sorted(set(scopes)), secret_sha256=_hash(secret), created_at=now
            )
        )
        record(connection, now, "cli", ("key.created", key_id), {"name": name, "scopes": sorted(set(scopes))})
    return f"{_PREFIX}_{key_id}_{secret}"


def revoke(store: Store, key_id: str, clock: Clock = utc_now) -> None:
    """End a key at once; a second time changes nothing.

    Raises
    ------
    ConfigError
        No key has this id.
    """
    with store.write() as connection:
        if _find(connection, key_id) is None:
            raise ConfigError("A key is named by its id", repr(key_id), "See the ids: restock keys list")
        live = sa.and_(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        now = clock()
        if connection.execute(api_keys.update().where(live).values(revoked_at=now)).rowcount:
            record(connection, now, "cli", ("key.revoked", key_id))


def listed(store: Store) -> list[ApiKey]:
    """Return all keys, the oldest first."""
    with store.read() as connection:
        rows = connection.execute(sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))
        return [_key(row) for row in rows]


def verify(store: Store, token: str) -> ApiKey | None:
    """Return the key of a token; None where the token is malformed, unknown, wrong or revoked."""
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    with store.read() as connection:
        row = _find(connection, key_id)
    # A hash is compared also where no key has this id, so that both refusals take the same path.
    stored = "" if row is None else row.secret_sha256
    matches = hmac.compare_digest(_hash(secret), stored)
    if row is None or not matches or prefix != _PREFIX or row.revoked_at is not None:
        return None
    return _key(row)


def _find(connection: sa.Connection, key_id: str) -> sa.Row[tuple[object, ...]] | None:
    return connection.execute(sa.select(api_keys).where(api_keys.c.id == key_id)).first()


def _key(row: sa.Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(row.id, row.name, frozenset(row.scopes), row.created_at, row.revoked_at)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
