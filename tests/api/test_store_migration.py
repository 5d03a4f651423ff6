"""The migrations: what they build, how often they may run, and what they refuse."""

from __future__ import annotations

import sqlite3
import threading
import traceback
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from api.store.database import Store, connect
from api.store.migration import migrate, open_store
from api.store.schema import metadata
from engine.errors import ConfigError


def test_the_migrations_build_the_tables_of_the_schema(any_store: Store) -> None:
    with any_store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(home: Path) -> None:
    address = f"sqlite:///{home}/again.db"
    assert migrate(home, address) == migrate(home, address)


def test_processes_that_start_at_once_migrate_once(home: Path) -> None:
    address = f"sqlite:///{home}/many.db"
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def go() -> None:
        start.wait()
        try:
            open_store(home, address).close()
        except BaseException as failure:  # noqa: BLE001  # whatever it is, it fails the test
            failures.append(failure)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_a_new_file_that_another_connection_writes_is_waited_for(home: Path) -> None:
    writer = sqlite3.connect(home / "busy.db", isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, writer.execute, ["COMMIT"])
    release.start()
    try:
        open_store(home, f"sqlite:///{home}/busy.db").close()
    finally:
        release.join()
        writer.close()


def test_a_store_written_by_a_newer_restock_is_refused(any_store: Store, home: Path) -> None:
    set_revision(any_store, "9999")
    address = any_store.engine.url.render_as_string(hide_password=False)
    for use in (open_store, migrate):
        with pytest.raises(ConfigError, match="revision 9999, unknown here"):
            use(home, address)


def test_opening_leaves_an_older_shared_store_to_the_migrate_command(
    postgres: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(home, postgres)
    monkeypatch.setattr("api.store.migration._head", lambda: "0002")
    with pytest.raises(ConfigError, match="restock migrate"):
        open_store(home, postgres)


def test_a_failed_transaction_leaves_nothing(any_store: Store) -> None:
    def fail_halfway() -> None:
        with any_store.write() as connection:
            connection.execute(sa.text("CREATE TABLE half (id INTEGER)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with any_store.read() as connection:
        assert not sa.inspect(connection).has_table("half")


def test_the_store_is_connected_to_as_it_is(home: Path) -> None:
    opened = connect(home, f"sqlite:///{home}/bare.db")
    with opened.read() as connection:
        assert sa.inspect(connection).get_table_names() == []
    opened.close()


def set_revision(store: Store, revision: str) -> None:
    with store.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


@pytest.mark.parametrize("query", ["", "?user=erp&password=s3cret"])
def test_a_store_that_does_not_answer_is_told_without_its_password(home: Path, query: str) -> None:
    address = f"postgresql://127.0.0.1:1/x{query}" if query else "postgresql://erp:s3cret@127.0.0.1:1/x"
    for use in (open_store, migrate):
        with pytest.raises(ConfigError, match="The store can be reached") as refused:
            use(home, address)
        assert "127.0.0.1" in str(refused.value)
        assert "s3cret" not in "".join(traceback.format_exception(refused.value))
