"""Addresses: what stands for them, and that no password of one is ever shown."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.store.address import redact, resolve, store_address, store_url
from api.store.migration import open_store
from engine.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://erp:s3cret@db:5432/x", "postgresql://erp:***@db:5432/x"),
        ("postgresql+psycopg://erp:p@ss/w:rd@db/x", "postgresql+psycopg://erp:***@db/x"),
        (
            "could not reach postgres://a:b@h/x or mysql://c:d@i/y",
            "could not reach postgres://a:***@h/x or mysql://c:***@i/y",
        ),
        (
            "postgresql://db/x?user=erp&password=s3cret&sslmode=require",
            "postgresql://db/x?user=erp&password=***&sslmode=require",
        ),
        ("postgres:/erp:s3cret@db/x", "postgres:/erp:***@db/x"),
        ("postgresql://erp@db/x", "postgresql://erp@db/x"),
        ("sqlite:////srv/store.db", "sqlite:////srv/store.db"),
        ("as of 12:30 a@b", "as of 12:30 a@b"),
    ],
)
def test_a_password_in_an_address_is_not_shown(text: str, shown: str) -> None:
    assert redact(text) == shown


@given(st.text(alphabet=st.characters(categories=["L", "N"], include_characters="@:!$%&*+=~"), min_size=4))
def test_no_password_survives(password: str) -> None:
    assert password not in redact(f"cannot reach postgresql://erp:{password}@db/x").replace("postgresql://erp:", "")


def test_env_names_the_variable_that_holds_the_address() -> None:
    assert resolve("env:STORE", {"STORE": "sqlite:////a.db"}) == "sqlite:////a.db"
    assert resolve("sqlite:////b.db", {}) == "sqlite:////b.db"
    with pytest.raises(ConfigError, match="no value under STORE"):
        resolve("env:STORE", {})


def test_the_store_lies_under_home_unless_it_is_said_where() -> None:
    home = Path("/srv/restock")
    assert store_address(home, None, {}) == "sqlite:////srv/restock/store.db"
    assert store_address(home, None, {"RESTOCK_STORE": "postgresql://db/x"}) == "postgresql://db/x"
    assert store_address(home, "sqlite:////c.db", {"RESTOCK_STORE": "postgresql://db/x"}) == "sqlite:////c.db"


def test_postgresql_is_reached_by_the_driver_that_ships() -> None:
    assert store_url("postgres://db/x").drivername == "postgresql+psycopg"
    assert store_url("postgresql://db/x").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "address", ["mysql://u:s3cret@db/x", "s3cret", "postgresql://u:s3cret/@db/x", "sqlite://", "sqlite:///:memory:"]
)
def test_other_addresses_are_refused_without_showing_them(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        open_store(tmp_path, address)
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))
