"""Migrations: applied once, in order, by one at a time; an edited file is an error."""

from __future__ import annotations

import threading
from dataclasses import replace

import psycopg
import pytest

from panlect.db import migrate
from panlect.db.migrate import Migration
from panlect.errors import DatabaseError, MigrationError

FIRST = Migration(1, "first", "create table panlect.first (n int)")
SECOND = Migration(2, "second", "create table panlect.second (n int)")


def test_every_migration_is_applied_once_and_then_nothing_is_left_to_do(empty_database_url: str) -> None:
    assert len(migrate.migrate(empty_database_url)) == len(migrate.migrations())
    assert migrate.migrate(empty_database_url) == []
    migrate.check(empty_database_url)


def test_only_what_is_missing_runs(empty_database_url: str) -> None:
    assert migrate.migrate(empty_database_url, [FIRST]) == ["0001 first"]
    with pytest.raises(MigrationError, match="is at schema 1, this program needs 2"):
        migrate.check(empty_database_url, [FIRST, SECOND])
    assert migrate.migrate(empty_database_url, [FIRST, SECOND]) == ["0002 second"]


def test_a_migration_that_was_edited_after_it_ran_is_an_error(empty_database_url: str) -> None:
    migrate.migrate(empty_database_url, [FIRST])
    edited = replace(FIRST, text=FIRST.text + " -- harmless")
    with pytest.raises(MigrationError, match="0001 first was edited"):
        migrate.migrate(empty_database_url, [edited])
    with pytest.raises(MigrationError, match="0001 first was edited"):
        migrate.check(empty_database_url, [edited])


def test_a_database_newer_than_the_program_is_refused(empty_database_url: str) -> None:
    migrate.migrate(empty_database_url, [FIRST, SECOND])
    with pytest.raises(MigrationError, match="newer than this program"):
        migrate.migrate(empty_database_url, [FIRST])


def test_a_migration_that_fails_leaves_nothing_of_itself(empty_database_url: str) -> None:
    broken = replace(SECOND, text="create table panlect.half (n int); select 1 / 0")
    with pytest.raises(MigrationError, match=r"0002 second failed.*Nothing of it was kept"):
        migrate.migrate(empty_database_url, [FIRST, broken])
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("select to_regclass('panlect.half')").fetchone() == (None,)
    assert migrate.migrate(empty_database_url, [FIRST, SECOND]) == ["0002 second"]


def test_a_marked_migration_runs_outside_a_transaction(empty_database_url: str) -> None:
    concurrent = replace(
        SECOND,
        text="-- no-transaction\ncreate index concurrently first_n on panlect.first (n);\n"
        "create index concurrently first_n_again on panlect.first (n);\n",
    )
    assert migrate.migrate(empty_database_url, [FIRST, concurrent]) == ["0001 first", "0002 second"]


def test_migrators_at_the_same_time_wait_for_each_other(empty_database_url: str) -> None:
    applied: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(migrate.migrate(empty_database_url))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(names) for names in applied) == [0, 0, 0, len(migrate.migrations())]


def test_another_version_of_the_queues_schema_is_refused(empty_database_url: str) -> None:
    text = f"-- include: procrastinate/sql/schema.sql sha256={'0' * 64}"
    with pytest.raises(MigrationError, match="brings another schema"):
        migrate.migrate(empty_database_url, [FIRST, replace(SECOND, text=text)])


def test_an_old_pgvector_is_refused(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "MINIMUM_VECTOR", (99, 0, 0))
    with pytest.raises(DatabaseError, match="is too old"):
        migrate.migrate(empty_database_url, [FIRST])


def test_an_old_server_is_refused(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "MINIMUM_SERVER", 990_000)
    with pytest.raises(DatabaseError, match="Use 15 or newer"):
        migrate.migrate(empty_database_url, [FIRST])


def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(DatabaseError, match=r"(?s)cannot be reached.*Check DATABASE_URL"):
        migrate.migrate("postgresql://panlect:x@127.0.0.1:1/panlect")
