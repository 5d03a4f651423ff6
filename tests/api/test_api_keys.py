"""API keys: shown once, kept as a hash, refused once revoked."""

from __future__ import annotations

from pathlib import Path

import pytest

from api import keys
from api.store.database import Store
from engine.errors import ConfigError
from tests.api.conftest import StillClock


def test_a_token_finds_its_key(store: Store, clock: StillClock) -> None:
    token = keys.create(store, "erp", ["plans:read", "orders:read"], clock)

    key = keys.verify(store, token)

    assert key is not None
    assert (key.name, key.scopes, key.created_at) == ("erp", {"plans:read", "orders:read"}, clock.now)
    assert keys.listed(store) == [key]


def test_the_store_holds_no_secret(store: Store, home: Path) -> None:
    token = keys.create(store, "erp", ["plans:read"])
    secret = token.rpartition("_")[2]
    store.close()
    assert all(secret.encode() not in path.read_bytes() for path in home.glob("store.db*"))


def test_a_wrong_a_foreign_and_a_revoked_token_find_nothing(store: Store) -> None:
    token, other = (keys.create(store, name, ["plans:read"]) for name in ("erp", "other"))
    key_id = token.split("_")[1]
    crossed = f"rsk_{key_id}_{other.rpartition('_')[2]}"
    for wrong in ("", "rsk", "rsk__", token[:-1], token + "0", token.replace("rsk", "xyz"), crossed, "ключ_é_ü"):
        assert keys.verify(store, wrong) is None

    keys.revoke(store, key_id)
    keys.revoke(store, key_id)

    assert keys.verify(store, token) is None
    assert keys.verify(store, other) is not None


@pytest.mark.parametrize(("name", "scopes"), [("erp", []), ("erp", ["plans:all"]), (" ", ["plans:read"])])
def test_a_key_needs_a_name_and_known_scopes(store: Store, name: str, scopes: list[str]) -> None:
    with pytest.raises(ConfigError, match="plans:read, plans:write, orders:read"):
        keys.create(store, name, scopes)


def test_an_unknown_key_cannot_be_revoked(store: Store) -> None:
    with pytest.raises(ConfigError, match="'nobody'"):
        keys.revoke(store, "nobody")
